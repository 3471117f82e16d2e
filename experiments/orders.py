"""How errors of an update fall with T: what is predicted, and what is found."""

from collections.abc import Iterable
import math
from typing import NamedTuple

import numpy as np
from scipy import stats

FROM_STEPS = 16  # slopes are fitted from here up; shorter trains are coarse


class Orders(NamedTuple):
  """Powers of T that errors of an update are predicted to fall with.

  The parts of an error add in quadrature, so that of spikes throughout falls as
  something between the two, and in the end as the slower one.

  Attributes:
    chance: of the counts of coincidences, for given rates.
    kinks: of gates, where potentials are noisy: a share of neurons as large as
      that noise is near enough to a kink to be on its wrong side, and an error
      goes with the root of its share.
  """

  chance: float
  kinks: float


# Random trains: counts, and with them potentials, have a variance of 1/T.
# Low-discrepancy ones: the count of a train is within about one of T times its
# rate, and the coincidences of the two trains of the first layer, a
# (0, 2)-sequence, within about log T of theirs. So -1 holds up to logarithms,
# and from where T resolves the rates: of an error of less than 1/T spikes per
# tick there is one spike or none, as in a random train. Trains of later layers
# pair other dimensions, whose logarithms and constants are larger.
_RANDOM = Orders(chance=-1 / 2, kinks=-1 / 4)
ORDERS = {
  **dict.fromkeys(('bernoulli', 'threefry'), _RANDOM),
  'sobol': Orders(chance=-1, kinks=-1 / 2),
}


class Fit(NamedTuple):
  """A power of T that was found."""

  slope: float
  error: float  # its standard error, by how points scatter about the line


def fit(points: Iterable[tuple[int, float]]) -> Fit:
  """Fits a power law from `FROM_STEPS` up, by least squares of logarithms.

  Args:
    points: T and error of each.

  Returns:
    The slope; NaN where there are fewer than three points.
  """
  points = [(steps, error) for steps, error in points if steps >= FROM_STEPS]
  if len(points) < 3:
    return Fit(math.nan, math.nan)
  found = stats.linregress(*np.log(points).T)
  return Fit(float(found.slope), float(found.stderr))
