"""Statistics over seeds: paired differences, intervals and equivalence."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LEVEL = 0.95  # of two-sided intervals, and of each of two one-sided tests
MIN_SEEDS = 5  # fewer seeds have no verdict


class Difference(NamedTuple):
  """Mean difference of paired accuracies, in percentage points."""

  mean: float  #: over seeds
  half_width: float  #: of the 95 % interval of the mean; NaN for one seed
  standard_error: float  #: of the mean; NaN for one seed
  num_seeds: int

  def __str__(self):
    spread = f' ± {self.half_width:.2f}' if self.num_seeds > 1 else ''
    return f'{self.mean:+.2f}{spread}'


def paired_difference(
  own: npt.ArrayLike,
  base: npt.ArrayLike,
  num_eval_samples: int,
  *,
  overlap: float = 0.0,
) -> Difference:
  """Computes the mean difference of accuracies of the same seeds.

  The interval is Student's, of the differences d_1 .. d_S of S seeds:

    mean +- t(S - 1) s sqrt(1 / S),  s^2 = max(var(d), 1 / n^2).

  The variance has a floor, as a few seeds may agree by chance. The difference
  of a seed is a mean over n evaluation samples of -1, 0 or 1: 0 for a sample
  that both networks classify alike. If a fraction p of the samples is
  classified differently, the variance of this mean is about p / n (McNemar),
  and p cannot be seen below 1 / n, one sample. Hence 1 / n^2, the variance of
  one sample.

  The training sets of folds of cross-validation overlap, so that their results
  are correlated: 1 / S is then replaced by 1 / S + overlap, with the number of
  test samples per training sample (C. Nadeau and Y. Bengio, "Inference for the
  generalization error", Machine Learning 52, 2003).

  Args:
    own: `[S]` accuracies in [0, 1], one for each seed.
    base: `[S]` accuracies of the baseline, of the same seeds.
    num_eval_samples: n, number of samples of each accuracy.
    overlap: test samples per training sample, if seeds are folds.

  Returns:
    The mean difference and its interval, in percentage points.

  Example:
    >>> statistics = ssnn_jax.training.statistics
    >>> found = statistics.paired_difference(
    ...   [0.971, 0.968, 0.973], [0.97, 0.97, 0.97], num_eval_samples=10_000)
    >>> print(found)
    +0.07 ± 0.63
    >>> print(statistics.paired_difference([0.9, 0.9], [0.897, 0.897], 360))
    +0.30 ± 2.50
  """
  differences = 100 * np.subtract(own, base, dtype=np.float64)
  num_seeds, mean = len(differences), float(np.mean(differences))
  if num_seeds == 1:
    return Difference(mean, math.nan, math.nan, 1)
  deviation = max(np.std(differences, ddof=1), 100 / num_eval_samples)
  standard_error = float(deviation * math.sqrt(1 / num_seeds + overlap))
  half_width = _quantile((1 + LEVEL) / 2, num_seeds) * standard_error
  return Difference(mean, half_width, standard_error, num_seeds)


def is_within(difference: Difference, margin: float) -> bool | None:
  """Tests whether a difference is within an equivalence margin.

  Two one-sided tests (Schuirmann 1987), each at 5 %.

  Args:
    difference: the difference.
    margin: the margin m in percentage points; choose it before the results are
      known.

  Returns:
    True if the mean is significantly above -m and below m; False if the mean is
    significantly beyond one of them; None if neither is significant, or there
    are fewer than `MIN_SEEDS` seeds.
  """
  if difference.num_seeds < MIN_SEEDS:
    return None
  distance = margin - abs(difference.mean)
  bound = _quantile(LEVEL, difference.num_seeds) * difference.standard_error
  return bool(distance > 0) if abs(distance) > bound else None


def verdict(difference: Difference, margin: float) -> str:
  """Writes the result of `is_within`.

  It is 'within 1 point', 'not within', 'inconclusive', or of few seeds, as
  'inconclusive (4 of 5 seeds)'.
  """
  number = difference.num_seeds
  if number < MIN_SEEDS:
    return f'inconclusive ({number} of {MIN_SEEDS} seeds)'
  unit = 'point' if margin == 1 else 'points'
  texts = {True: f'within {margin:g} {unit}', False: 'not within'}
  return texts.get(is_within(difference, margin), 'inconclusive')


def _quantile(level, num_seeds):
  """Returns a quantile of Student's t distribution."""
  from scipy import special  # imported late: a third of a second

  return float(special.stdtrit(num_seeds - 1, level))
