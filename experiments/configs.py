"""Configurations of experiments."""

from collections.abc import Mapping
import dataclasses
import json
import math
from typing import Any

import optax

import ssnn_jax
from ssnn_jax.config import INTEGRATIONS
from ssnn_jax.config import REPRESENTATIONS
from ssnn_jax.config import SIGNALS

METHODS = ('ssnn', 'bp')
SCHEDULES = ('constant', 'cosine', 'linear')
NUM_HIDDEN = 256
# Ticks with an event that by default drive as much as a pixel of rate 1 does.
EVENTS_AT_FULL_RATE = 8
SETS = (
  'digits, mnist, fashion_mnist, emnist/<split>, n_mnist, or '
  'synthetic_events/<set of images>'
)


def _field(default, help_text, choices=None, lists_choices=True):
  metadata = {
    'help': help_text,
    'choices': choices,
    'lists_choices': lists_choices,
  }
  return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
  """All that defines a run; each field is a flag of the same name.

  The defaults are those of `digits`, tuned on the ANN's validation split.
  """

  dataset: str = _field(
    'digits', f'data set: {SETS}', ssnn_jax.datasets.NAMES, lists_choices=False
  )
  method: str = _field(
    'ssnn', 'ssnn (spikes) or bp (the ANN, by backpropagation)', METHODS
  )
  layer_sizes: tuple[int, ...] | None = _field(
    None,
    'neurons of each layer, as in 784,256,10; left out: the inputs of the data '
    f'set, {NUM_HIDDEN}, its classes',
  )
  num_steps: int = _field(64, 'T, ticks of a presentation')
  window: int | None = _field(
    None,
    'n, ticks between reads of a membrane; left out: 32, or T if shorter; a '
    'shorter window is slower to simulate',
  )
  firing_function: str = _field(
    'clip',
    'firing function of hidden neurons',
    tuple(ssnn_jax.firing.FIRING_FUNCTIONS),
  )
  integration: str = _field(
    'mean', 'what a membrane keeps of earlier windows', INTEGRATIONS
  )
  tau: float = _field(16.0, 'time constant of a leaky membrane, in ticks')
  gain: tuple[float, ...] = _field(
    (1.0,),
    'error spikes per tick for one unit of error; one number for all hidden '
    'layers, or one for each',
  )
  input_gain: float | None = _field(
    1.0,
    'factor on what the first layer reads; for recordings, whose rates fall as '
    f'1 / T, by default T / {EVENTS_AT_FULL_RATE}',
  )
  forward: str = _field('spikes', 'what drives membranes', SIGNALS)
  backward: str = _field('spikes', 'what carries errors back', SIGNALS)
  update: str = _field('spikes', 'what changes weights', SIGNALS)
  sampler: str = _field(
    'bernoulli',
    'where thresholds come from: a keyed hash (bernoulli), a low-discrepancy '
    'sequence (sobol) or jax.random (threefry, slow)',
    tuple(ssnn_jax.thresholds.SAMPLERS),
  )
  representation: str = _field(
    'auto', 'how coincidences are counted; the counts agree', REPRESENTATIONS
  )
  batch_size: int = _field(32, 'samples a batch')
  num_epochs: int = _field(20, 'epochs')
  learning_rate: float = _field(1.0, 'learning rate, at first')
  schedule: str = _field(
    'linear',
    'learning rate over the run; all but constant end at 0',
    SCHEDULES,
  )
  dropout: float = _field(
    0.0, 'probability that a hidden unit is silent for a presentation'
  )
  weight_decay: float = _field(
    0.0, 'decay of weights, times the learning rate, a step'
  )
  event_window: float = _field(
    300.0, 'time that recordings of events are cut into ticks, in milliseconds'
  )
  polarity: str = _field(
    'both',
    'which events there are inputs for: each polarity has its own (both), they '
    'share them (merged), or those of one alone (on, off)',
    ssnn_jax.datasets.POLARITIES,
  )
  shuffle_ticks: bool = _field(
    False,
    'put the ticks of each recording in a random order: rates stay, time does '
    'not',
  )
  test_dataset: str | None = _field(
    None,
    'data set to evaluate on, all of it, in place of the test split',
    ssnn_jax.datasets.NAMES,
    lists_choices=False,
  )
  hold_out: float = _field(
    0.0,
    'share of the training split to evaluate on in place of the test split; '
    'for tuning',
  )
  eval_every: int = _field(
    0, 'epochs between evaluations; 0 evaluates after the last one only'
  )
  seed: int = _field(0, 'seed of weights, data order, dropout and spikes')
  probe_size: int = _field(128, 'samples in the batch that errors are taken on')
  probe_draws: int = _field(8, 'draws of its spikes')

  def __post_init__(self):
    for field in dataclasses.fields(self):
      choices, value = field.metadata['choices'], getattr(self, field.name)
      is_valid = not choices or value in choices or value == field.default
      expected = f'one of {", ".join(choices or ())}'
      _check(field.name, value, is_valid, expected)
    for name in ('batch_size', 'num_epochs', 'probe_size', 'probe_draws'):
      value = getattr(self, name)
      _check(name, value, value >= 1, 'a whole number from 1 up')
    for name in ('weight_decay', 'eval_every'):
      value = getattr(self, name)
      _check(name, value, 0 <= value < math.inf, 'a number from 0 up')
    rate = self.learning_rate
    _check('learning_rate', rate, 0 < rate < math.inf, 'a number above 0')
    _check(
      'hold_out', self.hold_out, 0 <= self.hold_out < 1, '0 or more and below 1'
    )
    _check(
      'seed', self.seed, 0 <= self.seed < 2**31, '0 or more and below 2**31'
    )


