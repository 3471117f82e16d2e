"""Fit of the model of resistive devices to measured pulse responses.

A pulse moves a weight by a step that decreases linearly with the weight, plus
write noise, and clips it at the bounds; a reading adds read noise. As write
noise persists and read noise does not, a Kalman filter separates both: the
variances of its prediction errors, the innovations, give the likelihood (L.
Ljung, "System identification: theory for the user", 1999). Given the ratio of
write noise to read noise, the parameters of a device are a problem of least
squares. The likelihood of the ratio is averaged over the parameters (restricted
maximum likelihood), and their covariance over the ratio, as other steps explain
part of the write noise of a few curves.
"""

from collections.abc import Iterable
import functools
import math
from typing import NamedTuple

import jax
from jax import lax
from jax import numpy as jnp
import numpy as np
import tqdm

from ssnn_jax.hardware import pulse_curves
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.hardware.pulse_curves import PulseCurve
from ssnn_jax.types import UserError

ZEROS = ('middle', 'symmetry')
# Fields of the mean device; the first six vary between devices.
_FIELDS = ('dw_min', 'up_down', 'w_max', 'w_min', 'gamma_up', 'gamma_down')
_FIELDS += ('dw_min_std',)
_RANGES = {'up_down': (-1.0, 1.0), 'w_min': (-np.inf, 0.0)}
_RANGES |= {'gamma_up': (0.0, 1.0), 'gamma_down': (0.0, 1.0)}
_TINY = 1e-9  # rounding errors of intervals
_MAX_ERROR = 0.02  # standard deviation of an identified bound

# The parameters x [6] of a device whose extreme readings are -1 and 1 are those
# of up pulses, then those of down pulses, whose weights have the opposite sign:
# the logarithm of the step at weight 0, the relative decrease of the step from
# 0 to 1, and the bound, where the step is not 0 before. Estimates of constant
# steps may increase. A bound at _FAR clips no weight.
_FAR = 1.5
_LIMITS = np.array([[-16, -0.9, 0.2] * 2, [-0.02, 4, _FAR] * 2])
_DECREASES, _NOISE = (0.2, 0.9), 0.1  # where the search starts
_PRIOR = 0.01  # parameters without information have a standard error of 10
_RESOLUTION = 1e-4  # least standard deviation of innovations
_MAX_LOG_RATIO, _NUM_RATIOS, _NUM_ROUNDS = np.log(50), 21, 8


class PulseFit(NamedTuple):
  """Fit of a device model: conductance `zero` + `scale` w at weight w."""

  config: DeviceConfig
  #: 95% confidence intervals of fields of the config, at the given zero and
  #: scale; a field whose value the curves do not identify has none
  intervals: dict[str, tuple[float, float]]
  zero: float  #: conductance of weight 0
  scale: float  #: conductance of a weight of 1
  read_noise: float  #: standard deviation of a reading, as a weight
  num_devices: int
  notes: tuple[str, ...]  #: sentences on what the curves do not identify


class _Readings(NamedTuple):
  """Readings of C curves of a device, padded to N readings."""

  weights: jax.Array  # [N, C], between -1 and 1; negated if pulses are down
  gaps: jax.Array  # [N, C] pulses since the previous reading; 0: no reading
  is_down: jax.Array  # [C] 1 if the pulses are down pulses, 0 otherwise
  mult_noise: bool  # whether write noise is relative to the present step


class _Device(NamedTuple):
  """Estimate of a device: conductance `middle` + `half` w at weight w."""

  x: np.ndarray  # [6] parameters
  noise: np.ndarray  # [2] write noise of a pulse, and read noise
  covariance: np.ndarray  # [9, 9] of x, log write noise and shifts of the ends
  deviance: float  # -2 log likelihood, averaged over the parameters
  ends: np.ndarray  # [2] upper and minus lower bound, or extreme weight
  is_bound: np.ndarray  # [2] whether the readings identify the bound
  errors: np.ndarray  # innovations in units of their standard deviations
  middle: float = 0.0
  half: float = 1.0
  mult_noise: bool = True


