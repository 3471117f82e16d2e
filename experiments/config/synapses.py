"""Synapses of an experiment: ideal weights or resistive devices."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from experiments.config import field
import ssnn_jax
from ssnn_jax.hardware import device_config
from ssnn_jax.hardware import devices
from ssnn_jax.hardware import tiki_taka
from ssnn_jax.hardware.presets import PRESETS

IDEAL, CUSTOM = 'ideal', 'custom'
DEVICES = (IDEAL, CUSTOM, *PRESETS)
UPDATE_RULES = ('sgd', 'tiki_taka')


_field = functools.partial(field.field, 'Synapses')
# A field that overrides a parameter of the chosen device.
_of_preset = functools.partial(_field, None)


@dataclasses.dataclass(frozen=True)
class SynapseFields:
  """Fields that concern synapses; None is the value of the chosen device."""

  device: str = _field(
    IDEAL,
    'synaptic device: a weight that an optimizer changes (ideal), a published '
    'resistive device (ssnn_jax/hardware/presets.py), or a resistive device '
    'without non-idealities (custom); the next flags override its parameters',
    choices=DEVICES,
  )
  pulse_scheme: str | None = _of_preset(
    'pulses per coincidence: a number scaled to the learning rate (scaled), or '
    'one, so that the effective learning rate is proportional to T (single)',
    choices=device_config.PULSE_SCHEMES,
  )
  dw_min: float | None = _of_preset(
    'mean weight change of a pulse at weight 0; 0 is a continuous change'
  )
  dw_min_dtod: float | None = _of_preset(
    'relative device-to-device standard deviation of dw_min'
  )
  dw_min_std: float | None = _of_preset(
    'relative cycle-to-cycle standard deviation of dw_min'
  )
  mult_noise: bool | None = _of_preset(
    'whether dw_min_std is relative to the weight change at the present weight '
    'instead of weight 0'
  )
  up_down: float | None = _of_preset(
    'asymmetry: difference of the weight changes of pulses up and down, '
    'relative to dw_min'
  )
  up_down_dtod: float | None = _of_preset(
    'device-to-device standard deviation of half of up_down'
  )
  w_max: float | None = _of_preset('upper bound of a weight')
  w_max_dtod: float | None = _of_preset(
    'relative device-to-device standard deviation of w_max'
  )
  w_min: float | None = _of_preset('lower bound of a weight')
  w_min_dtod: float | None = _of_preset(
    'relative device-to-device standard deviation of w_min'
  )
  gamma_up: float | None = _of_preset(
    'relative decrease of the weight change of a pulse up from weight 0 to '
    'w_max; 1 is a soft bound'
  )
  gamma_up_dtod: float | None = _of_preset(
    'device-to-device standard deviation of gamma_up'
  )
  gamma_down: float | None = _of_preset(
    'relative decrease of the weight change of a pulse down from weight 0 to '
    'w_min; 1 is a soft bound'
  )
  gamma_down_dtod: float | None = _of_preset(
    'device-to-device standard deviation of gamma_down'
  )
  mean_bound_reference: bool | None = _of_preset(
    'whether gamma_up and gamma_down refer to the mean of w_max and w_min over '
    'devices instead of the bounds of each device'
  )
  lifetime: float | None = _of_preset(
    'retention: number of batches in which a weight decays to 1 / e; 0 is no '
    'decay'
  )
  lifetime_dtod: float | None = _of_preset(
    'relative device-to-device standard deviation of lifetime'
  )
  corrupt_devices_prob: float | None = _of_preset(
    'fraction of devices with a stuck weight'
  )
  corrupt_devices_range: float | None = _of_preset(
    'largest absolute weight of stuck devices'
  )
  endurance: float | None = _of_preset(
    'number of pulses until a device is worn out; 0 does not count pulses, inf '
    'counts pulses without wear'
  )
  endurance_dtod: float | None = _of_preset(
    'relative device-to-device standard deviation of endurance'
  )
  zero_shifting: bool | None = _of_preset(
    'subtract reference devices, so that pulses up and down change a weight of '
    '0 equally'
  )
  update_rule: str = _field(
    'sgd',
    'update rule: coincidences change the weights (sgd), or a second, fast '
    'array that is transferred to the weights (tiki_taka)',
    choices=UPDATE_RULES,
  )
  transfer_lines: int = _field(
    8,
    'number of input lines of the fast array of --update_rule=tiki_taka that '
    'are transferred after each batch',
  )
  transfer_rate: float = _field(
    0.2,
    'weight change for a weight of 1 in the fast array of '
    '--update_rule=tiki_taka',
  )
  out_noise: float = _field(
    0.0,
    'read noise: standard deviation of an output current in each tick, in '
    'units of the current of a weight of 1',
  )
  inp_bits: int | None = _field(
    None,
    'resolution of the DAC of inputs of arrays; default: infinite',
    'bits',
  )
  inp_bound: float | None = _field(
    None,
    'largest input of arrays, in spikes per tick; default: no bound',
  )
  out_bits: int | None = _field(
    None,
    'resolution of the ADC of output currents in a window; default: infinite',
    'bits',
  )
  out_bound: float | None = _field(
    None, 'largest output current; default: no bound'
  )

  def __post_init__(self):
    resistive(self)
    reads(self)
    transfer(self)


# Values of a network without pulses.
DEFAULTS = {own.name: own.default for own in dataclasses.fields(SynapseFields)}


def _given(config, kind):
  """Returns the values of the fields of a dataclass that are not None."""
  names = [own.name for own in dataclasses.fields(kind)]
  values = {name: getattr(config, name) for name in names}
  return {name: value for name, value in values.items() if value is not None}


def resistive(config: SynapseFields) -> device_config.DeviceConfig | None:
  """Makes the configuration of resistive devices; None if they are ideal."""
  given = _given(config, device_config.DeviceConfig)
  if config.device in (CUSTOM, *PRESETS):
    base = PRESETS.get(config.device, device_config.DeviceConfig())
    return field.call(dataclasses.replace, base, **given)
  for name, value in given.items():
    expected = 'none, as --device is ideal: give a published device, or custom'
    field.check(name, value, False, expected)
  rule = config.update_rule
  field.check('update_rule', rule, rule == 'sgd', 'sgd, as --device is ideal')
  return None


def reads(config: SynapseFields) -> ssnn_jax.ReadConfig:
  """Makes the configuration of an experiment's reads."""
  kind = ssnn_jax.ReadConfig
  return field.call(kind, **_given(config, kind))


