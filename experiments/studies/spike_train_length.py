"""Accuracy and update errors with Bernoulli trains of 1 to 256 ticks."""

from experiments.studies import ANY
from experiments.studies import Study
from experiments.studies import Sweep

_IMAGES = (
  Sweep({'num_steps': (1, 4, 16)}),
  Sweep({'num_steps': (64, 256), 'window': (32,)}),
)
# The rates of a recording depend on T, and so does the ANN.
_RECORDINGS = tuple(
  Sweep({'window': (min(t, 32),)}, base={'num_steps': t})
  for t in (1, 4, 16, 64, 256)
)

STUDY = Study(
  question='How do accuracy and update error depend on spike-train length?',
  sweeps={
    'digits': _IMAGES,
    'fashion_mnist': _IMAGES,
    'n_mnist': _RECORDINGS,
    'synthetic_events/digits': _RECORDINGS,
    ANY: _IMAGES,
  },
  base={'neuron': 'stochastic', 'sampler': 'bernoulli'},
  columns=('window', 'num_steps'),
  metrics=('test_accuracy', 'update_error', 'quantisation_error'),
)
