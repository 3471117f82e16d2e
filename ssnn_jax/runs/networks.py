"""Networks in folders: one file of their description and their parameters.

The file `network.npz` has arrays of NumPy: the text `config`, all fields of a
configuration, or those of a `Function` that are no functions, as JSON; the
texts `version` and `kind`; and the parameters by their paths, as `0.weights`. A
run of the commands has its parameters in its checkpoints instead.
"""

from collections.abc import Mapping
import dataclasses
import io
import json
import os
import pathlib
from typing import Any

import jax
import numpy as np

from ssnn_jax import checks
from ssnn_jax import chip
from ssnn_jax import types
from ssnn_jax import version
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files
from ssnn_jax.spiking.functions import Function
from ssnn_jax.stochastic import layers
from ssnn_jax.stochastic.config import NetworkConfig

NETWORK = 'network.npz'
_KINDS = {
  kind.__name__: kind
  for kind in (NetworkConfig, layers.Dense, layers.Conv, chip.Config)
}
_KINDS['Function'] = dict  # of its fields that are no functions
# Of a Function, which no file can hold.
_FUNCTIONS = 'init', 'apply', 'train', 'loss'


def save(
  folder: str | os.PathLike,
  network: types.Network | Function | NetworkConfig | chip.Config,
  params: Any,
) -> None:
  """Saves a network to a folder, which `load` reads; replaces the one in it.

  Args:
    folder: the folder, which is made.
    network: the network; or its configuration or function, of the spiking
      network.
    params: those that `fit` returns in `state.params`.

  Raises:
    UserError: if the configuration has functions or layers of your own, the
      parameters are not those of the network, or a run is in the folder.
  """
  kind, config = 'ssnn', network
  if isinstance(network, types.Network):
    kind, config = network.kind, network.config
  folder = pathlib.Path(folder).expanduser()
  arrays = files.name_leaves(jax.tree.map(np.asarray, params))
  _check(arrays, checks.find_shapes(config))
  if checkpoints.last_epoch(folder) is not None:
    raise types.UserError(
      f'{folder} is the folder of a run, whose parameters are in its '
      'checkpoints; choose another folder.'
    )
  write(folder, config, kind, arrays)


def write(
  folder: pathlib.Path,
  config: Function | NetworkConfig | chip.Config,
  kind: str,
  arrays: Mapping[str, np.ndarray],
) -> None:
  """Writes the file of a network, without arrays if it has checkpoints."""
  text, content = json.dumps(config, default=_to_json), io.BytesIO()
  texts = {'version': version.__version__, 'kind': kind, 'config': text}
  np.savez(content, **texts, **arrays)
  folder.mkdir(parents=True, exist_ok=True)
  files.write_atomically(folder / NETWORK, content.getvalue())


def load(
  folder: str | os.PathLike,
  model: Function | None = None,
  *,
  seed: int | None = None,
  best: bool = False,
) -> types.SavedNetwork:
  """Loads a network that `save` has written, or that a run has trained.

  Args:
    folder: of `save` or of a run, which may still be training.
    model: the `Function`, if it is not a configuration.
    seed: one of the seeds of a run; None for the first.
    best: whether to load the parameters of the best evaluation of a run (of the
      mean over seeds), not the last.

  Returns:
    The configuration, or the function with the fields that were saved, for
    `ssnn` or `ann`; the parameters, for `Network.infer` or
    `training.init_state`; and the kind of the network that has trained them, as
    of `Network`.

  Raises:
    UserError: if the folder holds no network or no such seed, is damaged, or
      the function is missing or another one.
  """
  folder = pathlib.Path(folder).expanduser()
  path = folder / NETWORK
  if not path.exists():
    raise types.UserError(
      f'{folder} holds no network; give a folder that ssnn_jax.save has '
      'written, or the folder of a run.'
    )
  remedy = 'restore the file, or save the network again'
  try:
    with np.load(path) as file:
      arrays = dict(file)  # the archive has checksums
    written = str(arrays.pop('version'))
    remedy += f', or use version {written} of ssnn_jax'
    config = json.loads(str(arrays.pop('config')), object_hook=_from_json)
    kind = str(arrays.pop('kind'))
    if isinstance(config, dict):
      remedy = 'give the Function that was saved, as load(folder, model)'
      checks.check_type('model', model, Function, 'the Function that was saved')
      config = dataclasses.replace(model, **config)
    like = checks.find_shapes(config)
    if arrays:
      _check(arrays, like)
  except Exception as error:  # zip, zlib and NumPy raise many types
    problem = str(error).rstrip('.') or type(error).__name__
    raise types.UserError(
      f'{path} is damaged, or of another model ({problem}); {remedy}.'
    ) from error
  if not arrays:
    params = checkpoints.load_params(folder, like, seed=seed, best=best)
  elif seed is not None or best:
    raise types.UserError(
      f'{folder} holds one network, and no run; leave out seed and best.'
    )
  else:
    leaves = [arrays[name] for name in files.name_leaves(like)]
    params = jax.tree.unflatten(jax.tree.structure(like), leaves)
  return types.SavedNetwork(config, params, kind)


def _check(arrays, like):
  """Refuses arrays that are not the parameters of a network, by their names."""
  wanted = {name: own.shape for name, own in files.name_leaves(like).items()}
  shapes = {name: own.shape for name, own in arrays.items()}
  if shapes != wanted:
    raise types.UserError(
      f'params have the shapes {shapes}; the network has {wanted}.'
    )
  for name, array in arrays.items():
    with np.errstate(over='ignore'):
      is_finite = array.dtype.kind in 'fi' and np.isfinite(np.float32(array))
    if not np.all(is_finite):
      raise types.UserError(
        f'{name} of params are {array.dtype}, or NaN or infinite; expected '
        'finite numbers, as of init and fit.'
      )


def _to_json(value):
  """Converts what JSON lacks: configurations, layers, and numbers of NumPy."""
  if isinstance(value, np.generic):
    return value.item()
  if type(value).__name__ not in _KINDS:
    raise types.UserError(
      f'config has a {type(value).__name__} of your own, which no file can '
      'hold; save the parameters alone: numpy.savez(file, '
      '*jax.tree.leaves(params)).'
    )
  fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
  if isinstance(value, Function):
    fields = {name: x for name, x in fields.items() if name not in _FUNCTIONS}
  return {'type': type(value).__name__} | fields


def _from_json(value):
  """Makes a configuration or a layer, or the fields of a function, of JSON."""
  kind = _KINDS[value.pop('type')]
  as_field = lambda own: tuple(own) if isinstance(own, list) else own
  return kind(**{name: as_field(own) for name, own in value.items()})
