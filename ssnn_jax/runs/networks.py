"""Networks in folders: one file of their configuration and their parameters.

The file `network.npz` has arrays of NumPy: the text `config`, all fields of a
configuration as JSON; the text `version`; and `weights_0`, `biases_0`, and so
on. A run of the commands has its parameters in its checkpoints instead.
"""

from collections.abc import Mapping
import dataclasses
import io
import json
import os
import pathlib
from typing import NamedTuple

import jax
import numpy as np

from ssnn_jax import checks
from ssnn_jax import layers
from ssnn_jax import network
from ssnn_jax import samples
from ssnn_jax import types
from ssnn_jax import version
from ssnn_jax.config import NetworkConfig
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files

NETWORK = 'network.npz'
_KINDS = {
  kind.__name__: kind for kind in (NetworkConfig, layers.Dense, layers.Conv)
}


class SavedNetwork(NamedTuple):
  """A network from a folder, or from a graph of NIR."""

  config: NetworkConfig
  params: types.Params  #: of NumPy arrays


def save(
  folder: str | os.PathLike,
  config: NetworkConfig,
  params: types.Params,
) -> None:
  """Saves a network to a folder, which `load` reads; replaces the one in it.

  The parameters are those that `fit` returns in `state.params`.

  Raises:
    UserError: if the configuration has functions or layers of your own, the
      parameters are not those of the network, or a run is in the folder.
  """
  expected = 'arguments folder, config, params'
  checks.check_type('folder', folder, str | os.PathLike, expected)
  checks.check_type('config', config, NetworkConfig, expected)
  samples.check_params(config, params)
  folder = pathlib.Path(folder).expanduser()
  arrays = {name: np.asarray(x) for name, x in _name(params).items()}
  _check(arrays, _name(_init_shapes(config)))
  if checkpoints.last_epoch(folder) is not None:
    raise types.UserError(
      f'{folder} is the folder of a run, whose parameters are in its '
      'checkpoints; choose another folder.'
    )
  write(folder, config, arrays)


def write(
  folder: pathlib.Path,
  config: NetworkConfig,
  arrays: Mapping[str, np.ndarray],
) -> None:
  """Writes the file of a network, without arrays if it has checkpoints."""
  text, content = json.dumps(config, default=_to_json), io.BytesIO()
  np.savez(content, version=version.__version__, config=text, **arrays)
  folder.mkdir(parents=True, exist_ok=True)
  files.write_atomically(folder / NETWORK, content.getvalue())


def load(
  folder: str | os.PathLike, *, seed: int | None = None, best: bool = False
) -> SavedNetwork:
  """Loads a network that `save` has written, or that a run has trained.

  Args:
    folder: of `save` or of a run, which may still be training.
    seed: one of the seeds of a run; None for the first.
    best: whether to load the parameters of the best evaluation of a run (of the
      mean over seeds), not the last.

  Returns:
    The configuration, for `ssnn`, and the parameters, for `Network.infer` or
    `training.init_state`. A run with `--method=bp` or `relu` has trained `ann`
    of the configuration.

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
  written = version.__version__
  try:
    with np.load(path) as file:
      arrays = dict(file)  # the archive has checksums
    written = str(arrays.pop('version'))
    text = str(arrays.pop('config'))
    config = json.loads(text, object_hook=_from_json)
    expected = _init_shapes(config)
    if arrays:
      _check(arrays, _name(expected))
  except Exception as error:  # zip, zlib and NumPy raise many types
    problem = str(error).rstrip('.') or type(error).__name__
    raise types.UserError(
      f'{path} is damaged ({problem}); restore the file, save the network '
      f'again, or use version {written} of ssnn_jax.'
    ) from error
  if not arrays:
    params = checkpoints.load_params(folder, seed=seed, best=best)
  elif seed is not None or best:
    raise types.UserError(
      f'{folder} holds one network, and no run; leave out seed and best.'
    )
  else:
    leaves = [arrays[name] for name in _name(expected)]
    params = jax.tree.unflatten(jax.tree.structure(expected), leaves)
  return SavedNetwork(config, params)


def _name(params):
  """Returns the arrays of parameters by their names in a file."""
  arrays = {}
  for (layer, field), leaf in jax.tree.leaves_with_path(params):
    arrays[f'{field.name}_{layer.idx}'] = leaf
  return arrays


def _init_shapes(config):
  """Returns the shapes of the parameters of a network."""
  return jax.eval_shape(network.ssnn(config).init, jax.random.key(0))


def _check(arrays, expected):
  """Refuses arrays that are not the parameters of a network, by their names."""
  shapes, wanted = (
    {name: own.shape for name, own in named.items()}
    for named in (arrays, expected)
  )
  if shapes != wanted:
    raise types.UserError(
      f'params have the shapes {shapes}; the network has {wanted}.'
    )
  for name, array in arrays.items():
    if array.dtype.kind not in 'fi' or not np.isfinite(array).all():
      raise types.UserError(
        f'{name} of params are {array.dtype}, or NaN or infinite; expected '
        'finite numbers, as of init and fit.'
      )


def _to_json(value):
  """Converts what JSON lacks: configurations, layers, and numbers of NumPy."""
  if isinstance(value, np.generic):
    return value.item()
  if type(value) not in _KINDS.values():
    raise types.UserError(
      f'config has a {type(value).__name__} of your own, which no file can '
      'hold; save the parameters alone: numpy.savez(file, '
      '*jax.tree.leaves(params)).'
    )
  fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
  return {'type': type(value).__name__} | fields


def _from_json(value):
  """Makes a configuration or a layer of an object of JSON."""
  kind = _KINDS[value.pop('type')]
  if value.get('neuron') == 'stochastic' and value.get('gain') in (None, 1.0):
    value.pop('gain', None)  # of version 0.5, whose bipolar neurons are others
  return kind(
    **{
      name: tuple(field) if isinstance(field, list) else field
      for name, field in value.items()
    }
  )
