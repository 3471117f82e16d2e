"""Flags of a chip, its initial state and its samples."""

import dataclasses
from typing import Any
from typing import NamedTuple

from absl import flags
import jax

from experiments import config as config_lib
from experiments import train
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax import training

_FIELDS = 'layer_sizes num_steps weight_bits fraction_bits'.split()
_FIELDS += 'batch_size learning_rate seed num_epochs schedule'.split()


class Case(NamedTuple):
  """A chip before its first sample."""

  config: chip.ChipConfig
  weights: Any  # [N_l + 1, N_{l+1}] int16 of each layer
  registers: Any  # of the generators
  enable: jax.Array  # [L] int32 rates of the enable bits


class Run(NamedTuple):
  """A run of `--method=chip` between two epochs."""

  config: chip.ChipConfig
  batch_size: int
  device: Any  # of the chip
  state: training.TrainState


def define() -> None:
  """Defines the flags; those of a run have the defaults of `experiments.run`.

  Flags that are not given have the defaults of the data set.
  """
  flags.DEFINE_string(
    'dataset',
    None,
    'name of the data set; default: digits, or fashion_mnist for 784 inputs.',
  )
  flags.DEFINE_string(
    'layer_sizes', None, 'neurons of each layer, as 64,16,10.'
  )
  flags.DEFINE_integer('num_steps', None, 'T, ticks of a presentation.')
  flags.DEFINE_integer('weight_bits', None, 'bits of a weight, with its sign.')
  flags.DEFINE_string(
    'fraction_bits',
    None,
    'bits after the binary point of weights; one number, or one a layer.',
  )
  flags.DEFINE_float('learning_rate', None, 'learning rate of a minibatch.')
  flags.DEFINE_integer(
    'batch_size', None, 'samples that share the learning rate.'
  )
  flags.DEFINE_integer('seed', None, 'seed of weights and generators.')
  flags.DEFINE_integer('banks', 2, 'rows of a layer in a clock, 1 or 2.', 1, 2)
  flags.DEFINE_string('data_dir', None, 'folder of the data sets.')
  flags.DEFINE_bool('download', False, 'whether to download missing data.')


def experiment() -> tuple[config_lib.ExperimentConfig, datasets.Dataset]:
  """Returns the run of `--method=chip` with these flags, and its data.

  Raises:
    UserError: if a value is out of range, or the data is missing.
  """
  values = flags.FLAGS.flag_values_dict()
  given = {
    name: values[name] for name in _FIELDS if values.get(name) is not None
  }
  is_784 = (values['layer_sizes'] or '').startswith('784,')
  name = values['dataset'] or ('fashion_mnist' if is_784 else 'digits')
  config = dataclasses.replace(config_lib.default(name), method='chip', **given)
  return config, train.load(config, values['data_dir'], values['download'])


def start(
  config: config_lib.ExperimentConfig, dataset: datasets.Dataset
) -> Run:
  """Returns a run of `--method=chip` before its first epoch."""
  network = config_lib.network_config(config, dataset)
  chip_config = config_lib.chip_config(config, network)
  device = chip.make_device(
    chip_config,
    config.learning_rate / config.batch_size,
    train.make_schedule(config, len(dataset.train.labels)),
  )
  network = chip.make_network(chip_config)
  state = training.init_state(network, device, config.seed)
  return Run(chip_config, config.batch_size, device, state)


def load() -> tuple[Case, datasets.Dataset]:
  """Returns the chip of the flags as `experiments.run` starts it, and its data.

  Raises:
    UserError: if a value is out of range, or the data is missing.
  """
  config, dataset = experiment()
  run = start(config, dataset)
  own = run.state.opt_state
  return Case(run.config, run.state.params, own.generators, own.enable), dataset
