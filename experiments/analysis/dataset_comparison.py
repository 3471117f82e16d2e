"""The default networks of several data sets, compared with their ANNs."""

from collections.abc import Mapping

from matplotlib import figure
import pandas as pd

from experiments.analysis import comparison_plot
from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis import lengths
from experiments.analysis import statistics
from experiments.config import experiment
from experiments.config import titles

_SHOWN = (4, 16, 64, 256)  # ticks, in the table


def describe(runs: pd.DataFrame) -> pd.DataFrame:
  """Adds columns that name the data set, the trains and the form of networks.

  Args:
    runs: a frame of runs.

  Returns:
    The frame with `dataset`, the name of a record; `trains`, random or sobol;
    `order` of the ticks of a recording, ordered or shuffled; and `form`, a
    prefix of names, which is empty for default layers and membranes with the
    default window or one window of all ticks.
  """
  order = runs['shuffle_ticks'].map({True: 'shuffled', False: 'ordered'})
  described = runs.assign(
    dataset=runs['dataset'].map(experiment.slug),
    trains=runs['sampler'].replace('bernoulli', 'random'),
    order=order,
  )
  return described.assign(form=described.apply(_form, axis='columns'))


def _form(run):
  if run['layer_sizes'] is not None:
    return 'wide_'
  if run['integration'] == 'leaky':
    return f'leaky_n{run["window"]}_{run["order"]}_'
  is_short = run['window'] not in (None, run['num_steps'])
  return f'n{run["window"]}_' if is_short else ''


def select_plain(runs: pd.DataFrame) -> pd.DataFrame:
  """Selects the networks whose form is empty; see `describe`."""
  return frames.select(describe(runs), form='')


def draw(
  records: Mapping[str, pd.DataFrame], margins: Mapping[str, float]
) -> figure.Figure:
  """Draws accuracy minus the ANN against T, with a panel for each data set.

  Args:
    records: the runs of each record, by its name.
    margins: equivalence margin of each record in points.

  Returns:
    The figure.
  """
  return comparison_plot.draw_side_by_side(
    {name: select_plain(runs) for name, runs in records.items()},
    'num_steps',
    'sampler',
    comparisons.minus(),
    'accuracy minus\nANN (points)',
    margins,
  )


def table(
  records: Mapping[str, pd.DataFrame], margins: Mapping[str, float]
) -> pd.DataFrame:
  """Makes the table of all data sets, with a row for each kind of trains.

  Args:
    records: the runs of each record, by its name.
    margins: equivalence margin of each record in points.

  Returns:
    Cells of text, by their headings.
  """
  rows = [
    _row(name, select_plain(runs), trains, margins[name])
    for name, runs in records.items()
    for trains in ('random', 'sobol')
  ]
  return pd.DataFrame(rows)


def _row(name, runs, trains, margin):
  """Makes the row of a data set and a kind of trains."""
  (ann,), spiking = map(frames.settings, frames.split_baseline(runs))
  differences = {
    num_steps: statistics.paired_difference(own, ann)
    for own in spiking
    if frames.field(own, 'trains') == trains
    and (num_steps := frames.field(own, 'num_steps')) in _SHOWN
  }
  cells = {t: statistics.write(x) for t, x in differences.items()}
  return {
    'data set': titles.title(name),
    'ANN, %': statistics.write(statistics.percent(ann)),
    'trains': 'low-discrepancy' if trains == 'sobol' else trains,
    **{f'T = {t}': cells.get(t, '') for t in _SHOWN},
    'verdict': lengths.compare(differences, margin),
    'seeds': str(min(x.num for x in differences.values())),
  }