def fit_pulse_response(
  curves: Iterable[PulseCurve],
  *,
  zero: str = 'middle',
  w_max: float = 1.0,
  progress: bool = False,
) -> PulseFit:
  """Fits the model of a resistive device to measured pulse responses.

  Args:
    curves: up and down curves of each device; several cycles narrow the
      intervals, several devices give the device-to-device variability.
    zero: conductance of weight 0: the 'middle' of the bounds, or the
      'symmetry' point, where up and down steps are equal.
    w_max: weight of the bound that is farther from weight 0.
    progress: whether to show a progress bar over the devices.

  Returns:
    The fit. A bound that the curves do not reach is the extreme weight.

  Raises:
    UserError: if `zero` is unknown, the curves are no pulse response, or the
      fitted parameters are out of the range of `DeviceConfig`.
  """
  if zero not in ZEROS:
    raise UserError(f'zero is {zero}; expected one of {", ".join(ZEROS)}.')
  found = pulse_curves.by_device(curves).values()
  # The readings of all devices have one shape, for which they compile once.
  num_readings = max(len(curve.pulses) for own in found for curve in own)
  shape = num_readings, max(map(len, found))
  with jax.enable_x64(True):
    estimates = [
      [_estimate(own, shape, mult_noise) for mult_noise in (True, False)]
      for own in tqdm.tqdm(found, unit='device', disable=not progress)
    ]
    devices = min(
      zip(*estimates), key=lambda kind: sum(d.deviance for d in kind)
    )
    point, scale = _map_weights(devices, zero, w_max)
    values, intervals = _summarize(devices, point, scale)
  for name, ends in _RANGES.items():
    values[name] = np.clip(values[name], *ends)
  values = {
    name: 0.0 if abs(value) < _TINY else float(f'{value:.6g}')
    for name, value in values.items()
  }
  noise = np.mean([(d.half / scale * d.noise[1]) ** 2 for d in devices])
  return PulseFit(
    config=DeviceConfig(mult_noise=devices[0].mult_noise, **values),
    intervals=intervals,
    zero=point,
    scale=scale,
    read_noise=float(np.sqrt(noise)),
    num_devices=len(devices),
    notes=tuple(_notes(devices, values, intervals)),
  )


def _estimate(curves, shape, mult_noise):
  """Estimates a device from its curves, padded to a shape."""
  values = np.concatenate([curve.conductances for curve in curves])
  middle, half = (values.max() + values.min()) / 2, np.ptp(values) / 2
  weights, gaps = np.zeros(shape), np.zeros(shape, int)
  is_down = np.zeros(shape[1], int)
  for column, curve in enumerate(curves):
    rows, is_down[column] = slice(len(curve.pulses)), not curve.is_up
    weights[rows, column] = (curve.conductances - middle) / half
    gaps[rows, column] = np.diff(curve.pulses, prepend=curve.pulses[0])
  weights *= 1 - 2 * is_down
  readings = _Readings(weights, gaps, is_down, mult_noise)

  # The search starts with steps that cross weights of -0.5 to 0.5 in time.
  inside = np.where(np.abs(weights) < 0.5, gaps, 0).sum(axis=0)
  counts = np.bincount(is_down, gaps.any(axis=0))
  logs = -np.log(np.maximum(np.bincount(is_down, inside) / counts, 1.1))
  starts = [[logs[0], x, 1.0, logs[1], x, 1.0] for x in _DECREASES]
  found = [_search(readings, np.array(x), _LIMITS) for x in starts]
  best = min(found, key=lambda device: device.deviance)
  # The likelihood always has a maximum with a bound at the extreme reading. A
  # hard bound is one that increases the likelihood averaged over parameters.
  is_bound = best.is_bound.copy()
  for index in np.flatnonzero(is_bound & (best.x[[2, 5]] <= best.ends)):
    limits = _LIMITS.copy()
    limits[:, 3 * index + 2] = 0.999 * _FAR, _FAR
    is_bound[index] = _search(readings, best.x, limits).deviance > best.deviance
  return best._replace(
    middle=middle, half=half, mult_noise=mult_noise, is_bound=is_bound
  )


