"""Studies: a question, the sweeps that answer it, and its table and figure.

`experiments/results/<study>.csv` has a row for each run of a study.
"""

from collections.abc import Mapping
import dataclasses
import itertools
from typing import Any

import ssnn_jax

ANY = '*'  # sweeps of all other data sets
ANN = {'method': 'bp'}
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
  #: the fields in which settings differ. A row of the table names those that
  #: distinguish it from rows with the same values of those before
  columns: tuple[str, ...] = ()
  #: the field whose values are columns of the table, or 'metric'
  across: str = 'num_steps'
  #: what is shown: accuracies minus the baseline, or plain numbers
  metrics: tuple[str, ...] = ('test_accuracy',)
  #: values of fields of the runs that accuracies are compared with, paired by
  #: data set, seed and all other columns that the baseline has; None is any
  baseline: Mapping[str, Any] = _field(default_factory=lambda: ANN)
  #: equivalence margin in percentage points, chosen before the runs; 1 point
  #: for digits in all studies, whose 360 test samples decide no less
  margin: float = 1.0
  #: values of columns to which the table is restricted; the CSV file has all
  shown: Mapping[str, tuple[str, ...]] = _field(default_factory=dict)

  def find_margin(self, dataset: str) -> float:
    """Returns the margin for a data set."""
    return 1.0 if dataset == 'digits' else self.margin

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
      f'--study={name} does not exist; choose one of {", ".join(STUDIES)}.'
    )
  return STUDIES[name]


# Sweeps that studies share.

_BIPOLAR = {'neuron': ('bipolar',)}
_SOBOL = {'neuron': ('stochastic',), 'sampler': ('sobol',)}
_BERNOULLI = {'neuron': ('stochastic',), 'sampler': ('bernoulli',)}
_DRAWN = {'neuron': ('stochastic',), 'sampler': ('sobol', 'bernoulli')}
# Values of a study whose sweeps all have Bernoulli trains.
_OF_BERNOULLI = {'neuron': 'stochastic', 'sampler': 'bernoulli'}
_SMALL_CONV = 'conv16k5s2,conv32k5s2,10'
_LARGE_CONV = 'conv32k5s2p2,conv64k5s2p2,256,10'
# Learning rate, dropout, weight decay and epochs of the ANN with 256 hidden
# neurons, chosen by grids on a fifth of the training samples, without the test
# samples; networks of spikes have the same.
_SHARED = {'batch_size': 128, 'dropout': 0.1, 'eval_every': 5}
_DECAYED = {'weight_decay': 1e-4, **_SHARED}
_TUNED = {
  'mnist': {'num_epochs': 10, 'learning_rate': 1.0, **_SHARED},
  'fashion_mnist': {'num_epochs': 20, 'learning_rate': 0.5, **_DECAYED},
  'emnist47': {'num_epochs': 10, 'learning_rate': 1.0, **_DECAYED},
}

STUDIES = {}


# Accuracies.


def _compare_anns(dataset, clipped, rectified):
  """Sweeps the tuned ANN, and ANNs with Adam of either activation.

  Their learning rates and dropout were chosen on held-out samples.
  """
  tuned = _TUNED[dataset] | {'eval_every': 0}
  sweeps = [Sweep({'method': ('bp',)}, 10, tuned)]
  for method, (rate, dropout) in {'bp': clipped, 'relu': rectified}.items():
    adam = {'optimizer': 'adam', 'learning_rate': rate, 'dropout': dropout}
    base = tuned | {'weight_decay': 0.0} | adam
    sweeps.append(Sweep({'method': (method,)}, 10, base))
  return tuple(sweeps)


_ANN_COLUMNS = 'optimizer', 'learning_rate', 'dropout', 'weight_decay'
STUDIES['ann'] = Study(
  question='Is the ANN that spikes are compared with as good as other ANNs?',
  sweeps={
    'mnist': _compare_anns('mnist', (0.003, 0.1), (0.01, 0.2)),
    'fashion_mnist': _compare_anns('fashion_mnist', (0.001, 0.0), (0.003, 0.0)),
  },
  columns=_ANN_COLUMNS,
  across='metric',
  baseline={**dict.fromkeys(_ANN_COLUMNS), 'method': 'bp', 'optimizer': 'sgd'},
  margin=0.3,
)


