"""Configurations of experiments, and their defaults for each data set."""

from collections.abc import Mapping
import dataclasses
import functools
import json
import math
import pathlib
import textwrap
from typing import Any

from experiments.config import field
from experiments.config import layers
from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax import chip
from ssnn_jax import config as choices
from ssnn_jax.chip import config as chip_choices
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import catalog
from ssnn_jax.neuron import wta
from ssnn_jax.neuron.firing import FIRING_FUNCTIONS
from ssnn_jax.simulation import updates
from ssnn_jax.spikes.samplers import SAMPLERS
from ssnn_jax.training import optimizers

_used, _data, _network, _spikes, _chip, _training, _evaluation = (
  functools.partial(field.field, group)
  for group in (
    'Most used',
    'Data',
    'Network',
    'Spikes',
    'Chip',
    'Training',
    'Evaluation',
  )
)
_HELP = field.read_help(ssnn_jax.datasets.Binning)
_HELP |= field.read_help(ssnn_jax.NetworkConfig)
_HELP |= field.read_help(ssnn_jax.RaceConfig)
_CHIP_HELP = field.read_help(chip.ChipConfig)
_RACE = ssnn_jax.RaceConfig()
SCHEDULES = ('constant', 'cosine', 'linear')
# Ticks with an event that drive a neuron like a pixel of rate 1 by default.
EVENTS_AT_FULL_RATE = 8


@dataclasses.dataclass(frozen=True)
class DataOptions:
  """Options of loading data; each field is a flag."""

  data_dir: str | None = _data(
    None,
    'folder of data sets; default: $TFDS_DATA_DIR, or ~/tensorflow_datasets',
  )
  download: bool = _data(
    False,
    'download missing original files of the data set; sets of images by other '
    'names must have been prepared',
  )