def _search(readings, x, limits):
  """Estimates a device by a search that starts at parameters, within limits.

  Alternates between the parameters, given the noise, and the noise, averaged
  over parameters of which the residuals are linear: the logarithms of its scale
  and of the ratio of the write noise between two readings to read noise.
  """
  is_read = readings.gaps[1:] > 0
  every = readings.gaps.sum() / is_read.sum()  # pulses between readings
  degrees, margin = is_read.sum() - 6, 1e-3 * np.ptp(limits, axis=0)
  mean, log_scale = 0.0, np.log(_NOISE)
  log_ratios = np.linspace(-_MAX_LOG_RATIO, _MAX_LOG_RATIO, _NUM_RATIOS)

  def split_noise(log_ratio):
    angle = np.arctan(np.exp(log_ratio))
    parts = np.sin(angle) / np.sqrt(every), np.cos(angle)
    return np.exp(log_scale) * np.stack(parts, axis=-1)

  for _ in range(_NUM_ROUNDS):
    profile = x = np.clip(x, limits[0] + margin, limits[1] - margin)
    x = _solve(x, limits, split_noise(mean), profile, readings)
    noises = split_noise(log_ratios)  # [K, 2]
    slopes, (residuals, log_units, _) = jax.tree.map(
      np.array, _linearize_noises(x, noises, profile, readings)
    )
    # Normal equations for each ratio, with a wide prior.
    information = np.einsum('kmp,kmq->kpq', slopes, slopes)
    variances = np.mean(residuals**2, axis=1) + _RESOLUTION**2
    information += _PRIOR * variances[:, None, None] * np.eye(6)
    inverses = np.linalg.inv(information)
    shifts = -np.einsum('kpq,kmq,km->kp', inverses, slopes, residuals)
    residuals += np.einsum('kmp,kp->km', slopes, shifts)
    variances = np.sum(residuals**2, axis=1) / degrees + _RESOLUTION**2
    deviances = degrees * np.log(variances) + np.linalg.slogdet(information)[1]
    # The angle, whose tangent is the ratio, has a uniform prior.
    deviances += 2 * np.log(np.cosh(log_ratios))
    shares = np.exp((deviances.min() - deviances) / 2)
    deviance = deviances.min() - 2 * np.log(np.trapezoid(shares, log_ratios))
    shares /= shares.sum()
    last, mean = mean, shares @ log_ratios
    deviation = np.hypot(np.sqrt(shares @ (log_ratios - mean) ** 2), 0.05)
    corrections = (np.log(variances) - log_units) / 2  # of the scale
    log_scale = max(log_scale + shares @ corrections, np.log(_RESOLUTION))
    if abs(mean - last) < 0.2 * deviation:
      break
    ends = mean + 4 * deviation * np.array([-1, 1])
    ends = np.clip(ends, -_MAX_LOG_RATIO, _MAX_LOG_RATIO)
    log_ratios = np.linspace(*ends, _NUM_RATIOS)

  changes = np.zeros((_NUM_RATIOS, 9))
  changes[:, :6], changes[:, 6] = shifts, np.log(noises[:, 0]) + corrections
  changes -= shares @ changes
  covariance = (shares * changes.T) @ changes
  covariance[:6, :6] += np.einsum('k,kpq->pq', shares * variances, inverses)
  is_hidden = log_scale < np.log(2 * _RESOLUTION)  # the noise
  covariance[6, 6] += 1 / _PRIOR if is_hidden else 0.5 / degrees

  noise = split_noise(mean)
  residuals, log_unit, estimates = _linearize(x, noise, profile, readings)[1]
  errors = np.array(residuals).reshape(is_read.shape).T[is_read.T]
  weights = np.array(estimates) * (1 - 2 * readings.is_down)
  bounds = np.array(_bounds(x))
  ends = np.minimum([weights.max(), -weights.min()], bounds)
  # The steps are 0 at 1 / decrease, before which there may be a hard bound.
  is_soft, variances = bounds < x[[2, 5]], np.diag(covariance)
  margins = np.where(is_soft, bounds - ends, 0.0) ** 2
  soft, hard = bounds**4 * variances[[1, 4]], variances[[2, 5]]
  variances = np.where(is_soft, soft, hard)
  is_bound = variances + margins < _MAX_ERROR**2
  covariance[[7, 8], [7, 8]] = np.where(is_bound, margins, 0.0)
  return _Device(
    x=x,
    noise=noise,
    covariance=covariance,
    deviance=deviance,
    ends=np.where(is_bound, bounds, ends),
    is_bound=is_bound,
    errors=errors / np.exp(float(log_unit) / 2),
  )


