"""Prediction of the readings of a device from its previous readings.

Write noise of pulses persists, read noise does not. A Kalman filter separates
both: its innovations, the errors of the predictions, are uncorrelated, so that
their variances give the likelihood of the parameters (L. Ljung, "System
identification: theory for the user", 1999). Weights are normally distributed
before they are clipped at the bounds.
"""

from typing import NamedTuple

import jax
from jax import numpy as jnp
from jax.scipy.stats import norm

_RESOLUTION = 1e-4  # of readings, so that no variance is 0
_MIN_FACTOR = 1e-3  # of one pulse, on the distance to the point of no steps


class Readings(NamedTuple):
  """Readings of C curves of a device, scaled so that their extremes are -1, 1.

  Curves are padded to a common number P of pulses.
  """

  weights: jax.Array  # [C, P] weight after pulses 0, 1, ..., P - 1
  is_read: jax.Array  # [C, P] whether the weight was read after the pulse
  is_up: jax.Array  # [C] whether the pulses of the curve are up pulses


class Response(NamedTuple):
  """Parameters of the pulse response of a device, in units of `Readings`."""

  log_up: jax.Array  # logarithm of the up step at weight 0
  decrease_up: jax.Array  # relative decrease of the up step from 0 to 1
  log_down: jax.Array
  decrease_down: jax.Array  # from 0 to -1
  upper: jax.Array  # bounds, where the steps are not 0 before
  lower: jax.Array
  angle: jax.Array  # arctangent of the write noise of a pulse over read noise
  log_noise: jax.Array  # logarithm of the square root of both variances' sum


class Prediction(NamedTuple):
  """Predictions of all but the first readings; 0 where there is no reading."""

  innovations: jax.Array  # [P - 1, C] reading minus prediction
  log_variances: jax.Array  # [P - 1, C] of the innovations
  weights: jax.Array  # [P - 1, C] estimates, which include the reading


def bounds(response: Response) -> tuple[jax.Array, jax.Array]:
  """Returns the lower and the upper bound, where steps are 0 at the latest."""
  upper = 1 / jnp.maximum(response.decrease_up, 1e-9)
  lower = -1 / jnp.maximum(response.decrease_down, 1e-9)
  lower = jnp.maximum(response.lower, lower)
  return lower, jnp.minimum(response.upper, upper)


def steps(
  response: Response, weight: jax.Array | float
) -> tuple[jax.Array, jax.Array]:
  """Returns the up and the down step at a weight."""
  return (
    jnp.exp(response.log_up) * (1 - response.decrease_up * weight),
    jnp.exp(response.log_down) * (1 + response.decrease_down * weight),
  )


def write_noise(response: Response) -> jax.Array:
  """Returns the write noise of a pulse, relative to the mean step at 0."""
  noise = jnp.exp(response.log_noise) * jnp.sin(response.angle)
  return 2 * noise / sum(steps(response, 0.0))


def read_noise(response: Response) -> jax.Array:
  """Returns the standard deviation of a reading."""
  noise = jnp.exp(response.log_noise) * jnp.cos(response.angle)
  return jnp.hypot(noise, _RESOLUTION)


def predict(
  response: Response, readings: Readings, profile: Response
) -> Prediction:
  """Predicts each reading of a device from the previous ones of its curve.

  Args:
    response: parameters of the device.
    readings: its readings; there is no prediction of the first of a curve.
    profile: response whose steps write noise is proportional to, of which only
      ratios matter; a fixed one, so that noise does not bias the steps.

  Returns:
    The predictions.
  """
  is_up = readings.is_up
  sign = jnp.where(is_up, 1.0, -1.0)
  step = jnp.exp(jnp.where(is_up, response.log_up, response.log_down))
  decrease = jnp.where(is_up, response.decrease_up, response.decrease_down)
  factor = jnp.maximum(1 - step * decrease, _MIN_FACTOR)
  noise = jnp.exp(response.log_noise) * jnp.sin(response.angle)
  noise *= 2 / sum(steps(profile, 0.0))
  read = read_noise(response) ** 2
  low, high = bounds(response)

  def pulse(state, reading):
    mean, variance = state
    weight, is_read = reading
    present = step * (1 - decrease * sign * mean)
    variance = variance * factor**2
    variance += (noise * jnp.where(is_up, *steps(profile, mean))) ** 2
    mean, variance = _clip(mean + sign * present, variance, low, high)
    total = variance + read
    error = jnp.where(is_read, weight - mean, 0.0)
    gain = jnp.where(is_read, variance / total, 0.0)
    state = mean + gain * error, (1 - gain) * variance
    log_variance = jnp.where(is_read, jnp.log(total), 0.0)
    return state, Prediction(error, log_variance, state[0])

  start = readings.weights[:, 0], jnp.broadcast_to(read, is_up.shape)
  rest = readings.weights.T[1:], readings.is_read.T[1:]
  return jax.lax.scan(pulse, start, rest)[1]


def _clip(mean, variance, low, high):
  """Returns mean and variance of a normally distributed number, clipped."""
  deviation = jnp.sqrt(variance)
  low, high = low - mean, high - mean
  a, b = low / deviation, high / deviation
  below, above = norm.cdf(a), norm.cdf(-b)
  shift = low * below + high * above
  shift += deviation * (norm.pdf(a) - norm.pdf(b))
  square = low**2 * below + high**2 * above
  square += variance * (1 - below - above + a * norm.pdf(a) - b * norm.pdf(b))
  floor = 1e-12 * variance  # rounding errors
  return mean + shift, jnp.maximum(square - shift**2, floor)
