"""Configuration of a run: its fields and their flags, methods, and networks."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import dataclasses
import functools
import json
import math
import os
import pathlib
import re
from typing import Any
from typing import NamedTuple

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np

from experiments.runs import models
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax import temporal
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import signals
from ssnn_jax.spiking import functions
from ssnn_jax.spiking.functions import Function
from ssnn_jax.stochastic import device_config
from ssnn_jax.stochastic.config import TIMINGS

flags.disclaim_key_flags()  # flags of fields are those of the command

NUM_HIDDEN = 256  # neurons of the hidden layer, by default
# Ticks with an event that drive a neuron like a pixel of rate 1 by default.
EVENTS_AT_FULL_RATE = 8
SPIKES, ANN, CHIP = 'ssnn', 'bp', 'chip'
RATES = {'adam': 0.001, 'muon': 0.01}  # of optimizers
SIGNAL_RATE = 0.003  # of signals in time
IDEAL = 'ideal'
DEVICES = (IDEAL, 'custom', *device_config.PRESETS)

# Methods.


class Method(NamedTuple):
  """A training method."""

  help: str
  make: Callable[..., ssnn_jax.Network]  # (config, *, axis_name) -> Network


METHODS = {
  SPIKES: Method('the spiking network', ssnn_jax.ssnn),
  ANN: Method('the ANN, by backpropagation', ssnn_jax.ann),
  CHIP: Method(
    'the chip: the spiking network in integers, one sample after another',
    chip.make_network,
  ),
}


def concerns(method: str, field: str) -> bool:
  """Returns whether a field affects a method."""
  if field not in FIELDS:
    return True
  return method in FIELDS[field].metadata.get('methods', METHODS)


# Fields.


@contextlib.contextmanager
def named(flag: str = '') -> Iterator[None]:
  """Names a flag in user errors, or makes a flag of the field they name."""
  try:
    yield
  except ssnn_jax.UserError as error:
    word = str(error).split(maxsplit=1)[0].partition('=')[0]
    is_flag = word in FIELDS and word in flags.FLAGS
    prefix = f'--{flag}: ' if flag else '--' * is_flag
    raise ssnn_jax.UserError(f'{prefix}{error}') from None


def _flag(default, text='', choices=(), heading='', **metadata):
  """Makes a field, whose metadata describe its flag; without text it has none.

  Then --grid sets it, and docs/experiments.md describes it. A number is from
  `low` on, unless another module checks it; the flag of a field `by_dataset`
  has no default; a heading of --help precedes the flag; `methods`, by default
  all, are those that the field affects, and of `stochastic` neurons a function
  has none.
  """
  metadata |= {'help': text, 'choices': choices, 'heading': heading}
  return dataclasses.field(default=default, metadata=metadata)


# Methods that a field affects.
_SPIKES = {'methods': (SPIKES,), 'stochastic': True}
_CHIP = {'methods': (CHIP,), 'of_chip': True}
# Fields that may be lists, and what is in them. Lists are also texts, as
# '10,8'; in names and grids dashes separate.
LISTS = {'exact': str, 'fraction_bits': int}
DASHED = (*LISTS, 'layers', 'device_params')
_DIGITS = 'digits', 'error_digits'


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
  """Configuration of a run; flags, and --grid, set and describe its fields.

  The defaults are those of `digits`, tuned for the ANN on a validation split;
  `default` has those of other data sets, which flags leave out. Lists may also
  be texts, as '10,8'.

  Raises:
    UserError: if a field is out of range, or would have no effect.
  """

  dataset: str = _flag(
    'digits',
    'digits, mnist, fashion_mnist, emnist/<split>, n_mnist, tonic:<event set>, '
    'any set of images that TFDS has prepared, or path/to/own.npz; signals in '
    'time: spoken_digits, spoken_digits/speakers, braille, mnist_1d, '
    'mnist/rows, mnist/permuted, n_mnist/10ms, tonic:<event set>/10ms, '
    'speech_commands, or path/to/own.txt',
    heading='Most used:',
  )
  method: str = _flag(
    'ssnn', '; '.join(method.help for method in METHODS.values()), [*METHODS]
  )
  layers: str | None = _flag(
    None,
    f'layers above the inputs, as 256,10 or conv16k5s2,conv32k5s2,10: '
    'neurons, or convolutions of 16 and 32 features, kernel 5, stride 2 (p1: '
    f'padding of 1); default: {NUM_HIDDEN}, and the classes',
  )
  model: str | None = _flag(
    None,
    'model of your own instead of --layers, as path/to/own.py:make, a function '
    'that returns a module of flax or equinox, or functions (init, apply), and '
    'whose arguments are flags; or one of '
    f'{", ".join(models.NAMES)} (experiments/models)',
  )
  num_steps: int = _flag(
    64,
    'ticks of the spike trains (T) of stochastic neurons and recordings; steps '
    'of the rates of bipolar neurons (N), of which 0, their default, is digits',
    low=0,
    # Settings of the ANN do not vary it, whose rates of a recording depend on
    # it; in a sweep over T the ANN has those of one T.
    methods=[name for name in METHODS if name != ANN],
  )
  neuron: str = _flag(
    'bipolar',
    'neurons of any function, which take spikes back, or those of the paper, '
    'which draw them',
    ['bipolar', 'stochastic'],
    methods=(SPIKES, ANN),
  )
  bptt: bool = _flag(
    True,
    'errors of bipolar neurons go back through time; --nobptt: in each scan '
    'over signals they are local in time, of its ANN too',
  )
  timing: str = _flag(
    'phased',
    'stochastic neurons work layer after layer, or all at once: in a window of '
    'T ticks, which settles to phased, or leaky, T ticks in all',
    TIMINGS,
    **_SPIKES,
  )
  sampler: str | None = _flag(
    None,
    'spike trains of stochastic neurons: of Sobol thresholds, the default, or '
    'of independent ones',
    ['sobol', 'bernoulli'],
    **_SPIKES,
  )
  dropout: float = _flag(
    0.0, 'probability that a hidden neuron is silent', heading='Network:'
  )
  device: str = _flag(
    IDEAL,
    f'device of a synapse: {", ".join(DEVICES)}, or path/to/own.json of '
    'experiments.fit_device',
    **_SPIKES,
  )
  device_params: str = _flag(
    '',
    'parameters unlike those of --device, as dw_min=0.01,up_down=0.1',
    methods=(SPIKES,),
  )
  batch_size: int = _flag(
    32,
    'samples of a batch; default: 32, 128 or 16; of signals 16, of text 32. '
    'The chip learns from one sample after another, with 1 / batch_size of the '
    'rate',
    heading='Training; defaults on digits and own files, images, recordings:',
    low=1,
    by_dataset=True,
  )
  num_epochs: int = _flag(
    20,
    'training epochs; default: 20, 10 or 40; of signals 30, of text 2',
    low=1,
    by_dataset=True,
  )
  learning_rate: float = _flag(
    1.0,
    'initial learning rate; default: 1 (own files: at most 0.5, less the '
    f'brighter they are), 0.5 or 0.1; {RATES["adam"]} of adam, {RATES["muon"]} '
    f'of muon, {SIGNAL_RATE} of signals',
    low=2.0**-126,
    by_dataset=True,
  )
  optimizer: str = _flag(
    'sgd',
    'optimizer of weights that are floats; default of signals: adam',
    ['sgd', 'adam', 'muon'],
  )
  augment: bool = _flag(
    False,
    'shift training images by up to an eighth of their size, and mirror '
    'half of them',
  )
  weight_decay: float = _flag(
    0.0, 'weight decay of a step, times the learning rate', low=0
  )
  seed: int = _flag(0, 'seed of weights, data order and spikes', low=0)
  init_from: str | None = _flag(
    None, 'folder of a run or of ssnn_jax.save, to train its parameters further'
  )
  hold_out: float = _flag(
    0.0,
    'fraction of training samples to test on, for tuning',
    heading='Data and evaluation:',
  )
  eval_every: int = _flag(
    0, 'epochs between evaluations; 0 evaluates only at the end', low=0
  )
  # Set by --grid, or by flags of the commands of the chip.
  event_window: float = _flag(300.0)
  folds: int | None = _flag(None)
  exact: tuple[str, ...] = _flag((), **_SPIKES)
  winner: str = _flag('softmax', choices=['softmax', 'race'], **_SPIKES)
  forgetting: float = _flag(ssnn_jax.NetworkConfig.forgetting, **_SPIKES)
  counted: float = _flag(ssnn_jax.NetworkConfig.counted, **_SPIKES)
  read_noise: float = _flag(0.0, **_SPIKES)
  weight_bits: int | None = _flag(
    None, 'bits of a weight of the chip, with its sign; default: 12', **_CHIP
  )
  fraction_bits: int | tuple[int, ...] = _flag(
    10,
    'bits after their binary point; one number, or one for each layer',
    **_CHIP,
  )
  digits: int | None = _flag(None, methods=(SPIKES, CHIP))
  error_digits: int | None = _flag(None, methods=(SPIKES,))
  input_gain: float | None = _flag(None)
  schedule: str = _flag('linear', choices=['linear', 'cosine', 'constant'])
  diagnostics: bool = _flag(False)

  # Of --model: its arguments, and the digest of its file; neither is varied.
  model_args: str = _flag('', of_model=True)
  model_sha256: str = _flag('', of_model=True)

  @named()
  def __post_init__(self):
    for name, kind in LISTS.items():
      values = _read_list(name, kind, getattr(self, name))
      object.__setattr__(self, name, values)
    if self.layers:
      object.__setattr__(self, 'layers', self.layers.replace(' ', ''))
    check = functools.partial(checks.check_field, self)
    for name, field in FIELDS.items():
      if 'low' in field.metadata:
        value, low = getattr(self, name), field.metadata['low']
        is_valid = checks.is_finite(value) and value >= low
        if field.type is int:
          is_valid = checks.is_count(value, low)
        least = f'from {low}' if low == 0 or low >= 1 else 'above 0'
        check(name, is_valid, f'a number {least}, finite in 32 bits')
    is_fraction = checks.is_finite(self.hold_out) and 0 <= self.hold_out < 1
    check('hold_out', is_fraction, 'a fraction below 1, as 0.2')
    is_file = device_config.is_device_path(self.device)
    expected = f'one of {", ".join(DEVICES)}, or the path of a .json file'
    check('device', is_file or self.device in DEVICES, expected)
    if is_file:  # its values join the record, which then needs no file
      self._read_device()
    if self.device == IDEAL:
      expected = 'none, as --device is ideal: give another device, as custom'
      check('device_params', not self.device_params, expected)
    else:
      device(self)
      has_pulses = self.method == SPIKES and self.neuron == 'stochastic'
      expected = 'ideal, or --method=ssnn with --neuron=stochastic'
      check('device', has_pulses, expected)
      expected = '0, as devices move by pulses alone'
      check('weight_decay', not self.weight_decay, expected)
    if self.device != IDEAL or self.method == CHIP:
      expected = 'sgd, as pulses and integers move weights by fixed steps'
      check('optimizer', self.optimizer == 'sgd', expected)
    if self.method == CHIP:
      check('weight_decay', not self.weight_decay, '0, as of the chip')
      check('dropout', not self.dropout, '0.0, on the chip')
      is_dense = _DENSE.fullmatch(self.layers or '10')
      check('layers', is_dense, 'dense layers, as 64,10, as of the chip')
    if self.is_function:
      for name, field in FIELDS.items():
        is_used = 'stochastic' in field.metadata
        if is_used and getattr(self, name) != field.default:
          check(name, False, f'{field.default}, or --neuron=stochastic')
      expected = f'{SPIKES} or {ANN}, or another --neuron'
      check('method', self.method in (SPIKES, ANN), expected)
    elif self.method != CHIP:
      for name in _DIGITS:
        check(name, getattr(self, name) is None, 'None, or --neuron=bipolar')
    if not self.is_function:
      check('bptt', self.bptt, 'True, or a model with --neuron=bipolar')
    if self.model:
      for name in ('layers', 'dropout'):
        expected = FIELDS[name].default
        if getattr(self, name) != expected:
          check(name, False, f'{expected}, as --model describes the network')
      check('neuron', self.is_function, 'bipolar, as of a --model')
      if not self.model_sha256:
        object.__setattr__(self, 'model_sha256', models.digest(self.model))

  @property
  def is_function(self) -> bool:
    """Whether the network is a function, with neurons as of `spike`."""
    has_neuron = concerns(self.method, 'neuron') or self.model is not None
    return has_neuron and self.neuron == 'bipolar'

  def _read_device(self):
    """Adds the values of the file of a device, unless the record has them."""
    with named('device_params'):
      params = device_config.parse_params(self.device_params)
    if len(params) < len(dataclasses.fields(device_config.DeviceConfig)):
      with named('device'):
        values = vars(device_config.read_device(self.device)) | params
      text = ','.join(f'{name}={float(x)}' for name, x in values.items())
      object.__setattr__(self, 'device_params', text)


@dataclasses.dataclass(frozen=True)
class Options:
  """What does not affect weights: files, machine and records.

  Fields have flags, as those of `ExperimentConfig`.
  """

  data_dir: str | None = _flag(
    None, 'data sets; default: $TFDS_DATA_DIR, or ~/tensorflow_datasets'
  )
  download: bool = _flag(False, 'download missing files of the data set')
  launcher: str = _flag(
    'local',
    'where settings of a sweep are trained: in this process, one after '
    'another, or by Ray, on this machine or the cluster of $RAY_ADDRESS, whose '
    'nodes share --workdir and --data_dir',
    ['local', 'ray'],
    heading='Machine:',
  )
  gpus_per_task: float = _flag(
    0.0, 'GPUs of a setting on Ray, beside $PJRT_NPROC CPU cores, or 1'
  )
  # Without a flag: least seconds between checkpoints, and lines of progress.
  checkpoint_every: float = _flag(30.0)
  print_every: float = _flag(0.0)


FIELDS = {field.name: field for field in dataclasses.fields(ExperimentConfig)}
OPTIONS = {field.name: field for field in dataclasses.fields(Options)}
FLAGS = {
  name: field
  for name, field in (FIELDS | OPTIONS).items()
  if field.metadata['help']
}
OF_RUN = [x for x, own in FLAGS.items() if 'of_chip' not in own.metadata]
HEADINGS = {name: field.metadata['heading'] for name, field in FLAGS.items()}
_PARSERS = {
  bool: flags.BooleanParser(),
  **dict.fromkeys((int, int | None), flags.IntegerParser()),
  **dict.fromkeys((float, float | None), flags.FloatParser()),
}


def parser(field: dataclasses.Field) -> flags.ArgumentParser:
  """Returns the parser of the flag of a field, and of its values in grids."""
  choices = field.metadata['choices']
  text = flags.EnumParser(choices) if choices else flags.ArgumentParser()
  return _PARSERS.get(field.type, text)


def define_flags(names: Iterable[str] | None = None) -> None:
  """Defines the flags of fields, by default all of a run not yet defined."""
  if names is None:
    names = [name for name in OF_RUN if name not in flags.FLAGS]
  for name in names:
    field = FLAGS[name]
    default = None if 'by_dataset' in field.metadata else field.default
    text, choices = field.metadata['help'], field.metadata['choices']
    if choices:
      flags.DEFINE_enum(name, default, choices, text)
    elif field.type is bool:
      flags.DEFINE_boolean(name, default, text)
    else:
      default = None if default is None else _write(default)
      flags.DEFINE(parser(field), name, default, text)


def define_sweep_flags() -> None:
  """Defines the flags of settings that vary: --grid and --num_seeds."""
  others = ', '.join(
    name
    for name, field in FIELDS.items()
    if name not in OF_RUN and 'of_model' not in field.metadata
  )
  flags.DEFINE_multi_string(
    'grid',
    None,
    "fields and their values, as 'num_steps=16,64;layers=32-10,64-10', also "
    f'of fields without a flag, {others}; the ANN is also trained '
    'unless it lists methods',
  )
  flags.DEFINE_integer(
    'num_seeds',
    None,
    'seeds of each setting, counted from --seed; default: 1, the number of the '
    'study, or 5 for --grid',
    lower_bound=1,
    upper_bound=10_000,
  )


def given_fields() -> dict[str, Any]:
  """Returns the fields of a configuration whose flags are given."""
  given = {
    name: absolute(name, flags.FLAGS[name].value)
    for name in FIELDS
    if name in flags.FLAGS and flags.FLAGS[name].present
  }
  own = {
    name: flags.FLAGS[name].value
    for name in models.OWN_FLAGS
    if flags.FLAGS[name].present
  }
  return given | ({'model_args': models.write(own)} if own else {})


def _read_list(name, kind, value):
  """Reads a list that may be text; one number stands for itself."""
  if value is None:
    return ()
  if isinstance(value, str):
    value = [part.strip() for part in value.split(',')] if value else []
  parts = value if isinstance(value, list | tuple) else [value]
  try:
    values = tuple(kind(str(part)) for part in parts)
    is_list = len(values) > 1 or name == 'exact'
    return values if is_list else values[0]
  except (ValueError, IndexError):
    what = 'whole numbers' if kind is int else 'numbers'
    raise ssnn_jax.UserError(
      f'{name} is {_write(value)}; expected {what} separated by commas.'
    ) from None


def _write(value):
  """Writes the value of a field as its flag."""
  is_list = isinstance(value, list | tuple)
  return ','.join(map(str, value)) if is_list else str(value)


# Defaults and records.


def default(dataset: str = 'digits', **given: Any) -> ExperimentConfig:
  """Returns a configuration with the defaults of its data set and optimizer.

  Signals in time are known by their names, or by the labels of own files.
  """
  values = {'batch_size': 128, 'num_epochs': 10, 'learning_rate': 0.5}
  is_signal = catalog.is_signal(dataset)
  if is_signal:
    is_text = signals.is_text_path(dataset)
    values = {'batch_size': 32 if is_text else 16}
    values |= {'num_epochs': 2 if is_text else 30}
    values |= {'optimizer': 'adam', 'learning_rate': 0.1}
    if not {'layers', 'model'} & given.keys():
      given['model'] = 'gpt' if is_text else 'gru'
  elif catalog.is_recorded(dataset):
    values = {'batch_size': 16, 'num_epochs': 40, 'learning_rate': 0.1}
  elif dataset == 'digits' or arrays.is_npz_path(dataset):
    values = {}
  optimizer = (values | given).get('optimizer')
  if optimizer in RATES:
    rate = SIGNAL_RATE if is_signal else RATES[optimizer]
    values |= {'learning_rate': rate}
  elif arrays.is_npz_path(dataset) and 'learning_rate' not in {*values, *given}:
    values = {'learning_rate': _find_rate(arrays.load_npz(dataset))}
  config = ExperimentConfig(dataset, **values | given)
  if config.is_function and 'num_steps' not in given:
    has_ticks = catalog.is_recorded(dataset) and not is_signal
    values |= {'num_steps': config.num_steps if has_ticks else 0}
  return ExperimentConfig(dataset, **values | given)


def _find_rate(dataset):
  """Returns a learning rate that trains own images, dark or bright.

  Steps grow with the squares of the inputs x. The rates that studies have for
  MNIST, Fashion-MNIST and EMNIST are 80 to 110 / mean(|x|^2), in batches that
  are four times as large.
  """
  images = dataset.train.inputs
  white = 255.0 if images.dtype == np.uint8 else 1.0
  squares = [np.sum((x / white) ** 2) for x in images[:10_000]]
  return min(0.5, float(f'{30 / max(np.mean(squares), 1e-9):.1g}'))


def to_json(config: ExperimentConfig) -> dict[str, Any]:
  """Returns the JSON object of a configuration."""
  return json.loads(json.dumps(dataclasses.asdict(config)))


#: What records of earlier versions do not mention
DEFAULTS = to_json(ExperimentConfig())


def _is_path(name, value):
  is_file = catalog.is_file(value) or device_config.is_device_path(value)
  is_own = name == 'model' and models.is_path(value)
  return is_file or is_own or (name == 'init_from' and value is not None)


def absolute(name: str, value: Any) -> Any:
  """Makes paths absolute, as workers may have another current folder."""
  is_path = _is_path(name, value)
  return os.path.abspath(os.path.expanduser(value)) if is_path else value


def slug(name: str, value: Any) -> str:
  """Returns the value of a field in names of folders, of a path its last."""
  if _is_path(name, value):
    path = pathlib.Path(value)
    value = path.stem if name == 'dataset' else path.name
  empty = value in (None, ())
  return 'none' if empty else re.sub('[/:,]', '-', _write(value))


def split_name(config: ExperimentConfig) -> str:
  """Returns the name of the evaluation split of a run."""
  return 'validation' if config.hold_out else 'test'


# Layers, devices and networks.

_DENSE = re.compile(r'[\d,]+')  # layers alone
_SIZE = r'(\d+(?:x\d+)?)'
_CONV = re.compile(rf'conv(\d+)k{_SIZE}(?:s{_SIZE})?(?:p{_SIZE})?')


def parse_layers(text: str) -> tuple[ssnn_jax.layers.Layer, ...]:
  """Parses layers of weights, as `conv16k5s2,conv32k5s2,10`.

  A number is a dense layer of so many neurons. A convolution is `conv` with its
  features, `k` with the size of the kernel, and where they differ from 1 and 0
  `s` with the stride and `p` with the padding. Sizes that differ in height and
  width are joined by `x`, as in `conv8k5x3`.
  """
  return tuple(map(_parse_layer, text.split(',')))


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


@named()
def network_config(
  config: ExperimentConfig, dataset: datasets.Dataset
) -> ssnn_jax.NetworkConfig | chip.Config | Function:
  """Makes the function of a run for a data set, or the configuration."""
  is_image = len(dataset.input_shape) > 1
  is_image = is_image and not (dataset.is_recorded or dataset.is_signal)
  expected = f'false, as {dataset.name} has no images of height and width'
  checks.check_field(
    config, 'augment', is_image or not config.augment, expected
  )
  if dataset.is_signal and not config.model:
    raise ssnn_jax.UserError(
      f'{dataset.name} has labels of moments; give a --model that answers at '
      'each, as --model=gru.'
    )
  if config.is_function:
    return _make_function(config, dataset)
  layers = _layers(config, dataset)
  if config.method == CHIP:
    network = chip.Config(
      layers['layer_sizes'],
      config.num_steps,
      2 if config.digits is None else config.digits,
      12 if config.weight_bits is None else config.weight_bits,
      config.fraction_bits,
    )
    # Refuses a rate that the chip has not.
    chip.make_device(network, config.learning_rate / config.batch_size)
    return network
  input_gain = config.input_gain
  if input_gain is None:  # rates of recordings are proportional to 1 / T
    is_recorded = dataset.is_recorded
    input_gain = config.num_steps / EVENTS_AT_FULL_RATE if is_recorded else 1.0
  same = {'num_steps', 'exact', 'winner', 'sampler', 'dropout', 'read_noise'}
  if concerns(config.method, 'timing'):
    same |= {'timing', 'forgetting', 'counted'}
  values = {name: getattr(config, name) for name in same}
  return ssnn_jax.NetworkConfig(**layers, input_gain=input_gain, **values)


def find_ann(
  network: ssnn_jax.NetworkConfig | chip.Config | Function,
) -> ssnn_jax.NetworkConfig | Function:
  """Returns what a network is compared with: of the chip clipped units."""
  if isinstance(network, chip.Config):
    return ssnn_jax.NetworkConfig(network.layer_sizes)
  return network


def _make_function(config, dataset):
  """Makes the function of a run, and refuses one that does not fit the data."""
  shape = tuple(dataset.input_shape)
  example = jnp.zeros((1, *shape), dataset.train.inputs.dtype)
  if dataset.is_recorded:
    example = jnp.zeros((1, dataset.num_inputs), jnp.uint8)
  text = f'--model={config.model}'
  if config.model:
    made = models.make(
      config.model, config.model_sha256, config.model_args, shape,
      dataset.num_classes,
    )  # fmt: skip
    if not isinstance(made, Function):
      answers = 'each' if signals.is_text_path(config.dataset) else 'last'
      with checks.explain(text, models.EXAMPLE):
        made = ssnn_jax.as_function(made, example, answers=answers)
  else:
    text = f'--layers={config.layers}'
    made = models.make_layers(
      **_layers(config, dataset),
      dropout=config.dropout,
      input_gain=config.input_gain
      or (1 / EVENTS_AT_FULL_RATE if dataset.is_recorded else 1.0),
    )
  values = {'num_steps': config.num_steps or None, 'bptt': config.bptt}
  digits = {name: getattr(config, name) for name in _DIGITS}
  values |= {k: v for k, v in digits.items() if v is not None}
  function = dataclasses.replace(made, **values)
  with checks.explain(text, 'see --dataset', 'is not fit'):
    params = jax.eval_shape(function.init, jax.random.key(0))
    inputs = jax.eval_shape(functions.as_signals, example)
    outputs = jax.eval_shape(function.apply, params, inputs).shape
  labels = dataset.train.labels
  expected = 1, *labels.shape[1:], dataset.num_classes
  is_answer = len(expected) == 2 and outputs[::2] == (1, expected[-1])
  if outputs != expected and not is_answer:
    raise ssnn_jax.UserError(
      f'{text} has logits of shape {outputs}; {dataset.name} needs {expected}.'
    )
  with named('model'):
    temporal.check_answers(labels, function.answers)
  return function


def _layers(config, dataset):
  """Returns the fields of a network that describe its layers."""
  classes = dataset.num_classes
  text = config.layers or f'{NUM_HIDDEN},{classes}'
  with named('layers'):
    first, *others = parse_layers(text)
    if dataset.is_recorded and isinstance(first, ssnn_jax.layers.Conv):
      first = dataclasses.replace(first, channel_axis=0)
    layers, input_shape = (first, *others), tuple(dataset.input_shape)
    *_, last = ssnn_jax.layers.connect(layers, input_shape)
  if math.prod(last.output_shape) != classes:
    raise ssnn_jax.UserError(
      f'--layers={text} does not fit {dataset.name}; it must end with '
      f'{classes} classes.'
    )
  if _DENSE.fullmatch(text):
    sizes = [layer.units for layer in layers]
    return {'layer_sizes': (dataset.num_inputs, *sizes)}
  return {'layers': layers, 'input_shape': input_shape}


def layers_text(
  config: ExperimentConfig, network: ssnn_jax.NetworkConfig | Function
) -> str | None:
  """Returns the text of the layers of a run, also without --layers."""
  if config.model or config.layers:
    return config.layers
  *_, biases = jax.tree.leaves(checks.find_shapes(network))
  return f'{NUM_HIDDEN},{biases.size}'
