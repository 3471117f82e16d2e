"""Exports the network of a run to a NIR file for other libraries.

  python -m experiments.export --workdir=runs/name --file=network.nir

The HDF5 file holds a NIR graph; `ssnn_jax.hardware.nir` documents its nodes and
the reset of its neurons. The package nir is required: pip install '.[nir]'.
`experiments.measurements.nir_consumer` evaluates networks in other libraries.
"""

import dataclasses
import importlib
import math
import pathlib
import types

from absl import flags
import numpy as np

from experiments import record
from experiments.config import command
from experiments.config import experiment
from experiments.config import methods
from experiments.training import trainer
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax.datasets import catalog
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files


def import_nir() -> types.ModuleType:
  """Imports `ssnn_jax.hardware.nir`; a missing package is a user error."""
  try:
    return importlib.import_module('ssnn_jax.hardware.nir')
  except ImportError:
    raise ssnn_jax.UserError(
      'a NIR graph needs the package nir, which is not installed; '
      "pip install '.[nir]'."
    ) from None


def load(
  folder: pathlib.Path, *, seed: int | None = None, best: bool = False
) -> tuple[ssnn_jax.NetworkConfig, ssnn_jax.Params]:
  """Loads the network of a run, finished or not.

  Args:
    folder: folder of the run.
    seed: one of its seeds; None for the first.
    best: whether to load the parameters of the best evaluation instead of the
      last ones.

  Raises:
    UserError: if there is no run, or its checkpoint is missing or damaged.
  """
  config = trainer.read_task(folder).config
  if not methods.METHODS[config.method].estimates_gradient:
    raise ssnn_jax.UserError(
      f'{folder} holds a run of {config.method}, whose neurons NIR cannot '
      'represent; give a run of another method.'
    )
  params = checkpoints.load_params(folder, seed=seed, best=best)
  sizes = len(params[0].weights), *(len(layer.biases) for layer in params)
  shape = 1, sizes[0]
  if config.layers is None:
    config = dataclasses.replace(config, layer_sizes=sizes)
  elif not record.is_finished(folder):
    raise ssnn_jax.UserError(
      f'{folder} holds an unfinished run of --layers, which lacks the shape of '
      'its inputs; finish it with --resume.'
    )
  else:
    shape = record.read(folder / record.METRICS).lines[0]['input_shape']
  dataset = _without_samples(config.dataset, tuple(shape), sizes[-1])
  return experiment.network_config(config, dataset), params


def _without_samples(name, input_shape, num_classes):
  """Returns a data set of a shape without samples."""
  sensor_shape, inputs = None, np.zeros((0, *input_shape))
  if catalog.is_recorded(name):
    sensor_shape, num_inputs = input_shape, math.prod(input_shape)
    inputs = np.zeros((0, 1, num_inputs), np.uint32)
  empty = datasets.Split(inputs, np.zeros(0, np.int32))
  return datasets.Dataset(
    name, empty, empty, ('',) * num_classes, sensor_shape=sensor_shape
  )


def main() -> None:
  """Exports the run that the flags describe."""
  values = flags.FLAGS.flag_values_dict()
  nir = import_nir()
  path = command.folder(values['file'])
  folder = command.folder(values['workdir'])
  config, params = load(folder, seed=values['seed'], best=values['best'])
  files.write_new(path, nir.to_bytes(nir.to_graph(config, params)))
  sizes = '-'.join(map(str, config.layer_sizes))
  print(f'{path}: {sizes}, to be reset by subtraction, with one tick a second')


if __name__ == '__main__':
  flags.DEFINE_string('workdir', None, 'folder of the run.', required=True)
  flags.DEFINE_string(
    'file', None, 'new file for the graph, as network.nir.', required=True
  )
  flags.DEFINE_integer('seed', None, 'seed of the run; default: the first.')
  flags.DEFINE_boolean(
    'best',
    False,
    'export the parameters of the best evaluation instead of the last ones.',
  )
  command.launch(main)
