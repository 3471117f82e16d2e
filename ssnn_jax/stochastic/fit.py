"""Fit of the model of resistive devices to measured pulse responses.

A pulse moves a weight by a step that decreases linearly with the weight, plus
write noise, and clips it at the bounds; a reading adds read noise. As write
noise persists and read noise does not, a Kalman filter separates both: its
prediction errors, the innovations, give the likelihood of all parameters (L.
Ljung, "System identification: theory for the user", 1999). With a wide normal
prior, each maximum is taken for the center of a normal posterior (Laplace's
method); the one of the largest share decides on hard bounds, and whether write
noise is relative to the step. Estimates are averaged over the
ratio of write noise to read noise, which few curves do not show.
"""

from collections.abc import Iterable
import itertools
import math
from typing import NamedTuple

import jax
from jax import lax
from jax import numpy as jnp
from jax.scipy.stats import norm
import numpy as np
import tqdm

from ssnn_jax.stochastic import pulse_curves
from ssnn_jax.stochastic.device_config import DeviceConfig
from ssnn_jax.stochastic.devices import QUANTITIES
from ssnn_jax.stochastic.pulse_curves import PulseCurve
from ssnn_jax.types import UserError

ZEROS = ('middle', 'symmetry')
# Fields of the mean device; all but the last vary between devices.
_FIELDS = (*QUANTITIES, 'dw_min_std')
_RANGES = {'up_down': (-1.0, 1.0), 'w_min': (-np.inf, 0.0)}
_RANGES |= {'gamma_up': (0.0, 1.0), 'gamma_down': (0.0, 1.0)}
_TINY = 1e-9  # rounding errors of intervals
_MAX_ERROR = 0.02  # standard deviation of an identified bound

# The parameters x [8] of a device whose extreme readings are -1 and 1 are those
# of up pulses, then those of down pulses, whose weights have the opposite sign:
# the logarithm of the step at weight 0, the relative decrease of the step from
# 0 to 1, and the bound, where the step is not 0 before; then the logarithms of
# the write noise of a pulse and of its ratio to read noise. Estimates of
# constant steps may increase. A bound at _FAR clips no weight.
_FAR, _NOISE = 1.5, 0.1
_STARTS = (1.0, _FAR), (1.0, _FAR), (0.2, 0.9)  # of bounds, of decreases
_DEVIATIONS = np.array([4.0, 1.0, 0.5, 4.0, 1.0, 0.5, 4.0, 2.0])  # of the prior
_RESOLUTION = 1e-4  # least standard deviation of innovations
_MAX_ROUNDS, _PRECISION = 60, 1e-5  # of a search; decrease of the deviance


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


class _Point(NamedTuple):
  """Parameters of a device, and the posterior there."""

  x: jax.Array  # [8]
  deviance: jax.Array  # [] -2 log of likelihood and prior
  gradient: jax.Array  # [8] of half the deviance
  information: jax.Array  # [8, 8] expected curvature of half the deviance
  errors: jax.Array  # [N - 1, C] innovations / standard deviation; 0: none
  weights: jax.Array  # [N - 1, C] estimates, which include the reading


class _Device(NamedTuple):
  """Estimate of a device: conductance `middle` + `half` w at weight w."""

  x: np.ndarray  # [8] parameters
  covariance: np.ndarray  # [8, 8]
  evidence: float  # -2 log likelihood, averaged over the parameters
  ends: np.ndarray  # [2] upper and minus lower bound, or extreme weight
  is_bound: np.ndarray  # [2] whether the readings identify the bound
  errors: np.ndarray  # innovations in units of their standard deviations
  middle: float
  half: float


