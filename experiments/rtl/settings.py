"""Flags of a chip, its initial state and its samples."""

from typing import Any
from typing import NamedTuple

import jax

from experiments.config import command
from experiments.config import experiment
from experiments.config import methods
from experiments.training import data
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import training

FIELDS = methods.CHIP_FIELDS | {
  'dataset',
  'layer_sizes',
  'num_steps',
  'settle',
  'batch_size',
  'learning_rate',
  'seed',
}


class Case(NamedTuple):
  """A chip before its first sample."""

  config: chip.ChipConfig
  weights: Any  # [N_l + 1, N_{l+1}] int16 of each layer
  registers: Any  # of the generators
  enable: jax.Array  # [L] int32 rates of the enable bits


def define() -> None:
  """Defines the flags."""
  command.define_fields(experiment.ExperimentConfig, names=FIELDS)
  command.define_data_dir()


def load() -> tuple[Case, ssnn_jax.datasets.Dataset]:
  """Returns the chip of the flags as `experiments.run` starts it, and its data.

  Raises:
    UserError: if a value is out of range, or the data is missing.
  """
  config = command.config(command.given() | {'method': methods.CHIP})
  dataset = data.load_images(
    config.dataset, command.make(experiment.DataOptions)
  )
  network_config = experiment.network_config(config, dataset)
  chip_config = methods.METHODS[methods.CHIP].configure(config, network_config)
  device = chip.make_device(
    chip_config, config.learning_rate / config.batch_size
  )
  state = training.init_state(
    chip.make_network(chip_config), device, config.seed
  )
  own = state.opt_state
  return Case(chip_config, state.params, own.generators, own.enable), dataset