def _exchange(num_seeds, *num_steps, **grid):
  return Sweep({'num_steps': num_steps, **grid}, num_seeds, _OF_BERNOULLI)


def _exchange_bipolar(**grid):
  grid |= {'num_steps': (4,), **_BIPOLAR}
  return Sweep(grid, base=_TUNED['fashion_mnist'])


# What is exact instead of spikes: each combination of passes.
_PASSES = tuple(
  chosen
  for size in range(4)
  for chosen in itertools.combinations(('forward', 'backward', 'update'), size)
)
STUDIES['attribution'] = Study(
  question=(
    'Which use of spikes costs accuracy, and can a race of spikes replace the '
    'softmax?'
  ),
  sweeps={
    'digits': (
      _exchange(10, 4, 16, 64, winner=('softmax', 'exact')),
      _exchange(5, 64, winner=('race',)),  # which needs long trains
    ),
    'fashion_mnist': (
      _exchange_bipolar(rates=((), ('inputs',), ('forward',), ('backward',))),
      _exchange_bipolar(winner=('exact',)),
      _exchange(5, 4, 16, rates=_PASSES),
      _exchange(5, 4, 16, winner=('exact',)),
    ),
  },
  base={'diagnostics': False},
  columns=(
    *('neuron', 'sampler', 'rates', 'winner', 'num_steps'),
    *('num_epochs', 'dropout', 'weight_decay'),
  ),
  metrics=('test_accuracy', 'test_accuracy_rate'),
)


_BASELINES = 'bp', 'rpu', 'surrogate_gradient', 'bp_stdp'
_SPIKING = 'ssnn', 'feedback_alignment'
_ALL_METHODS = (
  Sweep({'method': (*_BASELINES, *_SPIKING), 'num_steps': (16, 64)}),
)
STUDIES['baselines'] = Study(
  question='How do accuracies compare with those of other training methods?',
  sweeps={
    'digits': _ALL_METHODS,
    'fashion_mnist': (
      Sweep({'method': _BASELINES, 'num_steps': (16, 64)}),
      Sweep({'method': _SPIKING, 'num_steps': (16,)}),
    ),
    ANY: _ALL_METHODS,
  },
  base=_OF_BERNOULLI,
  columns=('num_steps',),
)


def _convolve(layers, rate, num_epochs, grid, num_seeds=5, **changes):
  """Sweeps a grid for networks of the same layers."""
  base = {'layers': layers, 'learning_rate': rate, 'num_epochs': num_epochs}
  base |= {'batch_size': 128, 'dropout': 0.1} | changes
  return Sweep(grid, num_seeds, base)


def _convolve_both(rate, num_epochs, epochs_of_large):
  """Sweeps the small network, tuned for its ANN, and a large one."""
  regularized = {'dropout': 0.3, 'weight_decay': 1e-4}
  grid = {'num_steps': (32,), **_SOBOL}
  return (
    _convolve(_SMALL_CONV, rate, num_epochs, {'num_steps': (4, 16), **_DRAWN}),
    _convolve(_LARGE_CONV, rate, epochs_of_large, grid, **regularized),
  )


STUDIES['convolution'] = Study(
  question='Do convolutions that learn by spikes alone match their ANN?',
  sweeps={
    'mnist': _convolve_both(1.0, num_epochs=6, epochs_of_large=6),
    'fashion_mnist': (
      *_convolve_both(0.5, num_epochs=10, epochs_of_large=15),
      _convolve(_SMALL_CONV, 0.5, 10, {**_BIPOLAR, 'num_steps': (4, 8, 16)}),
      _convolve(
        'conv16k3s2p1,conv32k3s2p1,conv32k3s2p1,10',
        0.5,
        6,
        {'num_steps': (16,), **_DRAWN, 'gain': (0.25, 1.0)},
        num_seeds=2,
      ),
    ),
  },
  columns=('layers', 'neuron', 'gain', 'sampler', 'num_steps'),
  margin=0.3,
)