def transfer(config: SynapseFields) -> tiki_taka.TransferConfig:
  """Makes the configuration of an experiment's transfers by Tiki-Taka."""
  lines, rate = config.transfer_lines, config.transfer_rate
  return field.call(tiki_taka.TransferConfig, lines, rate)


def make_device(
  config: SynapseFields,
  learning_rate: jax.Array | float,
  schedule: optax.Schedule,
) -> devices.Device | None:
  """Makes the devices of an experiment.

  Args:
    config: the experiment.
    learning_rate: step size for the mean gradient of a batch.
    schedule: factor on the learning rate, over batches.

  Returns:
    The devices; None if they are ideal.

  Raises:
    UserError: if they are impossible.
  """
  chosen, rates = resistive(config), (learning_rate, schedule)
  if chosen is None:
    return None
  if config.update_rule == 'sgd':
    return devices.make_resistive(chosen, *rates)
  make = tiki_taka.make_tiki_taka
  return field.call(make, chosen, transfer(config), *rates)


def count_pulses(state: Any) -> dict[str, jax.Array]:
  """Returns `mean_pulses` and `max_pulses` of a device, if they are counted."""
  is_array = lambda part: isinstance(part, devices.ResistiveState)
  arrays = [
    jnp.ravel(pulses)
    for part in jax.tree.leaves(state, is_leaf=is_array)
    if is_array(part)
    for pulses in jax.tree.leaves(part.pulse_counts)
  ]
  if not arrays:
    return {}
  pulses = jnp.concatenate(arrays)
  return {
    'mean_pulses': jnp.mean(pulses.astype(jnp.float32)),
    'max_pulses': jnp.max(pulses),
  }
