"""What holds the weights in an experiment: fields, and what is made of them."""

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
  """Makes a field that stands over a parameter of the chosen device."""
  return field.field('Synapses', None, help_text, choices=choices)


@dataclasses.dataclass(frozen=True)
class SynapseFields:
  """The fields of a configuration that concern synapses.

  Those of a device are parameters of `device_config.DeviceConfig`; None leaves
  what the chosen device has.
  """

  device: str = field.field(
    'Synapses',
    IDEAL,
    'what holds a weight: a number that an optimiser changes (ideal), a '
    'published device (ssnn_jax/hardware/presets.py), or one of which all is '
    'perfect (custom); the next flags stand over its parameters',
    choices=DEVICES,
  )
  pulse_scheme: str | None = _of_preset(
    'pulses per coincidence: scaled to the learning rate by thinning or '
    'repeating pulses of size --dw_min, or a single pulse each, so that the '
    'effective learning rate is proportional to T',
    choices=device_config.PULSE_SCHEMES,
  )
  dw_min: float | None = _of_preset(
    'mean step of a pulse at weight 0; 0 is infinitely fine: a coincidence is '
    'a pulse as large as it asks for',
  )
  dw_min_dtod: float | None = _of_preset(
    'relative spread of the step over devices'
  )
  dw_min_std: float | None = _of_preset(
    'relative spread of the step over pulses'
  )
  mult_noise: bool | None = _of_preset(
    'that is relative to the step at the present weight, not at weight 0'
  )
  up_down: float | None = _of_preset(
    'how much larger the step up is than the step down, relative to --dw_min'
  )
  up_down_dtod: float | None = _of_preset('spread of half of that over devices')
  w_max: float | None = _of_preset('upper bound of a weight')
  w_max_dtod: float | None = _of_preset('its relative spread over devices')
  w_min: float | None = _of_preset('lower bound of a weight')
  w_min_dtod: float | None = _of_preset('its relative spread over devices')
  gamma_up: float | None = _of_preset(
    'relative decrease of the step up from weight 0 to the upper bound; 1 are '
    'soft bounds'
  )
  gamma_up_dtod: float | None = _of_preset('its spread over devices')
  gamma_down: float | None = _of_preset(
    'relative decrease of the step down from weight 0 to the lower bound'
  )
  gamma_down_dtod: float | None = _of_preset('its spread over devices')
  mean_bound_reference: bool | None = _of_preset(
    'both refer to the mean bounds, not to those of each device'
  )
  lifetime: float | None = _of_preset(
    'batches in which a weight decays to 1 / e; 0 is no decay'
  )
  lifetime_dtod: float | None = _of_preset('its relative spread over devices')
  corrupt_devices_prob: float | None = _of_preset('share of stuck devices')
  corrupt_devices_range: float | None = _of_preset(
    'largest weight that they are stuck at'
  )
  endurance: float | None = _of_preset(
    'pulses that a device lasts for; 0 does not count them, inf counts only',
  )
  endurance_dtod: float | None = _of_preset('its relative spread over devices')
  zero_shifting: bool | None = _of_preset(
    'subtract reference devices, so that steps up and down are equal at weight '
    '0'
  )
  update_rule: str = field.field(
    'Synapses',
    'sgd',
    'what coincidences change: the weights (sgd), or a second, fast array that '
    'is passed on to them (tiki_taka)',
    choices=UPDATE_RULES,
  )
  transfer_lines: int = field.field(
    'Synapses',
    8,
    'tiki_taka: inputs whose lines of the fast array are passed on after a '
    'batch',
  )
  transfer_rate: float = field.field(
    'Synapses', 0.2, 'tiki_taka: change of a weight for a fast weight of 1'
  )
  out_noise: float = field.field(
    'Synapses',
    0.0,
    'noise of a current that is read, in each tick; that of a weight of 1 is 1',
  )
  inp_bits: int | None = field.field(
    'Synapses',
    None,
    'resolution of what is driven into arrays in a window; left out: infinite',
    'bits',
  )
  inp_bound: float | None = field.field(
    'Synapses',
    None,
    'largest input that is driven, in spikes per tick; left out: none',
  )
  out_bits: int | None = field.field(
    'Synapses',
    None,
    'resolution of a current that is read in a window; left out: infinite',
    'bits',
  )
  out_bound: float | None = field.field(
    'Synapses', None, 'largest current that is read; left out: none'
  )

  def __post_init__(self):
    resistive(self)
    reads(self)
    transfer(self)


_OF_PRESET = tuple(
  field.name for field in dataclasses.fields(device_config.DeviceConfig)
)
NAMES = tuple(field.name for field in dataclasses.fields(SynapseFields))
# Of a network that makes no pulses.
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
    schedule: factor on it, over batches.

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
  """Tells how many pulses devices have had, where they are counted.

  Args:
    state: that of the devices, or of an optimiser.

  Returns:
    `mean_pulses` and `max_pulses` of a device; nothing where none are counted.
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
  """Makes what flags ask for; a mistake is told as that of a flag."""
  try:
    return make()
  except ssnn_jax.UserError as error:
    raise ssnn_jax.UserError(f'--{error}') from None  # it starts with the name
