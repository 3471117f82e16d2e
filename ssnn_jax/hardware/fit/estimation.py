"""Maximum-likelihood estimate of the pulse response of one device.

The likelihood is that of the innovations e and their variances S
(`kalman`). If a common factor of all S is eliminated, its maximum is the
minimum of the sum of e^2 / S exp(mean(log S)), a problem of least squares that
also has a solution for readings without noise. The write noise of each pulse is
that of the previous iteration.
"""

import functools
from typing import NamedTuple

import jax
import numpy as np

from ssnn_jax.hardware.fit import kalman
from ssnn_jax.hardware.fit.kalman import Readings
from ssnn_jax.hardware.fit.kalman import Response

# Limits of the parameters except `log_noise`. A bound at _FAR clips no weight,
# both kinds of noise are at least 2% of their sum, and steps that increase
# towards a bound are estimated too, as estimates of constant steps may do so.
_FAR = 1.5
_LOW = np.array([-16, -0.9, -16, -0.9, 0.2, -_FAR, 0.02])
_HIGH = np.array([-0.02, 4, -0.02, 4, _FAR, -0.2, np.pi / 2 - 0.02])
# Where the search starts; the noise if no curve has three readings.
_DECREASES, _NOISE = (0.2, 0.9), 0.1
_ROUGH, _FINE = 1e-3, 1e-7  # relative tolerances of the search
_NUM_ROUNDS, _MAX_CHANGE = 6, 1e-2  # of the search for `log_noise`
_MIN_NOISE = 1e-9
# Parameters without information have a standard error of 10.
_PRIOR = 1e-2
_MAX_ERROR = 0.02  # standard deviation of an identified bound


class Estimate(NamedTuple):
  """Estimate of the pulse response of a device, in units of its readings."""

  response: Response
  covariance: np.ndarray  # [8, 8] of the parameters
  extremes: np.ndarray  # [2] lower and upper bound, or extreme weight
  # [2] standard deviation of a soft bound: a hard bound may be nearer
  margins: np.ndarray
  is_bound: np.ndarray  # [2] whether the readings identify the bound
  mult_noise: bool
  number: int  # of predicted readings
  deviance: float  # -2 log likelihood, up to a constant
  correlation: float  # of successive innovations: 0 if the model is true


class _Predicted(NamedTuple):
  """Predictions of N readings for parameters, and their slopes."""

  parameters: np.ndarray  # [8]
  innovations: np.ndarray  # [N]
  log_variances: np.ndarray  # [N]
  weights: np.ndarray  # [N]
  innovation_slopes: np.ndarray  # [N, 8]
  log_variance_slopes: np.ndarray  # [N, 8]

  @property
  def errors(self):
    """Innovations in units of their standard deviations."""
    return self.innovations * np.exp(-self.log_variances / 2)

  @property
  def deviance(self):
    """Returns -2 log likelihood, up to a constant."""
    return np.sum(self.errors**2 + self.log_variances)

  @property
  def number(self):
    """Number of variances with noise; clipped weights have none."""
    return max(self.log_variance_slopes[:, -1].sum() / 2, 1.0)


def estimate(readings: Readings, mult_noise: bool) -> Estimate:
  """Estimates the pulse response of a device, with 64-bit floats.

  A bound that clips weights is kept if it is significant by twice the penalty
  of the Bayesian information criterion, as the likelihood always has a maximum
  at the extreme reading.

  Args:
    readings: at least 5 readings of up pulses, and of down pulses.
    mult_noise: whether write noise is relative to the step at the present
      weight; otherwise it is relative to the step at weight 0.

  Returns:
    The estimate.
  """
  search = functools.partial(_search, readings, mult_noise)
  rough = [
    search(_start(readings, decrease), _ROUGH, _LOW, _HIGH)
    for decrease in _DECREASES
  ]
  best = min(rough, key=lambda found: found.deviance)
  low, high = _LOW, _HIGH
  best = search(best.parameters, _FINE, low, high)
  for index, far in ((4, _FAR), (5, -_FAR)):
    simple_low, simple_high = low.copy(), high.copy()
    simple_low[index], simple_high[index] = sorted((far, 0.999 * far))
    simple = search(best.parameters, _FINE, simple_low, simple_high)
    if simple.deviance - best.deviance < 2 * np.log(len(best.weights)):
      best, low, high = simple, simple_low, simple_high
  return _summarize(readings, mult_noise, best)


def _start(readings, decrease):
  """Returns parameters from pulses between -0.5 and 0.5, and differences."""
  log_steps, squares = [], []
  for is_up in (True, False):
    inside, num_curves = 0.0, 0
    for row in np.flatnonzero(readings.is_up == is_up):
      pulses = np.flatnonzero(readings.is_read[row])
      if pulses.size > 1:  # other rows have no curve
        weights = readings.weights[row, pulses]
        every = np.ptp(pulses) / (pulses.size - 1)
        inside += every * np.sum(np.abs(weights) < 0.5)
        num_curves += 1
        squares.append(np.square(np.diff(weights, 2)))
    log_steps.append(-np.log(max(inside / num_curves, 1.1)))
  # The second difference of independent numbers has 6 times their variance.
  squares = np.concatenate(squares)
  noise = np.sqrt(squares.mean() / 6) if squares.size else _NOISE
  up, down = np.clip(log_steps, -15.0, -0.1)
  log_noise = np.log(max(noise, 1e-6))
  return np.array([up, decrease, down, decrease, 1.0, -1.0, 0.8, log_noise])


