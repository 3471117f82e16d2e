"""Networks in folders: their configuration as JSON, and their parameters.

The file `network.json` has all fields of a configuration, and the name of the
file of parameters, arrays of NumPy with the names `weights_0`, `biases_0`, and
so on. A run of the commands writes the same file without that name, as its
parameters are in its checkpoints.

`network.json` is replaced last: a process that is killed leaves the network
before or the network after.
"""

import dataclasses
import io
import json
import os
import pathlib
from typing import Any
from typing import NamedTuple

import numpy as np

from ssnn_jax import checks
from ssnn_jax import layers
from ssnn_jax import types
from ssnn_jax import version
from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.config import NetworkConfig
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files
from ssnn_jax.runs import provenance
from ssnn_jax.simulation import samples

NETWORK = 'network.json'
_KINDS = {
  kind.__name__: kind
  for kind in (
    NetworkConfig,
    ChipConfig,
    layers.Dense,
    layers.Conv,
  )
}


_KEYS = {'version', 'params', 'config'}  # params None: in checkpoints


class SavedNetwork(NamedTuple):
  """A network from a folder."""

  config: NetworkConfig | ChipConfig
  params: Any  #: `Params` of NumPy arrays; of a chip, integer weights


def save(
  folder: str | os.PathLike,
  config: NetworkConfig | ChipConfig,
  params: types.Params,
) -> None:
  """Saves a network to a folder, which `load` reads; replaces the one in it.

  Args:
    folder: the folder, which is created if it does not exist.
    config: the configuration of the network.
    params: its parameters, as `fit` returns them in `state.params`.

  Raises:
    UserError: if the configuration has functions or layers of your own, the
      parameters are not those of the network, or the folder cannot be written.

  Example:
    >>> config = ssnn_jax.NetworkConfig((64, 20, 10), num_steps=32)
    >>> params = ssnn_jax.ssnn(config).init(jax.random.key(0))
    >>> ssnn_jax.save('digits', config, params)  # doctest: +SKIP
    >>> config, params = ssnn_jax.load('digits')  # doctest: +SKIP
  """
  folder = pathlib.Path(folder).expanduser()
  expected = 'a NetworkConfig, or a ChipConfig'
  checks.check_type('config', config, NetworkConfig | ChipConfig, expected)
  encoded = _encode('config', config)
  arrays = _arrays(config, params)
  if checkpoints.last_epoch(folder) is not None:
    raise types.UserError(
      f'{folder} is the folder of a run, whose parameters are in its '
      'checkpoints; choose another folder.'
    )
  with files.convert_os_errors(folder):
    folder.mkdir(parents=True, exist_ok=True)
  before = _read(folder)['params'] if (folder / NETWORK).exists() else None
  digest = provenance.sha256(params)
  name = f'params-{digest[:12]}.npz'
  content = io.BytesIO()
  np.savez(content, **arrays)
  files.write_atomically(folder / name, content.getvalue())
  _write(folder, encoded, params=name, params_sha256=digest)
  if before not in (None, name):
    (folder / before).unlink(missing_ok=True)


def write_config(
  folder: pathlib.Path, config: NetworkConfig | ChipConfig
) -> None:
  """Writes the configuration of a network whose parameters are checkpoints."""
  _write(folder, _encode('config', config), params=None)


def load(
  folder: str | os.PathLike, *, seed: int | None = None, best: bool = False
) -> SavedNetwork:
  """Loads a network that `save` has written, or that a run has trained.

  Args:
    folder: a folder that `save` has written, or the folder of a run, which may
      still be training.
    seed: one of the seeds of a run; None for the first.
    best: whether to load the parameters of the best evaluation of a run (of the
      mean over seeds), not the last.

  Returns:
    The configuration, for `ssnn` or, of the chip, `chip.make_network`; and the
    parameters, for `Network.infer` or `training.init_state`. A run with
    `--method=bp` has trained `ann` of the configuration.

  Raises:
    UserError: if the folder holds no network or no such seed, or is damaged.
  """
  folder = pathlib.Path(folder).expanduser()
  read = _read(folder)
  path = folder / NETWORK
  try:
    config = _decode(read['config'])
  except (LookupError, TypeError, types.UserError) as error:
    reason = str(error).rstrip('.')
    raise types.UserError(
      f'{path} has a configuration that this version does not know ({reason}); '
      f'use version {read["version"]} of ssnn_jax, which wrote the file.'
    ) from None
  if read['params'] is None:
    params = checkpoints.load_params(folder, seed=seed, best=best)
  else:
    if seed is not None or best:
      raise types.UserError(
        f'{folder} holds one network; leave out seed and best, which choose a '
        'network of a run.'
      )
    params = _read_params(folder / read['params'], read['params_sha256'])
  _arrays(config, params)  # refuses those of another network
  return SavedNetwork(config, params)