@dataclasses.dataclass(frozen=True)
class ExperimentConfig(synapses.SynapseFields):
  """Configuration of a run; each field is a flag of the same name.

  The defaults are those of `digits`, tuned for the ANN on a validation split.
  """

  dataset: str = _used(
    'digits',
    f'name of the data set: {field.SETS} of your own arrays, with the '
    'defaults of digits',
  )
  method: str = _used(
    'ssnn',
    'method that trains the network: '
    + ', '.join(f'{name} ({m.help})' for name, m in methods.METHODS.items()),
    choices=tuple(methods.METHODS),
  )
  layer_sizes: tuple[int, ...] | None = _used(
    None,
    'number of neurons of each layer, as in 784,256,10; default: inputs of the '
    f'data set, {layers.NUM_HIDDEN}, classes of the data set',
  )
  layers: tuple[str, ...] | None = _network(
    None,
    'layers of weights instead of --layer_sizes, as '
    'conv16k5s2,conv32k5s2,10: convolutions of 16 and 32 features with kernel '
    '5 and stride 2 (p1: padding of 1), and a dense layer of 10 neurons',
  )
  num_steps: int = _used(64, 'number of ticks T of a spike train', unit='ticks')
  timing: str = _used('buffered', _HELP['timing'], choices=choices.TIMINGS)
  settle: int | None = _network(None, _HELP['settle'], unit='ticks')
  window: int | None = _network(None, _HELP['window'], unit='ticks')
  max_window: int | None = _network(
    None,
    'longest window of the fast simulation where --window is not given, as in '
    'sweeps over T; default: T',
    unit='ticks',
  )
  firing_function: str = _network(
    'clip',
    'firing function of hidden neurons',
    choices=tuple(FIRING_FUNCTIONS),
  )
  integration: str = _network(
    'mean',
    'average of a membrane over windows: running mean (mean), with weights '
    'that rise with time (ramp), exponential average (leaky) or the current '
    'window only (memoryless)',
    choices=ssnn_jax.neuron.MEMBRANES,
  )
  tau: float = _network(16.0, 'time constant of a leaky membrane', unit='ticks')
  gain: tuple[float, ...] = _spikes(
    (1.0,),
    'gain of the error spikes: one number for all hidden layers, or one for '
    'each layer',
    unit='error spikes per tick for one unit of error',
  )
  input_gain: float | None = _network(
    1.0,
    'factor on the inputs of the first layer; default for recordings: T / '
    f'{EVENTS_AT_FULL_RATE}, as their rates are proportional to 1 / T',
  )
  forward: str = _spikes('spikes', _HELP['forward'], choices=choices.SIGNALS)
  backward: str = _spikes('spikes', _HELP['backward'], choices=choices.SIGNALS)
  update: str = _spikes('spikes', _HELP['update'], choices=choices.SIGNALS)
  output_errors: str = _spikes(
    'winner', _HELP['output_errors'], choices=choices.OUTPUT_ERRORS
  )
  winner: str = _spikes('softmax', _HELP['winner'], choices=choices.WINNERS)
  inhibition: str = _spikes(
    _RACE.inhibition, _HELP['inhibition'], choices=wta.INHIBITIONS
  )
  race_rate: float = _spikes(
    _RACE.race_rate, _HELP['race_rate'], unit='spikes per tick'
  )
  inhibition_latency: float = _spikes(
    _RACE.inhibition_latency, _HELP['inhibition_latency'], unit='ticks'
  )
  inhibition_step: float = _spikes(
    _RACE.inhibition_step, _HELP['inhibition_step'], unit='nats'
  )
  inhibition_start: float = _spikes(
    _RACE.inhibition_start, _HELP['inhibition_start'], unit='nats'
  )
  update_every: str = _network(
    'presentation', _HELP['update_every'], choices=choices.UPDATE_EVERY
  )
  sampler: str = _used('sobol', _HELP['sampler'], choices=tuple(SAMPLERS))
  representation: str = field.field(
    'Machine', 'auto', _HELP['representation'], choices=choices.REPRESENTATIONS
  )
  weight_bits: int = _chip(12, _CHIP_HELP['weight_bits'], unit='bits')
  fraction_bits: tuple[int, ...] = _chip(
    (10,), _CHIP_HELP['fraction_bits'], unit='bits'
  )
  generator: str = _chip(
    'sobol', _CHIP_HELP['generator'], choices=chip_choices.GENERATORS
  )
  sharing: str = _chip(
    'layer', _CHIP_HELP['sharing'], choices=chip_choices.SHARINGS
  )
  membrane: str = _chip(
    'shift', _CHIP_HELP['membrane'], choices=chip_choices.MEMBRANES
  )
  max_shift: int | None = _chip(None, _CHIP_HELP['max_shift'], unit='bits')
  enable: str = _chip('row', _CHIP_HELP['enable'], choices=chip_choices.ENABLES)
  batch_size: int = _training(
    32,
    'size of a minibatch; --method=chip learns from one sample after another, '
    'each with the learning rate divided by this size',
    unit='samples',
  )
  num_epochs: int = _training(20, 'number of training epochs', unit='epochs')
  learning_rate: float = _training(1.0, 'initial learning rate')
  optimizer: str = _training(
    'sgd',
    'optimizer of weights that are floats',
    choices=tuple(optimizers.OPTIMIZERS),
  )
  schedule: str = _training(
    'linear',
    'learning-rate schedule; all but constant end at 0',
    choices=SCHEDULES,
  )
  init_from: str | None = _training(
    None,
    'folder of a run, or of ssnn_jax.save, whose parameters are trained for '
    '--num_epochs more; of a run with several seeds, each seed goes on with '
    'its own',
  )
  dropout: float = _training(0.0, _HELP['dropout'])
  weight_decay: float = _training(
    0.0,
    'weight decay per step, multiplied by the learning rate',
  )
  pixel_range: tuple[float, ...] = _data(
    (0.0, 1.0),
    'rates of black and of white pixels, as in 0.3,0.7',
    unit='spikes per tick',
  )
  event_window: float = _data(300.0, _HELP['event_window'], unit='milliseconds')
  polarity: str = _data(
    'both', _HELP['polarity'], choices=ssnn_jax.datasets.POLARITIES
  )
  shuffle_ticks: bool = _data(False, _HELP['shuffle_ticks'])
  test_dataset: str | None = _evaluation(
    None,
    'name of another data set, used as a whole for evaluation; default: the '
    'test split of --dataset',
  )
  hold_out: float = _evaluation(
    0.0,
    'fraction of the training split held out as the validation split, which '
    'replaces the test split in evaluations; for tuning',
  )
  folds: int | None = _evaluation(
    None,
    'number of folds for cross-validation of all samples; a run is tested on '
    'the fold whose number is the remainder of its seed',
  )
  eval_every: int = _evaluation(
    0,
    'number of epochs between evaluations; 0 evaluates only at the end',
    unit='epochs',
  )
  seed: int = _training(0, 'seed of weights, data order, dropout and spikes')
  diagnostics: bool = _evaluation(
    False,
    'also measure rates of spikes and errors after each epoch and, at the end, '
    'the distance of a weight update from the gradient; --study always does',
  )
  probe_size: int = _evaluation(
    128,
    'size of the batch of diagnostics and comparisons with the gradient, at '
    'most all training samples',
    unit='samples',
  )
  probe_draws: int = _evaluation(
    8,
    'number of spike trains per sample in comparisons with the gradient',
  )
  probe_every: int = _evaluation(
    0,
    'number of epochs between comparisons of weight updates with the gradient '
    'during training, which report bias and variance; 0 compares none. The '
    'comparison of --diagnostics is at weights of an ANN that do not depend on '
    'T',
    unit='epochs',
  )

  def __post_init__(self):
    for problem in checks.problems(vars(self), ExperimentConfig):
      raise ssnn_jax.UserError(f'--{problem}.')
    for name, own in FIELDS.items():
      choices, value = own.metadata['choices'], getattr(self, name)
      is_valid = not choices or value in choices or value == own.default
      field.check(name, value, is_valid, f'one of {", ".join(choices or ())}')
    for names, is_in_range, expected in _RANGES:
      for name in names.split():
        value = getattr(self, name)
        field.check(name, value, is_in_range(value), expected)
    for name in ('probe_size', 'probe_draws') if self.probe_every else ():
      value = getattr(self, name)
      field.check(name, value, value >= 2, 'at least 2 with --probe_every')
    layers.check(self.layers, self.layer_sizes)
    if self.method == methods.CHIP:
      self._check_chip()
    self._check_synapses()
    super().__post_init__()

  def _check_chip(self):
    fixed = 'layers firing_function dropout weight_decay input_gain'
    for name in fixed.split():
      value, default = getattr(self, name), FIELDS[name].default
      field.check(name, value, value == default, f'{default}, as of the chip')

  def _check_synapses(self):
    is_ideal = self.device == synapses.IDEAL
    is_valid = is_ideal or methods.METHODS[self.method].has_pulses
    expected = f'ideal, as --method={self.method} makes no pulses'
    field.check('device', self.device, is_valid, expected)
    decay = self.weight_decay
    expected = '0, as resistive devices do not decay'
    field.check('weight_decay', decay, is_ideal or decay == 0, expected)
    has_floats = is_ideal and not methods.METHODS[self.method].make_device
    is_valid = has_floats or self.optimizer == 'sgd'
    expected = 'sgd, as pulses and integers move weights by fixed steps'
    field.check('optimizer', self.optimizer, is_valid, expected)


