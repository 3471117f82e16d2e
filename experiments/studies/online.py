"""Learning from one sample after another, as a chip does."""

from experiments.studies import Study
from experiments.studies import Sweep

# The default batch size and learning rate of each data set.
_DEFAULTS = {'digits': (32, 1.0), 'fashion_mnist': (128, 0.5)}


def _sweeps(dataset, sizes, num_seeds):
  """Sweeps batch sizes, with the same learning rate for each sample."""
  default, rate = _DEFAULTS[dataset]
  return tuple(
    Sweep(
      grid,
      num_seeds,
      {
        'batch_size': size,
        'learning_rate': size * rate / default,
        'neuron': 'stochastic',
        'sampler': 'bernoulli',
      },
    )
    for size in sizes
    for grid in ({'num_steps': (16,)}, {'num_steps': (64,), 'window': (32,)})
  )


_SINGLE = {'batch_size': 1, 'learning_rate': 1 / 256, 'num_epochs': 5}
_BIPOLAR = {'neuron': ('bipolar',), 'sampler': ('regular',)}

STUDY = Study(
  question='Is learning sample by sample as accurate as in minibatches?',
  sweeps={
    'digits': _sweeps('digits', (1, 4, 16, 32, 64), 5),
    'fashion_mnist': (
      *_sweeps('fashion_mnist', (1, 8, 128), 3),
      Sweep({'num_steps': (8,), **_BIPOLAR}, 3, _SINGLE),
    ),
  },
  columns=(
    'neuron',
    'sampler',
    'window',
    'num_steps',
    'batch_size',
    'num_epochs',
    'learning_rate',
  ),
  rows=('neuron', 'sampler', 'num_steps', 'num_epochs'),
  across='batch_size',
)
