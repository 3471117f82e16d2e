"""Panels that several figures share: curves over settings, axes and labels."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.analysis import style

# Kinds of spike trains, by their sampler.
TRAINS = {
  'bernoulli': 'random trains',
  'sobol': 'low-discrepancy trains',
}
ERROR_LABEL = "RMS distance from\nBP's gradient, relative"


def plot_differences(
  axes: Axes,
  places: Sequence[float],
  settings: Iterable[pd.DataFrame],
  baseline: pd.DataFrame,
  metric: str = 'test_accuracy',
  **look: Any,
) -> ErrorbarContainer:
  """Plots differences to a baseline in points, with their 95 % intervals."""
  numbers = [
    statistics.paired_difference(runs, baseline, metric) for runs in settings
  ]
  return plot_numbers(axes, places, numbers, **look)


def plot_numbers(
  axes: Axes,
  places: Sequence[float],
  numbers: Sequence[statistics.Number],
  **look: Any,
) -> ErrorbarContainer:
  """Plots numbers: intervals of differences, standard deviations of others."""
  bars = [
    statistics.half_width(x) if x.is_difference else x.deviation
    for x in numbers
  ]
  options = {'capsize': 3, 'markersize': 5} | look
  return axes.errorbar(places, [x.mean for x in numbers], bars, **options)


def plot_across(
  axes: Axes,
  setting: pd.DataFrame,
  label: str,
  alpha: float = 0.15,
  **look: Any,
) -> None:
  """Plots an accuracy that does not depend on the abscissa.

  Args:
    axes: the panel; its ordinate is accuracy in percent.
    setting: the runs of the ANN, or of another baseline.
    label: label of the line.
    alpha: opacity of the band of the standard deviation over seeds.
    **look: options of the line, which is the mean.
  """
  mean, deviation, *_ = statistics.percent(setting)
  if len(setting) > 1:
    band = mean - deviation, mean + deviation
    axes.axhspan(band[0], band[1], color=style.BLACK, alpha=alpha, linewidth=0)
  axes.axhline(
    mean, label=label, **{'color': style.BLACK, 'linewidth': 1} | look
  )


def label_accuracy(runs: pd.DataFrame) -> str:
  """Labels an axis of accuracies by the split or data set of the evaluation."""
  splits = {'held-out' if share else 'test' for share in runs['hold_out']}
  others = set(runs['test_dataset'])
  where = ''
  if len(others) == 1 and None not in others:
    where = f'\non {style.dataset_name(others.pop())}'
  return f'{" or ".join(sorted(splits))} accuracy{where} (%)'


def describe_seeds(runs: pd.DataFrame) -> str:
  """Describes the number of seeds of settings: 'one seed', '3 to 5 seeds'."""
  sizes = {len(setting) for setting in frames.settings(runs)}
  if sizes == {1}:
    return 'one seed'
  return f'{" to ".join(map(str, sorted({min(sizes), max(sizes)})))} seeds'


def describe_bars(runs: pd.DataFrame) -> str:
  """Describes points and bars of a figure, and the number of seeds."""
  seeds = describe_seeds(runs)
  if seeds == 'one seed':
    return seeds
  return f'mean and standard deviation (bars, bands) over {seeds}'


def set_steps(axes: Axes, steps: Iterable[int]) -> None:
  """Makes T the abscissa, with a tick at each value."""
  steps = sorted(set(steps))
  axes.set_xscale('log', base=2)
  axes.set_xticks(steps, [str(step) for step in steps])
  axes.set_xlabel('spike-train length T (ticks)')
  axes.grid(alpha=0.3)


def set_errors(axes: Axes) -> None:
  """Makes errors of an update the ordinate, on a logarithmic scale."""
  style.set_log(axes.yaxis)
  axes.set_ylabel(ERROR_LABEL)


def shade_margin(axes: Axes, margin: float) -> None:
  """Draws the ANN at zero, and an equivalence margin around it.

  Args:
    axes: the panel; its ordinate is a difference to the ANN in points.
    margin: the margin in points.
  """
  unit = 'point' if margin == 1 else 'points'
  axes.axhline(0, color=style.BLACK, linewidth=1, label='ANN (BP)')
  axes.axhspan(
    -margin,
    margin,
    color=style.BLACK,
    alpha=0.1,
    linewidth=0,
    label=f'within {margin:g} {unit} of the ANN',
  )
  axes.set_ylabel('accuracy minus\nANN (points)')
