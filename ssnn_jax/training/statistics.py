"""Statistics over seeds: paired differences, intervals and equivalence."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_LEVEL = 0.95  # of two-sided intervals, and of each of two one-sided tests
_MIN_SEEDS = 5  # fewer seeds have no verdict


class Difference(NamedTuple):
  """Mean difference of paired accuracies, in percentage points."""

  mean: float  #: over seeds
  half_width: float  #: of the 95 % interval of the mean; NaN for one seed
  standard_error: float  #: of the mean; NaN for one seed
  num_seeds: int

  def __str__(self):
    return f'{self:.2f}'

  def __format__(self, decimals):
    decimals = decimals or '.2f'
    spread = f' ± {self.half_width:{decimals}}' if self.num_seeds > 1 else ''
    return f'{self.mean:+{decimals}}{spread}'


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

  The variance has a floor, as a few seeds may agree by chance: if a fraction p
  of the n evaluation samples is classified differently, that of a seed is about
  p / n (McNemar), and p cannot be seen below 1 / n, one sample.

  The training sets of folds of cross-validation overlap, so that their results
  are correlated: 1 / S is then replaced by 1 / S + overlap (C. Nadeau and Y.
  Bengio, "Inference for the generalization error", Machine Learning 52, 2003).

  Args:
    own: `[S]` accuracies in [0, 1], one for each seed.
    base: `[S]` accuracies of the baseline, of the same seeds.
    num_eval_samples: n, number of samples of each accuracy.
    overlap: test samples per training sample, if seeds are folds.

  Example:
    >>> statistics = ssnn_jax.training.statistics
    >>> print(statistics.paired_difference(
    ...   [0.971, 0.968, 0.973], [0.97, 0.97, 0.97], num_eval_samples=10_000))
    +0.07 ± 0.63
  """
  differences = 100 * np.subtract(own, base, dtype=np.float64)
  num_seeds, mean = len(differences), float(np.mean(differences))
  if num_seeds == 1:
    return Difference(mean, math.nan, math.nan, 1)
  deviation = max(np.std(differences, ddof=1), 100 / num_eval_samples)
  standard_error = float(deviation * math.sqrt(1 / num_seeds + overlap))
  half_width = _quantile((1 + _LEVEL) / 2, num_seeds) * standard_error
  return Difference(mean, half_width, standard_error, num_seeds)


def is_at_chance(accuracy: float, chance: float) -> bool:
  """Returns whether an accuracy is at chance, up to a fifth of it.

  That is the standard error of 256 samples of ten classes.
  """
  return bool(accuracy <= 1.2 * chance)


def verdict(difference: Difference, margin: float, unit: str = 'point') -> str:
  """Tests whether a difference is within an equivalence margin.

  Two one-sided tests (Schuirmann 1987), each at 5 %, of a margin m,
  in units of the difference, which is chosen before the results are known.

  Returns:
    'within 1 point' if the mean is significantly above -m and below m; 'not
    within' if it is significantly beyond one of them; or else 'inconclusive',
    of few seeds as 'inconclusive (4 of 5 seeds)'.
  """
  number = difference.num_seeds
  if number < _MIN_SEEDS:
    return f'inconclusive ({number} of {_MIN_SEEDS} seeds)'
  distance = margin - abs(difference.mean)
  if abs(distance) <= _quantile(_LEVEL, number) * difference.standard_error:
    return 'inconclusive'
  if distance < 0:
    return 'not within'
  return f'within {margin:g} {unit if margin == 1 else f"{unit}s"}'


def _quantile(level, num_seeds):
  """Returns a quantile of Student's t distribution."""
  from scipy import special  # imported late: a third of a second

  return float(special.stdtrit(num_seeds - 1, level))