_RANGES = (
  (
    'batch_size num_epochs probe_size probe_draws',
    checks.is_count,
    checks.COUNT,
  ),
  (
    'weight_decay eval_every probe_every seed',
    lambda value: 0 <= value < math.inf,
    'a finite number, 0 or more',
  ),
  ('learning_rate', checks.is_positive, checks.POSITIVE),
  ('hold_out', lambda share: 0 <= share < 1, '0 or more and below 1'),
  ('folds', lambda folds: folds is None or folds >= 2, '2 or more'),
  (
    'pixel_range',
    lambda ends: len(ends) == 2 and 0 <= ends[0] < ends[1] <= 1,
    'two increasing numbers from 0 to 1',
  ),
)
FIELDS = {own.name: own for own in dataclasses.fields(ExperimentConfig)}

_MNIST = {'batch_size': 128, 'num_epochs': 10, 'learning_rate': 0.5}
_EVENTS = {'batch_size': 16, 'num_epochs': 40, 'learning_rate': 0.1}
CONFIGS = {'digits': ExperimentConfig()}
CONFIGS |= {
  name: ExperimentConfig(dataset=name, **_MNIST)
  for name in ssnn_jax.datasets.IMAGES
  if name != 'digits'
}
CONFIGS |= {  # the input gain of recordings is proportional to T
  name: ExperimentConfig(dataset=name, input_gain=None, **_EVENTS)
  for name in ssnn_jax.datasets.RECORDINGS
}


def default(dataset: str) -> ExperimentConfig:
  """Returns the default configuration of a data set.

  Own arrays have that of digits, other images that of MNIST, and other
  recordings that of N-MNIST.
  """
  if dataset in CONFIGS:
    return CONFIGS[dataset]
  similar = 'n_mnist' if catalog.is_recorded(dataset) else 'mnist'
  if arrays.is_npz_path(dataset):
    similar = 'digits'
  return dataclasses.replace(CONFIGS[similar], dataset=dataset)