def _deepen(*num_steps, **grid):
  """Sweeps networks of one to four hidden layers.

  They have as many parameters as 784-256-10 within 0.5 %, and the learning rate
  that is best for the ANN on held-out images.
  """
  rates = {
    (784, 256, 10): 0.5,
    (784, 204, 204, 10): 0.5,
    (784, 177, 177, 177, 10): 0.5,
    (784, 159, 159, 159, 159, 10): 0.2,
  }
  grid = {'num_steps': num_steps, **grid}
  return tuple(
    Sweep(grid, 5, {'layer_sizes': sizes, 'learning_rate': rate})
    for sizes, rate in rates.items()
  )


STUDIES['depth'] = Study(
  question='Does accuracy fall behind the ANN as networks become deeper?',
  sweeps={
    'fashion_mnist': _deepen(8, 16, 64, **_BIPOLAR) + _deepen(16, **_DRAWN),
    'mnist': _deepen(16, **_DRAWN),
  },
  columns=('layer_sizes', 'neuron', 'sampler', 'num_steps', 'learning_rate'),
  margin=0.5,
  shown={'sampler': ('regular', 'sobol')},
)


# The rate of a sample was tuned for the ANN on 12,000 of the recordings.
_SIMULATED = {'batch_size': 128, 'num_epochs': 5, 'learning_rate': 0.4}
_SIMULATED |= {'num_steps': 64}


def _fold(grid, *lengths):
  """Sweeps ten folds of N-MNIST; the ANN has the rates of the same T."""
  return [Sweep(grid, 10, {'folds': 10, 'num_steps': t}) for t in lengths]


STUDIES['events'] = Study(
  question='Do spikes match the ANN on recordings of an event camera?',
  sweeps={
    'synthetic_events/mnist': (
      Sweep(_BIPOLAR, 5, _SIMULATED),
      Sweep({'neuron': ('stochastic',)}, 5, _SIMULATED),
    ),
    'n_mnist': (*_fold(_BIPOLAR, 16, 64), *_fold(_DRAWN, 16, 64, 256)),
  },
  columns=('neuron', 'sampler', 'num_steps', 'folds'),
  metrics=('test_accuracy', 'test_accuracy_rate'),
  margin=0.3,
)


def _batch(size, rate, num_seeds, *num_steps):
  """Sweeps T for a batch size, with the learning rate of a sample."""
  base = {'batch_size': size, 'learning_rate': size * rate}
  return Sweep({'num_steps': num_steps, **_BERNOULLI}, num_seeds, base)


STUDIES['online'] = Study(
  question='Is learning sample by sample as accurate as in minibatches?',
  sweeps={
    'digits': tuple(
      _batch(size, 1 / 32, 5, 16, 64) for size in (1, 4, 16, 32, 64)
    ),
    'fashion_mnist': (
      *(_batch(size, 0.5 / 128, 3, 16) for size in (1, 8, 128)),
      Sweep(
        {'num_steps': (8,), **_BIPOLAR, 'sampler': ('regular',)},
        3,
        {'batch_size': 1, 'learning_rate': 1 / 256, 'num_epochs': 5},
      ),
    ),
  },
  columns=('neuron', 'sampler', 'num_steps', 'num_epochs', 'batch_size'),
  across='batch_size',
)


def _tuned(dataset, num_seeds, *num_steps, neuron=('stochastic',), **grid):
  """Sweeps T with the settings that were tuned for the ANN."""
  grid |= {'num_steps': num_steps, 'neuron': neuron}
  return Sweep(grid, num_seeds, _TUNED.get(dataset, {}))


