"""Fits of devices to simulated pulse responses, whose parameters are known.

  python -m experiments.measurements.pulse_fit > pulse_fit.jsonl

prints one JSON line for each case and parameter: how many of the 95 % intervals
of single devices contain the parameter of the device; and one line for each
network trained on digits with the simulated devices, and with devices of the
parameters fitted to some of them.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import dataclasses
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tqdm

from experiments.config import command
from experiments.measurements import json_lines
import ssnn_jax
from ssnn_jax import hardware
from ssnn_jax import training
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.runs import provenance

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
CASES = {'coarse': COARSE, **hardware.PRESETS}
_NUM_CYCLES, _NUM_READINGS = 2, 50
_READ_NOISE = 0.02  # as a weight
_ZERO, _SCALE = 5.0, 2.0  # conductances of weight 0 and of a unit weight
# Devices with 200 states, of which networks are made, and devices and pulses of
# the curves that are fitted.
_FINE = dataclasses.replace(COARSE, dw_min=0.01)
_NUM_FITTED, _NUM_PULSES = 10, 300
_BATCH_SIZE = 32
_NETWORK = ssnn_jax.NetworkConfig(
  (64, 256, 10), num_steps=16, sampler='bernoulli'
)


def simulate(
  config: DeviceConfig,
  num_devices: int = 1,
  num_pulses: int = 50,
  seed: int = 0,
  *,
  num_cycles: int = 1,
  every: int = 1,
  read_noise: float = 0.0,
) -> tuple[list[hardware.PulseCurve], resistive.Constants]:
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
      _ZERO + _SCALE * curve[::every, device],
      is_up=index % 2 == 0,
      device=str(device),
    )
    for index, curve in enumerate(weights.reshape(shape))
    for device in range(num_devices)
  ]
  return curves, constants


def truth(
  config: DeviceConfig,
  constants: resistive.Constants,
  index: int,
  fit: hardware.PulseFit,
) -> dict[str, float]:
  """Returns the parameters of a simulated device, as weights of a fit.

  Args:
    config: the devices.
    constants: constants of the devices.
    index: number of the device.
    fit: the fit, for the conductances of weight 0 and of a unit weight.

  Returns:
    The true values of fields of `fit.config`.
  """
  own = jax.tree.map(lambda x: np.float64(x[index] if x.ndim else x), constants)
  point, unit = (fit.zero - _ZERO) / _SCALE, fit.scale / _SCALE
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


def measure_coverage(
  name: str, num_devices: int, seed: int
) -> Iterator[dict[str, Any]]:
  """Yields a line for each parameter of a case."""
  config = CASES[name]
  num_pulses = max(50, round(1.5 * config.num_states))
  curves, constants = simulate(
    config,
    num_devices,
    num_pulses,
    seed,
    num_cycles=_NUM_CYCLES,
    every=max(1, num_pulses // _NUM_READINGS),
    read_noise=_READ_NOISE,
  )
  found = {}
  for index in tqdm.trange(num_devices, desc=name, disable=None):
    own = [curve for curve in curves if curve.device == str(index)]
    fit = hardware.fit_pulse_response(own)
    for field, value in truth(config, constants, index, fit).items():
      hit = None
      if field in fit.intervals:
        low, high = fit.intervals[field]
        hit = low <= value <= high
      error = abs(getattr(fit.config, field) - value)
      found.setdefault(field, []).append((hit, error))
  for field, fits in found.items():
    hits = [hit for hit, _ in fits if hit is not None]
    yield {
      'kind': 'coverage',
      'case': name,
      'parameter': field,
      'num_fits': len(fits),
      'num_intervals': len(hits),
      'num_covered': sum(map(bool, hits)),
      'median_error': float(np.median([error for _, error in fits])),
    }


def train(
  config: DeviceConfig, num_epochs: int, seed: int
) -> Mapping[str, Any]:
  """Trains a network on digits with resistive devices; returns its line."""
  digits = ssnn_jax.datasets.load('digits')
  num_updates = num_epochs * (len(digits.train.labels) // _BATCH_SIZE)
  schedule = optax.linear_schedule(1.0, 0.0, num_updates)
  device = hardware.make_resistive(config, 1.0, schedule)
  network = ssnn_jax.ssnn(_NETWORK, separate_signs=device.separate_signs)
  result = training.fit(
    network,
    device,
    digits,
    num_epochs=num_epochs,
    batch_size=_BATCH_SIZE,
    seed=seed,
    progress=False,
  )
  accuracy = float(result.history.eval_accuracy[-1])
  return {'kind': 'training', 'seed': seed, 'test_accuracy': accuracy}


def measure(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
  """Yields the lines of all cases, then those of the networks."""
  for name in command.choices(values, 'cases', tuple(CASES)):
    yield from measure_coverage(name, values['num_devices'], values['seed'])
  curves, _ = simulate(
    _FINE,
    _NUM_FITTED,
    _NUM_PULSES,
    values['seed'],
    num_cycles=_NUM_CYCLES,
    every=_NUM_PULSES // _NUM_READINGS,
    read_noise=_READ_NOISE,
  )
  fit = hardware.fit_pulse_response(curves)
  unit = {name: fit.scale / _SCALE for name in ('dw_min', 'w_max', 'w_min')}
  fitted = dataclasses.replace(
    fit.config, **{k: v * getattr(fit.config, k) for k, v in unit.items()}
  )
  for name, config in {'simulated': _FINE, 'fitted': fitted}.items():
    for seed in range(values['num_seeds']):
      yield {'case': name, **train(config, values['num_epochs'], seed)}


def main() -> None:
  """Prints the lines of all cases."""
  measured = measure(flags.FLAGS.flag_values_dict())
  json_lines.write(__spec__.name, provenance.environment(), measured)


if __name__ == '__main__':
  flags.DEFINE_list('cases', ','.join(CASES), 'devices that are simulated.')
  flags.DEFINE_integer('num_devices', 20, 'number of devices per case.', 1)
  flags.DEFINE_integer('num_seeds', 10, 'number of networks per device.', 1)
  flags.DEFINE_integer('num_epochs', 10, 'number of epochs of training.', 1)
  flags.DEFINE_integer('seed', 0, 'seed of the devices and their noise.', 0)
  command.launch(main)
