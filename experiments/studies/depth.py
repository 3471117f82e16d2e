"""One to seven hidden layers with equal numbers of parameters."""

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
_DEEPER = {  # the rate is not tuned, but that of four hidden layers
  (784, *(147,) * 5, 10): 0.2,
  (784, *(129,) * 7, 10): 0.2,
}


def _sweeps(grid, num_seeds, rates=_RATES, **base):
  """Sweeps a grid for each depth."""
  return tuple(
    Sweep(
      grid, num_seeds, {'layer_sizes': sizes, 'learning_rate': rate, **base}
    )
    for sizes, rate in rates.items()
  )


_STOCHASTIC = {'timing': ('realtime',), 'neuron': ('stochastic',)}
_FIRES = {'timing': ('realtime',), 'neuron': ('integrate_and_fire',)}
_SWEEPS = (
  *_sweeps({'num_steps': (16,), 'sampler': ('sobol', 'bernoulli')}, 5),
  *_sweeps(
    {'num_steps': (64,), 'window': (32,), 'sampler': ('sobol', 'bernoulli')}, 5
  ),
  *_sweeps({'num_steps': (16, 64), **_STOCHASTIC}, 3, num_epochs=5),
  *_sweeps({'num_steps': (16, 64), **_FIRES}, 5, num_epochs=5),
  *_sweeps({'num_steps': (64,), **_FIRES}, 5, _DEEPER, num_epochs=5),
)

STUDY = Study(
  question='Does accuracy fall behind the ANN as networks become deeper?',
  sweeps={'fashion_mnist': _SWEEPS, 'mnist': _SWEEPS},
  columns=(
    'layer_sizes',
    'timing',
    'neuron',
    'sampler',
    'window',
    'num_steps',
    'num_epochs',
    'learning_rate',
  ),
  rows=('timing', 'neuron', 'layer_sizes'),
  margin=0.5,
  shown={'sampler': 'sobol'},  # the others are in the CSV file
  drawn={'timing': 'realtime'},
  figure='points',
)
