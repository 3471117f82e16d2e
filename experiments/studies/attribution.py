"""Spikes in each pass, and the winner-take-all, exchanged for exact values."""

import itertools

from experiments.studies import Study
from experiments.studies import Sweep
from experiments.studies.tuned import TUNED

_PASSES = ('forward', 'backward', 'update')
# What is exact instead of spikes of stochastic neurons: each combination of
# passes; and of bipolar neurons one signal at a time.
_RATES = tuple(
  chosen
  for size in range(len(_PASSES) + 1)
  for chosen in itertools.combinations(_PASSES, size)
)
_STOCHASTIC = {'neuron': 'stochastic', 'sampler': 'bernoulli'}
_LONG = {'num_steps': (64,), 'window': (32,)}
# The race needs ticks: it is shown with long trains.
_RACE = {'winner': ('race',), **_LONG}
_BIPOLAR = {'num_steps': (4,), 'neuron': ('bipolar',)}
_SIGNALS = ((), ('inputs',), ('forward',), ('backward',))


def _sweep(num_seeds, **grid):
  """Sweeps a grid over T, in windows of at most 32 ticks."""
  return (
    Sweep({'num_steps': (4, 16), **grid}, num_seeds, _STOCHASTIC),
    Sweep({**_LONG, **grid}, num_seeds, _STOCHASTIC),
  )


STUDY = Study(
  question=(
    'Which use of spikes costs accuracy, and can a race of spikes replace the '
    'softmax?'
  ),
  sweeps={
    'digits': (
      *_sweep(10, winner=('softmax', 'exact')),
      Sweep(_RACE, 5, _STOCHASTIC),
    ),
    'fashion_mnist': (
      Sweep({**_BIPOLAR, 'rates': _SIGNALS}, 5, TUNED['fashion_mnist']),
      Sweep({**_BIPOLAR, 'winner': ('exact',)}, 5, TUNED['fashion_mnist']),
      *_sweep(5, rates=_RATES),
      *_sweep(5, winner=('exact',)),
      Sweep(_RACE, 3, _STOCHASTIC),
    ),
  },
  base={'diagnostics': False},
  # Races of recorded runs differ in their latency; since then it is 0.01 ticks.
  columns=(
    'neuron',
    'sampler',
    'rates',
    'winner',
    'inhibition_latency',
    'window',
    'num_steps',
    'num_epochs',
    'dropout',
    'weight_decay',
  ),
  rows=('neuron', 'rates', 'winner', 'inhibition_latency'),
  metrics=('test_accuracy', 'test_accuracy_rate'),
)
