"""Simulated pulse responses and their files, for tests of fits."""

import jax
import numpy as np

from ssnn_jax import stochastic
from ssnn_jax.stochastic import devices
from ssnn_jax.stochastic.device_config import DeviceConfig

_simulate = jax.jit(devices.simulate, static_argnums=(1, 2))
# Steps of 16 states that decrease towards the bounds, and vary.
COARSE = DeviceConfig(
  dw_min=0.0625,
  dw_min_std=0.3,
  dw_min_dtod=0.2,
  up_down=0.125,
  up_down_dtod=0.05,
  w_max=1.0,
  w_max_dtod=0.1,
  w_min=-1.0,
  w_min_dtod=0.1,
  gamma_up=0.75,
  gamma_up_dtod=0.05,
  gamma_down=0.5,
  gamma_down_dtod=0.05,
)


def simulate_weights(config, num_devices, num_pulses, num_cycles=1, start=None):
  """Simulates cycles of up pulses, then as many down pulses.

  Returns weights `[pulses, devices]` after each pulse, from the lower bound or
  a given start, and the constants of the devices.
  """
  up = np.tile(np.repeat(np.int32([1, 0]), num_pulses), num_cycles)
  key = jax.random.key(0)
  simulated = _simulate(key, config, num_devices, up, 1 - up, start)
  return jax.tree.map(np.float64, simulated)


def simulate(
  config, num_devices=1, num_pulses=50, *, num_cycles=1, every=1, read_noise=0.0
):
  """Simulates measurements of up and down curves, in microsiemens.

  Curves have `num_pulses` pulses, and a reading `every` so many of them; the
  read noise is that of a weight. Returns the curves, with conductance 5 + 2 w
  of a weight w, and the constants of the devices.
  """
  pulses = num_devices, num_pulses, num_cycles
  weights, constants = simulate_weights(config, *pulses)
  weights += read_noise * np.random.default_rng(0).normal(size=weights.shape)
  shape = 2 * num_cycles, num_pulses, num_devices
  curves = [
    stochastic.PulseCurve(
      np.arange(num_pulses)[::every],
      5.0 + 2.0 * curve[::every, device],
      is_up=index % 2 == 0,
      device=str(device),
    )
    for index, curve in enumerate(weights.reshape(shape))
    for device in range(num_devices)
  ]
  return curves, constants


def truth(config, constants, index, fit):
  """Returns the parameters of a simulated device, as weights of a fit."""
  device = jax.tree.map(lambda x: x[index] if x.ndim else x, constants)
  point, unit = (fit.zero - 5) / 2, fit.scale / 2

  def steps(weight):  # exponential approaches to the weight at which they are 0
    up = -np.expm1(-config.dw_min * device.rate_up)
    down = -np.expm1(-config.dw_min * device.rate_down)
    return (
      up * (device.up / device.rate_up - weight),
      down * (device.down / device.rate_down + weight),
    )

  up, down = steps(point)
  larger = max(up, down)
  values = {
    'dw_min': larger / unit,
    'up_down': (up - down) / larger,
    'w_max': (device.w_max - point) / unit,
    'w_min': (device.w_min - point) / unit,
    'dw_min_std': config.dw_min_std,
  }
  # Of a bound that is not reached, gamma refers to the extreme weight.
  ends = vars(fit.config) | {
    k: v for k, v in values.items() if k in fit.intervals
  }
  values['gamma_up'] = 1 - steps(point + unit * ends['w_max'])[0] / up
  values['gamma_down'] = 1 - steps(point + unit * ends['w_min'])[1] / down
  return values


def write_csv(path, curves, direction=True):
  """Writes curves to a CSV file."""
  lines = ['device,pulse,conductance' + ',direction' * direction]
  for curve in curves:
    word = (',up' if curve.is_up else ',down') * direction
    for pulse, value in zip(curve.pulses, curve.conductances):
      lines.append(f'{curve.device},{pulse},{float(value)!r}{word}')
  path.write_text('\n'.join(lines))
