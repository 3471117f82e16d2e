"""Accuracy lost to spikes in the forward pass, backward pass and update."""

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_USES = ('forward', 'backward', 'update')
_READOUTS = {
  'counts': 'test_accuracy',
  'potential': 'test_accuracy_potential',
  'ann': 'test_accuracy_rate',
}
_METRICS = {
  name: comparisons.minus(column) for name, column in _READOUTS.items()
}


_SHORT = {'forward': 'F', 'backward': 'B', 'update': 'U'}


def _name_uses(runs):
  """Adds a column with the uses of spikes instead of exact rates."""
  return runs.assign(
    uses=[
      ', '.join(use for use in _USES if run[use] == 'spikes') or 'none'
      for run in runs[list(_USES)].to_dict('records')
    ]
  )


def _draw(runs):
  """Draws each readout against the uses of spikes, fewest uses first."""
  named = _name_uses(runs)
  uses = sorted(set(named['uses']) - {'none'}, key=len)
  names = {use: '+'.join(_SHORT[x] for x in use.split(', ')) for use in uses}
  names = {'none': 'none'} | names
  column = 'spikes in the forward pass (F), backward pass (B) and update (U)'
  named = named.assign(**{column: named['uses'].map(names)})
  axis = figures.GridAxis(column, list(names.values()), is_numeric=False)
  metrics = {
    figures.difference_label(_READOUTS[name]): metric
    for name, metric in _METRICS.items()
  }
  return figures.draw(named, axis, 'num_steps', metrics)


def _numbers(records):
  runs = _name_uses(records['fashion_mnist'])
  _, spiking = frames.split_baseline(runs)
  ending = 't{num_steps}_by_{metric}'
  return comparisons.numbers(
    runs, '{uses}_' + ending, _METRICS
  ) | comparisons.numbers(
    spiking, '{uses}_minus_forward_' + ending, _METRICS, uses='forward'
  )


STUDY = Study(
  question='Which use of spikes costs accuracy?',
  sweeps={
    'fashion_mnist': (
      Sweep(
        {'num_steps': (4, 16, 64), **dict.fromkeys(_USES, ('spikes', 'rates'))},
      ),
    ),
  },
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'At T = 4 on Fashion-MNIST, weights trained with spikes in the update '
      'only are less accurate than weights trained with spikes in the forward '
      'pass only, both with the ANN readout.',
      ('update_minus_forward_t4_by_ann',),
      below=0,
    ),
  ),
  text="""
Exact rates replace spikes in the forward pass, the backward pass or the update,
in all combinations. Of the readouts, the ANN readout (exact rates, same
weights) isolates the accuracy lost in learning.

With 4 ticks, the spike-count readout loses {none_t4_by_counts:abs .1f} points
even if all other spikes are replaced by rates. By final potential, spikes in
the forward pass cost {forward_t4_by_potential:abs .1f} points, in the update
{update_t4_by_potential:abs .1f} and in the backward pass
{backward_t4_by_potential:abs .1f}, which nearly add up to the
{forward_backward_update_t4_by_potential:abs .1f} points of all three. With the
ANN readout, all three cost {forward_backward_update_t4_by_ann:abs .1f} points,
most of which is due to the discrete update ({update_t4_by_ann:abs .1f}); the
forward pass costs {forward_t4_by_ann:abs .1f}.

With 64 ticks no single use has a significant effect; all three together cost
{forward_backward_update_t64_by_potential:abs .1f} points. With few ticks,
a chip should thus spend precision on the update first, and least on the errors
of the backward pass.
""",
)
