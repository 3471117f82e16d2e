"""Generic figure of a sweep: accuracy and update error against one field."""

from matplotlib import figure
import pandas as pd

from experiments.analysis import comparison_plot
from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis import grid_axis
from experiments.analysis import panels
from experiments.analysis import study as study_lib
from experiments.config import methods
from experiments.config import titles


def draw(runs: pd.DataFrame, metric: str = 'test_accuracy') -> figure.Figure:
  """Draws accuracy and update error of a sweep against its most varied field.

  Args:
    runs: the runs of the sweep.
    metric: the accuracy, one of `titles.READOUTS`.

  Returns:
    The figure: a curve for each combination of the other varied fields, and
    the ANN; differences to the ANN instead of update errors, if there are none.
  """
  axis = grid_axis.choose(frames.settings(runs))
  ann, spiking = frames.split_baseline(runs)
  is_along = axis.field == 'method' or methods.concerns(methods.ANN, axis.field)
  others = (axis.field, *axis.followers)
  named = comparisons.name_curves(spiking, *others)
  if not ann.empty:
    own = comparisons.name_curves(ann, *others)
    labels = 'ANN, ' + own['curve']
    own = own.assign(curve=labels.str.removesuffix(', SSNN'))
    named = pd.concat([own, named])
  label = panels.label_accuracy(runs)
  readout = titles.READOUTS[metric].replace(' (', '\n(')
  metrics = {f'{label},\n{readout}': comparisons.mean(metric, 100)}
  has_errors = 'update_error' in runs and spiking['update_error'].notna().any()
  if has_errors:
    metrics[panels.ERROR_LABEL] = comparisons.mean('update_error')
  elif not spiking.empty and not ann.empty:  # of a method without gradients
    metrics['minus ANN (points)'] = comparisons.minus(metric)
  kind = 'curve' if is_along or spiking.empty else 'across'
  fig = comparison_plot.draw(named, axis, 'curve', metrics, ann=kind)
  fig.axes[0].set_yscale('linear')
  return fig


def of_study(
  study: study_lib.Study, runs: pd.DataFrame
) -> figure.Figure | None:
  """Draws a record of a study; measurements have no generic figure."""
  if study.figure:
    return study.figure(runs)
  return draw(runs) if study.sweeps else None
