"""Configuration of a run: its fields, methods, layers as text, and defaults."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import json
import math
import os
import pathlib
import re
from typing import Any
from typing import NamedTuple

import jax

import ssnn_jax
from ssnn_jax import checks
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax import training
from ssnn_jax.baselines import bp_stdp
from ssnn_jax.baselines import feedback_alignment
from ssnn_jax.baselines import rpu
from ssnn_jax.baselines import surrogate_gradient
from ssnn_jax.config import NEURONS
from ssnn_jax.config import SIGNALS
from ssnn_jax.config import WINNERS
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import catalog
from ssnn_jax.hardware import device_config
from ssnn_jax.training import activity

NUM_HIDDEN = 256  # neurons of the hidden layer, by default
# Ticks with an event that drive a neuron like a pixel of rate 1 by default.
EVENTS_AT_FULL_RATE = 8
ANN, CHIP = 'bp', 'chip'
ANNS = ANN, 'relu'  # whose readouts are one
IDEAL = 'ideal'
DEVICES = (IDEAL, 'custom', *device_config.PRESETS)

# Methods.

# Fields that affect a network with pulses in the update only.
_PULSES = {'num_steps', 'gain', 'sampler', 'device', 'device_params'}
_PULSES |= {'read_noise'}
_CHIP = {'weight_bits', 'fraction_bits'}
# Fields of spikes. Settings of the ANN do not vary them. The rates of a
# recording do depend on T; in a sweep over T the ANN has those of one T.
_SPIKES = _PULSES | _CHIP | {'window', 'neuron', 'winner', 'rates'}


class Method(NamedTuple):
  """A training method.

  Attributes:
    help: a short description.
    make: `(config, key, *, separate_signs, axis_name) -> Network`, with the key
      of the seed.
    make_observe: `(config, key) -> observe`, as `activity.make_observe`; None
      without spikes.
    fields: the fields of spikes and of the chip that affect the method.
    has_pulses: whether the update counts coincidences, which devices need.
    estimates_gradient: whether the update estimates the gradient, and so has a
      defined error.
  """

  help: str
  make: Callable[..., ssnn_jax.Network]
  make_observe: Callable[..., Callable[..., activity.Activity]] | None
  fields: set[str]
  has_pulses: bool = False
  estimates_gradient: bool = False


def _without_pulses(make, **fixed):
  """Adapts a network without coincidence counts and separate signs."""

  def make_network(config, key, *, separate_signs=False, axis_name=None):
    del key, separate_signs
    return make(config, axis_name=axis_name, **fixed)

  return make_network


def _feedback(config, key):
  key = training.stream_key(key, training.Stream.FEEDBACK)
  return feedback_alignment.draw_feedback(config, key)


def _observe_ann(config, key):
  """Observes the ANN: expected spikes at its exact rates."""
  del key
  exact = dataclasses.replace(
    config, rates=SIGNALS[config.neuron], winner='exact'
  )
  return activity.make_observe(exact)


METHODS = {
  'ssnn': Method(
    'the spiking network',
    lambda config, key, **options: ssnn_jax.ssnn(config, **options),
    lambda config, key: activity.make_observe(config),
    _SPIKES,
    has_pulses=True,
    estimates_gradient=True,
  ),
  ANN: Method(
    'the ANN, by backpropagation',
    _without_pulses(ssnn_jax.ann),
    _observe_ann,
    set(),
    estimates_gradient=True,
  ),
  'relu': Method(
    'an ANN of rectified linear units, by backpropagation',
    _without_pulses(ssnn_jax.ann, activation=jax.nn.relu),
    None,
    set(),
  ),
  'surrogate_gradient': Method(
    'leaky integrate-and-fire neurons, by backpropagation through time',
    _without_pulses(surrogate_gradient.make_network),
    lambda config, key: surrogate_gradient.make_observe(config),
    {'num_steps', 'sampler'},
  ),
  'bp_stdp': Method(
    'integrate-and-fire neurons, by BP-STDP',
    _without_pulses(bp_stdp.make_network),
    lambda config, key: bp_stdp.make_observe(config),
    {'num_steps', 'sampler'},
  ),
  'rpu': Method(
    'the ANN with pulses in the update only',
    lambda config, key, **options: rpu.make_network(config, **options),
    lambda config, key: activity.make_observe(rpu.rpu_config(config)),
    _PULSES,
    has_pulses=True,
    estimates_gradient=True,
  ),
  'feedback_alignment': Method(
    'the spiking network with fixed random feedback',
    lambda config, key, **options: feedback_alignment.make_network(
      config, _feedback(config, key), **options
    ),
    lambda config, key: activity.make_observe(config, _feedback(config, key)),
    _SPIKES,
    has_pulses=True,
    estimates_gradient=True,
  ),
  CHIP: Method(
    'the chip: real time in integers, one sample after another',
    lambda config, key, **options: chip.make_network(config),
    lambda config, key: chip.make_observe(config),
    _CHIP | {'num_steps'},
  ),
}


def concerns(method: str, field: str) -> bool:
  """Returns whether a field affects a method."""
  return field not in _SPIKES or field in METHODS[method].fields


def neuron_of(method: str, neuron: str) -> str:
  """Returns the neuron of a run; methods with trains of their own fix it."""
  is_fixed = concerns(method, 'sampler') and not concerns(method, 'neuron')
  return 'stochastic' if is_fixed else neuron


# Fields.

CHOICES = {
  'method': tuple(METHODS),
  'neuron': NEURONS,
  'winner': WINNERS,
  'sampler': ('regular', 'sobol', 'bernoulli'),
  'optimizer': ('sgd', 'adam'),
  'schedule': ('linear', 'cosine', 'constant'),
}
_NUMBERS = {'layer_sizes': int, 'fraction_bits': int, 'gain': float}
# Fields that affect all methods, but have their defaults on the chip.
_UNLIKE_CHIP = 'layers', 'ceiling', 'input_gain', 'dropout', 'weight_decay'


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
  """Configuration of a run; `experiments.run` has a flag for each field.

  The defaults are those of `digits`, tuned for the ANN on a validation split;
  `default` has those of other data sets. Lists may also be texts, as '64,10'.

  Raises:
    UserError: if a field is out of range, or would have no effect.
  """

  dataset: str = 'digits'
  method: str = 'ssnn'
  layer_sizes: tuple[int, ...] | None = None
  layers: str | None = None
  num_steps: int = 64
  neuron: str = 'bipolar'
  ceiling: float = 1.0
  window: int | None = None
  gain: float | tuple[float, ...] | None = None
  input_gain: float | None = None
  rates: tuple[str, ...] = ()
  winner: str = 'softmax'
  sampler: str | None = None
  weight_bits: int | None = None
  fraction_bits: int | tuple[int, ...] = 10
  batch_size: int = 32
  num_epochs: int = 20
  learning_rate: float = 1.0
  optimizer: str = 'sgd'
  schedule: str = 'linear'
  init_from: str | None = None
  dropout: float = 0.0
  weight_decay: float = 0.0
  event_window: float = 300.0
  hold_out: float = 0.0
  folds: int | None = None
  eval_every: int = 0
  seed: int = 0
  diagnostics: bool = False
  device: str = IDEAL
  device_params: str = ''
  read_noise: float = 0.0

  def __post_init__(self):
    for name in (*_NUMBERS, 'rates', 'layers', 'device_params'):
      object.__setattr__(self, name, _read_list(name, getattr(self, name)))
    for name, choices in CHOICES.items():
      allowed = {*choices, FIELDS[name].default}  # a default may be None
      self._check(name, getattr(self, name) in allowed, _one_of(choices))
    for names, is_valid, expected in _RANGES:
      for name in names.split():
        self._check(name, is_valid(getattr(self, name)), expected)
    signals = SIGNALS[neuron_of(self.method, self.neuron)]
    is_signal = set(self.rates) <= set(signals)
    self._check('rates', is_signal, f'some of {", ".join(signals)}')
    if self.layers is not None:
      expected = 'none, as --layer_sizes describes the layers'
      self._check('layers', self.layer_sizes is None, expected)
      with named('layers'):
        parse_layers(self.layers)
    self._check_device()
    if self.method == CHIP:
      for name in _UNLIKE_CHIP:
        value, default = getattr(self, name), FIELDS[name].default
        self._check(name, value == default, f'{default}, as of the chip')

  def _check(self, name, is_valid, expected):
    if not is_valid:
      value = write(getattr(self, name), ',')
      raise ssnn_jax.UserError(f'--{name} is {value}; expected {expected}.')

  def _check_device(self):
    is_file = device_config.is_device_path(self.device)
    expected = f'{_one_of(DEVICES)}, or the path of a .json file'
    self._check('device', is_file or self.device in DEVICES, expected)
    if is_file:  # its values join the record, which then needs no file
      self._read_device()
    if self.device == IDEAL:
      expected = 'none, as --device is ideal: give another device, as custom'
      self._check('device_params', not self.device_params, expected)
    else:
      device(self)
      expected = f'ideal, as --method={self.method} makes no pulses'
      self._check('device', METHODS[self.method].has_pulses, expected)
      has_trains = neuron_of(self.method, self.neuron) == 'stochastic'
      expected = 'ideal, or --neuron=stochastic, whose coincidences are pulses'
      self._check('device', has_trains, expected)
      expected = '0, as devices move by pulses alone'
      self._check('weight_decay', not self.weight_decay, expected)
    if self.device != IDEAL or self.method == CHIP:
      expected = 'sgd, as pulses and integers move weights by fixed steps'
      self._check('optimizer', self.optimizer == 'sgd', expected)

  def _read_device(self):
    """Adds the values of the file of a device, unless all are given."""
    with named('device_params'):
      given = device_config.parse_params(self.device_params)
    if len(given) == len(dataclasses.fields(device_config.DeviceConfig)):
      return
    with named('device'):
      values = vars(device_config.read_device(self.device)) | given
    text = ','.join(f'{name}={float(value)}' for name, value in values.items())
    object.__setattr__(self, 'device_params', text)


def _one_of(choices):
  return f'one of {", ".join(choices)}'


_RANGES = (
  ('batch_size num_epochs', checks.is_count, checks.COUNT),
  (
    'seed eval_every',
    lambda value: checks.is_count(value, smallest=0),
    f'a whole number from 0 to {checks.MAX_COUNT}',
  ),
  ('learning_rate', checks.is_positive, checks.POSITIVE),
  (
    'weight_decay read_noise',
    lambda value: checks.is_finite(value) and value >= 0,
    'a finite number, 0 or more',
  ),
  (
    'hold_out dropout',
    lambda share: checks.is_real(share) and 0 <= share < 1,
    '0 or more and below 1',
  ),
  (
    'folds',
    lambda folds: folds is None or checks.is_count(folds, smallest=2),
    'a whole number, 2 or more',
  ),
  ('diagnostics', lambda value: isinstance(value, bool), 'true or false'),
  ('dataset', lambda name: isinstance(name, str), 'a name'),
)
FIELDS = {field.name: field for field in dataclasses.fields(ExperimentConfig)}


def _read_list(name, value):
  """Reads a list that may be text; one number stands for itself."""
  if name in ('layers', 'device_params'):  # stay texts
    return ','.join(value) if isinstance(value, list | tuple) else value
  if value is None:
    return () if name == 'rates' else None
  if isinstance(value, str):
    parts = [part.strip() for part in value.split(',')] if value else []
  else:
    parts = value if isinstance(value, list | tuple) else [value]
  if name == 'rates':
    return tuple(parts)
  kind, what = _NUMBERS[name], 'whole numbers'
  try:
    numbers = tuple(map(kind, parts))
    if not numbers or any(map(lambda n, p: n != float(p), numbers, parts)):
      raise ValueError
  except (TypeError, ValueError):
    what = what if kind is int else 'numbers'
    raise ssnn_jax.UserError(
      f'--{name} is {write(value, ",")}; expected {what} separated by commas.'
    ) from None
  is_list = len(numbers) > 1 or name == 'layer_sizes'
  return numbers if is_list else numbers[0]


def write(value: Any, separator: str = '-') -> str:
  """Writes the value of a field, as in the names of folders."""
  if isinstance(value, tuple | list):
    return separator.join(map(str, value)) or 'none'
  return 'none' if value is None else str(value).replace(',', separator)


@contextlib.contextmanager
def named(flag: str = '') -> Iterator[None]:
  """Names a flag in user errors, or makes a flag of the field they name."""
  try:
    yield
  except ssnn_jax.UserError as error:
    prefix = f'--{flag}: ' if flag else '--'
    raise ssnn_jax.UserError(f'{prefix}{error}') from None


# Defaults and records.


def default(dataset: str) -> ExperimentConfig:
  """Returns the default configuration of a data set."""
  if catalog.is_recorded(dataset):
    return ExperimentConfig(
      dataset, batch_size=16, num_epochs=40, learning_rate=0.1
    )
  if arrays.is_npz_path(dataset):
    return ExperimentConfig(dataset, learning_rate=0.5)
  if dataset == 'digits':
    return ExperimentConfig(dataset)
  return ExperimentConfig(
    dataset, batch_size=128, num_epochs=10, learning_rate=0.5
  )


def to_json(config: ExperimentConfig) -> dict[str, Any]:
  """Returns the JSON object of a configuration."""
  return json.loads(json.dumps(dataclasses.asdict(config)))


def from_json(recorded: Mapping[str, Any]) -> ExperimentConfig:
  """Makes a configuration from its JSON object.

  Raises:
    UserError: if a field is unknown, or a value is out of range.
  """
  unknown = [name for name in recorded if name not in FIELDS]
  if unknown:
    raise ssnn_jax.UserError(
      f'the configuration has the unknown field {unknown[0]}; use the version '
      'of ssnn_jax that wrote it.'
    )
  return ExperimentConfig(**recorded)


def is_path(name: str, value: Any) -> bool:
  """Returns whether the value of a field is the path of a file or folder."""
  is_file = arrays.is_npz_path(value) or device_config.is_device_path(value)
  return is_file or (name == 'init_from' and value is not None)


def absolute(name: str, value: Any) -> Any:
  """Makes paths absolute, as workers may have another current folder."""
  if not is_path(name, value):
    return value
  return os.path.abspath(os.path.expanduser(value))


def short_name(name: str, value: Any) -> Any:
  """Returns the value of a field, of a path the name of the file or folder."""
  return pathlib.Path(value).name if is_path(name, value) else value


def slug(dataset: str) -> str:
  """Returns the name of a data set in names of files and folders."""
  if arrays.is_npz_path(dataset):
    return pathlib.Path(dataset).stem
  return dataset.replace('/', '-').replace(':', '-')


def split_name(config: ExperimentConfig) -> str:
  """Returns the name of the evaluation split of a run."""
  return 'validation' if config.hold_out else 'test'


# Layers, devices and networks.

_SIZE = r'(\d+(?:x\d+)?)'
_CONV = re.compile(rf'conv(\d+)k{_SIZE}(?:s{_SIZE})?(?:p{_SIZE})?')


def parse_layers(text: str) -> tuple[ssnn_jax.layers.Layer, ...]:
  """Parses layers of weights, as `conv16k5s2,conv32k5s2,10`.

  A number is a dense layer of so many neurons. A convolution is `conv` with its
  features, `k` with the size of the kernel, and where they differ from 1 and 0
  `s` with the stride and `p` with the padding. Sizes that differ in height and
  width are joined by `x`, as in `conv8k5x3`.

  Raises:
    UserError: if a text describes no layer, or a size is out of range.
  """
  return tuple(_parse_layer(part.strip()) for part in text.split(','))


def _parse_layer(text):
  if text.isdecimal():
    return ssnn_jax.layers.Dense(int(text))
  found = _CONV.fullmatch(text)
  if not found:
    raise ssnn_jax.UserError(
      f"'{text}' is not a layer; expected a number of neurons, or a "
      'convolution as conv16k5s2p1: 16 features, kernel 5, stride 2, padding 1 '
      '(0 or more).'
    )
  features, *sizes = found.groups()
  pairs = [tuple(map(int, size.split('x'))) if size else () for size in sizes]
  kernel, stride, padding = (
    pair[0] if len(pair) == 1 else pair or default
    for pair, default in zip(pairs, (None, 1, 0))
  )
  return ssnn_jax.layers.Conv(int(features), kernel, stride, padding)


def device(config: ExperimentConfig) -> device_config.DeviceConfig | None:
  """Returns the resistive devices of a run; None if its weights are ideal."""
  if config.device == IDEAL:
    return None
  base = device_config.PRESETS.get(config.device, device_config.DeviceConfig())
  with named('device_params'):
    params = device_config.parse_params(config.device_params)
    return dataclasses.replace(base, **params)


def network_config(
  config: ExperimentConfig, dataset: datasets.Dataset
) -> ssnn_jax.NetworkConfig:
  """Makes the network configuration of a run for a data set.

  Raises:
    UserError: if a field is out of range, or the layers do not fit the data.
  """
  is_chip, input_gain = config.method == CHIP, config.input_gain
  on_grid = {}
  if concerns(config.method, 'neuron') and config.weight_bits is not None:
    on_grid = {
      name: getattr(config, name) for name in ('weight_bits', 'fraction_bits')
    }
  if input_gain is None:  # rates of recordings are proportional to 1 / T
    is_recorded = dataset.is_recorded
    input_gain = config.num_steps / EVENTS_AT_FULL_RATE if is_recorded else 1.0
  layers = _layers(config, dataset)
  with named():
    network = ssnn_jax.NetworkConfig(
      **layers,
      num_steps=config.num_steps,
      neuron=neuron_of(config.method, config.neuron),
      ceiling=config.ceiling,
      window=config.window,
      gain=config.gain,
      input_gain=input_gain,
      rates=config.rates,
      winner=config.winner,
      sampler=config.sampler,
      **on_grid,
      dropout=config.dropout,
      read_noise=config.read_noise,
    )
  if is_chip:
    own = chip_config(config, network)
    with named():
      own.enable_rates(config.learning_rate / config.batch_size)
  return network


def _layers(config, dataset):
  """Returns the fields of a network that describe its layers."""
  classes = dataset.num_classes
  if config.layers is None:
    sizes = config.layer_sizes or (dataset.num_inputs, NUM_HIDDEN, classes)
    if (sizes[0], sizes[-1]) != (dataset.num_inputs, classes):
      raise ssnn_jax.UserError(
        f'--layer_sizes={write(sizes, ",")} does not fit {dataset.name}; it '
        f'must start with {dataset.num_inputs} inputs and end with {classes} '
        'classes.'
      )
    return {'layer_sizes': sizes}
  first, *others = parse_layers(config.layers)
  if dataset.is_recorded and isinstance(first, ssnn_jax.layers.Conv):
    first = dataclasses.replace(first, channel_axis=0)
  layers, input_shape = (first, *others), tuple(dataset.input_shape)
  with named('layers'):
    *_, last = ssnn_jax.layers.connect(layers, input_shape)
  if math.prod(last.output_shape) != classes:
    raise ssnn_jax.UserError(
      f'--layers={config.layers} does not fit {dataset.name}; it must end with '
      f'{classes} classes.'
    )
  return {'layers': layers, 'input_shape': input_shape}


def chip_config(
  config: ExperimentConfig, network: ssnn_jax.NetworkConfig
) -> chip.ChipConfig:
  """Makes the configuration of the chip of a run.

  Raises:
    UserError: if a field is out of range.
  """
  bits = 12 if config.weight_bits is None else config.weight_bits
  with named():
    return chip.ChipConfig(
      network.layer_sizes,
      config.num_steps,
      weight_bits=bits,
      fraction_bits=config.fraction_bits,
    )
