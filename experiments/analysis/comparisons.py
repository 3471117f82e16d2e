"""Numbers and tables of settings compared with a baseline.

A metric is a function `(setting, baseline) -> number`. The baseline is the ANN,
or the setting that has other values of given fields. Frames may have
columns in addition to configuration fields, such as the name of a network.
"""

from collections.abc import Callable
from collections.abc import Mapping
import functools
import re
import string

import numpy as np
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis import statistics
from experiments.config import grids
from experiments.config import methods
import ssnn_jax

Metric = Callable[[pd.DataFrame, pd.DataFrame], statistics.Number]
Metrics = Mapping[str, Metric]


def minus(column: str = 'test_accuracy') -> Metric:
  """Returns the paired difference of an accuracy, in points."""
  return functools.partial(_compare, statistics.paired_difference, column)


def ratio(column: str) -> Metric:
  """Returns the ratio of means of a column."""
  return functools.partial(_compare, statistics.ratio, column)


def _compare(compute, column, runs, base):
  if base is None:
    raise ssnn_jax.UserError(
      'there is no finished ANN to compare networks with; train the ANN.'
    )
  return compute(runs, base, column)


def mean(column: str, scale: float = 1) -> Metric:
  """Returns the mean of a column, of accuracies in percent with scale 100."""
  return lambda runs, base: statistics.over_seeds(runs, column, scale)


ACCURACY = mean('test_accuracy', 100)
DIFFERENCE = {'': minus()}


def last(values: np.ndarray) -> float:
  """Returns the last value."""
  return values[-1]


def over_epochs(
  quantity: str,
  choose: Callable[[np.ndarray], float] = last,
  layer: int = 0,
) -> Metric:
  """Returns a quantity chosen over epochs, of one layer if per layer."""

  def compute(runs, base):
    del base
    values = [
      choose(np.array([np.ravel(value)[layer] for value in curves[quantity]]))
      if quantity in curves
      else np.nan
      for curves in runs['curves']
    ]
    return statistics.over_seeds(runs.assign(**{quantity: values}), quantity)

  return compute


def join(records: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
  """Joins the runs of all records of a study."""
  return pd.concat(list(records.values()), ignore_index=True)


def numbers(
  runs: pd.DataFrame, name: str, metrics: Metrics = DIFFERENCE, **baseline
) -> dict[str, statistics.Number]:
  """Compares each setting with the ANN, or with the setting of other values.

  Args:
    runs: a frame of runs; the ANN is left out if there are other methods.
    name: the name of a number, with columns and `metric` in braces.
    metrics: metrics by their names; by default accuracy differences.
    **baseline: column values of the baseline, which shares all other columns of
      `name` with the setting; by default the baseline is the ANN.

  Returns:
    The numbers by their names, in which non-alphanumeric characters are `_`.
  """
  fields = [field for _, field, *_ in string.Formatter().parse(name) if field]
  ann, chosen = frames.split_baseline(runs)
  settings = frames.settings(runs if chosen.empty else chosen)
  named = [
    {x: frames.field(setting, x) for x in fields if x != 'metric'}
    for setting in settings
  ]
  if baseline:
    bases = [frames.select(runs, **values | baseline) for values in named]
  else:
    bases = frames.find_baselines(settings, ann)
  found = {}
  for setting, values, base in zip(settings, named, bases):
    texts = {field: _write(value) for field, value in values.items()}
    for metric, compute in metrics.items():
      key = re.sub(r'\W+', '_', name.format(**texts, metric=metric))
      found[key] = compute(setting, base)
  return found


def added_numbers(
  runs: pd.DataFrame, first_seed: int, name: str
) -> dict[str, statistics.Number]:
  """Compares accuracy with the ANN by added seeds alone.

  Seeds that were added for a claim, after a look at the first ones, test the
  claim without them.

  Args:
    runs: a frame of runs, as for `numbers`.
    first_seed: the first added seed; settings without such seeds are left out.
    name: the name of a number, as for `numbers`; it gets the ending `_added`.

  Returns:
    The numbers by their names.
  """
  return numbers(runs[runs['seed'] >= first_seed], f'{name}_added')


def _write(value):
  if isinstance(value, tuple) and len(value) == 1:
    (value,) = value
  return f'{value:g}' if isinstance(value, float) else grids.label(value)


def table(runs: pd.DataFrame, metrics: Metrics) -> list[pd.DataFrame]:
  """Makes the generic table with a column for each further metric."""
  made, (ann, _) = grid_table.make(runs), frames.split_baseline(runs)
  settings = frames.settings(runs)
  bases = frames.find_baselines(settings, ann)
  for title, compute in metrics.items():
    made[title.replace('\n', ' ')] = [
      _cell(setting, compute(setting, base))
      for setting, base in zip(settings, bases)
    ]
  made['seeds'] = made.pop('seeds')
  return [made]


def _cell(setting, number):
  if number.is_difference:
    is_ann = frames.field(setting, 'method') == methods.ANN
    return '' if is_ann else statistics.write(number)
  return statistics.write(number, ',.0f' if number.mean >= 1000 else 'both .3g')
