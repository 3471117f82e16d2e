"""Flags of a chip, its initial state, its samples and its new folder."""

from collections.abc import Iterator
import contextlib
import pathlib
import shutil
from typing import Any
from typing import NamedTuple

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments.runs import config as config_lib
from experiments.runs import train
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax import training
from ssnn_jax.chip import verilog

#: Flags of a chip and its run
RUN = (
  'dataset layers num_steps weight_bits fraction_bits learning_rate '
  'batch_size seed num_epochs data_dir download'
).split()

#: `chip.present`, compiled.
present = jax.jit(chip.present, static_argnums=0)

flags.disclaim_key_flags()  # --help shows them as those of the command


class Run(NamedTuple):
  """A run of `--method=chip` between two batches."""

  config: ssnn_jax.NetworkConfig
  batch_size: int
  num_epochs: int
  device: Any  # of the chip
  schedule: Any  # of the learning rate
  state: training.TrainState

  @property
  def word(self) -> int:
    """Register of random bits."""
    return int(self.state.opt_state.hardware)

  @property
  def weights(self) -> tuple[np.ndarray, ...]:
    """Weights of each layer, `[N_l + 1, N_{l+1}]` int16."""
    return verilog.integer_weights(self.config, self.state.params)

  def list_rates(self, num_batches: int) -> np.ndarray:
    """Returns the `[N, L]` integer rates of the next batches."""
    own = self.state.opt_state
    find = lambda n: chip.integer_rates(
      self.config, own._replace(num_updates=n), self.schedule
    )
    return np.asarray(jax.vmap(find)(own.num_updates + jnp.arange(num_batches)))

  def train(self, split: Any, num_epochs: int = 1) -> 'Run':
    """Returns the run after epochs of the twin."""
    network, state = ssnn_jax.ssnn(self.config), self.state
    epoch = training.make_train_epoch(network, self.device, self.batch_size)
    epoch = jax.jit(epoch)
    for _ in range(num_epochs):
      state, *_ = epoch(state, *split)
    return self._replace(state=state)


def define() -> None:
  """Defines the flags of a chip and its run; defaults are those of the data."""
  config_lib.define_flags(RUN)


def load() -> tuple[Run, datasets.Dataset]:
  """Returns the run of `--method=chip` with these flags, and its data."""
  values = flags.FLAGS.flag_values_dict()
  given = {name: x for name, x in values.items() if x is not None}
  fields = {name: given[name] for name in config_lib.FIELDS if name in given}
  config = config_lib.default(**fields, method='chip')
  dataset = train.load(config, values['data_dir'], values['download'])
  network = config_lib.network_config(config, dataset)
  schedule = train.make_schedule(config, len(dataset.train.labels))
  rate = config.learning_rate / config.batch_size
  device = chip.make_device(network, rate, schedule)
  state = training.init_state(ssnn_jax.ssnn(network), device, config.seed)
  size, epochs = config.batch_size, config.num_epochs
  return Run(network, size, epochs, device, schedule, state), dataset


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
