"""Synapses of an experiment: ideal weights or resistive devices."""

import dataclasses
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


def _of_preset(help_text, choices=None):
  """Makes a field that overrides a parameter of the chosen device."""
  return field.field('Synapses', None, help_text, choices=choices)


@dataclasses.dataclass(frozen=True)
class SynapseFields:
  """The fields of a configuration that concern synapses.

  Fields of a device are parameters of `device_config.DeviceConfig`; None is the
  parameter of the chosen device.
  """

  device: str = field.field(
    'Synapses',
    IDEAL,
    'synaptic device: a weight that an optimizer changes (ideal), a published '
    'resistive device (see ssnn_jax/hardware/presets.py), or a resistive '
    'device without non-idealities (custom), whose parameters the next flags '
    'override',
    choices=DEVICES,
  )
  pulse_scheme: str | None = _of_preset(
    'pulses per coincidence: a number scaled to the learning rate (scaled), or '
    'one, so that the effective learning rate is proportional to T (single)',
    choices=device_config.PULSE_SCHEMES,
  )
  dw_min: float | None = _of_preset(
    'mean weight change of a pulse at weight 0; 0 is a continuous change',
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
    'counts pulses without wear',
  )
  endurance_dtod: float | None = _of_preset(
    'relative device-to-device standard deviation of endurance'
  )
  zero_shifting: bool | None = _of_preset(
    'subtract reference devices, so that pulses up and down change a weight of '
    '0 equally'
  )
  update_rule: str = field.field(
    'Synapses',
    'sgd',
    'update rule: coincidences change the weights (sgd), or a second, fast '
    'array that is transferred to the weights (tiki_taka)',
    choices=UPDATE_RULES,
  )
  transfer_lines: int = field.field(
    'Synapses',
    8,
    'number of input lines of the fast array of --update_rule=tiki_taka that '
    'are transferred after each batch',
  )
  transfer_rate: float = field.field(
    'Synapses',
    0.2,
    'weight change for a weight of 1 in the fast array of '
    '--update_rule=tiki_taka',
  )
  out_noise: float = field.field(
    'Synapses',
    0.0,
    'read noise: standard deviation of an output current in each tick, in '
    'units of the current of a weight of 1',
  )
  inp_bits: int | None = field.field(
    'Synapses',
    None,
    'resolution of the DAC of inputs of arrays; default: infinite',
    'bits',
  )
  inp_bound: float | None = field.field(
    'Synapses',
    None,
    'largest input of arrays, in spikes per tick; default: no bound',
  )
  out_bits: int | None = field.field(
    'Synapses',
    None,
    'resolution of the ADC of output currents in a window; default: infinite',
    'bits',
  )
  out_bound: float | None = field.field(
    'Synapses', None, 'largest output current; default: no bound'
  )

  def __post_init__(self):
    resistive(self)
    reads(self)
    transfer(self)


_OF_PRESET = tuple(
  field.name for field in dataclasses.fields(device_config.DeviceConfig)
)
NAMES = tuple(field.name for field in dataclasses.fields(SynapseFields))
# Values of a network without pulses.
DEFAULTS = {
  field.name: field.default for field in dataclasses.fields(SynapseFields)
}


def resistive(config: SynapseFields) -> device_config.DeviceConfig | None:
  """Makes the configuration of an experiment's devices.

  Args:
    config: the experiment.

  Returns:
    The configuration; None if they are ideal.

  Raises:
    UserError: if a parameter is impossible, or given to ideal devices.
  """
  given = {
    name: getattr(config, name)
    for name in _OF_PRESET
    if getattr(config, name) is not None
  }
  if config.device not in (CUSTOM, *PRESETS):
    for name in given:
      field.check(
        name,
        given[name],
        False,
        'none, as --device is ideal: give a published device, or custom',
      )
    is_sgd = config.update_rule == 'sgd'
    field.check(
      'update_rule', config.update_rule, is_sgd, 'sgd, as --device is ideal'
    )
    return None
  base = PRESETS.get(config.device, device_config.DeviceConfig())
  return _as_flags(lambda: dataclasses.replace(base, **given))


def reads(config: SynapseFields) -> ssnn_jax.ReadConfig:
  """Makes the configuration of an experiment's reads.

  Args:
    config: the experiment.

  Returns:
    The configuration.

  Raises:
    UserError: if a parameter is impossible.
  """
  names = [field.name for field in dataclasses.fields(ssnn_jax.ReadConfig)]
  values = {name: getattr(config, name) for name in names}
  given = {name: value for name, value in values.items() if value is not None}
  return _as_flags(lambda: ssnn_jax.ReadConfig(**given))


def transfer(config: SynapseFields) -> tiki_taka.TransferConfig:
  """Makes the configuration of an experiment's transfers by Tiki-Taka.

  Args:
    config: the experiment.

  Returns:
    The configuration.

  Raises:
    UserError: if a parameter is impossible.
  """
  lines, rate = config.transfer_lines, config.transfer_rate
  return _as_flags(lambda: tiki_taka.TransferConfig(lines, rate))


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
  chosen = resistive(config)
  if chosen is None:
    return None
  if config.update_rule == 'sgd':
    return devices.make_resistive(chosen, learning_rate, schedule)
  return _as_flags(
    lambda: tiki_taka.make_tiki_taka(
      chosen, transfer(config), learning_rate, schedule
    )
  )


def count_pulses(state: Any) -> dict[str, jax.Array]:
  """Counts the pulses of devices, if they are counted.

  Args:
    state: the state of devices or of an optimizer.

  Returns:
    `mean_pulses` and `max_pulses` of a device; empty if none are counted.
  """
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


def _as_flags(make):
  """Calls a function, and names the flag in its user error."""
  try:
    return make()
  except ssnn_jax.UserError as error:
    raise ssnn_jax.UserError(f'--{error}') from None  # the error starts with it
