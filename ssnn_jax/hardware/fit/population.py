"""Mean and device-to-device variability of estimated devices.

A device is a vector of 7 numbers: up step, down step, upper and lower bound,
relative decrease of both steps to these bounds, and relative write noise.
"""

import jax
from jax import numpy as jnp
import numpy as np

# Fields of the mean device; the first six vary between devices.
_FIELDS = ('dw_min', 'up_down', 'w_max', 'w_min', 'gamma_up', 'gamma_down')
_FIELDS += ('dw_min_std',)
_RANGES = {'up_down': (-1.0, 1.0), 'w_min': (-np.inf, 0.0)}
_RANGES |= dict.fromkeys(('gamma_up', 'gamma_down'), (0.0, 1.0))
_TAIL = 0.025  # outside of an interval, on each side
_MAX_RATIO = 10  # of the upper end to the value of write noise
_TINY = 1e-9  # standard deviation of rounding errors

Intervals = dict[str, tuple[float, float]]


def summarize(
  devices: np.ndarray, covariances: np.ndarray, number: int
) -> tuple[dict[str, float], Intervals]:
  """Computes fields of `DeviceConfig` from the estimates of devices.

  Args:
    devices: `[K, 7]` estimates of K devices.
    covariances: `[K, 7, 7]` covariances of the errors of each estimate.
    number: number of readings of all devices.

  Returns:
    The values of the fields, and the 95% confidence intervals of fields that
    are not fixed by their limits.
  """
  fields = _average(devices, covariances, number)
  if len(devices) > 1:
    fields |= _variability(devices, covariances)
  values = {name: value for name, (value, _, _) in fields.items()}
  intervals = {
    name: ends for name, (_, *ends) in fields.items() if np.ptp(ends) > _TINY
  }
  return values, {name: tuple(ends) for name, ends in intervals.items()}


def _fields(response):
  """Returns the fields of a configuration, in order of `_FIELDS`."""
  up, down, *others = response
  larger = jnp.maximum(up, down)
  return jnp.array([larger, (up - down) / larger, *others])


def _average(devices, covariances, number):
  """Returns the fields of the mean device, and the ends of their intervals."""
  from scipy import special  # imported late: a third of a second

  count, mean = len(devices), devices.mean(axis=0)
  with jax.enable_x64(True):
    slopes = np.array(jax.jacfwd(_fields)(mean))
    values = dict(zip(_FIELDS, np.array(_fields(mean)).tolist()))
  degrees = max(number - devices.shape[1] - 1, 1)
  variances = np.einsum('fp,pq,fq->f', slopes, covariances.mean(axis=0), slopes)
  if count > 1:
    degrees = count - 1
    spread = np.var(devices @ slopes.T, axis=0, ddof=1)
    variances = np.maximum(variances, spread)
  width = special.stdtrit(degrees, 1 - _TAIL) * np.sqrt(variances / count)
  fields = {}
  for (name, value), margin in zip(values.items(), width.tolist()):
    low, high = _RANGES.get(name, (0.0, np.inf))
    ends = np.clip([value - margin, value + margin], low, high).tolist()
    fields[name] = np.clip(value, low, high), *ends
  ratio = np.exp(min(width[-1] / max(value, _TINY), 100))  # of skewed noise
  if ratio > _MAX_RATIO:
    ratio = 1.0
  return fields | {name: (value, float(value / ratio), float(value * ratio))}


def _variability(devices, covariances):
  """Returns standard deviations of devices, and the ends of their intervals."""
  from scipy import special  # imported late: a third of a second

  up, down, w_max, w_min = devices.mean(axis=0)[:4]
  matrix = np.diag([0.0, 0.0, 1 / w_max, -1 / w_min, 1.0, 1.0, 0.0])[:6]
  half = 0.5 / max(up, down)
  matrix[:2, :2] = [[half, half], [half, -half]]  # common part, asymmetry
  degrees = len(devices) - 1
  total = np.var(devices @ matrix.T, axis=0, ddof=1)
  errors = np.einsum('fp,pq,fq->f', matrix, covariances.mean(axis=0), matrix)
  low, high = special.chdtri(degrees, [_TAIL, 1 - _TAIL])
  variances = np.array([total, total * degrees / low, total * degrees / high])
  spreads = np.sqrt(np.maximum(variances - errors - _TINY**2, 0))
  names = [f'{name}_dtod' for name in _FIELDS[:6]]
  return dict(zip(names, spreads.T.tolist()))