def _solve(x, limits, *given):
  """Returns the parameters of least residuals within limits."""
  from scipy import optimize  # imported late: a third of a second

  @functools.lru_cache(maxsize=1)  # SciPy asks for residuals, then for slopes
  def linearize(x):
    slopes, (residuals, *_) = _linearize(np.frombuffer(x), *given)
    return np.array(residuals), np.array(slopes)

  residuals, slopes = (lambda x, i=i: linearize(x.tobytes())[i] for i in (0, 1))
  return optimize.least_squares(
    residuals, x, slopes, limits, x_scale='jac', max_nfev=60
  ).x


def _predict(x, noise, profile, readings):
  """Predicts each reading of a device from the previous ones of its curve.

  Weights are normally distributed before they are clipped at the bounds. If a
  common factor of all variances S of the innovations e is eliminated, the
  maximum of the likelihood is the minimum of sum(e^2 / S) exp(mean(log S)).
  Relative write noise is proportional to the steps of the parameters `profile`:
  fixed ones, so that noise does not bias the steps.

  Returns `[(N - 1) C]` residuals for least squares, 0 where there is no
  reading; the logarithm of their variance; and `[N - 1, C]` estimates of the
  weights, which include the reading.
  """
  log_step, decrease, _ = x.reshape(2, 3)[readings.is_down].T
  factor = jnp.maximum(1 - jnp.exp(log_step) * decrease, 1e-3)
  high, low = _bounds(x)[readings.is_down], -_bounds(x)[1 - readings.is_down]
  log_unit, slope, _ = profile.reshape(2, 3)[readings.is_down].T
  unit = jnp.exp(log_unit) / _steps(profile, 0.0).mean()

  def advance(state, inputs):
    reading, gap = inputs

    def pulse(index, state):
      mean, variance = state
      spread = jnp.where(readings.mult_noise, unit * (1 - slope * mean), 1.0)
      variance = variance * factor**2 + (noise[0] * spread) ** 2
      mean += jnp.exp(log_step) * (1 - decrease * mean)
      clipped = _clip(mean, variance, low, high)
      return jnp.where(index < gap[None], jnp.stack(clipped), state)

    mean, variance = lax.fori_loop(0, gap.max(), pulse, state)
    total = variance + noise[1] ** 2
    innovation = jnp.where(gap > 0, reading - mean, 0.0)
    log_variance = jnp.where(gap > 0, jnp.log(total), 0.0)
    gain = jnp.where(gap > 0, variance / total, 0.0)
    state = jnp.stack([mean + gain * innovation, (1 - gain) * variance])
    return state, (innovation, log_variance, state[0])

  first, rest = readings.weights[0], (readings.weights[1:], readings.gaps[1:])
  start = jnp.stack([first, jnp.full_like(first, noise[1] ** 2)])
  innovations, log_variances, estimates = lax.scan(advance, start, rest)[1]
  log_unit = log_variances.sum() / (readings.gaps > 0).sum(dtype=float)
  residuals = innovations * jnp.exp((log_unit - log_variances) / 2)
  return residuals.ravel(), log_unit, estimates


