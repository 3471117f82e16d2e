"""Spikes in each pass, and the winner-take-all, exchanged for exact values."""

import itertools

from experiments.studies import Study
from experiments.studies import Sweep

_PASSES = ('forward', 'backward', 'update')
# What is exact instead of spikes: each combination of passes.
_RATES = tuple(
  chosen
  for size in range(len(_PASSES) + 1)
  for chosen in itertools.combinations(_PASSES, size)
)
_LONG = {'num_steps': (64,), 'window': (32,)}
# The race needs ticks: it is shown with long trains.
_RACE = {'winner': ('race',), **_LONG}


def _sweep(num_seeds, **grid):
  """Sweeps a grid over T, in windows of at most 32 ticks."""
  return (
    Sweep({'num_steps': (4, 16), **grid}, num_seeds),
    Sweep({**_LONG, **grid}, num_seeds),
  )


STUDY = Study(
  question=(
    'Which use of spikes costs accuracy, and can a race of spikes replace the '
    'softmax?'
  ),
  sweeps={
    'digits': (
      *_sweep(10, winner=('softmax', 'exact')),
      Sweep(_RACE, 5),
    ),
    'fashion_mnist': (
      *_sweep(5, rates=_RATES),
      *_sweep(5, winner=('exact',)),
      Sweep(_RACE, 3),
    ),
  },
  base={'sampler': 'bernoulli'},
  # Races of recorded runs differ in their latency; since then it is 0.01 ticks.
  columns=('rates', 'winner', 'inhibition_latency', 'window', 'num_steps'),
  rows=('rates', 'winner', 'inhibition_latency'),
  metrics=('test_accuracy', 'test_accuracy_rate'),
)
