"""Configurations of experiments."""

import dataclasses
import math
import pathlib

import optax

from experiments.config import field
from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax.config import OUTPUT_ERRORS
from ssnn_jax.config import REPRESENTATIONS
from ssnn_jax.config import SIGNALS
from ssnn_jax.datasets import arrays

SCHEDULES = ('constant', 'cosine', 'linear')
NUM_HIDDEN = 256
# Ticks with an event that by default drive as much as a pixel of rate 1 does.
EVENTS_AT_FULL_RATE = 8


@dataclasses.dataclass(frozen=True)
class ExperimentConfig(synapses.SynapseFields):
  """All that defines a run; each field is a flag of the same name.

  The defaults are those of `digits`, tuned on the ANN's validation split.
  """

  dataset: str = field.field(
    'Data',
    'digits',
    f'`name` of the data set: {field.SETS} of your own arrays, with the '
    'defaults of digits',
    choices=field.DATASETS,
  )
  method: str = field.field(
    'Network',
    'ssnn',
    'what is trained, and how; a `method` is '
    + ', '.join(f'{name} ({m.help})' for name, m in methods.METHODS.items()),
    choices=tuple(methods.METHODS),
  )
  layer_sizes: tuple[int, ...] | None = field.field(
    'Network',
    None,
    'neurons of each layer, as in 784,256,10; left out: the inputs of the data '
    f'set, {NUM_HIDDEN}, its classes',
  )
  num_steps: int = field.field(
    'Spikes', 64, 'T, length of a presentation', unit='ticks'
  )
  window: int | None = field.field(
    'Network',
    None,
    'n, ticks between reads of a membrane; left out: 32, or T if shorter; a '
    'shorter window is slower to simulate',
    unit='ticks',
  )
  firing_function: str = field.field(
    'Network',
    'clip',
    'firing function of hidden neurons',
    choices=tuple(ssnn_jax.neuron.firing.FIRING_FUNCTIONS),
  )
  integration: str = field.field(
    'Network',
    'mean',
    'what a membrane keeps of earlier windows',
    choices=ssnn_jax.neuron.MEMBRANES,
  )
  tau: float = field.field(
    'Network', 16.0, 'time constant of a leaky membrane', unit='ticks'
  )
  gain: tuple[float, ...] = field.field(
    'Spikes',
    (1.0,),
    'strength of the error spikes; one number for all hidden layers, or one '
    'for each',
    unit='error spikes per tick for one unit of error',
  )
  input_gain: float | None = field.field(
    'Network',
    1.0,
    'factor on what the first layer reads; for recordings, whose rates fall as '
    f'1 / T, T / {EVENTS_AT_FULL_RATE} if left out',
  )
  forward: str = field.field(
    'Spikes', 'spikes', 'what drives membranes', choices=SIGNALS
  )
  backward: str = field.field(
    'Spikes', 'spikes', 'what carries errors back', choices=SIGNALS
  )
  update: str = field.field(
    'Spikes', 'spikes', 'what changes weights', choices=SIGNALS
  )
  output_errors: str = field.field(
    'Spikes',
    'winner',
    'what error spikes of the output layer are: the winner of a tick against '
    'the target (winner), samples of the exact softmax minus target (softmax), '
    'or the class of highest potential against the target (argmax)',
    choices=OUTPUT_ERRORS,
  )
  delay: int = field.field(
    'Spikes',
    0,
    'windows by which errors lag behind the potentials they are made of, 0 or '
    '1',
  )
  sampler: str = field.field(
    'Spikes',
    'bernoulli',
    'where thresholds come from: a keyed hash (bernoulli), a low-discrepancy '
    'sequence (sobol) or jax.random (threefry, slow)',
    choices=tuple(ssnn_jax.spikes.thresholds.SAMPLERS),
  )
  representation: str = field.field(
    'Machine',
    'auto',
    'how coincidences are counted: a matrix product (dense) or bits of words '
    '(packed), whichever suits the machine (auto); the counts agree',
    choices=REPRESENTATIONS,
  )
  batch_size: int = field.field(
    'Training', 32, 'size of a batch', unit='samples'
  )
  num_epochs: int = field.field(
    'Training', 20, 'length of the training', unit='epochs'
  )
  learning_rate: float = field.field('Training', 1.0, 'learning rate, at first')
  schedule: str = field.field(
    'Training',
    'linear',
    'learning rate over the run; all but constant end at 0',
    choices=SCHEDULES,
  )
  dropout: float = field.field(
    'Training',
    0.0,
    'probability that a hidden unit is silent for a presentation',
  )
  weight_decay: float = field.field(
    'Training',
    0.0,
    'share of a weight that each step takes away, times the learning rate',
  )
  pixel_range: tuple[float, ...] = field.field(
    'Data',
    (0.0, 1.0),
    'rates of black and of white pixels, as in 0.3,0.7; those between follow',
    unit='spikes per tick',
  )
  event_window: float = field.field(
    'Data',
    300.0,
    'time that recordings of events are cut into ticks, from their start on',
    unit='milliseconds',
  )
  polarity: str = field.field(
    'Data',
    'both',
    'which events there are inputs for: each polarity has its own (both), they '
    'share them (merged), or those of one alone (on, off)',
    choices=ssnn_jax.datasets.POLARITIES,
  )
  shuffle_ticks: bool = field.field(
    'Data',
    False,
    'put the ticks of each recording in a random order: rates stay, time does '
    'not',
  )
  test_dataset: str | None = field.field(
    'Evaluation',
    None,
    '`name` of a data set to evaluate on, all of it; left out: the test split',
    choices=field.DATASETS,
  )
  hold_out: float = field.field(
    'Evaluation',
    0.0,
    'share of the training split to evaluate on in place of the test split; '
    'for tuning',
  )
  eval_every: int = field.field(
    'Evaluation',
    0,
    'epochs between evaluations; 0 evaluates after the last one only',
    unit='epochs',
  )
  seed: int = field.field(
    'Training', 0, 'seed of weights, data order, dropout and spikes'
  )
  probe_size: int = field.field(
    'Evaluation',
    128,
    "size of the batch on which updates are compared with backpropagation's",
    unit='samples',
  )
  probe_draws: int = field.field(
    'Evaluation', 8, 'draws of the spikes in this comparison'
  )
  probe_every: int = field.field(
    'Evaluation',
    0,
    "epochs between comparisons at the network's own weights, which report "
    'bias and variance of the update apart; 0 has just the comparison at the '
    'end, at weights that are the same for every T',
    unit='epochs',
  )

  def __post_init__(self):
    for own in dataclasses.fields(self):
      choices, value = own.metadata['choices'], getattr(self, own.name)
      is_valid = not choices or value in choices or value == own.default
      expected = f'one of {", ".join(choices or ())}'
      field.check(own.name, value, is_valid, expected)
    for name in ('batch_size', 'num_epochs', 'probe_size', 'probe_draws'):
      value = getattr(self, name)
      field.check(name, value, value >= 1, 'a whole number from 1 up')
    for name in ('weight_decay', 'eval_every', 'probe_every'):
      value = getattr(self, name)
      field.check(name, value, 0 <= value < math.inf, 'a number from 0 up')
    for name in ('probe_size', 'probe_draws') if self.probe_every else ():
      value = getattr(self, name)
      field.check(name, value, value >= 2, 'at least 2 with --probe_every')
    if not methods.METHODS[self.method].has_pulses:
      field.check(
        *('device', self.device, self.device == synapses.IDEAL),
        f'ideal, as --method={self.method} makes no pulses',
      )
    if self.device != synapses.IDEAL:
      field.check(
        *('weight_decay', self.weight_decay, self.weight_decay == 0),
        '0, as resistive devices decay by --lifetime',
      )
    super().__post_init__()
    low_high = self.pixel_range
    field.check(
      'pixel_range',
      ','.join(map(str, low_high)),
      len(low_high) == 2 and 0 <= low_high[0] < low_high[1] <= 1,
      'two numbers from 0 to 1, the lower one first',
    )
    rate = self.learning_rate
    field.check('learning_rate', rate, 0 < rate < math.inf, 'a number above 0')
    field.check(
      'hold_out', self.hold_out, 0 <= self.hold_out < 1, '0 or more and below 1'
    )
    field.check(
      'seed', self.seed, 0 <= self.seed < 2**31, '0 or more and below 2**31'
    )


FIELDS = {own.name: own for own in dataclasses.fields(ExperimentConfig)}


def slug(config: ExperimentConfig) -> str:
  """Names a configuration's data set as a part of the name of a folder."""
  if arrays.is_npz_path(config.dataset):
    return pathlib.Path(config.dataset).stem
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
  values['reads'] = synapses.reads(config)
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


def schedule(config: ExperimentConfig, num_samples: int) -> optax.Schedule:
  """Makes the factor on a run's learning rate, over its steps."""
  total = config.num_epochs * (num_samples // config.batch_size)
  if config.schedule == 'cosine':
    return optax.cosine_decay_schedule(1.0, total)
  if config.schedule == 'linear':
    return optax.linear_schedule(1.0, 0.0, total)
  return optax.constant_schedule(1.0)