@jax.jit
def _linearize(x, noise, profile, readings):
  """Returns the slopes `[(N - 1) C, 6]` of residuals, and the prediction."""

  def predict(x):
    predicted = _predict(x, noise, profile, readings)
    return predicted[0], predicted

  return jax.jacfwd(predict, has_aux=True)(x)


_linearize_noises = jax.jit(jax.vmap(_linearize, (None, 0, None, None)))


def _clip(mean, variance, low, high):
  """Returns mean and variance of a normally distributed number, clipped."""
  deviation = jnp.sqrt(variance)
  low, high = low - mean, high - mean
  a, b = low / deviation, high / deviation
  below, above = (lax.erfc(x * math.sqrt(0.5)) / 2 for x in (-a, b))
  first, last = (jnp.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) for x in (a, b))
  shift = low * below + high * above + deviation * (first - last)
  square = low**2 * below + high**2 * above
  square += variance * (1 - below - above + a * first - b * last)
  floor = 1e-12 * variance  # rounding errors
  return mean + shift, jnp.maximum(square - shift**2, floor)


def _bounds(x):
  """Returns `[2]` upper and minus lower bound, where steps are 0 at latest."""
  _, decreases, bounds = x.reshape(2, 3).T
  return jnp.minimum(bounds, 1 / jnp.maximum(decreases, 1e-9))


def _steps(x, weight):
  """Returns `[2]` the up and the down step at a weight."""
  log_steps, decreases, _ = x.reshape(2, 3).T
  return jnp.exp(log_steps) * (1 - decreases * weight * np.array([1.0, -1.0]))


def _map_weights(devices, zero, w_max):
  """Returns the conductances of weight 0, and of a weight of 1."""
  ends = [d.middle + d.half * d.ends * np.array([1, -1]) for d in devices]
  high, low = np.mean(ends, axis=0)
  point = (low + high) / 2
  if zero == 'symmetry':
    steps = [
      sum(d.half * _steps(d.x, (end - d.middle) / d.half) for d in devices)
      for end in (low, high)
    ]
    first, last = (up - down for up, down in steps)
    if not first > 0 > last or first - last < 1e-3 * sum(steps[0]):
      raise UserError(
        'zero is symmetry, but the up and down steps are equal at no single '
        'conductance between the bounds; choose middle.'
      )
    point = low + first / (first - last) * (high - low)
  return float(point), float(max(high - point, point - low) / w_max)


def _summarize(devices, zero, scale):
  """Returns fields of the mean device, its variability, and intervals."""
  from scipy import special  # imported late: a third of a second

  given = [
    ([*d.x, np.log(d.noise[0]), 0, 0], d.middle, d.half, d.ends, d.is_bound)
    for d in devices
  ]
  given, count = tuple(map(np.array, zip(*given))), len(devices)
  given = *given, zero, scale, devices[0].mult_noise
  responses, slopes = jax.tree.map(np.array, _linearize_responses(*given))
  errors = np.mean([s @ d.covariance @ s.T for s, d in zip(slopes, devices)], 0)
  mean = responses.mean(axis=0)
  fields, slopes = np.array(_fields(mean)), np.array(_field_slopes(mean))
  variances = np.diag(slopes @ errors @ slopes.T)
  degrees = max(len(devices[0].errors) - 8, 1)
  if count > 1:
    degrees, spread = count - 1, np.var(responses @ slopes.T, axis=0, ddof=1)
    variances = np.maximum(variances, spread)
  widths = special.stdtrit(degrees, 0.975) * np.sqrt(variances / count)
  fields = np.column_stack([fields, fields - widths, fields + widths])
  fields[-1] = np.exp(fields[-1])
  fields = dict(zip(_FIELDS, fields))
  if count > 1:
    up, down, w_max, w_min = mean[:4]
    matrix = np.diag([0.0, 0.0, 1 / w_max, -1 / w_min, 1.0, 1.0, 0.0])[:6]
    half = 0.5 / max(up, down)
    matrix[:2, :2] = [[half, half], [half, -half]]  # common part, asymmetry
    total = np.var(responses @ matrix.T, axis=0, ddof=1)
    ratios = degrees / special.chdtri(degrees, [0.025, 0.975])
    variances = np.outer(total, [1.0, *ratios])
    variances -= np.diag(matrix @ errors @ matrix.T)[:, None]
    spreads = np.sqrt(np.maximum(variances - _TINY, 0.0))
    fields |= {f'{k}_dtod': each for k, each in zip(_FIELDS, spreads)}

  # Read noise may hide write noise, and extreme weights are biased.
  withheld = {'dw_min_std'} if widths[-1] > np.log(10) else set()
  reached = np.array([device.is_bound for device in devices])
  for name, is_bound in zip(('w_max', 'w_min'), reached.T):
    if not is_bound.any():
      fields.pop(f'{name}_dtod', None)
    if not is_bound.all():
      withheld |= {name, f'{name}_dtod'}
  intervals = {}
  for name, (_, *ends) in fields.items():
    ends = np.clip(ends, *_RANGES.get(name, (0.0, np.inf)))
    # Fields that are fixed by their limits have no interval.
    if name not in withheld and np.ptp(ends) > _TINY:
      intervals[name] = tuple(ends.tolist())
  return {name: float(field[0]) for name, field in fields.items()}, intervals