def _predict(readings, profile, parameters):
  """Predicts readings, with 64-bit floats."""
  with jax.enable_x64(True):
    predicted, slopes = _differentiate(parameters, readings, profile)
  parts = [np.asarray(part).swapaxes(0, 1) for part in (*predicted, *slopes)]
  is_read = readings.is_read[:, 1:]
  return _Predicted(parameters, *(part[is_read] for part in parts))


@jax.jit
def _differentiate(parameters, readings, profile):
  """Returns the predictions, and the slopes of innovations and variances."""

  def predict(parameters):
    given = Response(*parameters), readings, Response(*profile)
    predicted = kalman.predict(*given)
    return predicted[:2], predicted

  slopes, predicted = jax.jacfwd(predict, has_aux=True)(parameters)
  return predicted, slopes


def _search(readings, mult_noise, parameters, tolerance, low, high):
  """Searches the maximum of the likelihood between limits."""
  from scipy import optimize  # imported late: a third of a second

  margin = 1e-3 * (high - low)
  x = np.clip(parameters[:-1], low + margin, high - margin)
  parameters = np.append(x, parameters[-1])
  for _ in range(_NUM_ROUNDS):
    # Steps are 1 at zeros.
    profile = parameters if mult_noise else np.zeros_like(parameters)
    predict = functools.partial(_predict, readings, profile)
    problem = _LeastSquares(predict, predict(parameters))
    x = optimize.least_squares(
      problem.residuals,
      parameters[:-1],
      problem.slopes,
      bounds=(low, high),
      x_scale='jac',
      xtol=tolerance,
      ftol=tolerance,
      max_nfev=60,
    ).x
    predicted = problem.predict(x)
    scale = np.sum(predicted.errors**2) / predicted.number
    change = 0.5 * np.log(max(scale, 1e-12))
    log_noise = max(parameters[-1] + change, np.log(_MIN_NOISE))
    parameters = np.append(x, log_noise)
    if abs(change) < _MAX_CHANGE:
      break
  return predict(parameters)


class _LeastSquares:
  """Residuals over all parameters but the noise; keeps the last prediction."""

  def __init__(self, predict, start):
    self._predict, self._last, self._number = predict, start, start.number

  def predict(self, x):
    """Returns the prediction for parameters `[7]`."""
    parameters = np.append(x, self._last.parameters[-1])
    if not np.array_equal(parameters, self._last.parameters):
      self._last = self._predict(parameters)
    return self._last

  def residuals(self, x):
    """Returns residuals `[N]`."""
    predicted = self.predict(x)
    return predicted.innovations * self._scales(predicted)

  def slopes(self, x):
    """Returns the slopes `[N, 7]` of the residuals."""
    predicted = self.predict(x)
    own = predicted.log_variance_slopes[:, :-1]
    common = own.sum(axis=0) / self._number
    slopes = predicted.innovations[:, None] * (common - own) / 2
    slopes += predicted.innovation_slopes[:, :-1]
    return slopes * self._scales(predicted)[:, None]

  def _scales(self, predicted):
    common = predicted.log_variances.sum() / self._number
    return np.exp((common - predicted.log_variances) / 2)


def _covariance(predicted):
  """Returns the inverse Fisher information of normal innovations."""
  deviations = np.exp(predicted.log_variances / 2)[:, None]
  means = predicted.innovation_slopes / deviations
  spreads = predicted.log_variance_slopes
  information = means.T @ means + spreads.T @ spreads / 2
  return np.linalg.inv(information + _PRIOR * np.eye(len(information)))


def _summarize(readings, mult_noise, predicted):
  """Makes the estimate from the prediction at the optimum."""
  response, covariance = Response(*predicted.parameters), _covariance(predicted)
  with jax.enable_x64(True):
    bounds = np.array(kalman.bounds(response))
    slopes = np.array(jax.jacfwd(kalman.bounds)(response)).T
  variances = np.einsum('pb,pq,qb->b', slopes, covariance, slopes)
  weights = np.append(readings.weights[:, 0], predicted.weights)
  reached = np.clip([weights.min(), weights.max()], *bounds)
  is_soft = np.abs([response.lower, response.upper]) > np.abs(bounds)
  margins = np.where(is_soft, np.abs(bounds - reached), 0.0)
  is_bound = variances + margins**2 <= _MAX_ERROR**2
  errors = predicted.errors
  return Estimate(
    response=response,
    covariance=covariance,
    extremes=np.where(is_bound, bounds, reached),
    margins=np.where(is_bound, margins, 0.0),
    is_bound=is_bound,
    mult_noise=mult_noise,
    number=len(errors),
    deviance=float(predicted.deviance),
    correlation=np.mean(errors[1:] * errors[:-1]) / max(np.mean(errors**2), 1),
  )
