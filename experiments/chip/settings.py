"""Flags of a chip, its initial state, its samples and its new folder."""

from collections.abc import Iterator
from collections.abc import Sequence
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
from ssnn_jax.chip import board as board_lib
from ssnn_jax.chip import verilog

#: `chip.present`, compiled.
present = jax.jit(chip.present, static_argnums=0)

flags.disclaim_key_flags()  # --help shows them as those of the command


class Stream(NamedTuple):
  """Samples of a chip: the moments of signals, or images, one after another.

  Attributes:
    channels: `[M, I]` what the chip takes.
    inputs: `[M, N_0]` of the network: their traces, if it has some.
    labels: `[M]` classes, -1 where nothing is learned.
    more: `[M]` whether a signal goes on in the next sample.
  """

  channels: np.ndarray
  inputs: np.ndarray
  labels: np.ndarray
  more: np.ndarray

  def first(self, size: int) -> 'Stream':
    """Returns copies of the first samples, whose last one ends a signal."""
    own = Stream(*(x[:size].copy() for x in self))
    own.more[-1:] = False
    return own


class Run(NamedTuple):
  """A run of `--method=chip` between two batches."""

  config: chip.Config
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

  def learn_first(self, split: Any, count: int) -> 'Learned':
    """Returns what the twin has learned of the first samples of a split."""
    rates = self.list_rates(1)[0]
    params, word, answers = self.state.params, jnp.uint32(self.word), []
    samples = tuple(np.asarray(own[:count]) for own in split)
    for sample in zip(*samples):
      params, word, inference = present(
        self.config, params, word, jnp.asarray(rates), *sample
      )
      answers.append(int(np.argmax(inference.potential)))
    weights = verilog.integer_weights(self.config, params)
    return Learned(samples, rates.tolist(), answers, weights)

  def train(self, split: Any, num_epochs: int = 1) -> 'Run':
    """Returns the run after epochs of the twin."""
    network, state = chip.make_network(self.config), self.state
    epoch = training.make_train_epoch(network, self.device, self.batch_size)
    epoch = jax.jit(epoch)
    for _ in range(num_epochs):
      state, *_ = epoch(state, *split)
    return self._replace(state=state)


class Learned(NamedTuple):
  """Samples, and the answers and weights that must follow."""

  samples: tuple[np.ndarray, np.ndarray]
  rates: list[int]
  answers: list[int]
  weights: tuple[np.ndarray, ...]

  def transcript(self, run: Run) -> str:
    """Returns the file of the self-test of a board."""
    return board_lib.write_transcript(run.config, run.word, run.weights, *self)


def define(has_traces: bool = False) -> None:
  """Defines the flags of a chip and its run; defaults are those of the data.

  With traces there is a flag of those that the chip makes of its inputs.
  """
  names = 'dataset layers num_steps weight_bits fraction_bits learning_rate '
  names += 'batch_size seed num_epochs init_from data_dir download'
  config_lib.define_flags(names.split())
  flags.DEFINE_integer('digits', 2, 'leading digits of a hidden error', 1, 2)
  if has_traces:
    flags.DEFINE_list(
      'traces',
      [],
      'numbers k, as 0,1,2,3,5: the chip makes traces of decays 1 - 2^-k of '
      'the channels of signals',
    )


def load() -> tuple[Run, datasets.Dataset]:
  """Returns the run of `--method=chip` with these flags, and its data."""
  config, dataset = _load_data()
  if dataset.is_signal:
    raise ssnn_jax.UserError(
      f'{dataset.name} has signals; compare, stream and write present them.'
    )
  return _make_run(config, dataset), dataset


def load_streams() -> tuple[Run, tuple[int, ...], Stream, Stream]:
  """Returns the run, shifts of --traces, and training and test stream."""
  config, dataset = _load_data()
  shifts = tuple(map(int, flags.FLAGS.traces))
  streams = [cut(own, shifts, config.num_steps) for own in dataset[1:3]]
  train_, test = (datasets.Split(own.inputs, own.labels) for own in streams)
  samples = dataset._replace(train=train_, test=test)
  return _make_run(config, samples), shifts, *streams


def cut(split: Any, shifts: Sequence[int], num_steps: int) -> Stream:
  """Cuts signals into their moments, up to the last one with a label."""
  labels = np.asarray(split.labels)
  labels = labels.reshape(len(labels), -1)  # an image has one moment
  signals = np.asarray(split.inputs).reshape(*labels.shape, -1)
  is_moment = np.cumsum(labels[:, ::-1] >= 0, axis=1)[:, ::-1] > 0
  more = np.pad(is_moment[:, 1:], ((0, 0), (0, 1)))
  inputs = channels = signals[is_moment]
  if shifts:  # traces of all moments would take much memory
    parts = [np.array_split(x, len(x) // 64 + 1) for x in (signals, is_moment)]
    inputs = np.concatenate(
      [
        np.asarray(chip.trace_signals(own, shifts, num_steps))[is_own]
        for own, is_own in zip(*parts)
      ]
    )
  return Stream(channels, inputs, np.int32(labels[is_moment]), more[is_moment])


def _load_data():
  """Returns the configuration of these flags, and its data."""
  values = flags.FLAGS.flag_values_dict()
  given = {name: x for name, x in values.items() if x is not None}
  fields = {name: given[name] for name in config_lib.FIELDS if name in given}
  # Signals have other defaults, of a model.
  fields = {'layers': None, 'optimizer': 'sgd'} | fields
  config = config_lib.default(**fields, method='chip')
  return config, train.load(config, values['data_dir'], values['download'])


def _make_run(config, dataset):
  network = config_lib.network_config(config, dataset)
  schedule = train.make_schedule(config, len(dataset.train.labels))
  rate = config.learning_rate / config.batch_size
  device = chip.make_device(network, rate, schedule)
  params = None
  if config.init_from:
    (params,), _ = train.read_params(config, network, [config.seed])
  state = training.init_state(
    chip.make_network(network), device, config.seed, params=params
  )
  size, epochs = config.batch_size, config.num_epochs
  return Run(network, size, epochs, device, schedule, state)


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
