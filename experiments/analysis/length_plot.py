"""Figure of a sweep over spike-train length: accuracy and update errors."""

from collections.abc import Mapping

from matplotlib import figure
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import panels
from experiments.analysis import style

_LABELS = {'bernoulli': 'random trains', 'sobol': 'low-discrepancy trains'}
_ERRORS = {'update_error': '-', 'quantisation_error': ':'}


def draw(runs: pd.DataFrame, margin: float) -> figure.Figure:
  """Draws accuracy minus that of the ANN, and update errors, against T.

  Args:
    runs: the ANN, and spiking networks that differ from it in T and sampler.
    margin: equivalence margin in points, drawn as a band.

  Returns:
    The figure.
  """
  ann, spiking = frames.split_baseline(runs)
  fig, (differences, accuracies, errors) = style.make(3)
  panels.shade_margin(differences, margin)
  panels.plot_across(accuracies, ann, 'ANN (BP)')
  curves = _split_samplers(spiking)
  for index, (sampler, settings) in enumerate(curves.items()):
    steps = [frames.field(setting, 'num_steps') for setting in settings]
    look = {
      'color': style.COLORS[index],
      'marker': style.MARKERS[index],
      'label': _LABELS.get(sampler, sampler),
    }
    drawn = [
      panels.plot_differences(differences, steps, settings, ann, **look),
      panels.plot_settings(
        accuracies, steps, settings, 'test_accuracy', 100, **look
      ),
    ]
    for name, line in _ERRORS.items():
      panels.plot_settings(
        errors, steps, settings, name, **look | {'linestyle': line}
      )
    for curve in drawn:
      style.shift_curve(curve, index, len(curves))
  accuracies.set_ylabel(panels.label_accuracy(runs))
  panels.set_errors(errors)
  errors.set_title(
    'update error (dotted: spikes in the update only)', fontsize=style.TITLE
  )
  for axes in (differences, accuracies, errors):
    panels.set_steps(axes, spiking['num_steps'])
  style.legend_below(fig, [differences])
  style.set_title(
    fig,
    style.dataset_name(frames.field(runs, 'dataset')),
    f'{panels.describe_bars(runs)}; of differences to the ANN the 95 % '
    'interval, paired by seed',
  )
  return fig


def _split_samplers(spiking: pd.DataFrame) -> Mapping[str, list[pd.DataFrame]]:
  """Returns the settings of each sampler in order of T."""
  return {
    sampler: frames.settings(frames.select(spiking, sampler=sampler))
    for sampler in sorted(set(spiking['sampler']))
  }
