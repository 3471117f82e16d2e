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
from ssnn_jax.hardware.device_config import PRESETS

IDEAL, CUSTOM = 'ideal', 'custom'
OWN_FILE = 'path/to/own.json'
UPDATE_RULES = ('sgd', 'tiki_taka')
_field = functools.partial(field.field, 'Synapses')


class _DeviceNames(tuple):
  """Names of devices, including the path of any .json file."""

  def __contains__(self, name):
    return super().__contains__(name) or device_config.is_device_path(name)


DEVICES = _DeviceNames((IDEAL, CUSTOM, *PRESETS, OWN_FILE))


def _fields_of(kind, **defaults):
  """Returns fields with the documentation of a library configuration."""
  texts, first = field.read_help(kind), ('pulse_scheme', 'out_noise')
  choices = {'pulse_scheme': device_config.PULSE_SCHEMES}
  fields = []
  for own in sorted(
    dataclasses.fields(kind), key=lambda f: f.name not in first
  ):
    name, default = own.name, defaults.get(own.name)
    hint = own.type if name in defaults else own.type | None
    made = _field(default, texts[name], choices=choices.get(name))
    fields.append((name, hint, made))
  return fields


_DEVICE = _field(
  IDEAL,
  f'name of the synaptic device: a floating-point weight ({IDEAL}), a '
  f'published resistive device ({", ".join(PRESETS)}), a resistive device '
  f'without non-idealities ({CUSTOM}), or the file of a measured device '
  f'({OWN_FILE}, from experiments.fit_device); the following flags override '
  'device parameters',
  choices=DEVICES,
)
_UPDATE_RULE = _field(
  'sgd',
  'update rule: coincidences update the weights (sgd), or a second, fast array '
  'that is transferred to the weights (tiki_taka)',
  choices=UPDATE_RULES,
)
DEVICE_FIELDS = tuple(
  own.name for own in dataclasses.fields(device_config.DeviceConfig)
)
_FIELDS = [
  ('device', str, _DEVICE),
  *_fields_of(device_config.DeviceConfig),
  ('update_rule', str, _UPDATE_RULE),
  *_fields_of(tiki_taka.TransferConfig, transfer_lines=8, transfer_rate=0.2),
  *_fields_of(ssnn_jax.ReadConfig, out_noise=0.0),
]


class SynapseFields(
  dataclasses.make_dataclass('_SynapseFields', _FIELDS, frozen=True)
):
  """Fields of synapses; None selects the value of the chosen device.

  The file of a device is read once: its values replace None, so that the record
  of a run does not depend on the file.
  """

  def __post_init__(self):
    if device_config.is_device_path(self.device):
      self._read_device()
    resistive(self)
    reads(self)
    transfer(self)

  def _read_device(self):
    """Replaces None by the values of the file of a device."""
    missing = [name for name in DEVICE_FIELDS if getattr(self, name) is None]
    if missing:
      with field.named('device'):
        device = device_config.read_device(self.device)
      for name in missing:
        object.__setattr__(self, name, getattr(device, name))


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
  if config.device != IDEAL:
    base = PRESETS.get(config.device, device_config.DeviceConfig())
    return field.call(dataclasses.replace, base, **given)
  for name, value in given.items():
    expected = 'none, as --device is ideal: give another device, as custom'
    field.check(name, value, False, expected)
  rule = config.update_rule
  field.check('update_rule', rule, rule == 'sgd', 'sgd, as --device is ideal')
  return None


def reads(config: SynapseFields) -> ssnn_jax.ReadConfig:
  """Makes the read configuration of an experiment."""
  kind = ssnn_jax.ReadConfig
  return field.call(kind, **_given(config, kind))


def transfer(config: SynapseFields) -> tiki_taka.TransferConfig:
  """Makes the Tiki-Taka configuration of an experiment."""
  lines, rate = config.transfer_lines, config.transfer_rate
  return field.call(tiki_taka.TransferConfig, lines, rate)


def make_device(
  config: SynapseFields,
  learning_rate: jax.Array | float,
  schedule: optax.Schedule,
  updates_per_batch: int = 1,
) -> devices.Device | None:
  """Makes the devices of an experiment.

  Args:
    config: the experiment.
    learning_rate: step size for the mean gradient of a batch.
    schedule: factor on the learning rate, over updates.
    updates_per_batch: updates of the weights in a batch, whose lifetime is in
      batches.

  Returns:
    The devices; None if they are ideal.

  Raises:
    UserError: if a parameter is invalid.
  """
  chosen, rates = resistive(config), (learning_rate, schedule)
  if chosen is None:
    return None
  lifetime = chosen.lifetime * updates_per_batch
  chosen = dataclasses.replace(chosen, lifetime=lifetime)
  if config.update_rule == 'sgd':
    return devices.make_resistive(chosen, *rates)
  make = tiki_taka.make_tiki_taka
  return field.call(make, chosen, transfer(config), *rates)


def count_pulses(state: Any) -> dict[str, jax.Array]:
  """Returns statistics of the pulses of all devices, if counted.

  Args:
    state: state of the devices, or of an optimizer.

  Returns:
    `mean_pulses` and `max_pulses` over devices, and `layer_pulses`, the means
    over the weights of each layer; nothing if pulses are not counted.
  """
  is_part = lambda part: isinstance(part, devices.ResistiveState)
  parts = filter(is_part, jax.tree.leaves(state, is_leaf=is_part))
  counts = [part.pulse_counts for part in parts]
  arrays = jax.tree.leaves(counts)
  if not arrays:
    return {}
  layers = zip(*counts)  # of several arrays, with Tiki-Taka
  pulses = jnp.concatenate(list(map(jnp.ravel, arrays)))
  mean = lambda pulses: jnp.mean(pulses.astype(jnp.float32))
  return {
    'mean_pulses': mean(pulses),
    'max_pulses': jnp.max(pulses),
    'layer_pulses': tuple(
      mean(jnp.stack([array.weights for array in layer])) for layer in layers
    ),
  }
