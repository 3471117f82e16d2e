"""Accuracy lost to spikes in the forward pass, backward pass and update."""

from collections.abc import Mapping
import itertools

from matplotlib import figure
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import panels
from experiments.analysis import statistics
from experiments.analysis import style
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_USES = ('forward', 'backward', 'update')
# All sets of uses of spikes, smallest first.
_SETS = tuple(
  uses
  for size in range(len(_USES) + 1)
  for uses in itertools.combinations(_USES, size)
)
_STEPS = (4, 16, 64)
_READOUTS = {
  'counts': 'test_accuracy',
  'potential': 'test_accuracy_potential',
  'ann': 'test_accuracy_rate',
}
_SHIFT = 0.2  # of readouts, so that no bar hides another one


def _label(uses: tuple[str, ...]) -> str:
  return 'all three' if uses == _USES else ', '.join(uses) or 'none'


def _select(runs: pd.DataFrame, t: int, uses: tuple[str, ...]) -> pd.DataFrame:
  """Selects the setting with spikes in the given uses, else exact rates."""
  values = {use: 'spikes' if use in uses else 'rates' for use in _USES}
  return frames.select(runs, method='ssnn', num_steps=t, **values)


def table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes a table of differences to the ANN, one row a set of uses."""
  ann, _ = frames.split_baseline(runs)
  rows = []
  for metric, uses in itertools.product(_READOUTS.values(), _SETS):
    row = {'readout': frames.ACCURACIES[metric], 'spikes in': _label(uses)}
    for t in _STEPS:
      number = statistics.paired_difference(_select(runs, t, uses), ann, metric)
      row[f'minus ANN, T = {t} (95 %)'] = statistics.write(number)
    rows.append(row)
  return [pd.DataFrame(rows)]


def draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws differences to the ANN by uses of spikes, a panel for each T."""
  ann, _ = frames.split_baseline(runs)
  fig, grid = style.make(len(_STEPS), sharex=True)
  places = range(len(_SETS))
  for axes, t in zip(grid, _STEPS):
    settings = [_select(runs, t, uses) for uses in _SETS]
    for index, metric in enumerate(_READOUTS.values()):
      label, color, marker = panels.READOUTS[metric]
      panels.plot_differences(
        axes,
        [place + _SHIFT * (index - 1) for place in places],
        settings,
        ann,
        metric,
        color=color,
        marker=marker,
        linestyle='none',
        label=label,
      )
    axes.axhline(0, color=style.BLACK, linewidth=1, label='ANN (BP)')
    axes.set_title(f'T = {t}', fontsize=style.TITLE)
    axes.set_ylabel('accuracy minus\nANN (points)')
    axes.grid(alpha=0.3)
  labels = [_label(uses) for uses in _SETS]
  grid[-1].set_xticks(places, labels, rotation=40, ha='right')
  grid[-1].set_xlabel('spikes in')
  style.legend_below(fig, grid[-1:])
  style.set_title(
    fig,
    style.dataset_name(frames.field(runs, 'dataset')),
    f'mean over {panels.describe_seeds(runs)} and 95 % interval, paired by '
    'seed',
  )
  return fig


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Computes differences to the ANN, and of the update to the forward pass."""
  runs, found = records['fashion_mnist'], {}
  ann, _ = frames.split_baseline(runs)
  for t, (readout, metric) in itertools.product(_STEPS, _READOUTS.items()):
    for uses in _SETS:
      name = '_'.join(uses) or 'none'
      found[f'{name}_t{t}_by_{readout}'] = statistics.paired_difference(
        _select(runs, t, uses), ann, metric
      )
    found[f'update_minus_forward_t{t}_by_{readout}'] = (
      statistics.paired_difference(
        _select(runs, t, ('update',)), _select(runs, t, ('forward',)), metric
      )
    )
  return found


STUDY = Study(
  question='Which use of spikes costs accuracy?',
  sweeps={
    'fashion_mnist': (
      Sweep(
        {'num_steps': _STEPS, **dict.fromkeys(_USES, ('spikes', 'rates'))},
      ),
    ),
  },
  table=table,
  figure=draw,
  numbers=numbers,
  claims=(
    Claim(
      'At T = 4 on Fashion-MNIST, weights trained with spikes in the update '
      'alone are less accurate than weights trained with spikes in the forward '
      'pass alone, both read as an ANN.',
      ('update_minus_forward_t4_by_ann',),
      below=0,
    ),
  ),
  text="""
Exact rates replace spikes in the forward pass, the backward pass or the update,
in all combinations. Networks are read by the winners of T ticks, by the final
potential, and as an ANN with the same weights, which shows how much accuracy
learning alone has lost.

With 4 ticks, counting four winners loses {none_t4_by_counts:abs .1f} points
even without any other spikes. Read by potential, spikes in the forward pass
cost {forward_t4_by_potential:abs .1f} points, in the update
{update_t4_by_potential:abs .1f} and in the backward pass
{backward_t4_by_potential:abs .1f}, which nearly add up to the
{forward_backward_update_t4_by_potential:abs .1f} points of all three.

Read as an ANN, all three cost {forward_backward_update_t4_by_ann:abs .1f}
points with 4 ticks, most of which is due to the discrete update
({update_t4_by_ann:abs .1f}). Spikes in the forward pass cost
{forward_t4_by_ann:abs .1f} points of learning only: the rest of their cost is
noise of the readout, which more ticks at inference would remove.

With 16 ticks and read by potential, the forward pass and the update cost
{forward_t16_by_potential:abs .1f} and {update_t16_by_potential:abs .1f} points,
and the effect of the backward pass is not significant. With 64 ticks no single
use has a significant effect; all three together cost
{forward_backward_update_t64_by_potential:abs .1f} points. So when T is small, a
chip should spend precision on the update first, which limits learning; the
errors of the backward pass need the least.
""",
)