_EMNIST = (
  _tuned('emnist47', 5, 4, 8, 16, **_BIPOLAR),
  _tuned('emnist47', 5, 1),
  _tuned('emnist47', 10, 4, 16),
  _tuned('emnist47', 5, 1, **_BERNOULLI),
  _tuned('emnist47', 10, 4, 16, **_BERNOULLI),
)
_UNTUNED = _tuned('', 5, 8, 16, **_BIPOLAR), _tuned('', 5, 16)
STUDIES['parity'] = Study(
  question=(
    'How many ticks does learning with spikes need to match the tuned ANN?'
  ),
  sweeps={
    'digits': _UNTUNED,
    'mnist': (
      _tuned('mnist', 10, 2, 4, 8, 16, **_BIPOLAR),
      _tuned('mnist', 20, 1, 4, 16),
      _tuned('mnist', 10, 64),
      _tuned('mnist', 20, 1, 4, 16, **_BERNOULLI),
    ),
    'fashion_mnist': (
      _tuned('fashion_mnist', 10, 2, 4, 8, 16, 32, **_BIPOLAR),
      _tuned('fashion_mnist', 10, 1, 64),
      _tuned('fashion_mnist', 20, 4),
      # More seeds for the length whose interval was closest to the margin.
      _tuned('fashion_mnist', 40, 16),
      _tuned('fashion_mnist', 10, 1, **_BERNOULLI),
      _tuned('fashion_mnist', 20, 4, 16, **_BERNOULLI),
    ),
    'emnist47': _EMNIST,
    'emnist/balanced': _EMNIST,
    ANY: _UNTUNED,
  },
  base={'diagnostics': False},  # update errors are those of `fidelity`
  columns=('neuron', 'sampler', 'num_steps'),
  metrics=('test_accuracy', 'test_accuracy_rate'),
  margin=0.3,
)


_LENGTHS = (Sweep({'num_steps': (1, 4, 16, 64, 256)}),)
# The rates of a recording depend on T, and so does the ANN.
_RECORDINGS = tuple(Sweep(base={'num_steps': t}) for t in (1, 4, 16))
STUDIES['spike_train_length'] = Study(
  question='How do accuracy and update error depend on spike-train length?',
  sweeps={
    'digits': _LENGTHS,
    'fashion_mnist': (Sweep({'num_steps': (1, 4, 16)}),),
    'n_mnist': _RECORDINGS,
    'synthetic_events/digits': _RECORDINGS,
    ANY: _LENGTHS,
  },
  base=_OF_BERNOULLI,
  columns=('num_steps',),
  metrics=('test_accuracy', 'update_error', 'quantisation_error'),
)


# Hardware.


def _shrink(base, num_seeds, sizes, weight_bits, fraction_bits, *num_steps):
  """Sweeps T of a chip and of its ANN, which learn sample by sample."""
  grid = {
    'method': ('bp', 'chip'),
    'layer_sizes': (sizes,),
    'weight_bits': (weight_bits,),
    'fraction_bits': (fraction_bits,),
    'num_steps': num_steps or (64,),
  }
  return Sweep(grid, num_seeds, {'batch_size': 1, **base})


_DIGITS = {'learning_rate': 1 / 32}, 10  # the rate of one of a minibatch
_FASHION = {'learning_rate': 1 / 256, 'num_epochs': 5}, 5
STUDIES['chip'] = Study(
  question=(
    'How many bits and ticks does the chip need, and which board holds it?'
  ),
  sweeps={
    'digits': (
      _shrink(*_DIGITS, (64, 16, 10), 10, (10, 8)),
      _shrink(*_DIGITS, (64, 64, 10), 8, (8, 6)),
      _shrink(*_DIGITS, (64, 64, 10), 10, (10, 9)),
      _shrink(*_DIGITS, (64, 64, 10), 12, (11, 10)),
    ),
    'fashion_mnist': (
      _shrink(*_FASHION, (784, 64, 10), 10, (12, 9)),
      _shrink(*_FASHION, (784, 256, 10), 8, (10, 7)),
      _shrink(*_FASHION, (784, 256, 10), 10, (12, 9)),
      _shrink(*_FASHION, (784, 256, 10), 12, (13, 11), 16),
      _shrink(*_FASHION, (784, 256, 10), 12, (14, 11), 32, 64),
    ),
  },
  columns=('layer_sizes', 'weight_bits', 'num_steps', 'fraction_bits'),
  across='metric',
  metrics=(
    *('test_accuracy', 'luts', 'block_rams', 'max_mhz', 'clock_mhz'),
    *('clocks_per_sample', 'samples_per_second'),
  ),
)


