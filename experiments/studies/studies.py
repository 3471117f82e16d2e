"""Studies: a question, the sweeps that answer it, and its table and figure.

`experiments/results/<study>.csv` has a row for each run of a study.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

import ssnn_jax

ANY = '*'  # sweeps of all other data sets
ANN = {'method': 'bp'}
ACCURACY, LOSS = 'test_accuracy', 'test_loss'  # in points, in nats
_field = dataclasses.field


@dataclasses.dataclass(frozen=True)
class Sweep:
  """A grid of settings, with a number of seeds.

  The same seeds of the ANN are trained as well, unless the grid has methods.
  """

  #: values of each varied field of the configuration
  grid: Mapping[str, tuple[Any, ...]] = _field(default_factory=dict)
  num_seeds: int = 5  #: of each setting
  #: values of other fields instead of the defaults of the data set
  base: Mapping[str, Any] = _field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Study:
  """A study, with the defaults of a run where it sets no other values.

  Its table has a column for each value of a field, and its figure draws the
  first metric.
  """

  question: str = ''
  #: by the name of the data set; those of `ANY` are for all others
  sweeps: Mapping[str, tuple[Sweep, ...]] = _field(default_factory=dict)
  #: values of fields in all sweeps that do not set them
  base: Mapping[str, Any] = _field(default_factory=dict)
  #: of a measurement instead of sweeps: the commands that print its lines
  commands: tuple[str, ...] = ()
  #: metrics that the figure draws the first one against
  against: tuple[str, ...] = ()
  #: the fields in which settings differ. A row of the table names those that
  #: distinguish it from rows with the same values of those before
  columns: tuple[str, ...] = ()
  #: the field whose values are columns of the table, or 'metric'
  across: str = 'num_steps'
  #: what is shown: accuracies minus the baseline, of texts `LOSS` instead, or
  #: plain numbers
  metrics: tuple[str, ...] = ('test_accuracy',)
  #: values of fields of the runs that these are compared with, paired by
  #: data set, seed and all other columns that the baseline has; None is any
  baseline: Mapping[str, Any] = _field(default_factory=lambda: ANN)
  #: equivalence margin in percentage points, chosen before the runs; 1 point
  #: for digits in all studies, whose 360 test samples decide no less
  margin: float = 1.0
  #: where the accuracy of the baseline is below 85 %; None is the same
  weak_margin: float | None = None
  #: by data set, another margin, and whether of accuracies or of `LOSS`
  margins: Mapping[str, tuple[str, float]] = _field(default_factory=dict)
  #: values of columns to which the table is restricted; the CSV file has all
  shown: Mapping[str, tuple[str, ...]] = _field(default_factory=dict)

  def find_sweeps(self, dataset: str) -> tuple[Sweep, ...]:
    """Returns the sweeps for a data set, by its name or that of its file.

    Raises:
      UserError: if the study is a measurement, or does not support the set.
    """
    if not self.sweeps:
      raise ssnn_jax.UserError(
        f'this study is a measurement; run {"; ".join(self.commands)}.'
      )
    if dataset not in self.sweeps and ANY not in self.sweeps:
      raise ssnn_jax.UserError(
        f'--dataset={dataset} has no sweeps in this study; choose one of '
        f'{", ".join(self.sweeps)}.'
      )
    return self.sweeps.get(dataset) or self.sweeps[ANY]


def load(name: str) -> Study:
  """Returns a study; raises `UserError` if there is none of this name."""
  if name not in STUDIES:
    raise ssnn_jax.UserError(
      f'--study={name} does not exist; choose one of {", ".join(STUDIES)}, or '
      'with --quick all.'
    )
  return STUDIES[name]


# Sweeps that studies share.

_STOCHASTIC = {'neuron': 'stochastic'}
DENSE, DEEP = '256,10', '128,128,128,128,10'
SMALL_CONV = 'conv16k5s2,conv32k5s2,10'
# Learning rate, dropout, weight decay and epochs of the ANN with 256 hidden
# neurons, chosen on a fifth of the training samples; networks of
# spikes have the same.
_SHARED = {'batch_size': 128, 'dropout': 0.1, 'eval_every': 5}
_DECAYED = {'weight_decay': 1e-4, **_SHARED}
_TUNED = {
  'mnist': {'num_epochs': 10, 'learning_rate': 1.0, **_SHARED},
  'fashion_mnist': {'num_epochs': 20, 'learning_rate': 0.5, **_DECAYED},
  'emnist47': {'num_epochs': 10, 'learning_rate': 1.0, **_DECAYED},
}

STUDIES = {}


# Accuracies.


def _tuned(dataset, num_seeds, *num_steps, **grid):
  """Sweeps T with the settings that were tuned for the ANN."""
  grid |= {'num_steps': num_steps}
  return Sweep(grid, num_seeds, _TUNED.get(dataset, {}))


_UNTUNED = (_tuned('', 5, 16),)
_RACE = Sweep(
  {'winner': ('race',), 'num_steps': (64,)}, 10, {'sampler': 'bernoulli'}
)
STUDIES['parity'] = Study(
  question=(
    'How many ticks of a train does learning with the spikes of the paper need '
    'to match the tuned ANN, and how far is its update from the gradient?'
  ),
  sweeps={
    'digits': (*_UNTUNED, _RACE),
    'mnist': (_tuned('mnist', 10, 4, 16, 64),),
    'fashion_mnist': (_tuned('fashion_mnist', 10, 4, 16, 64),),
    'emnist47': (_tuned('emnist47', 10, 4, 16, 64),),
    'emnist/balanced': (_tuned('emnist47', 10, 4, 16, 64),),
    ANY: _UNTUNED,
  },
  base=_STOCHASTIC,
  columns=('sampler', 'winner', 'num_steps'),
  metrics=(
    *('test_accuracy', 'test_accuracy_rate'),
    *('update_error', 'quantisation_error'),
  ),
  margin=0.3,
)


_STEPS = 0, 16, 8, 4, 2


def _learn(num_epochs, learning_rate=0.002, num_steps=_STEPS, **base):
  """Sweeps digits alone and N of a model as anyone writes it."""
  base |= {'num_epochs': num_epochs, 'learning_rate': learning_rate}
  base = {'batch_size': 128, 'optimizer': 'adam'} | base
  return Sweep({'num_steps': num_steps}, 5, base)


def _shorten(*sweeps):
  """Sweeps fewer digits, of inputs and sums, and of errors."""
  grid = dict.fromkeys(('digits', 'error_digits'), (1, 2))
  return tuple(dataclasses.replace(own, grid=grid) for own in sweeps)


# Rates and epochs were chosen for ANNs, before any spikes.


def _learn_dense(num_classes):
  """Sweeps one and four hidden layers."""
  return tuple(
    _learn(10, 0.001, layers=f'{hidden},{num_classes}')
    for hidden in ('256', '128,128,128,128')
  )


_ROWS = tuple(
  _learn(5, 0.005, model='gru', model_args=args)
  for args in ('rows=True', 'cell=lstm,rows=True')
)
_FASHION = (
  *_learn_dense(10),
  _learn(3, model='lenet'),
  _learn(3, 0.005, model='residual', model_args='width=8'),
  _learn(3, 0.004, model='mixer', model_args='width=32'),
)
_GPT = 'num_layers=2,width=64'
_TEXT = _learn(1, model='gpt', model_args=_GPT, batch_size=32)
_SPEECH = {'model': 'gru', 'learning_rate': 0.003, 'num_epochs': 20}
_SPEECH |= {'model_args': 'width=96', 'optimizer': 'adam'}
_COLOURS = {'model': 'whitened', 'optimizer': 'muon', 'learning_rate': 0.01}
_COLOURS |= {'num_epochs': 10, 'batch_size': 128, 'weight_decay': 0.05}
_COLOURS |= {'augment': True}
_ADDITIONS = 'additions', 'learning_additions'
STUDIES['unchanged'] = Study(
  question='What does it cost a model, as it is, to learn by spikes alone?',
  sweeps={
    'mnist': (*_learn_dense(10), *_ROWS),
    'fashion_mnist': (
      *_FASHION,
      *_ROWS,
      _learn(3, 0.004, (0, 8, 4), model='vit', model_args='width=32'),
    ),
    'emnist47': (*_learn_dense(47), *_ROWS),
    'spoken_digits': (
      Sweep({'method': ('bp',)}, 10, _SPEECH),
      Sweep(
        {'method': ('ssnn',), 'num_steps': _STEPS},
        10,
        {**_SPEECH, 'bptt': False},
      ),
    ),
    'shakespeare': (_TEXT,),
    'cifar10': (Sweep({'num_steps': (0, 8)}, 3, _COLOURS),),
  },
  base={'diagnostics': False},
  columns=('layers', 'model', 'model_args', 'num_steps'),
  metrics=(ACCURACY, LOSS, *_ADDITIONS),
  against=_ADDITIONS,
  margin=0.3,
  weak_margin=0.5,
  margins={
    'shakespeare': (LOSS, 0.02),
    'spoken_digits': (ACCURACY, 1.0),
    'cifar10': (ACCURACY, 0.5),
  },
)

STUDIES['digits'] = dataclasses.replace(
  STUDIES['unchanged'],
  question='How few digits do inputs, sums and errors need?',
  sweeps={
    'fashion_mnist': _shorten(*_FASHION[:2], _FASHION[4]),
    'shakespeare': _shorten(_TEXT),
  },
  base={'diagnostics': False, 'num_steps': 8},
  columns=('model', 'layers', 'model_args', 'error_digits', 'digits'),
  across='digits',
)


def _listen(num_steps=(8,), num_layers=1, cell='gru', rows=False, **base):
  """Sweeps errors through time and local ones of a recurrent model."""
  args = {'cell': cell, 'num_layers': num_layers, 'rows': rows, 'width': 96}
  base |= {'model_args': ','.join(f'{own}={x}' for own, x in args.items())}
  base = {'learning_rate': 0.003, 'num_epochs': 20, 'optimizer': 'adam'} | base
  return Sweep({'bptt': (True, False), 'num_steps': num_steps}, 5, base)


# Chosen for exact GRU with local errors, seeds 0 to 2; two layers took smaller
# steps.
_CURVES = {'num_epochs': 40, 'batch_size': 64, 'weight_decay': 0.1}
_FAST, _SLOW = ({'learning_rate': rate, **_CURVES} for rate in (0.01, 0.005))
STUDIES['time'] = Study(
  question='Does a recurrent model need errors through time?',
  sweeps={
    'mnist_1d': (
      _listen((8, 0), **_FAST),
      _listen(cell='lstm', **_FAST),
      _listen(num_layers=2, **_SLOW),
      _listen(cell='leaky', num_layers=2, **_FAST),
      _listen(cell='mgu', **_FAST),
      _listen(cell='linear', **_FAST),
      _listen(cell='lstm', num_layers=2, **_SLOW),
    ),
    'spoken_digits': (_listen((8, 0)), _listen(cell='leaky', num_layers=2)),
    'braille': (_listen(num_epochs=60),),
    'fashion_mnist': (_listen(rows=True, num_epochs=2, batch_size=128),),
    'mnist/rows': (_listen(num_epochs=2, batch_size=128),),
    'n_mnist/10ms': (_listen(num_epochs=10),),
    'shakespeare': (_listen(num_epochs=1, batch_size=32),),
  },
  base={'diagnostics': False, 'model': 'gru'},
  columns=('model_args', 'method', 'bptt', 'num_steps'),
  across='metric',
  baseline={**ANN, 'bptt': 'True'},
)


def _work(dataset, *leaky, **base):
  """Sweeps ticks of layers one after another, and of all at once."""
  base = _TUNED.get(dataset, {}) | {'num_epochs': 5} | base
  phased = {'timing': ('phased',), 'num_steps': (8, 16, 32, 64)}
  return (
    Sweep(phased, 5, base),
    Sweep(_LEAKY | {'num_steps': leaky}, 5, base),
  )


_LEAKY = {'method': ('ssnn',), 'timing': ('leaky',)}
# As many parameters as 784-256-10, and the rate that is best for the ANN.
_FOUR = {'layers': '159,' * 4 + '10', 'learning_rate': 0.2}
_FOUR |= {'dropout': 0.0, 'weight_decay': 0.0}
_SMALL = {'layers': SMALL_CONV, 'weight_decay': 0.0, 'num_epochs': 3}
STUDIES['simultaneous'] = Study(
  question=(
    'Do stochastic neurons that compute activations and gradients at once '
    'learn as well as in phases, and as the ANN?'
  ),
  sweeps={
    'mnist': _work('mnist', 16, 32, 64),
    'fashion_mnist': (
      *_work('fashion_mnist', 16, 32, 64),
      *_work('fashion_mnist', 64, 128, **_FOUR),
      *_work('fashion_mnist', 32, **_SMALL),
      Sweep(
        _LEAKY | {'num_steps': (32,), 'sampler': ('bernoulli',)},
        5,
        _TUNED['fashion_mnist'] | {'num_epochs': 5},
      ),
    ),
    'emnist47': _work('emnist47', 32, 64, num_epochs=3),
    'n_mnist': (
      Sweep(
        {'timing': ('phased', 'leaky')},
        10,
        {'folds': 10, 'num_steps': 64},
      ),
    ),
  },
  base={'diagnostics': False, **_STOCHASTIC},
  columns=('layers', 'folds', 'sampler', 'timing', 'num_steps'),
  metrics=('test_accuracy', 'test_accuracy_rate'),
  margin=0.3,
)


def _record(num_steps):
  """Sweeps recordings; the ANN has the rates of the same T."""
  return Sweep({}, 10, {'folds': 10, 'num_steps': num_steps})


STUDIES['events'] = Study(
  question='Do spikes match the ANN on recordings of an event camera?',
  sweeps={'n_mnist': (_record(16), _record(64))},
  base=_STOCHASTIC,
  columns=('sampler', 'num_steps', 'folds'),
  metrics=('test_accuracy', 'test_accuracy_rate', 'update_error'),
)


# Hardware.


def _shrink(
  base, num_seeds, layers, weight_bits, fraction_bits, *num_steps, **grid
):
  """Sweeps T of a chip and of its ANN, which learn sample by sample."""
  grid = {
    'method': ('bp', 'chip'),
    'layers': (layers,),
    'weight_bits': (weight_bits,),
    'fraction_bits': (fraction_bits,),
    'num_steps': num_steps or (4, 8, 16),
  } | grid
  return Sweep(grid, num_seeds, {'batch_size': 1, **base})


_DIGITS = {'learning_rate': 0.03}, 10  # about 1 / 32, of one of a minibatch
_FASHION = {'learning_rate': 1 / 256, 'num_epochs': 5}, 5  # best for the ANN
_ONE_DIGIT = {'method': ('chip',), 'digits': (1,)}
STUDIES['chip'] = Study(
  question=(
    'How many bits and ticks does the chip need, and which board holds it?'
  ),
  sweeps={
    'digits': (
      _shrink(*_DIGITS, '16,10', 10, (10, 8), 8),
      _shrink(*_DIGITS, '64,10', 8, (8, 7)),
      _shrink(*_DIGITS, '64,10', 10, (10, 9)),
      _shrink(*_DIGITS, '64,10', 12, (12, 11)),
    ),
    'fashion_mnist': (
      _shrink(*_FASHION, '256,10', 12, (14, 11)),
      _shrink(*_FASHION, '256,10', 12, (14, 11), **_ONE_DIGIT),
      _shrink(*_FASHION, '256,10', 10, (12, 9)),
      _shrink(*_FASHION, '256,10', 8, (10, 7)),
      _shrink(*_FASHION, '64,10', 12, (14, 11), 8),
    ),
  },
  base=_STOCHASTIC,  # of the ANN, whose rates are those of the chip
  columns=('layers', 'weight_bits', 'num_steps', 'fraction_bits', 'digits'),
  across='metric',
  metrics=(
    *('test_accuracy', 'luts', 'block_rams', 'multipliers', 'max_mhz'),
    *('median_mhz', 'min_mhz', 'clock_mhz', 'clocks_at_first'),
    *('clocks_per_sample', 'samples_per_second'),
    *('memory_samples_per_second', 'line_samples_per_second'),
  ),
  margin=0.5,
)


# Values of each parameter of a device: tolerated, borderline and not tolerated.
_NON_IDEALITIES = {
  'dw_min': (0.02, 0.05, 0.1),
  'dw_min_dtod': (0.3, 1, 3),
  'dw_min_std': (3, 10, 30),
  'up_down': (0.1, 0.2, 0.5),
  'up_down_dtod': (0.1, 0.2, 0.5),
  'corrupt_devices_prob': (0.3, 0.6, 0.9),
}
_PRESETS = 'ideal', 'gokmen_vlasov', 'reram', 'ecram', 'ecram_mo'
_BOUNDS = 'w_max=1,w_min=-1'
_DEGRADED = tuple(
  f'{name}={value},{_BOUNDS}'
  for name, values in _NON_IDEALITIES.items()
  for value in values
)
_CUSTOM = {'device': 'custom'}
_NOISY = {'device_params': (_BOUNDS,), 'read_noise': (0.3, 1.0, 3.0)}
STUDIES['device_tolerance'] = Study(
  question=(
    'Which non-idealities of resistive devices does training tolerate, and to '
    'what extent?'
  ),
  sweeps={
    'digits': (
      Sweep({'device': _PRESETS}),
      Sweep({'device_params': _DEGRADED}, base=_CUSTOM),
      Sweep(_NOISY, base=_CUSTOM),
    ),
    'fashion_mnist': (Sweep({'device': _PRESETS}),),
  },
  base={'num_steps': 32, **_STOCHASTIC},
  columns=('device', 'device_params', 'read_noise'),
  across='metric',
  baseline={'method': 'ssnn', 'device': 'ideal', 'read_noise': None},
  shown={'method': ('ssnn',)},
)


# Measurements.

_TIME = 'python -m experiments.benchmark --json --dataset'
_CONV_LAYERS = f'--layers={SMALL_CONV}'
STUDIES['benchmark'] = Study(
  question='How many steps of backpropagation does one step with spikes cost?',
  commands=(
    f"{_TIME}=random --grid='num_steps=0,8'",
    f"{_TIME}=random {_CONV_LAYERS} --rounds=7 --grid='num_steps=0,8'",
    f"{_TIME}=random --model=vit --batch_size=64 --grid='num_steps=0,8'",
    f'{_TIME}=random --model=gru --rows --width=128 --batch_size=64 '
    "--grid='num_steps=0,8'",
    f'{_TIME}=random --neuron=stochastic '
    "--grid='sampler=sobol,bernoulli;num_steps=16,64,256'",
    f"{_TIME}=fashion_mnist --neuron=stochastic --grid='num_steps=16,64'",
    f'{_TIME}=random --neuron=stochastic --names=learn --num_steps=32 '
    '--sampler=bernoulli '
    "--grid='device=ideal,gokmen_vlasov,reram,ecram,ecram_mo'",
    f'{_TIME}=random --neuron=stochastic --names=epoch --num_steps=16 '
    '--sampler=bernoulli --rounds=5',
    f'{_TIME}=random --neuron=stochastic --names=learn --timing=leaky '
    "--grid='num_steps=16,64'",
  ),
  columns=(
    *('name', 'method', 'layers', 'model', 'batch_size', 'num_seeds'),
    *('neuron', 'timing', 'sampler', 'num_steps', 'device'),
  ),
  metrics=('ratio_to_bp',),
  shown={
    'name': ('learn', 'epoch'),
    'layers': (DENSE, SMALL_CONV, ''),  # or a model
    'device': ('ideal', ''),  # or none
  },
)


_UPDATE = 'python -m experiments.measurements.fidelity --dataset=fashion_mnist'
STUDIES['fidelity'] = Study(
  question=(
    "How far is the update of one batch from BP's gradient, and how does it "
    'fall with T?'
  ),
  commands=(
    f"{_UPDATE} --neuron=stochastic --grid='sampler=bernoulli,sobol;"
    'num_steps=4,8,16,32,64,128,256,512,1024;'
    "layers=256-10,256-256-10'",
    f"{_UPDATE} --neuron=stochastic --grid='sampler=bernoulli,sobol;"
    f"num_steps=16,64;layers=128-128-10,128-128-128-128-10'",
  ),
  columns=('layers', 'sampler', 'num_steps'),
  metrics=('update_error',),
  shown={'layers': (DENSE, DEEP)},
)

_LAGS = (
  'python -m experiments.measurements.locality --dataset=mnist_1d --model=gru '
  '--width=96 --num_epochs=20 --batch_size=64 --learning_rate=0.005'
)
STUDIES['locality'] = Study(
  question='What of the gradient through time is lost by local errors?',
  commands=tuple(
    f'{_LAGS} --cell={cell} --num_layers=2' for cell in ('gru', 'lstm', 'mgu')
  ),
  columns=('model_args', 'layer', 'epochs', 'lag'),
  across='lag',
  metrics=('cosine', 'length'),
  baseline={'bptt': 'True'},  # whose cosine is 1
)
