"""Convolutional networks compared with the ANN of the same layers."""

from experiments.analysis import comparison_plot
from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import titles
from experiments.config.grids import Sweep

_MARGIN = 0.3  # points
_SMALL = 'conv16k5s2', 'conv32k5s2', '10'
_LARGE = 'conv32k5s2p2', 'conv64k5s2p2', '256', '10'
_DEEP = 'conv16k3s2p1', 'conv32k3s2p1', 'conv32k3s2p1', '10'
_NETWORKS = {_SMALL: 'small', _LARGE: 'large', _DEEP: 'deep'}
_LENGTHS = {'num_steps': (4, 16, 64), 'sampler': ('bernoulli', 'sobol')}
# The small network is tuned in the study `tuning`.
_BASE = {'batch_size': 128, 'learning_rate': 0.5, 'dropout': 0.1}
_CHOSEN = {
  ('small', 'mnist'): {'num_epochs': 6, 'learning_rate': 1.0},
  ('small', 'fashion_mnist'): {'num_epochs': 10},
  ('large', 'mnist'): {'num_epochs': 6},
  ('large', 'fashion_mnist'): {'num_epochs': 15},
  ('deep', 'fashion_mnist'): {'num_epochs': 6},
}
_REGULARIZED = {'dropout': 0.3, 'weight_decay': 1e-4}
_PER_LAYER = {
  'saturation': 'saturation_bias',
  'clipped': 'clipped_error_fractions',
  'deviation': 'update_deviation',
}


def _describe(runs):
  """Adds columns that name the network and its curve in figures."""
  network = [_NETWORKS[layers] for layers in runs['layers']]
  runs = runs.assign(network=network, gain_of_errors=runs['gain'])
  kinds = runs['sampler'].map({'bernoulli': 'random', 'sobol': 'Sobol'})
  is_ann = runs['method'] == 'bp'
  curve = (runs['network'] + ', ' + kinds).where(~is_ann, runs['network'])
  return runs.assign(curve=curve)


def _select_lengths(runs):
  """Selects the small and the large network with the default gain."""
  runs = _describe(runs)
  return frames.select(runs[runs['network'] != 'deep'], gain=(1.0,))


def _draw(runs):
  """Draws accuracy and the errors of updates against T."""
  metrics = {
    'accuracy minus\nANN (points)': comparisons.minus(),
    'update error': comparisons.mean('update_error'),
    'bias by saturation,\nfirst layer': comparisons.over_epochs(
      'saturation_bias'
    ),
  }
  return comparison_plot.draw(
    _select_lengths(runs), 'num_steps', 'curve', metrics, margin=_MARGIN
  )


def _numbers(records):
  runs = _describe(comparisons.join(records))
  ann, spiking = frames.split_baseline(runs)
  numbers, name = comparisons.numbers, '{dataset}_{network}'
  trains = f'{name}_{{sampler}}'
  accuracy = {'': comparisons.ACCURACY}
  plain = frames.select(spiking, gain=(1.0,))
  found = (
    numbers(ann, f'{name}_ann', accuracy)
    | numbers(plain, f'{trains}_t{{num_steps}}', accuracy)
    | numbers(runs, f'{trains}_minus_ann_t{{num_steps}}_gain{{gain}}')
  )
  return found | _numbers_per_layer(spiking, f'{trains}_t{{num_steps}}')


def _numbers_per_layer(spiking, name):
  """Returns saturation and noise of each layer after the last epoch."""
  found = {}
  for own in ('small', 'large', 'deep'):
    runs = frames.select(spiking, network=own)
    num_layers = len(frames.field(runs, 'layers'))
    for layer in range(num_layers - 1):  # output errors do not saturate
      metrics = {
        f'{short}{layer + 1}': comparisons.over_epochs(quantity, layer=layer)
        for short, quantity in _PER_LAYER.items()
      }
      found |= comparisons.numbers(
        runs, f'{name}_gain{{gain}}_{{metric}}', metrics
      )
  return found


def _make_sweep(dataset, layers, num_seeds, grid, **base):
  """Makes a sweep whose last epoch measures the errors of updates."""
  chosen = _CHOSEN[_NETWORKS[layers], dataset]
  chosen = chosen | {'layers': layers, 'probe_every': chosen['num_epochs']}
  return Sweep(grid, num_seeds, _BASE | chosen | base)


def _select_sobol(*all_steps):
  return {'num_steps': all_steps, 'sampler': ('sobol',)}


def _make_sweeps(dataset):
  """Makes the sweeps of the small and of the large network."""
  return (
    _make_sweep(dataset, _SMALL, 5, _LENGTHS),
    _make_sweep(dataset, _LARGE, 5, _select_sobol(32), **_REGULARIZED),
  )


_GAINS = {**_select_sobol(16), 'gain': ((0.25,), (4.0,))}
_OF_DEEP = {**_LENGTHS, 'num_steps': (16,), 'gain': ((0.25,), (1.0,))}


def _claim_parity(dataset):
  return Claim(
    'With two convolutions and low-discrepancy trains of 64 ticks, accuracy on '
    f'{titles.title(dataset)} is within 0.3 points of the tuned ANN.',
    (f'{dataset}_small_sobol_minus_ann_t64_gain1',),
    within=_MARGIN,
  )


STUDY = Study(
  question='Do convolutions that learn by spikes alone match their ANN?',
  sweeps={
    'mnist': _make_sweeps('mnist'),
    'fashion_mnist': (
      *_make_sweeps('fashion_mnist'),
      # More seeds for the claim of equivalence.
      _make_sweep('fashion_mnist', _SMALL, 8, _select_sobol(64)),
      _make_sweep('fashion_mnist', _SMALL, 3, _GAINS),
      _make_sweep('fashion_mnist', _DEEP, 2, _OF_DEEP),
    ),
  },
  curves=tuple(_PER_LAYER.values()),
  figure=_draw,
  numbers=_numbers,
  claims=tuple(map(_claim_parity, ('mnist', 'fashion_mnist'))),
  text="""
""",
)
