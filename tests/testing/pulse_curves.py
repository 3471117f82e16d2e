"""Simulated pulse responses and their files, for tests of fits."""

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import hardware
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware.device_config import DeviceConfig

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


def simulate(
  config,
  num_devices=1,
  num_pulses=50,
  seed=0,
  *,
  num_cycles=1,
  every=1,
  read_noise=0.0,
):
  """Simulates measurements of up and down curves, in microsiemens.

  Args:
    config: the devices.
    num_devices: number of devices.
    num_pulses: number of pulses of a curve.
    seed: seed of the devices, their write noise and the read noise.
    num_cycles: number of cycles of an up and a down curve.
    every: pulses between two readings.
    read_noise: standard deviation of a reading, as a weight.

  Returns:
    The curves, with conductance 5 + 2 w of a weight w, and the constants of the
    devices.
  """
  device_key, noise_key = jax.random.split(jax.random.key(seed))
  constants = resistive.sample_constants(device_key, config, (num_devices,))

  def pulse(weights, inputs):
    is_up, words = inputs
    up = jnp.full(weights.shape, is_up, jnp.float32)
    normals = None
    if config.dw_min_std:
      normals = resistive.sample_noise(words, weights.shape).normals
    weights = resistive.move_weights(
      config,
      constants,
      weights,
      resistive.Pulses(up, 1 - up),
      config.dw_min,
      normals,
    )
    return weights, weights

  is_up = np.tile(np.repeat([1.0, 0.0], num_pulses), num_cycles)
  words = jax.random.bits(
    noise_key, (len(is_up), resistive.NUM_KEYS), jnp.uint32
  )
  start = jnp.broadcast_to(constants.w_min, (num_devices,))
  inputs = jnp.float32(is_up), words
  weights = np.float64(jax.lax.scan(pulse, start, inputs)[1])
  weights += read_noise * np.random.default_rng(seed).normal(size=weights.shape)
  shape = 2 * num_cycles, num_pulses, num_devices
  curves = [
    hardware.PulseCurve(
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
  own = jax.tree.map(lambda x: np.float64(x[index] if x.ndim else x), constants)
  point, unit = (fit.zero - 5) / 2, fit.scale / 2
  up, down = _steps(config, own, point)
  larger = max(up, down)
  found = {
    'dw_min': larger / unit,
    'up_down': (up - down) / larger,
    'w_max': (own.w_max - point) / unit,
    'w_min': (own.w_min - point) / unit,
  }
  # Of a bound that is not reached, gamma refers to the extreme weight.
  high, low = (
    point + unit * (found if name in fit.intervals else vars(fit.config))[name]
    for name in ('w_max', 'w_min')
  )
  found['gamma_up'] = 1 - _steps(config, own, high)[0] / up
  found['gamma_down'] = 1 - _steps(config, own, low)[1] / down
  if config.mult_noise:
    found['dw_min_std'] = config.dw_min_std
  return found


def _steps(config, own, weight):
  """Returns the up and the down step of a device at a weight."""
  if own.rate_up is None:
    return config.dw_min * own.up, config.dw_min * own.down
  # Steps are exponential approaches to the weight at which they are 0.
  up = -np.expm1(-config.dw_min * own.rate_up)
  down = -np.expm1(-config.dw_min * own.rate_down)
  return (
    up * (own.up / own.rate_up - weight),
    down * (own.down / own.rate_down + weight),
  )


def write_csv(path, curves, direction=True):
  """Writes curves to a CSV file."""
  header = ['device', 'pulse', 'conductance']
  rows = [header + ['direction'] * direction]
  for device in sorted({curve.device for curve in curves}):
    for curve in (curve for curve in curves if curve.device == device):
      word = ['up' if curve.is_up else 'down'] * direction
      for pulse, value in zip(curve.pulses, curve.conductances):
        rows.append([device, pulse, repr(float(value)), *word])
  text = '\n'.join(','.join(map(str, row)) for row in rows)
  path.write_text(text + '\n')
