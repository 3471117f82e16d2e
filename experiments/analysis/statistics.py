"""Statistics over seeds: means, paired differences and their tests."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

import ssnn_jax

LEVEL = 0.95  # of two-sided intervals
ERROR_RATE = 1 - LEVEL  # of one-sided tests
MIN_SEEDS = 5


class Number(NamedTuple):
  """A measured number.

  Attributes:
    mean: the mean over seeds, or the number itself.
    deviation: the standard deviation over seeds; NaN for one seed.
    num: the number of seeds; 0 for a number without uncertainty.
    is_difference: whether pages show the interval of the mean instead of the
      standard deviation over seeds.
    overlap: test samples for each training sample, where seeds are folds of
      cross-validation, which share training samples; 0 for other seeds.
  """

  mean: float
  deviation: float = math.nan
  num: int = 0
  is_difference: bool = False
  overlap: float = 0.0


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
  return _summarize(scale * runs[metric].to_numpy(float), _overlap(runs))


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
  differences = np.array([ours[seed] - theirs[seed] for seed in common])
  number = _summarize(scale * differences, _overlap(runs))
  return number._replace(is_difference=True)


def _by_seed(setting, metric):
  seeds = setting['seed'].tolist()
  if len(set(seeds)) < len(seeds):
    raise ssnn_jax.UserError(
      'two runs have equal settings and equal seeds; remove one of them.'
    )
  return dict(zip(seeds, setting[metric].to_numpy(float)))


def _summarize(values, overlap):
  num = len(values)
  deviation = float(np.std(values, ddof=1)) if num > 1 else math.nan
  return Number(float(np.mean(values)), deviation, num, overlap=overlap)


def _overlap(runs):
  """Returns the test samples for each training sample of folds, or 0."""
  if 'folds' not in runs or runs['folds'].isna().all():
    return 0.0
  return float((runs['num_eval_samples'] / runs['num_train_samples']).mean())


def ratio(runs: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> Number:
  """Returns the ratio of the means of a metric in two settings."""
  return Number(
    float(runs[metric].to_numpy(float).mean())
    / float(baseline[metric].to_numpy(float).mean())
  )


def standard_error(number: Number) -> float:
  """Returns the standard error of the mean of two or more seeds.

  The training sets of folds overlap, so that their results are correlated. With
  J folds of n_test test samples, trained on n_train samples, the variance of
  the mean is (1 / J + n_test / n_train) times that over folds instead of 1 / J
  times (C. Nadeau and Y. Bengio, "Inference for the generalization error",
  Machine Learning 52, 2003).
  """
  return number.deviation * math.sqrt(1 / number.num + number.overlap)


def half_width(number: Number) -> float:
  """Returns half the width of the interval of the mean (Student's t).

  Returns 0 for a number without uncertainty, and NaN for one seed.
  """
  if number.num == 0:
    return 0.0
  if number.num == 1:
    return math.nan
  quantile = stats.t.ppf((1 + LEVEL) / 2, number.num - 1)
  return float(quantile * standard_error(number))


def p_above(number: Number, bound: float) -> float:
  """Tests whether the mean is above a bound (one-sided, Student's t).

  Args:
    number: the measured number.
    bound: the bound.

  Returns:
    The p-value of the hypothesis that the mean is not above the bound; 0 or 1
    for a number without uncertainty, or whose seeds agree; 1 for one seed.
  """
  distance = number.mean - bound
  if number.num == 1:
    return 1.0
  if number.num == 0 or number.deviation == 0:
    return float(not distance > 0)
  return float(stats.t.sf(distance / standard_error(number), number.num - 1))


def p_below(number: Number, bound: float) -> float:
  """Tests whether the mean is below a bound; see `p_above`."""
  return p_above(number._replace(mean=-number.mean), -bound)


def p_between(number: Number, low: float, high: float) -> float:
  """Tests whether the mean is between two bounds.

  Two one-sided tests (Schuirmann 1987); bounds -m and m test the equivalence
  of two settings within the margin m.
  """
  return max(p_above(number, low), p_below(number, high))


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
    form = '+.2f' if number.is_difference and 'abs' not in words else '.2f'
  text = format(mean, form)
  spread = half_width(number) if number.is_difference else number.deviation
  if number.is_difference and number.num == 1:
    return f'{text} (one seed)'
  if 'both' not in words or number.num < 2:
    return text
  return f'{text} ± {format(spread, form.lstrip("+"))}'
