"""Spike trains of 1 to 256 ticks compared with the tuned ANN of each set."""

from experiments.studies import Study
from experiments.studies import Sweep
from experiments.studies.tuned import TUNED

_SAMPLERS = ('sobol', 'bernoulli')
_NUM_FOLDS = 10  # of recordings: each seed tests a tenth of them


def _sweeps(dataset, classes, num_seeds, of_one_tick, wide):
  """Sweeps T, and networks as wide as published ones.

  Args:
    dataset: a set of images.
    classes: number of its classes.
    num_seeds: number of seeds of 256 hidden neurons.
    of_one_tick: number of seeds of T = 1.
    wide: number of seeds of 800 hidden neurons.
  """
  tuned = TUNED[dataset]
  longest = {'num_steps': (64,), 'window': (32,)}
  wide_base = tuned | {'layer_sizes': (784, 800, classes)}
  return (
    Sweep({'num_steps': (1,), 'sampler': _SAMPLERS}, of_one_tick, tuned),
    Sweep({'num_steps': (4, 16), 'sampler': _SAMPLERS}, num_seeds, tuned),
    Sweep({**longest, 'sampler': _SAMPLERS}, num_seeds, tuned),
    Sweep({**longest, 'sampler': ('sobol',)}, wide, wide_base),
  )


_EMNIST = _sweeps('emnist47', 47, 10, of_one_tick=5, wide=3)
_FASHION = TUNED['fashion_mnist']

STUDY = Study(
  question=(
    'How long must spike trains be to match the tuned ANN on each data set?'
  ),
  sweeps={
    'mnist': _sweeps('mnist', 10, 20, of_one_tick=20, wide=5),
    'fashion_mnist': (
      *_sweeps('fashion_mnist', 10, 20, of_one_tick=10, wide=5),
      # More seeds for the length whose interval was closest to the margin.
      Sweep({'num_steps': (16,), 'sampler': ('sobol',)}, 40, _FASHION),
      Sweep(
        {'num_steps': (64,), 'window': (32,), 'sampler': ('bernoulli',)},
        5,
        _FASHION | {'layer_sizes': (784, 800, 10)},
      ),
    ),
    'emnist47': _EMNIST,
    'emnist/balanced': _EMNIST,
    # The rates of a recording depend on T, and so does the ANN.
    'n_mnist': tuple(
      Sweep(
        {'sampler': _SAMPLERS},
        _NUM_FOLDS,
        {'folds': _NUM_FOLDS, 'num_steps': t},
      )
      for t in (16, 64, 256)
    ),
  },
  columns=('layer_sizes', 'sampler', 'window', 'num_steps', 'folds'),
  base={'neuron': 'stochastic'},
  rows=('layer_sizes', 'sampler'),
  margin=0.3,
  drawn={'layer_sizes': ('784-256-10', '784-256-47', '2312-256-10')},
)
