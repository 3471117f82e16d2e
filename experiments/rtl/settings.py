"""Flags of a chip, its initial state, its samples and its new folder."""

from collections.abc import Iterator
import contextlib
import dataclasses
import pathlib
import shutil
from typing import Any
from typing import NamedTuple

from absl import flags
import jax

from experiments import config as config_lib
from experiments import train
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax import training

_RUN = 'layer_sizes num_steps weight_bits fraction_bits dataset learning_rate '
_RUN += 'batch_size seed num_epochs schedule data_dir download'

flags.disclaim_key_flags()  # --help shows them as those of the command


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
  num_epochs: int
  device: Any  # of the chip
  schedule: Any  # of the learning rate
  state: training.TrainState

  @property
  def case(self) -> Case:
    """The chip at this time."""
    own = self.state.opt_state
    enable = chip.enable_rates(self.config, own, self.schedule)
    return Case(self.config, self.state.params, own.hardware, enable)


def define() -> None:
  """Defines the flags of a chip and its run; defaults are those of the data."""
  config_lib.define_flags(_RUN.split(), {'dataset': None})
  flags.DEFINE_integer('banks', 2, 'rows of a layer in a clock, 1 or 2', 1, 2)


def load() -> tuple[Run, datasets.Dataset]:
  """Returns the run of `--method=chip` with these flags, and its data."""
  values = flags.FLAGS.flag_values_dict()
  given = {name: x for name, x in values.items() if x is not None}
  fields = {name: given[name] for name in config_lib.FIELDS if name in given}
  is_784 = (values['layer_sizes'] or '').startswith('784,')
  name = values['dataset'] or ('fashion_mnist' if is_784 else 'digits')
  fields |= {'dataset': name, 'method': 'chip'}
  config = dataclasses.replace(config_lib.default(name), **fields)
  dataset = train.load(config, values['data_dir'], values['download'])
  network = config_lib.network_config(config, dataset)
  chip_config = config_lib.chip_config(config, network)
  schedule = train.make_schedule(config, len(dataset.train.labels))
  rate = config.learning_rate / config.batch_size
  device = chip.make_device(chip_config, rate, schedule)
  network = chip.make_network(chip_config)
  state = training.init_state(network, device, config.seed)
  size, epochs = config.batch_size, config.num_epochs
  return Run(chip_config, size, epochs, device, schedule, state), dataset


@contextlib.contextmanager
def new_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a folder that gets its name at the end, and is not left before.

  A failure leaves it as `<folder>.unfinished`, with the logs. Raises a
  `UserError` if the folder exists.
  """
  if folder.exists():
    raise ssnn_jax.UserError(
      f'{folder} exists already and is not overwritten; choose another '
      '--folder.'
    )
  unfinished = folder.with_name(f'{folder.name}.unfinished')
  shutil.rmtree(unfinished, ignore_errors=True)
  unfinished.mkdir(parents=True)
  yield unfinished
  unfinished.rename(folder)
