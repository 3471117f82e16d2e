"""Other training methods compared with the spiking network."""

from experiments.studies import ANY
from experiments.studies import Study
from experiments.studies import Sweep

_METHODS = (
  'bp',
  'ssnn',
  'feedback_alignment',
  'rpu',
  'surrogate_gradient',
  'bp_stdp',
)

STUDY = Study(
  question='How do accuracies compare with those of other training methods?',
  sweeps=dict.fromkeys(
    ('digits', 'fashion_mnist', ANY),
    (
      Sweep({'method': _METHODS, 'num_steps': (16,)}),
      Sweep({'method': _METHODS, 'num_steps': (64,), 'window': (32,)}),
    ),
  ),
  base={'neuron': 'stochastic', 'sampler': 'bernoulli'},
  columns=('window', 'num_steps'),
  rows=('method',),
)