# Values of each parameter of a device; larger values are less ideal.
_NON_IDEALITIES = {
  'dw_min': (0.002, 0.005, 0.01, 0.02, 0.05, 0.1),
  'dw_min_dtod': (0.1, 0.3, 1),
  'dw_min_std': (1, 3, 10, 30),
  'up_down': (0.02, 0.05, 0.1, 0.2, 0.5),
  'up_down_dtod': (0.02, 0.05, 0.1, 0.2, 0.5),
  'corrupt_devices_prob': (0.01, 0.03, 0.1, 0.3, 0.6),
}


def _degrade(num_seeds):
  """Sweeps presets, and bounded devices with one non-ideality."""
  presets = 'ideal', 'gokmen_vlasov', 'reram', 'ecram', 'ecram_mo'
  custom, bounds = {'device': 'custom'}, 'w_max=1,w_min=-1'
  params = tuple(
    f'{name}={value},{bounds}'
    for name, values in _NON_IDEALITIES.items()
    for value in values
  )
  noisy = {'device_params': (bounds,), 'read_noise': (0.1, 0.3, 1.0, 3.0)}
  return (
    Sweep({'device': presets}, num_seeds),
    Sweep({'device_params': params}, num_seeds, custom),
    Sweep(noisy, num_seeds, custom),
  )


STUDIES['device_tolerance'] = Study(
  question=(
    'Which non-idealities of resistive devices does training tolerate, and to '
    'what extent?'
  ),
  sweeps={
    'digits': _degrade(10),
    **dict.fromkeys(('fashion_mnist', ANY), _degrade(5)),
  },
  base={'num_steps': 32, **_OF_BERNOULLI},
  columns=('device', 'device_params', 'read_noise'),
  across='dataset',
  baseline={'method': 'ssnn', 'device': 'ideal', 'read_noise': None},
  shown={'method': ('ssnn',)},
)


# Measurements.

_TIME = 'python -m experiments.benchmark --dataset=random'
_EPOCH = '--names=epoch --num_steps=16'
_CONV_LAYERS = f'--layers={_SMALL_CONV}'
STUDIES['benchmark'] = Study(
  question='How many steps of backpropagation does one step with spikes cost?',
  commands=(
    f"{_TIME} --grid='num_steps=8,16,64,256'",
    f"{_TIME} --sampler=sobol --grid='num_steps=16,64'",
    f"{_TIME} {_CONV_LAYERS} --rounds=7 --grid='num_steps=8,64'",
    *(f'{_TIME} {_EPOCH} --num_seeds={number}' for number in (1, 4, 8)),
    *(
      f'{_TIME} {_EPOCH} --num_seeds={number} --rounds=5 {_CONV_LAYERS}'
      for number in (1, 4)
    ),
    f'{_TIME} --neuron=stochastic '
    "--grid='sampler=sobol,bernoulli;num_steps=16,64,256'",
    f'{_TIME} --neuron=stochastic --names=learn --num_steps=32 '
    '--sampler=bernoulli '
    "--grid='device=ideal,gokmen_vlasov,reram,ecram,ecram_mo'",
    f'{_TIME} --neuron=stochastic {_EPOCH} --sampler=bernoulli --rounds=5 '
    "--grid='method=bp,ssnn,feedback_alignment,rpu,bp_stdp,surrogate_gradient'",
  ),
  columns=(
    *('name', 'method', 'layers', 'batch_size', 'num_seeds'),
    *('neuron', 'sampler', 'num_steps', 'device'),
  ),
  metrics=('ratio_to_bp',),
  shown={
    'name': ('learn', 'epoch'),
    'layers': ('784-256-10',),
    'dataset': ('random',),
    'batch_size': ('128',),
    'num_seeds': ('1',),
    'device': ('ideal',),
  },
)


