"""Accuracy and update errors with Bernoulli trains of 1 to 256 ticks."""

from experiments.studies import ANY
from experiments.studies import Study
from experiments.studies import Sweep

_DATASETS = ('digits', 'fashion_mnist', 'n_mnist', 'synthetic_events/digits')

STUDY = Study(
  question='How do accuracy and update error depend on spike-train length?',
  sweeps=dict.fromkeys(
    (*_DATASETS, ANY),
    (
      Sweep({'num_steps': (1, 4, 16)}),
      Sweep({'num_steps': (64, 256), 'window': (32,)}),
    ),
  ),
  base={'sampler': 'bernoulli'},
  columns=('window', 'num_steps'),
  metrics=('test_accuracy', 'update_error', 'quantisation_error'),
)
