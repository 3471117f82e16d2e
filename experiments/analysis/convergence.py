"""Convergence of update errors with T: predicted, fitted and interpolated."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

FROM_STEPS = 16  # rates are fitted from this T up; shorter trains are coarse
TARGET_ERROR = 0.25
TIMED_WINDOW = 32  # of the benchmark
_WINDOWS = (1, 4, 32, None)  # None is T
_WHOLE = ('num_steps', 'window', 'train_steps', 'num_draws')


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


class Curve(NamedTuple):
  """Errors of a network, sampler and window against T.

  Attributes:
    network: layer sizes, as text.
    sampler: the sampler.
    window: the window, or None if it is T.
    lines: a line for each T, in order, with `ratio_to_bp`, NaN if not timed.
  """

  network: str
  sampler: str
  window: int | None
  lines: pd.DataFrame

  def target(self) -> tuple[float, float]:
    """Returns T and the time in steps of BP at which the target is reached."""
    lines = self.lines.set_index('num_steps')
    steps = find_steps(lines['error'], TARGET_ERROR)
    times = lines['ratio_to_bp'].dropna()
    return steps, interpolate(times, steps)


def collect_curves(lines: pd.DataFrame) -> list[Curve]:
  """Collects the curves of each network, sampler and window.

  Args:
    lines: lines of `experiments.measurements.fidelity`, and of
      `experiments.benchmark` for the time of a step.

  Returns:
    The curves, small networks first; a window that is longer than T is T.
  """
  networks = ['-'.join(map(str, sizes)) for sizes in lines['layer_sizes']]
  lines = lines.assign(network=networks)
  times = {}
  if 'ratio_to_bp' in lines:
    is_timed = lines['ratio_to_bp'].notna()
    times = _times(lines[is_timed])
    lines = lines[~is_timed]
  lines = lines.astype(dict.fromkeys(_WHOLE, int))
  curves = []
  groups = lines.sort_values('num_steps').groupby(['network', 'sampler'])
  for (network, sampler), own in groups:
    for window in _WINDOWS:
      own_steps = own['num_steps']
      longest = own_steps.clip(upper=window) if window else own_steps
      curve = own[own['window'] == longest].copy()
      own_times = times if window == TIMED_WINDOW else {}
      curve['ratio_to_bp'] = [
        own_times.get((network, sampler, t), math.nan)
        for t in curve['num_steps']
      ]
      if len(curve):
        curves.append(Curve(network, sampler, window, curve))
  return sorted(curves, key=lambda curve: len(curve.network))


def _times(timed):
  """Returns the time of a step in steps of BP by network, sampler and T."""
  columns = 'network', 'sampler', 'num_steps', 'ratio_to_bp'
  rows = zip(*(timed[column] for column in columns))
  return {tuple(key): ratio for *key, ratio in rows}