def describe_defaults() -> str:
  """Describes the defaults of data sets that differ from those of digits."""
  lines = ['\nOther defaults:']
  for family, name in (('other images', 'mnist'), ('recordings', 'n_mnist')):
    own, base = vars(CONFIGS[name]), vars(CONFIGS['digits'])
    values = ', '.join(
      f'--{key}={"T / 8" if own[key] is None else own[key]}'
      for key in own
      if own[key] != base[key] and key != 'dataset'
    )
    line = f'  {family}: {values}'
    lines.append(textwrap.fill(line, 80, subsequent_indent='    '))
  return '\n'.join(lines)


def to_json(config: ExperimentConfig) -> dict[str, Any]:
  """Returns the JSON object of a configuration."""
  return json.loads(json.dumps(dataclasses.asdict(config)))


def to_record(config: ExperimentConfig) -> dict[str, Any]:
  """Returns the JSON object of a configuration, with paths by name."""
  return {
    name: pathlib.Path(value).name if field.is_path(value) else value
    for name, value in to_json(config).items()
  }


@functools.cache
def _defaults():
  return to_json(ExperimentConfig())


def complete(recorded: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a recorded configuration with the fields of this version.

  Missing fields have defaults, except that runs once had diagnostics, windows
  of at most 32 ticks, and votes in real time that started with the winners.
  """
  earlier = {'diagnostics': True, 'max_window': 32}
  values = _defaults() | earlier | dict(recorded)
  if values.pop('delay', 0):
    raise ssnn_jax.UserError(
      'the record has the field delay of an earlier version; read it with that '
      'version.'
    )
  if values['timing'] == 'realtime' and 'settle' not in recorded:
    values['settle'] = 0
  return values


def from_json(recorded: Mapping[str, Any]) -> ExperimentConfig:
  """Makes a configuration from its JSON object.

  Raises:
    UserError: if a field is unknown, or a value is out of range.
  """
  values = {
    name: tuple(value) if isinstance(value, list) else value
    for name, value in complete(recorded).items()
  }
  unknown = [name for name in values if name not in FIELDS]
  if unknown:
    raise ssnn_jax.UserError(
      f'the configuration has the unknown field {unknown[0]}; use the version '
      'that wrote it.'
    )
  return ExperimentConfig(**values)


def slug(dataset: str) -> str:
  """Returns the name of a data set in names of files and folders."""
  if arrays.is_npz_path(dataset):
    return pathlib.Path(dataset).stem
  return dataset.replace('/', '-').replace(':', '-')


def fold(config: ExperimentConfig) -> int | None:
  """Returns the fold that a run is tested on, or None without folds."""
  return None if config.folds is None else config.seed % config.folds


def network_config(
  config: ExperimentConfig, dataset: ssnn_jax.datasets.Dataset
) -> ssnn_jax.NetworkConfig:
  """Makes the network configuration of a run for a data set."""
  shared = {own.name for own in dataclasses.fields(ssnn_jax.NetworkConfig)}
  values = {name: getattr(config, name) for name in shared & FIELDS.keys()}
  fields = dataclasses.fields(ssnn_jax.RaceConfig)
  race_values = {own.name: getattr(config, own.name) for own in fields}
  values |= {
    'reads': synapses.reads(config),
    'race': field.call(ssnn_jax.RaceConfig, **race_values),
  }
  values |= layers.for_dataset(config.layer_sizes, config.layers, dataset)
  if len(config.gain) == 1:
    (values['gain'],) = config.gain
  is_free = config.window is None and config.timing == 'buffered'
  if is_free and config.max_window:
    values['window'] = min(config.max_window, config.num_steps)
  if config.method == methods.CHIP:
    values |= {'timing': 'realtime', 'window': 1}
  if config.input_gain is None:
    values['input_gain'] = config.num_steps / EVENTS_AT_FULL_RATE
  network = field.call(ssnn_jax.NetworkConfig, **values)
  field.call(updates.check_counts, network, config.batch_size)
  if config.method == methods.CHIP:
    made = field.call(methods.METHODS[config.method].configure, config, network)
    field.call(made.enable_rates, config.learning_rate / config.batch_size)
  return network
