"""Convergence of update errors with T: predicted, fitted and interpolated."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

FROM_STEPS = 16  # rates are fitted from this T up; shorter trains are coarse


class ConvergenceRates(NamedTuple):
  """Predicted powers of T with which errors of an update fall.

  The two errors add in quadrature, so that the error with spikes throughout
  falls with a power between the two, and with the slower one in the limit.

  Attributes:
    sampling: of the counts of coincidences, for given rates.
    gating: of gates of noisy potentials. The share of neurons that are close
      enough to a kink of the firing function to be on its wrong side is
      proportional to the noise, and the error to the root of the share.
  """

  sampling: float
  gating: float


# Counts of random trains, and the potentials made of them, have a variance of
# order 1 / T. The count of a low-discrepancy train is within about one spike of
# T times its rate, and the coincidences of the two trains of the first layer, a
# (0, 2)-sequence, are within about log T of T times their product. So the rate
# is -1 up to logarithms, and from where T resolves the rates: an error of less
# than 1 / T spikes per tick has one spike or none, as in a random train. Trains
# of later layers pair other dimensions, with larger logarithms and constants.
_RANDOM = ConvergenceRates(sampling=-1 / 2, gating=-1 / 4)
RATES = {
  'bernoulli': _RANDOM,
  'threefry': _RANDOM,
  'sobol': ConvergenceRates(sampling=-1, gating=-1 / 2),
}


class Fit(NamedTuple):
  """A fitted power of T, and its standard error."""

  power: float
  error: float


def fit(errors: pd.Series) -> Fit:
  """Fits a power law from `FROM_STEPS` up, by least squares of logarithms.

  Args:
    errors: the error by T.

  Returns:
    The power; NaN for fewer than three points.
  """
  errors = errors[errors.index >= FROM_STEPS]
  if len(errors) < 3:
    return Fit(math.nan, math.nan)
  found = stats.linregress(np.log(errors.index), np.log(errors))
  return Fit(float(found.slope), float(found.stderr))


def find_steps(errors: pd.Series, target: float) -> float:
  """Returns the T at which errors fall to a target.

  Args:
    errors: the error by T, in order of T; between its values a power law.
    target: the target.

  Returns:
    T; NaN if the errors do not fall from above the target to below it.
  """
  points = list(errors.items())
  for (t, error), (next_t, next_error) in zip(points, points[1:]):
    if error >= target >= next_error:
      return interpolate(pd.Series({next_error: next_t, error: t}), target)
  return math.nan


def interpolate(values: pd.Series, place: float) -> float:
  """Interpolates values by their index on logarithmic axes, or returns NaN."""
  if math.isnan(place) or len(values) < 2:
    return math.nan
  logs = np.log(values.index), np.log(values)
  return float(np.exp(np.interp(np.log(place), *logs)))
