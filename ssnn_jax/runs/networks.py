"""Networks in folders: one file of their configuration and their parameters.

The file `network.npz` has arrays of NumPy: the text `config`, all fields of a
configuration as JSON; the text `version`; and `weights_0`, `biases_0`, and so
on. A run of the commands writes the same file without parameters, which are in
its checkpoints. A process that is killed leaves the file before or the file
after.
"""

import dataclasses
import io
import json
import os
import pathlib
from typing import Any
from typing import NamedTuple

import numpy as np

from ssnn_jax import layers
from ssnn_jax import types
from ssnn_jax import version
from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.config import NetworkConfig
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files
from ssnn_jax.simulation import samples

NETWORK = 'network.npz'
_KINDS = {
  kind.__name__: kind
  for kind in (NetworkConfig, ChipConfig, layers.Dense, layers.Conv)
}


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
  if isinstance(config, NetworkConfig):
    samples.check_params(config, params)
  arrays = {}
  for index, layer in enumerate(params):
    if isinstance(layer, types.LayerParams):
      arrays[f'biases_{index}'] = np.asarray(layer.biases)
      layer = layer.weights
    arrays[f'weights_{index}'] = np.asarray(layer)
  for name, array in arrays.items():
    if array.dtype.kind not in 'fi':
      raise types.UserError(
        f'{name} are {array.dtype}, which files of NumPy do not have; convert '
        'them to float32.'
      )
  if checkpoints.last_epoch(folder) is not None:
    raise types.UserError(
      f'{folder} is the folder of a run, whose parameters are in its '
      'checkpoints; choose another folder.'
    )
  _write(folder, config, arrays)


def write_config(
  folder: pathlib.Path, config: NetworkConfig | ChipConfig
) -> None:
  """Writes the configuration of a network whose parameters are checkpoints."""
  _write(folder, config, {})


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
  path = folder / NETWORK
  if not path.exists():
    raise types.UserError(
      f'{folder} holds no network; give a folder that ssnn_jax.save has '
      'written, or the folder of a run.'
    )
  try:
    with np.load(path) as file:
      arrays = dict(file)  # the archive has checksums
    written, text = (str(arrays.pop(name)) for name in ('version', 'config'))
  except Exception as error:  # zip, zlib and NumPy raise many types
    reason = getattr(error, 'strerror', None) or str(error).rstrip('.')
    raise types.UserError(
      f'{path} is damaged ({reason}); restore the file, or save the network '
      'again.'
    ) from None
  try:
    config = _decode(json.loads(text))
  except (LookupError, TypeError, types.UserError) as error:
    reason = str(error).rstrip('.')
    raise types.UserError(
      f'{path} has a configuration that this version does not know ({reason}); '
      f'use version {written} of ssnn_jax, which wrote the file.'
    ) from None
  if not arrays:
    params = checkpoints.load_params(folder, seed=seed, best=best)
    return SavedNetwork(config, params)
  if seed is not None or best:
    raise types.UserError(
      f'{folder} holds one network; leave out seed and best, which choose a '
      'network of a run.'
    )
  params = tuple(
    types.LayerParams(arrays[f'weights_{i}'], arrays[f'biases_{i}'])
    if isinstance(config, NetworkConfig)
    else arrays[f'weights_{i}']
    for i in range(len(config.layer_sizes) - 1)
  )
  return SavedNetwork(config, params)


def _write(folder, config, arrays):
  text, content = json.dumps(_encode('config', config)), io.BytesIO()
  np.savez(content, version=version.__version__, config=text, **arrays)
  with files.convert_os_errors(folder):
    folder.mkdir(parents=True, exist_ok=True)
  files.write_atomically(folder / NETWORK, content.getvalue())


def _encode(name, value):
  """Converts a value of a configuration to a value of JSON."""
  if type(value) is tuple:
    return [_encode(name, item) for item in value]
  if type(value) in _KINDS.values():
    fields = dataclasses.fields(value)
    encoded = {f.name: _encode(f.name, getattr(value, f.name)) for f in fields}
    return {'type': type(value).__name__} | encoded
  if isinstance(value, np.generic):
    value = value.item()
  if value is None or isinstance(value, bool | int | float | str):
    return value
  raise types.UserError(
    f'{name} has a {type(value).__name__} of your own, which no file can hold; '
    'save the parameters alone: numpy.savez(file, *jax.tree.leaves(params)).'
  )


def _decode(value):
  """Converts a value of JSON to a value of a configuration."""
  if isinstance(value, list):
    return tuple(map(_decode, value))
  if not isinstance(value, dict):
    return value
  fields = {k: _decode(v) for k, v in value.items() if k != 'type'}
  return _KINDS[value['type']](**fields)
