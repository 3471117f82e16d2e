"""Files of devices: the parameters of a `DeviceConfig` in JSON.

The file is an object with `parameters`, which has a value for each field that
differs from its default, and optionally `fit`, notes on the measurement that
are not read.
"""

import dataclasses
import json
import os
import pathlib

from ssnn_jax import schema
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.hardware.fit.pulse_response import PulseFit
from ssnn_jax.types import UserError

_SUFFIX = '.json'
_MAX_BYTES = 2**20
_DIGITS = 6


def is_device_path(name: object) -> bool:
  """Returns whether the name of a device is the path of a file."""
  return isinstance(name, str) and name.endswith(_SUFFIX)


def read_device(path: str | os.PathLike) -> DeviceConfig:
  """Reads the parameters of a device from its file.

  Args:
    path: the file; missing parameters have their defaults.

  Returns:
    The parameters.

  Raises:
    UserError: if the file is missing or damaged, or a parameter does not exist
      or is out of range.
  """
  path = pathlib.Path(path).expanduser()
  contents = _read_json(path)
  entries = contents if isinstance(contents, dict) else {}
  given = entries.get('parameters')
  unknown = entries.keys() - {'parameters', 'fit'}
  if not isinstance(given, dict) or unknown:
    raise UserError(
      f'{path} is not the file of a device; expected a JSON object with '
      'parameters, and optionally fit.'
    )
  names = [field.name for field in dataclasses.fields(DeviceConfig)]
  for name in given:
    if name not in names:
      raise UserError(
        f'{path}: {name} is unknown; expected parameters out of '
        f'{", ".join(names)}.'
      )
  try:
    return DeviceConfig(**given)
  except UserError as error:
    raise UserError(f'{path}: {error}') from None


def _read_json(path):
  """Reads a JSON file of limited size."""
  try:
    if path.stat().st_size > _MAX_BYTES:
      raise ValueError(f'larger than {_MAX_BYTES >> 20} MiB')
    return schema.parse(path.read_bytes())
  except (OSError, ValueError) as error:
    reason = getattr(error, 'strerror', None) or error
    raise UserError(
      f'{path} cannot be read as JSON ({reason}); give a file that '
      'experiments.fit_device wrote.'
    ) from None


def parameters(config: DeviceConfig) -> dict[str, float | bool | str]:
  """Returns the fields of a device that differ from their defaults."""
  defaults = dataclasses.asdict(DeviceConfig())
  return {
    name: value
    for name, value in dataclasses.asdict(config).items()
    if value != defaults[name]
  }


def describe(fit: PulseFit, source: str) -> str:
  """Returns the text of the file of a fitted device.

  Args:
    fit: the fit.
    source: name of the file with the measurement.

  Returns:
    JSON, with 6 digits of each number.
  """
  contents = {
    'parameters': parameters(fit.config),
    'fit': {
      'source': source,
      'units': 'parameters are in units of weights',
      'conductance_of_weight_0': _round(fit.zero),
      'conductance_of_unit_weight': _round(fit.scale),
      'read_noise': _round(fit.read_noise),
      'num_devices': fit.num_devices,
      'intervals_95_percent': {
        name: f'{low:.{_DIGITS}g} to {high:.{_DIGITS}g}'
        for name, (low, high) in fit.intervals.items()
      },
      'notes': fit.notes,
    },
  }
  return json.dumps(contents, indent=2) + '\n'


def _round(value):
  return float(f'{value:.{_DIGITS}g}')