def _respond(y, middle, half, ends, is_bound, zero, scale, is_relative):
  """Returns fields of a device, but the steps and log write noise."""
  x, unit, point = y[:6], half / scale, (zero - middle) / half
  high, low = jnp.where(is_bound, _bounds(x), ends) + y[7:]
  steps = _steps(x, point)
  last = jnp.stack([_steps(x, high)[0], _steps(x, -low)[1]])
  # Constant noise is relative to the steps at weight 0.
  mean = jnp.mean(jnp.where(is_relative, _steps(x, 0.0), steps))
  bounds = jnp.stack([high - point, -low - point])
  noise = y[6:7] - jnp.log(mean)
  weights = unit * steps, unit * bounds
  return jnp.concatenate([*weights, 1 - last / steps, noise])


def _fields(response):
  """Returns `_FIELDS` of a mean response, with log write noise."""
  up, down, *others = response
  larger = jnp.maximum(up, down)
  return jnp.stack([larger, (up - down) / larger, *others])


@jax.jit
def _linearize_responses(*given):
  axes = (0,) * 5 + (None,) * 3
  slopes = jax.vmap(jax.jacfwd(_respond), axes)(*given)
  return jax.vmap(_respond, axes)(*given), slopes


_field_slopes = jax.jit(jax.jacfwd(_fields))


def _notes(devices, values, intervals):
  """Yields sentences on what the curves do not identify."""
  reached, count = sum(device.is_bound for device in devices), len(devices)
  for name, number in zip(('w_max', 'w_min'), count - reached):
    whose = f' of {number} of {count} devices' if count > 1 else ''
    if number:
      yield f'Curves{whose} do not saturate; their extreme weight is {name}.'
  unknown = [  # but up_down at the symmetry point, which is 0
    x for x, ends in _RANGES.items() if values[x] and intervals.get(x) == ends
  ]
  if unknown:
    yield f'The curves do not identify {", ".join(unknown)}.'
  if 'dw_min_std' not in intervals:
    yield 'The curves do not separate write noise, dw_min_std, from read noise.'
  if count == 1:
    yield 'One device has no device-to-device variability, which is 0.'
  errors = [device.errors for device in devices]
  correlation = np.mean([(e[1:] @ e[:-1]) / max(e @ e, len(e)) for e in errors])
  if abs(correlation) > max(0.2, 3 / np.sqrt(sum(map(len, errors)))):
    yield (
      'The steps do not decrease linearly with the conductance (correlation of '
      f'successive residuals {correlation:.2f}), so intervals are too narrow.'
    )