_UPDATE = 'python -m experiments.measurements.fidelity --dataset=fashion_mnist'
_DEEP = '784-128-128-128-128-10'
STUDIES['fidelity'] = Study(
  question=(
    "How far is the update of one batch from BP's gradient, and how does it "
    'fall with T?'
  ),
  commands=(
    f"{_UPDATE} --neuron=stochastic --grid='sampler=bernoulli,sobol;"
    'num_steps=4,8,16,32,64,128,256,512,1024;'
    "layer_sizes=784-256-10,784-256-256-10'",
    f"{_UPDATE} --grid='sampler=regular,sobol;gain=1,4;"
    f"num_steps=2,4,8,16,32,64,128,256;layer_sizes=784-256-10,{_DEEP}'",
    f'{_UPDATE} {_CONV_LAYERS} --train_steps=2000 '
    "--grid='sampler=regular,sobol;num_steps=8,16,32,64'",
    f"{_UPDATE} --neuron=stochastic --grid='sampler=bernoulli,sobol;gain=1,2;"
    f"num_steps=16,64;layer_sizes=784-128-128-10,{_DEEP}'",
  ),
  columns=('layers', 'neuron', 'gain', 'sampler', 'num_steps'),
  metrics=('update_error',),
  shown={
    'layers': ('784-256-10', _DEEP, _SMALL_CONV),
    'gain': ('1.0', '4.0'),
  },
)


_SETTLE = 'python -m experiments.measurements.settling'
_FASHION_5 = f'{_SETTLE} --dataset=fashion_mnist --num_epochs=5'
STUDIES['settling'] = Study(
  question=(
    'When is the answer there, when is a network silent, and how many spikes '
    'does it send and take back?'
  ),
  commands=(
    f"{_FASHION_5} --grid='num_steps=8,16,64;neuron=bipolar,stochastic'",
    f'{_FASHION_5} --num_steps=16 {_CONV_LAYERS}',
    f'{_SETTLE} --dataset=n_mnist --num_steps=64',
    f'{_FASHION_5} --num_steps=16 --layer_sizes=784,159,159,159,159,10 '
    '--learning_rate=0.2 --weight_bits=16 --by_layer '
    "--wires=';error_start=0;error_start=16;error_cap=1;"
    "cap=None,error_cap=None;delay=3;delay=7'",
  ),
  columns=(
    *('layers', 'neuron', 'num_steps', 'wires', 'layer'),
    'tick',  # of the figure
  ),
  across='metric',
  metrics=(
    *('median_silence', 'late_silence', 'forward_spikes', 'forward_kept'),
    *('error_spikes', 'error_kept', 'forward_events', 'error_events'),
    'coincidences',
  ),
  shown={'tick': ('',)},
)


_FAULTS = 'python -m experiments.measurements.faults'
_FIXED = '--num_epochs=5 --num_seeds=5 --weight_bits=16'
STUDIES['faults'] = Study(
  question='Which faults of wires and synapses does a network tolerate?',
  commands=(
    f'{_FAULTS} --dataset=fashion_mnist {_FIXED} --num_batches=4 '
    "--grid='num_steps=8,16'",
    f'{_FAULTS} --dataset=digits {_FIXED} --num_steps=8 '
    '--layer_sizes=64,64,10 --num_batches=11 --learn',
  ),
  columns=('num_steps', 'fault'),
  across='metric',
  metrics=(
    *('test_accuracy', 'test_accuracy_learned'),
    *('update_error', 'median_silence'),
  ),
  baseline={'fault': ''},
  shown={
    'fault': (
      *('delay=7', 'loss=1e-1', 'loss=1e-2', 'loss=1e-4', 'loss=1e-6'),
      *('stuck=1e-1', 'stuck=1e-2', 'stuck=1e-3', 'stuck=1e-4'),
    ),
  },
)
