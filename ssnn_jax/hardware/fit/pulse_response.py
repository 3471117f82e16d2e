"""Fit of the model of resistive devices to measured pulse responses.

Each device is estimated from all its curves (`estimation`). The parameters
of the model are means over the devices, and its device-to-device variability is
their standard deviation, less the variance of the estimates.
"""

from collections.abc import Iterable
from typing import NamedTuple

import jax
from jax import numpy as jnp
import numpy as np

from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.hardware.fit import curves as curves_lib
from ssnn_jax.hardware.fit import estimation
from ssnn_jax.hardware.fit import kalman
from ssnn_jax.hardware.fit import population
from ssnn_jax.hardware.fit.curves import PulseCurve
from ssnn_jax.types import UserError

ZEROS = ('middle', 'symmetry')
_MIN_DECREASE = 1e-3  # of steps over the range, for a symmetry point
_MAX_INCREASE = 0.1  # of steps towards a bound, relative
_MAX_CORRELATION = 0.2  # of successive innovations, if the model is true


class PulseFit(NamedTuple):
  """Fit of a device model to measured pulse responses.

  A conductance g is the weight (g - `zero`) / `scale`.
  """

  config: DeviceConfig
  # 95% confidence intervals of fields of the config, at the given zero and
  # scale; a field whose value the curves do not identify has none
  intervals: dict[str, tuple[float, float]]
  zero: float  # conductance of weight 0
  scale: float  # conductance of a weight of 1
  # standard deviation of a reading of one device, as a weight
  read_noise: float
  num_devices: int
  notes: tuple[str, ...]  # sentences on what the curves do not identify


class _Device(NamedTuple):
  """Estimate of a device, and the conductances of its extreme readings."""

  estimate: estimation.Estimate
  middle: float
  half: float  # of the difference of the extremes

  @property
  def bounds(self):
    """Conductances of the lower and the upper bound."""
    return self.middle + self.half * self.estimate.extremes

  def steps(self, conductance):
    """Returns the up and the down step at a conductance."""
    weight = (conductance - self.middle) / self.half
    steps = kalman.steps(self.estimate.response, weight)
    return self.half * np.array(steps)


def fit_pulse_response(
  curves: Iterable[PulseCurve],
  *,
  zero: str = 'middle',
  w_max: float = 1.0,
) -> PulseFit:
  """Fits the model of a resistive device to measured pulse responses.

  Args:
    curves: up and down curves of each device; several cycles narrow the
      intervals, several devices give the device-to-device variability.
    zero: conductance of weight 0: the 'middle' of the bounds, or the
      'symmetry' point, where up and down steps are equal.
    w_max: weight of the bound that is farther from weight 0.

  Returns:
    The fit. A bound that the curves do not reach is the extreme weight.

  Raises:
    UserError: if an argument is out of range, the curves are no pulse response,
      or the fitted parameters are out of the range of `DeviceConfig`.

  Example:
    >>> from ssnn_jax import hardware
    >>> pulses = jnp.arange(50.0)
    >>> up, down = 4.0 - 3.0 * 0.9**pulses, 1.0 + 3.0 * 0.9**pulses
    >>> fit = hardware.fit_pulse_response([
    ...   hardware.PulseCurve(pulses, up, is_up=True),
    ...   hardware.PulseCurve(pulses, down, is_up=False)])
    >>> f'{fit.config.dw_min:.2f}, {fit.zero:.2f}, {fit.scale:.2f}'
    '0.10, 2.50, 1.50'
  """
  if zero not in ZEROS:
    raise UserError(f'zero is {zero}; expected one of {", ".join(ZEROS)}.')
  if not 0 < w_max < np.inf:
    raise UserError(f'w_max is {w_max}; expected a finite number above 0.')
  devices = _estimate(curves_lib.check(curves))
  with jax.enable_x64(True):
    point, scale = _map_weights(devices, zero, w_max)
    responses = [_response(device, point, scale) for device in devices]
  number = sum(device.estimate.number for device in devices)
  means, covariances = map(np.array, zip(*responses))
  values, intervals = population.summarize(means, covariances, number)
  is_bound = np.array([device.estimate.is_bound for device in devices])
  for name, reached in zip(('w_min', 'w_max'), is_bound.T):
    if not reached.any():
      values.pop(f'{name}_dtod', None)
    if not reached.all():  # extreme weights are biased
      for field in (name, f'{name}_dtod'):
        intervals.pop(field, None)
  notes = _notes(devices, means, 'dw_min_std' in intervals)
  noise = [d.half * kalman.read_noise(d.estimate.response) for d in devices]
  return PulseFit(
    config=_configure(values, devices[0].estimate.mult_noise),
    intervals=intervals,
    zero=point,
    scale=scale,
    read_noise=float(np.sqrt(np.mean(np.square(noise)))) / scale,
    num_devices=len(devices),
    notes=tuple(notes),
  )


def _estimate(curves):
  """Estimates each device; write noise is of the same kind in all of them."""
  scaled = _scale(curves_lib.by_device(curves).values())
  kinds = [
    [estimation.estimate(part, kind) for part, _, _ in scaled]
    for kind in (True, False)
  ]
  best = min(kinds, key=lambda found: sum(each.deviance for each in found))
  return [
    _Device(found, middle, half)
    for found, (_, middle, half) in zip(best, scaled)
  ]


