"""Statistics over seeds: means, their intervals, and tests of bounds."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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


def summarize(values: npt.ArrayLike, overlap: float = 0.0) -> Number:
  """Returns the mean and the standard deviation of the values of seeds."""
  num = len(values)
  deviation = float(np.std(values, ddof=1)) if num > 1 else math.nan
  return Number(float(np.mean(values)), deviation, num, overlap=overlap)


def paired_difference(
  values: npt.ArrayLike, baseline: npt.ArrayLike, overlap: float = 0.0
) -> Number:
  """Summarizes the differences of paired values, one of each seed.

  Args:
    values: `[S]` values.
    baseline: `[S]` values of the baseline with the same seeds.
    overlap: as of `Number`.

  Returns:
    The mean of the differences, and their standard deviation.

  Example:
    >>> statistics = ssnn_jax.training.statistics
    >>> number = statistics.paired_difference([97.1, 96.8, 97.3], [97, 97, 97])
    >>> round(number.mean, 3), round(statistics.half_width(number), 3)
    (0.067, 0.625)
  """
  differences = np.asarray(values, float) - np.asarray(baseline, float)
  return summarize(differences, overlap)._replace(is_difference=True)


def standard_error(number: Number) -> float:
  """Returns the standard error of the mean of two or more seeds.

  The training sets of folds overlap, so that their results are correlated. With
  J folds of n_test test samples, trained on n_train samples, the variance of
  the mean is (1 / J + n_test / n_train) times that over folds instead of 1 / J
  times (C. Nadeau and Y. Bengio, "Inference for the generalization error",
  Machine Learning 52, 2003).

  Args:
    number: the measured number.

  Returns:
    The standard error.
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
  from scipy import special  # imported late: a third of a second

  quantile = special.stdtrit(number.num - 1, (1 + LEVEL) / 2)
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
  ratio = distance / standard_error(number)
  from scipy import special  # imported late: a third of a second

  return float(special.stdtr(number.num - 1, -ratio))


def p_below(number: Number, bound: float) -> float:
  """Tests whether the mean is below a bound; see `p_above`."""
  return p_above(number._replace(mean=-number.mean), -bound)


def p_between(number: Number, low: float, high: float) -> float:
  """Tests whether the mean is between two bounds.

  Two one-sided tests (Schuirmann 1987); bounds -m and m test the equivalence
  of two settings within the margin m.

  Args:
    number: the measured number.
    low: the lower bound.
    high: the upper bound.

  Returns:
    The larger p-value of both tests.
  """
  return max(p_above(number, low), p_below(number, high))


def is_within(number: Number, margin: float) -> bool | None:
  """Tests whether a difference is within an equivalence margin.

  Args:
    number: the difference.
    margin: the margin m, of the bounds -m and m.

  Returns:
    True if the mean is between the bounds, by two one-sided tests; False if it
    is beyond one of them; None if the test is inconclusive.
  """
  # Few seeds may agree by chance, and then have no deviation.
  is_known = number.deviation > 0 or number.num >= MIN_SEEDS
  if is_known and p_between(number, -margin, margin) < ERROR_RATE:
    return True
  beyond = min(p_above(number, margin), p_below(number, -margin))
  return False if beyond < ERROR_RATE else None


def write_verdict(verdict: bool | None, margin: float) -> str:
  """Writes a verdict of `is_within` on a difference in points to the ANN."""
  unit = 'point' if margin == 1 else 'points'
  if verdict is None:
    return f'inconclusive (margin: {margin:g} {unit})'
  return f'{"" if verdict else "not "}within {margin:g} {unit} of the ANN'
