"""Recordings of all images of MNIST by a simulated event camera."""

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep
from experiments.studies import datasets
from experiments.studies import parity

_NAME = 'synthetic_events/mnist'
# The rate of a sample was tuned for the ANN on 12,000 of the recordings.
_BASE = {'batch_size': 128, 'num_epochs': 5, 'learning_rate': 0.4}
_LENGTHS = 64, 256  # ticks
_SHORT = 8  # ticks of a window


def _describe(runs):
  """Adds the form of windows: short ones, or one whole recording."""
  forms = {True: f'n = {_SHORT}', False: 'n = T'}
  return runs.assign(form=(runs['window'] == _SHORT).map(forms))


def _numbers(records):
  runs = comparisons.join(records)
  runs = runs.assign(
    form=(runs['window'] == _SHORT).map({True: 'n8', False: 'whole'})
  )
  ann, _ = frames.split_baseline(runs)
  return comparisons.numbers(ann, 'ann', {'': comparisons.ACCURACY}) | (
    comparisons.numbers(
      runs, '{form}_t{num_steps}_by_{metric}', parity.READOUTS
    )
  )


def _draw(runs):
  panels = {figures.difference_label(): comparisons.minus()}
  named = _describe(runs)
  return figures.draw(named, 'num_steps', 'form', panels, datasets.MARGIN)


STUDY = Study(
  question='Do spikes match the ANN on tens of thousands of recordings?',
  sweeps={
    _NAME: tuple(
      Sweep(
        {'num_steps': (t,), 'window': (_SHORT, t), 'sampler': ('sobol',)},
        base=_BASE,
      )
      for t in _LENGTHS
    )
  },
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      f'On simulated recordings of MNIST with {_LENGTHS[0]} and {_LENGTHS[1]} '
      f'ticks, in windows of {_SHORT} ticks and of a whole recording, accuracy '
      f'is within {datasets.MARGIN} points of the ANN.',
      tuple(
        f'{form}_t{t}_by_counts' for t in _LENGTHS for form in ('n8', 'whole')
      ),
      within=datasets.MARGIN,
    ),
  ),
)
