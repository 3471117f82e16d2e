"""Statistics over the seeds of frames of runs, with those of the library."""

import math

import numpy as np
import pandas as pd

import ssnn_jax
from ssnn_jax.training import statistics
from ssnn_jax.training.statistics import ERROR_RATE
from ssnn_jax.training.statistics import LEVEL
from ssnn_jax.training.statistics import MIN_SEEDS
from ssnn_jax.training.statistics import Number
from ssnn_jax.training.statistics import half_width
from ssnn_jax.training.statistics import is_within
from ssnn_jax.training.statistics import p_above
from ssnn_jax.training.statistics import p_below
from ssnn_jax.training.statistics import p_between
from ssnn_jax.training.statistics import standard_error
from ssnn_jax.training.statistics import summarize
from ssnn_jax.training.statistics import write_verdict

__all__ = (
  'ERROR_RATE',
  'LEVEL',
  'MIN_SEEDS',
  'Number',
  'half_width',
  'holm',
  'is_within',
  'over_seeds',
  'p_above',
  'p_below',
  'p_between',
  'paired_difference',
  'percent',
  'ratio',
  'standard_error',
  'test_set_error',
  'write',
  'write_verdict',
)


def over_seeds(runs: pd.DataFrame, metric: str, scale: float = 1.0) -> Number:
  """Summarizes a metric over the seeds of a setting.

  Args:
    runs: the runs of one setting.
    metric: the name of a column.
    scale: factor on its values.

  Returns:
    Mean and standard deviation; NaN if the runs lack the metric.
  """
  if metric not in runs:
    return Number(math.nan, math.nan, len(runs))
  return summarize(scale * runs[metric].to_numpy(float), _overlap(runs))


def percent(runs: pd.DataFrame, metric: str = 'test_accuracy') -> Number:
  """Summarizes an accuracy over the seeds of a setting, in percent."""
  return over_seeds(runs, metric, 100)


def paired_difference(
  runs: pd.DataFrame,
  baseline: pd.DataFrame,
  metric: str = 'test_accuracy',
  scale: float = 100,
) -> Number:
  """Compares two settings seed by seed.

  Args:
    runs: the runs of one setting.
    baseline: the runs of the baseline setting.
    metric: the name of a column.
    scale: factor on its values; by default accuracies are in points.

  Returns:
    The mean of the differences over common seeds, and their standard deviation.

  Raises:
    UserError: if the settings have no seed in common, or one has a seed twice.
  """
  ours, theirs = (_by_seed(own, metric) for own in (runs, baseline))
  common = [seed for seed in ours if seed in theirs]
  if not common:
    raise ssnn_jax.UserError(
      'two settings without a common seed cannot be compared; train them with '
      'the same seeds.'
    )
  own, base = ([x[seed] for seed in common] for x in (ours, theirs))
  return statistics.paired_difference(
    scale * np.array(own), scale * np.array(base), _overlap(runs)
  )


def _by_seed(setting, metric):
  seeds = setting['seed'].tolist()
  if len(set(seeds)) < len(seeds):
    raise ssnn_jax.UserError(
      'two runs have equal settings and equal seeds; remove one of them.'
    )
  return dict(zip(seeds, setting[metric].to_numpy(float)))


def _overlap(runs):
  """Returns the test samples for each training sample of folds, or 0."""
  if 'folds' not in runs or pd.isna(runs['folds'].to_numpy()).all():
    return 0.0
  return float((runs['num_eval_samples'] / runs['num_train_samples']).mean())


def ratio(runs: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> Number:
  """Returns the ratio of the means of a metric in two settings."""
  return Number(
    float(runs[metric].to_numpy(float).mean())
    / float(baseline[metric].to_numpy(float).mean())
  )


def holm(p_values: list[float]) -> list[float]:
  """Adjusts p-values for their number (Holm 1979)."""
  order = np.argsort(p_values)
  factors = len(p_values) - np.arange(len(p_values))
  ordered = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
  adjusted = np.empty(len(p_values))
  adjusted[order] = np.minimum(ordered, 1.0)
  return adjusted.tolist()


def test_set_error(accuracy: float, num_samples: int) -> float:
  """Returns the standard error of an accuracy over draws of the test set."""
  return math.sqrt(accuracy * (1 - accuracy) / num_samples)


def write(number: Number, spec: str = '') -> str:
  """Writes a number.

  Args:
    number: the number.
    spec: a format of the mean such as `.1f`, after optional words: `both` adds
      the standard deviation, or half the interval of a difference, and `abs`
      drops the sign. By default two decimals, with `both` for several seeds.

  Returns:
    The text; empty for NaN.
  """
  *words, form = spec.split() or ['both', '']
  if form in ('both', 'abs'):
    words, form = [*words, form], ''
  mean = abs(number.mean) if 'abs' in words else number.mean
  if math.isnan(mean):
    return ''
  if not form:
    # z: no negative zero
    form = '+z.2f' if number.is_difference and 'abs' not in words else 'z.2f'
  text = format(mean, form)
  spread = half_width(number) if number.is_difference else number.deviation
  if number.is_difference and number.num == 1:
    return f'{text} (one seed)'
  if 'both' not in words or number.num < 2:
    return text
  return f'{text} ± {format(spread, form.lstrip("+"))}'