def _scale(devices):
  """Returns readings, middle and half of the range of each device.

  The readings of all devices have one shape, for which they compile once.
  """
  shape = (
    max(map(len, devices)),
    max(np.ptp(curve.pulses) + 1 for curves in devices for curve in curves),
  )
  scaled = []
  for curves in devices:
    values = np.concatenate([curve.conductances for curve in curves])
    middle, half = (values.max() + values.min()) / 2, np.ptp(values) / 2
    weights, is_read = np.zeros(shape), np.zeros(shape, bool)
    is_up = np.ones(len(weights), bool)
    for row, curve in enumerate(curves):
      columns = curve.pulses - curve.pulses[0]
      weights[row, columns] = (curve.conductances - middle) / half
      is_read[row, columns], is_up[row] = True, curve.is_up
    readings = kalman.Readings(weights, is_read, is_up)
    scaled.append((readings, float(middle), float(half)))
  return scaled


def _map_weights(devices, zero, w_max):
  """Returns the conductances of weight 0, and of a weight of 1."""
  low, high = np.mean([device.bounds for device in devices], axis=0)
  point = (low + high) / 2
  if zero == 'symmetry':
    (up, down), (last_up, last_down) = (
      np.mean([device.steps(end) for device in devices], axis=0)
      for end in (low, high)
    )
    first, last = up - down, last_up - last_down
    if not first > 0 > last or first - last < _MIN_DECREASE * (up + down):
      raise UserError(
        'zero is symmetry, but the up and down steps are equal at no single '
        'conductance between the bounds; choose middle.'
      )
    point = low + (high - low) * first / (first - last)
  return float(point), float(max(high - point, point - low) / w_max)


def _response(device, zero, scale):
  """Returns steps, bounds, gammas and noise of a device, and their covariance.

  Args:
    device: the device.
    zero: conductance of weight 0.
    scale: conductance of a weight of 1.

  Returns:
    `[7]` up step, down step, upper and lower bound, both gammas and the noise
    of a pulse relative to the step, as weights, and their `[7, 7]` covariance.
  """
  found, unit = device.estimate, device.half / scale
  point = (zero - device.middle) / device.half

  def convert(parameters, shifts):
    response = kalman.Response(*parameters)
    bounds = jnp.array(kalman.bounds(response))
    low, high = jnp.where(found.is_bound, bounds, found.extremes) + shifts
    up, down = kalman.steps(response, point)
    last_up, _ = kalman.steps(response, high)
    _, last_down = kalman.steps(response, low)
    noise = kalman.write_noise(response)
    if not found.mult_noise:  # relative to the steps at weight 0
      noise *= sum(kalman.steps(response, 0.0)) / (up + down)
    weights = unit * jnp.array([up, down, high - point, low - point])
    others = jnp.array([1 - last_up / up, 1 - last_down / down, noise])
    return jnp.concatenate([weights, others])

  values = jnp.array(found.response), jnp.zeros(2)
  slopes, shift_slopes = map(np.array, jax.jacfwd(convert, (0, 1))(*values))
  covariance = slopes @ found.covariance @ slopes.T
  covariance += shift_slopes @ np.diag(found.margins**2) @ shift_slopes.T
  return convert(*values), covariance


def _configure(values, mult_noise):
  """Makes the configuration, with 6 digits of each value."""
  values = {name: float(f'{value:.6g}') for name, value in values.items()}
  try:
    return DeviceConfig(mult_noise=mult_noise, **values)
  except UserError as error:
    raise UserError(
      f'the fitted {str(error).rstrip(".")}: the curves are no response of '
      'many small steps between two bounds.'
    ) from None


def _notes(devices, means, is_noise):
  """Yields sentences on what the curves do not identify."""
  unreached = ~np.array([device.estimate.is_bound for device in devices])
  lower, upper = unreached.sum(axis=0)
  for count, word, name in (
    (upper, 'upper', 'w_max'),
    (lower, 'lower', 'w_min'),
  ):
    whose = f' of {count} of {len(devices)} devices' if len(devices) > 1 else ''
    if count:
      yield (
        f'The curves{whose} do not saturate at the {word} bound; their extreme '
        f'weight counts as {name}.'
      )
  if not is_noise:
    yield 'The curves do not separate write noise, dw_min_std, from read noise.'
  if len(devices) == 1:
    yield 'One device has no device-to-device variability, which is 0.'
  for gamma, word in zip(means.mean(axis=0)[4:6], ('up', 'down')):
    if gamma < -_MAX_INCREASE:
      yield (
        f'The {word} steps increase towards their bound, but gamma_{word} is '
        'at least 0.'
      )
  number = sum(device.estimate.number for device in devices)
  correlation = np.mean([device.estimate.correlation for device in devices])
  if abs(correlation) > max(_MAX_CORRELATION, 3 / np.sqrt(number)):
    yield (
      'The steps do not decrease linearly with the conductance (correlation of '
      f'successive residuals {correlation:.2f}), so intervals are too narrow.'
    )
