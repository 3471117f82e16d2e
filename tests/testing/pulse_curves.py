"""Simulated measurements of pulse responses, for tests of fits."""

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.hardware import PulseCurve
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware import variability


def measure(config, num_devices=1, num_pulses=50, seed=0, **options):
  """Simulates up and down curves of devices, in microsiemens.

  Args:
    config: the devices.
    num_devices: number of devices.
    num_pulses: number of pulses of a curve.
    seed: of the devices, their write noise and the read noise.
    **options: `num_cycles` of an up and a down curve, 1 by default; `every`,
      pulses between readings; `read_noise`, as a weight.

  Returns:
    The curves, with conductance 5 + 2 w of a weight w, and the constants of
    the devices.
  """
  num_cycles, every = options.get('num_cycles', 1), options.get('every', 1)
  device_key, noise_key = jax.random.split(jax.random.key(seed))
  constants = variability.sample(device_key, config, (num_devices,))

  def pulse(weights, inputs):
    is_up, words = inputs
    up = jnp.full(weights.shape, is_up, jnp.float32)
    pulses = resistive.Pulses(up, 1 - up)
    noise = resistive.sample_noise(words, weights.shape).normals()
    noise = noise if config.dw_min_std else None
    step = config.dw_min
    weights = resistive.move_weights(
      config, constants, weights, pulses, step, noise
    )
    return weights, weights

  is_up = np.tile(np.repeat([1.0, 0.0], num_pulses), num_cycles)
  words = jax.random.bits(
    noise_key, (len(is_up), resistive.NUM_KEYS), jnp.uint32
  )
  start = jnp.broadcast_to(constants.w_min, (num_devices,))
  inputs = jnp.float32(is_up), words
  weights = np.float64(jax.lax.scan(pulse, start, inputs)[1])
  read_noise = options.get('read_noise', 0.0)
  weights += read_noise * np.random.default_rng(seed).normal(size=weights.shape)
  shape = 2 * num_cycles, num_pulses, num_devices
  curves = [
    PulseCurve(
      np.arange(num_pulses)[::every],
      5 + 2 * weights[::every, device],
      is_up=index % 2 == 0,
      device=str(device),
    )
    for index, weights in enumerate(weights.reshape(shape))
    for device in range(num_devices)
  ]
  return curves, constants


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