def _encode(name, value):
  """Converts a value of a configuration to a value of JSON."""
  if type(value) is tuple:
    return [_encode(name, item) for item in value]
  if type(value) in _KINDS.values():
    fields = {
      own.name: getattr(value, own.name) for own in dataclasses.fields(value)
    }
    # JSON has no infinity, which is the default of all fields that allow it.
    return {'type': type(value).__name__} | {
      own: _encode(own, item)
      for own, item in fields.items()
      if not (isinstance(item, float) and np.isinf(item))
    }
  if isinstance(value, np.generic):
    value = value.item()
  if value is None or isinstance(value, bool | int | float | str):
    return value
  if name == 'layers':
    remedy = 'save its parameters alone, as by numpy.savez'
  else:
    default = NetworkConfig.__dataclass_fields__[name].default
    remedy = (
      f"save dataclasses.replace(config, {name}='{default}'), and put yours "
      'back after loading'
    )
  raise types.UserError(
    f'{name} has a {type(value).__name__} of your own, which no file can hold; '
    f'{remedy}.'
  )


def _decode(value):
  """Converts a value of JSON to a value of a configuration."""
  if isinstance(value, list):
    return tuple(map(_decode, value))
  if not isinstance(value, dict):
    return value
  fields = {k: _decode(v) for k, v in value.items() if k != 'type'}
  return _KINDS[value['type']](**fields)


def _write(folder, encoded, **params):
  values = {'version': version.__version__, **params, 'config': encoded}
  files.write_atomically(folder / NETWORK, json.dumps(values, indent=2) + '\n')


def _read(folder):
  """Reads `network.json`."""
  path = folder / NETWORK
  if not path.exists():
    inside = sorted(folder.rglob(NETWORK))
    example = f', such as {inside[0].parent}' if inside else ''
    raise types.UserError(
      f'{folder} holds no network; give a folder that ssnn_jax.save has '
      f'written, or the folder of a run{example}.'
    )
  try:
    checks.check_file(path)
    read = json.loads(path.read_bytes())
    if not isinstance(read, dict) or not _KEYS <= read.keys():
      raise ValueError(f'expected an object with {", ".join(_KEYS)}')
    if read['params'] and pathlib.Path(read['params']).name != read['params']:
      raise ValueError('its parameters are not in the same folder')
  except (OSError, ValueError) as error:
    reason = getattr(error, 'strerror', None) or str(error).rstrip('.')
    raise types.UserError(
      f'{path} is damaged ({reason}); restore the file, or remove it and save '
      'the network again.'
    ) from None
  return read


def _arrays(config, params):
  """Names the arrays of parameters; refuses those of another network."""
  if isinstance(config, NetworkConfig):
    samples.check_params(config, params)
    arrays = {
      f'{part}_{index}': np.asarray(getattr(layer, part))
      for index, layer in enumerate(params)
      for part in types.LayerParams._fields
    }
  else:
    sizes = config.layer_sizes
    expected = [(n + 1, m) for n, m in zip(sizes, sizes[1:])]
    shapes = [np.shape(layer) for layer in params]
    if shapes != expected:
      raise types.UserError(
        f'params have the shapes {shapes}, but the chip has weights of '
        f'{expected}; pass the integer weights of this chip.'
      )
    arrays = {f'weights_{i}': np.asarray(own) for i, own in enumerate(params)}
  for name, array in arrays.items():
    if array.dtype.kind not in 'fi':
      raise types.UserError(
        f'{name} are {array.dtype}, which files of NumPy do not have; convert '
        'them to float32.'
      )
  return arrays


def _read_params(path, digest):
  """Reads the file of parameters."""
  try:
    checks.check_file(path)
    with np.load(path, allow_pickle=False) as read:
      layers_read = range(sum(name.startswith('weights') for name in read))
      if 'biases_0' in read:
        params = tuple(
          types.LayerParams(read[f'weights_{i}'], read[f'biases_{i}'])
          for i in layers_read
        )
      else:
        params = tuple(read[f'weights_{i}'] for i in layers_read)
    if provenance.sha256(params) != digest:
      raise ValueError('its arrays have changed since they were written')
  except Exception as error:  # zip, zlib and NumPy raise many types
    reason = getattr(error, 'strerror', None) or str(error).rstrip('.')
    raise types.UserError(
      f'{path} is damaged ({reason}); restore the file, or save the network '
      'again.'
    ) from None
  return params
