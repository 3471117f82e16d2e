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
# Ticks with an event whose default drive equals that of a pixel of rate 1.
EVENTS_AT_FULL_RATE = 8


@dataclasses.dataclass(frozen=True)
class ExperimentConfig(synapses.SynapseFields):
  """Configuration of a run; each field is a flag of the same name.

  The defaults are those of `digits`, tuned for the ANN on a validation split.
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
    '`method` that trains the network: '
    + ', '.join(f'{name} ({m.help})' for name, m in methods.METHODS.items()),
    choices=tuple(methods.METHODS),
  )
  layer_sizes: tuple[int, ...] | None = field.field(
    'Network',
    None,
    'number of neurons of each layer, as in 784,256,10; default: the inputs of '
    f'the data set, {NUM_HIDDEN}, and the classes of the data set',
  )
  num_steps: int = field.field(
    'Spikes', 64, 'number of ticks T of a spike train', unit='ticks'
  )
  window: int | None = field.field(
    'Network',
    None,
    'number of ticks between two reads of a membrane; default: 32, or T if '
    'shorter; short windows are slower to simulate',
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
    'memory of a membrane for earlier windows: their mean (mean), an '
    'exponential average (leaky) or none (memoryless)',
    choices=ssnn_jax.neuron.MEMBRANES,
  )
  tau: float = field.field(
    'Network', 16.0, 'time constant of a leaky membrane', unit='ticks'
  )
  gain: tuple[float, ...] = field.field(
    'Spikes',
    (1.0,),
    'rate of error spikes for an error of 1: one number for all hidden layers, '
    'or one for each layer',
    unit='error spikes per tick for one unit of error',
  )
  input_gain: float | None = field.field(
    'Network',
    1.0,
    'factor on the inputs of the first layer; default for recordings, whose '
    f'rates are proportional to 1 / T: T / {EVENTS_AT_FULL_RATE}',
  )
  forward: str = field.field(
    'Spikes',
    'spikes',
    'signals that drive membranes in the forward pass',
    choices=SIGNALS,
  )
  backward: str = field.field(
    'Spikes',
    'spikes',
    'signals that carry errors in the backward pass',
    choices=SIGNALS,
  )
  update: str = field.field(
    'Spikes', 'spikes', 'signals that change weights', choices=SIGNALS
  )
  output_errors: str = field.field(
    'Spikes',
    'winner',
    'error spikes of the output layer: winner of a tick minus target (winner), '
    'samples of the exact softmax minus target (softmax), or class of the '
    'highest potential minus target (argmax)',
    choices=OUTPUT_ERRORS,
  )
  delay: int = field.field(
    'Spikes',
    0,
    'number of windows, 0 or 1, between the potentials and the errors that '
    'are computed from the potentials',
  )
  sampler: str = field.field(
    'Spikes',
    'bernoulli',
    'source of random thresholds: a keyed hash (bernoulli), a low-discrepancy '
    'sequence (sobol) or jax.random (threefry, slow)',
    choices=tuple(ssnn_jax.spikes.thresholds.SAMPLERS),
  )
  representation: str = field.field(
    'Machine',
    'auto',
    'implementation of coincidence counts: a matrix product (dense), bits of '
    'words (packed), or the faster one on this machine (auto); the counts are '
    'the same',
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
    'probability that a hidden neuron is silent for a whole spike train',
  )
  weight_decay: float = field.field(
    'Training',
    0.0,
    'decrease of a weight in each step, relative to the weight and the '
    'learning rate',
  )
  pixel_range: tuple[float, ...] = field.field(
    'Data',
    (0.0, 1.0),
    'rates of black and of white pixels, as in 0.3,0.7; grey pixels are '
    'interpolated',
    unit='spikes per tick',
  )
  event_window: float = field.field(
    'Data',
    300.0,
    'duration of the start of a recording that is divided into ticks',
    unit='milliseconds',
  )
  polarity: str = field.field(
    'Data',
    'both',
    'polarities of events: separate inputs for each polarity (both), shared '
    'inputs (merged), or one polarity alone (on, off)',
    choices=ssnn_jax.datasets.POLARITIES,
  )
  shuffle_ticks: bool = field.field(
    'Data',
    False,
    'shuffle the ticks of each recording, which keeps rates and removes the '
    'order in time',
  )
  test_dataset: str | None = field.field(
    'Evaluation',
    None,
    '`name` of another data set, all of which is the evaluation split; '
    'default: the test split of --dataset',
    choices=field.DATASETS,
  )
  hold_out: float = field.field(
    'Evaluation',
    0.0,
    'fraction of the training split that is held out as the validation split '
    'and replaces the test split in evaluations; for tuning',
  )
  eval_every: int = field.field(
    'Evaluation',
    0,
    'number of epochs between evaluations; 0 evaluates only after the last '
    'epoch',
    unit='epochs',
  )
  seed: int = field.field(
    'Training', 0, 'seed of weights, data order, dropout and spikes'
  )
  probe_size: int = field.field(
    'Evaluation',
    128,
    'size of the batch on which weight updates are compared with the gradient',
    unit='samples',
  )
  probe_draws: int = field.field(
    'Evaluation',
    8,
    'number of spike trains for each sample, when weight updates are compared '
    'with the gradient',
  )
  probe_every: int = field.field(
    'Evaluation',
    0,
    'number of epochs between comparisons of weight updates with the gradient '
    'during training, which also report bias and variance; 0 compares only '
    'once, at weights that are the same for every T',
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
  """Returns the name of the data set for names of folders."""
  if arrays.is_npz_path(config.dataset):
    return pathlib.Path(config.dataset).stem
  return config.dataset.replace('/', '-')


def network_config(
  config: ExperimentConfig, dataset: ssnn_jax.datasets.Dataset
) -> ssnn_jax.NetworkConfig:
  """Makes the network configuration of a run for a data set."""
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
    raise ssnn_jax.UserError(
      f'--{error}'
    ) from None  # the error starts with the name


def schedule(config: ExperimentConfig, num_samples: int) -> optax.Schedule:
  """Makes the schedule of a run: the factor on the learning rate by step."""
  total = config.num_epochs * (num_samples // config.batch_size)
  if config.schedule == 'cosine':
    return optax.cosine_decay_schedule(1.0, total)
  if config.schedule == 'linear':
    return optax.linear_schedule(1.0, 0.0, total)
  return optax.constant_schedule(1.0)
