"""One to four hidden layers with equal numbers of parameters."""

from experiments.studies import Study
from experiments.studies import Sweep

# As many parameters as 784-256-10 within 0.5 %, with the learning rate that is
# best for the ANN on held-out images.
_RATES = {
  (784, 256, 10): 0.5,
  (784, 204, 204, 10): 0.5,
  (784, 177, 177, 177, 10): 0.5,
  (784, 159, 159, 159, 159, 10): 0.2,
}


def _sweeps(grid, num_seeds):
  """Sweeps a grid for each depth."""
  return tuple(
    Sweep(grid, num_seeds, {'layer_sizes': sizes, 'learning_rate': rate})
    for sizes, rate in _RATES.items()
  )


_BIPOLAR = {'neuron': ('bipolar',), 'sampler': ('regular',)}
_STOCHASTIC = {'neuron': ('stochastic',), 'sampler': ('sobol', 'bernoulli')}
_DRAWN = (
  *_sweeps({'num_steps': (16,), **_STOCHASTIC}, 5),
  *_sweeps({'num_steps': (64,), 'window': (32,), **_STOCHASTIC}, 5),
)

_SETTLED = _sweeps({'num_steps': (8, 16, 64), **_BIPOLAR}, 5)

STUDY = Study(
  question='Does accuracy fall behind the ANN as networks become deeper?',
  sweeps={'fashion_mnist': (*_SETTLED, *_DRAWN), 'mnist': _DRAWN},
  columns=(
    'layer_sizes',
    'neuron',
    'sampler',
    'window',
    'num_steps',
    'learning_rate',
  ),
  rows=('neuron', 'layer_sizes'),
  margin=0.5,
  shown={'sampler': ('regular', 'sobol')},  # the others are in the CSV file
  figure='points',
)