def _check(name, value, is_valid, expected):
  if not is_valid:
    raise ssnn_jax.UserError(f'--{name} is {value}; expected {expected}.')


def as_record(config: ExperimentConfig) -> dict[str, Any]:
  """Makes the JSON object that a configuration is recorded as."""
  return json.loads(json.dumps(dataclasses.asdict(config)))


def complete(recorded: Mapping[str, Any]) -> dict[str, Any]:
  """Completes the record of a configuration: what it lacks had its default."""
  return as_record(ExperimentConfig()) | dict(recorded)


def slug(config: ExperimentConfig) -> str:
  """Names a configuration's data set as a part of the name of a folder."""
  return config.dataset.replace('/', '-')


def network_config(
  config: ExperimentConfig, dataset: ssnn_jax.datasets.Dataset
) -> ssnn_jax.NetworkConfig:
  """Makes a run's network configuration, with layers that fit the data."""
  ends = dataset.num_inputs, dataset.num_classes
  sizes = config.layer_sizes or (ends[0], NUM_HIDDEN, ends[1])
  if (sizes[0], sizes[-1]) != ends:
    raise ssnn_jax.UserError(
      f'--layer_sizes={",".join(map(str, sizes))} does not fit {dataset.name}; '
      f'it must start with {ends[0]} inputs and end with {ends[1]} classes.'
    )
  shared = {field.name for field in dataclasses.fields(ssnn_jax.NetworkConfig)}
  values = {
    name: value
    for name, value in dataclasses.asdict(config).items()
    if name in shared
  }
  gain = config.gain[0] if len(config.gain) == 1 else config.gain
  input_gain = config.input_gain
  if input_gain is None:
    input_gain = config.num_steps / EVENTS_AT_FULL_RATE
  try:
    return ssnn_jax.NetworkConfig(
      **values | {'layer_sizes': sizes, 'gain': gain, 'input_gain': input_gain}
    )
  except ssnn_jax.UserError as error:
    raise ssnn_jax.UserError(f'--{error}') from None  # it starts with the name


def learning_rate(config: ExperimentConfig, num_samples: int):
  """Makes a run's learning rate, as a number or an optax schedule."""
  rate = config.learning_rate
  total = config.num_epochs * (num_samples // config.batch_size)
  if config.schedule == 'cosine':
    return optax.cosine_decay_schedule(rate, total)
  if config.schedule == 'linear':
    return optax.linear_schedule(rate, 0.0, total)
  return rate


_MNIST = {'batch_size': 128, 'num_epochs': 10, 'learning_rate': 0.5}
_EVENTS = {
  'batch_size': 16,
  'num_epochs': 40,
  'learning_rate': 0.1,
  'input_gain': None,  # in proportion to T
}
CONFIGS = {
  'digits': ExperimentConfig(),
  **{
    name: ExperimentConfig(dataset=name, **_MNIST)
    for name in ssnn_jax.datasets.IMAGES
    if name != 'digits'
  },
  **{
    name: ExperimentConfig(dataset=name, **_EVENTS)
    for name in ssnn_jax.datasets.RECORDINGS
  },
}