def fit_pulse_response(
  curves: Iterable[PulseCurve],
  *,
  zero: str = 'middle',
  w_max: float = 1.0,
  progress: bool = False,
) -> PulseFit:
  """Fits the model of a resistive device to measured pulse responses.

  A bound that the curves do not reach is the extreme weight. A `UserError`
  refuses curves that are no pulse response or out of the range of the model.

  Args:
    curves: up and down curves of each device; several cycles narrow the
      intervals, several devices give the device-to-device variability.
    zero: conductance of weight 0: the 'middle' of the bounds, or the
      'symmetry' point, where up and down steps are equal.
    w_max: weight of the bound that is farther from weight 0.
    progress: whether to show a progress bar over the devices.
  """
  if zero not in ZEROS:
    raise UserError(f'zero is {zero}; expected one of {", ".join(ZEROS)}.')
  by_device = pulse_curves.by_device(curves).values()
  # The readings of all devices have one shape, for which they compile once.
  num_readings = max(len(c.pulses) for device in by_device for c in device)
  shape = num_readings, max(map(len, by_device))
  with jax.enable_x64(True):
    pairs = [  # with relative and with constant write noise
      [_estimate(device, shape, mult_noise) for mult_noise in (True, False)]
      for device in tqdm.tqdm(by_device, unit='device', disable=not progress)
    ]
    relative, constant = np.sum([[d.evidence for d in p] for p in pairs], 0)
    mult_noise = bool(relative <= constant)
    devices = [pair[not mult_noise] for pair in pairs]
    point, scale = _map_weights(devices, zero, w_max)
    values, intervals = _summarize(devices, point, scale, mult_noise)
  for name, value in values.items():
    value = np.clip(value, *_RANGES.get(name, (-np.inf, np.inf)))
    values[name] = 0.0 if abs(value) < _TINY else float(f'{value:.6g}')
  noises = [d.half / scale * np.exp(d.x[6] - d.x[7]) for d in devices]
  return PulseFit(
    config=DeviceConfig(mult_noise=mult_noise, **values),
    intervals=intervals,
    zero=point,
    scale=scale,
    read_noise=float(np.sqrt(np.mean(np.square(noises)))),
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
  signs, is_read = 1 - 2 * is_down, gaps[1:] > 0
  readings, number = (signs * weights, gaps, is_down), is_read.sum()

  # The search starts with steps that cross weights of -0.5 to 0.5 in time, and
  # equal variances of write noise between two readings and read noise.
  inside = np.where(np.abs(weights) < 0.5, gaps, 0).sum(axis=0)
  counts = np.bincount(is_down, gaps.any(axis=0))
  up, down = -np.log(np.maximum(np.bincount(is_down, inside) / counts, 1.1))
  ratio = -np.log(gaps.sum() / number) / 2
  noises = np.log(_NOISE) + ratio, ratio
  starts = np.array(
    [
      (up, decrease, high, down, decrease, low, *noises)
      for high, low, decrease in itertools.product(*_STARTS)
    ]
  )
  center = up, 0.5, _FAR, down, 0.5, _FAR, *noises
  priors = np.tile([center, _DEVIATIONS], (8, 1, 1))
  points, evidences = _search(starts, priors, mult_noise, readings)
  best = np.argmin(evidences)
  evidence, starts[:] = evidences[best], points.x[best]
  deviation = np.sqrt(np.linalg.inv(points.information[best])[7, 7])
  starts[:, 7] += deviation * np.linspace(-3, 3, 8)
  priors[:, 0, 7], priors[:, 1, 7] = starts[:, 7], 1e-3
  points, evidences = _search(starts, priors, mult_noise, readings)
  # The angle, whose tangent is the ratio, has a uniform prior.
  evidences += 2 * np.log(np.cosh(points.x[:, 7] - ratio))
  shares = np.exp((evidences.min() - evidences) / 2)
  shares /= shares.sum()
  x, *_, errors, estimates = (np.tensordot(shares, leaf, 1) for leaf in points)
  changes, inverses = points.x - x, np.linalg.inv(points.information)
  covariance = np.einsum('k,ki,kj->ij', shares, changes, changes)
  covariance += np.tensordot(shares, inverses, 1)
  factor = number / (number - 6)  # six parameters explain part of the noise
  covariance *= factor
  x[6] += np.log(factor) / 2

  bounds, variances = np.array(_bounds(x)), np.diag(covariance)
  estimates = (signs * estimates)[is_read]
  ends = np.minimum([estimates.max(), -estimates.min()], bounds)
  soft, hard = bounds**4 * variances[[1, 4]], variances[[2, 5]]
  variances = np.where(bounds < x[[2, 5]], soft, hard)
  is_bound = variances + (bounds - ends) ** 2 < _MAX_ERROR**2
  ends, errors = np.where(is_bound, bounds, ends), errors.T[is_read.T]
  return _Device(x, covariance, evidence, ends, is_bound, errors, middle, half)


def _search(*arguments):
  """Returns the points of least deviance near starts, and their evidences."""
  points = jax.tree.map(np.array, _descend(*arguments))
  with np.errstate(invalid='ignore'):
    evidences = points.deviance + np.linalg.slogdet(points.information)[1]
  is_finite = np.isfinite(evidences)  # a bad start may diverge
  return jax.tree.map(lambda leaf: leaf[is_finite], (points, evidences))


@jax.jit
def _descend(starts, priors, mult_noise, readings):
  """Returns points of least deviance, by scoring with the information."""

  def descend(x, prior):
    def improve(state):
      best, x, damping, _, count = state
      point = _evaluate(x, prior, mult_noise, readings)
      is_better = point.deviance < best.deviance
      best = jax.tree.map(lambda *x: jnp.where(is_better, *x), point, best)
      damping *= jnp.where(is_better, 0.2, 4.0)
      curvature = best.information
      curvature += damping * jnp.diag(jnp.diag(curvature))
      step = jnp.linalg.solve(curvature, best.gradient)
      return best, best.x - step, damping, step @ best.gradient, count + 1

    def is_open(state):
      return (state[3] > _PRECISION) & (state[4] < _MAX_ROUNDS)

    shapes = jax.eval_shape(_evaluate, x, prior, mult_noise, readings)
    worst = jax.tree.map(lambda leaf: jnp.full(leaf.shape, jnp.inf), shapes)
    return lax.while_loop(is_open, improve, (worst, x, 0.05, jnp.inf, 0))[0]

  return jax.vmap(descend)(starts, priors)


def _evaluate(x, prior, mult_noise, readings):
  """Returns the posterior at parameters; the prior has center and deviation."""

  def predict(x):
    innovations, logs, weights = _predict(x, mult_noise, readings)
    return (innovations, logs), (innovations, logs, weights)

  slopes, (innovations, logs, weights) = jax.jacfwd(predict, has_aux=True)(x)
  scales, root = jnp.exp(-logs / 2), math.sqrt(0.5)
  errors, shifts = innovations * scales, (x - prior[0]) / prior[1]
  slopes = jnp.stack([slopes[0] * scales[..., None], slopes[1] * root])
  residuals = jnp.stack([errors, root * (1 - errors**2)])
  information = jnp.einsum('knci,kncj->ij', slopes, slopes)
  return _Point(
    x=x,
    deviance=jnp.sum(errors**2 + logs) + jnp.sum(shifts**2),
    gradient=jnp.einsum('knci,knc->i', slopes, residuals) + shifts / prior[1],
    information=information + jnp.diag(prior[1] ** -2.0),
    errors=errors,
    weights=weights,
  )


def _predict(x, mult_noise, readings):
  """Predicts each reading of a device from the previous ones of its curve.

  Weights are normally distributed before they are clipped at the bounds. The
  readings are `[N, C]` weights of C curves, negated if pulses are down; the
  `[N, C]` pulses since the previous reading, 0 where there is no reading; and
  `[C]` 1 if the pulses are down pulses, 0 otherwise.

  Returns `[N - 1, C]` innovations and logarithms of their variances, 0 where
  there is no reading, and estimates of the weights, which include the reading.
  """
  values, gaps, is_down = readings
  log_step, decrease, _ = x[:6].reshape(2, 3)[is_down].T
  step, write, read = jnp.exp(log_step), jnp.exp(x[6]), jnp.exp(x[6] - x[7])
  factor = jnp.maximum(1 - step * decrease, 1e-3)
  high, low = _bounds(x)[is_down], -_bounds(x)[1 - is_down]
  unit, least = step / _steps(x, 0.0).mean(), read**2 + _RESOLUTION**2

  def advance(state, inputs):
    reading, gap = inputs

    def pulse(index, state):
      mean, variance = state
      spread = jnp.where(mult_noise, unit * (1 - decrease * mean), 1.0)
      variance = variance * factor**2 + (write * spread) ** 2
      mean += step * (1 - decrease * mean)
      clipped = _clip(mean, variance, low, high)
      return jnp.where(index < gap[None], jnp.stack(clipped), state)

    mean, variance = lax.fori_loop(0, gap.max(), pulse, state)
    total = variance + least
    innovation = jnp.where(gap > 0, reading - mean, 0.0)
    log_variance = jnp.where(gap > 0, jnp.log(total), 0.0)
    gain = jnp.where(gap > 0, variance / total, 0.0)
    state = jnp.stack([mean + gain * innovation, (1 - gain) * variance])
    return state, (innovation, log_variance, state[0])

  start = jnp.stack([values[0], jnp.full_like(values[0], least)])
  return lax.scan(advance, start, (values[1:], gaps[1:]))[1]


def _clip(mean, variance, low, high):
  """Returns mean and variance of a normally distributed number, clipped."""
  deviation = jnp.sqrt(variance)
  low, high = low - mean, high - mean
  a, b = low / deviation, high / deviation
  below, above = norm.cdf(a), norm.cdf(-b)
  shift = low * below + high * above + deviation * (norm.pdf(a) - norm.pdf(b))
  square = low**2 * below + high**2 * above
  square += variance * (1 - below - above + a * norm.pdf(a) - b * norm.pdf(b))
  return mean + shift, jnp.maximum(square - shift**2, 1e-20)


def _bounds(x):
  """Returns `[2]` upper and minus lower bound, where steps are 0 at latest."""
  _, decreases, bounds = x[:6].reshape(2, 3).T
  return jnp.minimum(bounds, 1 / jnp.maximum(decreases, 1e-9))


def _steps(x, weight):
  """Returns `[2]` the up and the down step at a weight."""
  log_steps, decreases, _ = x[:6].reshape(2, 3).T
  return jnp.exp(log_steps) * (1 - decreases * weight * np.array([1.0, -1.0]))


def _map_weights(devices, zero, w_max):
  """Returns the conductances of weight 0, and of a weight of 1."""
  ends = [d.middle + d.half * d.ends * np.array([1, -1]) for d in devices]
  high, low = np.mean(ends, axis=0)
  point = (low + high) / 2
  if zero == 'symmetry':
    first, last = (
      sum(d.half * _steps(d.x, (end - d.middle) / d.half) for d in devices)
      for end in (low, high)
    )
    total = first.sum()
    first, last = (up - down for up, down in (first, last))
    if not first > 0 > last or first - last < 1e-3 * total:
      raise UserError(
        'zero is symmetry, but the up and down steps are equal at no single '
        'conductance between the bounds; choose middle.'
      )
    point = low + first / (first - last) * (high - low)
  return float(point), float(max(high - point, point - low) / w_max)


def _summarize(devices, zero, scale, mult_noise):
  """Returns fields of the mean device, its variability, and intervals."""
  from scipy import special  # imported late: a third of a second

  columns = zip(*(device._replace(errors=0.0) for device in devices))
  x, covariances, _, ends, is_bound, _, *units = map(np.array, columns)
  arguments = x, *units, ends, is_bound, zero, scale, mult_noise
  responses, slopes = (np.array(own(*arguments)) for own in _RESPONSES)
  count, degrees = len(devices), max(len(devices[0].errors) - 8, 1)
  errors = np.mean(slopes @ covariances @ slopes.transpose(0, 2, 1), axis=0)
  common, asymmetry, *others = mean = responses.mean(axis=0)
  step, matrix = common + abs(asymmetry), np.eye(7)
  # 0 at the symmetry point, but for rounding errors.
  matrix[0, 1] = np.sign(np.round(asymmetry / step, 9))
  matrix[1, :2] = 2 / step**2 * np.array([-asymmetry, common])
  variances = np.diag(matrix @ errors @ matrix.T)
  if count > 1:
    degrees, spread = count - 1, np.var(responses @ matrix.T, axis=0, ddof=1)
    variances = np.maximum(variances, spread)
  widths = special.stdtrit(degrees, 0.975) * np.sqrt(variances / count)
  center = np.array([step, 2 * asymmetry / step, *others])
  fields = np.column_stack([center, center - widths, center + widths])
  fields[-1] = np.exp(fields[-1])
  fields = dict(zip(_FIELDS, fields))
  if count > 1:
    sizes = np.array([step, step, *np.abs(mean[2:4]), 1.0, 1.0])
    ratios = degrees / special.chdtri(degrees, [0.025, 0.975])
    total = np.var(responses[:, :6], axis=0, ddof=1)
    variances = np.outer(total, [1.0, *ratios]) - np.diag(errors)[:6, None]
    variances = variances / sizes[:, None] ** 2 - _TINY
    spreads = np.sqrt(np.maximum(variances, 0.0))
    fields |= {f'{k}_dtod': each for k, each in zip(_FIELDS, spreads)}

  reached = dict(zip(('w_max', 'w_min'), is_bound.T))
  intervals = {}
  for name, (_, *ends) in [*fields.items()]:
    ends = np.clip(ends, *_RANGES.get(name, (0.0, np.inf)))
    bound = reached.get(name.removesuffix('_dtod'), np.array(True))
    # Read noise may hide write noise, extreme weights are biased, and fields
    # that are fixed by their limits have no interval.
    is_known = name != 'dw_min_std' or widths[-1] < np.log(10)
    if bound.all() and is_known and np.ptp(ends) > _TINY:
      intervals[name] = tuple(ends.tolist())
    if name.endswith('_dtod') and not bound.any():
      del fields[name]
  return {name: float(field[0]) for name, field in fields.items()}, intervals


def _respond(x, middle, half, ends, is_bound, zero, scale, mult_noise):
  """Returns common and half the difference of steps, and other fields."""
  point = (zero - middle) / half
  high, low = jnp.where(is_bound, _bounds(x), ends)
  up, down = steps = _steps(x, point)
  last = jnp.stack([_steps(x, high)[0], _steps(x, -low)[1]])
  # Constant noise is relative to the steps at weight 0.
  mean = jnp.mean(jnp.where(mult_noise, _steps(x, 0.0), steps))
  weights = [(up + down) / 2, (up - down) / 2, high - point, -low - point]
  weights, noise = half / scale * jnp.stack(weights), x[6:7] - jnp.log(mean)
  return jnp.concatenate([weights, 1 - last / steps, noise])


_AXES = (0,) * 5 + (None,) * 3
_RESPONSES = tuple(
  jax.jit(jax.vmap(function, _AXES))
  for function in (_respond, jax.jacfwd(_respond))
)


def _notes(devices, values, intervals):
  """Yields sentences on what the curves do not identify."""
  reached, count = sum(device.is_bound for device in devices), len(devices)
  for name, number in zip(('w_max', 'w_min'), count - reached):
    if number:
      yield (
        f'Curves of {number} of {count} devices do not saturate; their extreme '
        f'weight is {name}.'
      )
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
