"""Exports the network of a run to a NIR file for other libraries.

  python -m experiments.export --workdir=runs/name --file=network.nir

--workdir is the folder of a run, or of `ssnn_jax.save`.

The HDF5 file holds a NIR graph; `ssnn_jax.hardware.nir` documents its nodes and
the reset of its neurons. The package nir is required: pip install '.[nir]'.
`experiments.measurements.nir_consumer` evaluates networks in other libraries.
"""

import importlib
import pathlib
import types

from absl import flags

from experiments import record
from experiments.config import command
from experiments.config import methods
from experiments.training import trainer
import ssnn_jax
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
  """Loads the network of a run, finished or not, or of `ssnn_jax.save`.

  Args:
    folder: the folder.
    seed: one of its seeds; None for the first.
    best: whether to load the parameters of the best evaluation instead of the
      last ones.

  Raises:
    UserError: if there is no network, or NIR cannot represent its neurons.
  """
  if (folder / record.CONFIG).exists():
    method = trainer.read_task(folder).config.method
    if not methods.METHODS[method].estimates_gradient:
      raise ssnn_jax.UserError(
        f'{folder} holds a run of {method}, whose neurons NIR cannot '
        'represent; give a run of another method.'
      )
  config, params = ssnn_jax.load(folder, seed=seed, best=best)
  if not isinstance(config, ssnn_jax.NetworkConfig):
    raise ssnn_jax.UserError(
      f'{folder} holds a chip, whose neurons NIR cannot represent; give '
      'another network.'
    )
  return config, params


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
  flags.DEFINE_string(
    'workdir', None, 'folder of the run or network.', required=True
  )
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
