"""Synapses of an experiment: ideal weights or resistive devices."""

import dataclasses
import functools

import jax
import optax

from experiments.config import field
import ssnn_jax
from ssnn_jax.hardware import device_config
from ssnn_jax.hardware import devices
from ssnn_jax.hardware.device_config import PRESETS

IDEAL, CUSTOM = 'ideal', 'custom'
OWN_FILE = 'path/to/own.json'
_field = functools.partial(field.field, 'Synapses')


class _DeviceNames(tuple):
  """Names of devices, including the path of any .json file."""

  def __contains__(self, name):
    return super().__contains__(name) or device_config.is_device_path(name)


DEVICES = _DeviceNames((IDEAL, CUSTOM, *PRESETS, OWN_FILE))


def _fields_of(kind, **defaults):
  """Returns fields with the documentation of a library configuration."""
  texts, first = field.read_help(kind), ('out_noise',)
  fields = []
  for own in sorted(
    dataclasses.fields(kind), key=lambda f: f.name not in first
  ):
    name, default = own.name, defaults.get(own.name)
    hint = own.type if name in defaults else own.type | None
    made = _field(default, texts[name])
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
DEVICE_FIELDS = tuple(
  own.name for own in dataclasses.fields(device_config.DeviceConfig)
)
_FIELDS = [
  ('device', str, _DEVICE),
  *_fields_of(device_config.DeviceConfig),
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
  return None


def reads(config: SynapseFields) -> ssnn_jax.ReadConfig:
  """Makes the read configuration of an experiment."""
  kind = ssnn_jax.ReadConfig
  return field.call(kind, **_given(config, kind))


def make_device(
  config: SynapseFields,
  learning_rate: jax.Array | float,
  schedule: optax.Schedule,
) -> devices.Device | None:
  """Makes the devices of an experiment.

  Args:
    config: the experiment.
    learning_rate: step size for the mean gradient of a batch.
    schedule: factor on the learning rate, over updates.

  Returns:
    The devices; None if they are ideal.

  Raises:
    UserError: if a parameter is invalid.
  """
  chosen, rates = resistive(config), (learning_rate, schedule)
  if chosen is None:
    return None
  return devices.make_resistive(chosen, *rates)
