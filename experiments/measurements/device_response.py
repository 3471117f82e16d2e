"""Responses of resistive devices to single pulses.

  python -m experiments.measurements.device_response > response.jsonl

prints one JSON line per case of `experiments.measurements.aihwkit_response`,
for devices of `ssnn_jax` with the same parameters.
"""

from collections.abc import Iterator
import dataclasses
import functools
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp
import tqdm

from experiments.config import command
from experiments.measurements import aihwkit_response
from experiments.measurements import json_lines
import ssnn_jax
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware.device_config import PRESETS
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.runs import provenance

_CASES = aihwkit_response.CASES
_MOST_DEVICES = 10_000_000
_CONFIGS = {
  'GokmenVlasovPresetDevice': PRESETS['gokmen_vlasov'],
  'ReRamSBPresetDevice': PRESETS['reram'],
  'EcRamPresetDevice': PRESETS['ecram'],
  'EcRamMOPresetDevice': PRESETS['ecram_mo'],
  'IdealizedPresetDevice': dataclasses.replace(
    PRESETS['gokmen_vlasov'], dw_min=0.0002, up_down_dtod=0.0
  ),
}
_DEFAULTS = {  # defaults of aihwkit
  'LinearStepDevice': {'mean_bound_reference': True},
  'SoftBoundsDevice': {'gamma_up': 1.0, 'gamma_down': 1.0},
}


def make_config(case: aihwkit_response.Case) -> DeviceConfig:
  """Returns the device parameters of `ssnn_jax` for a case of aihwkit."""
  if case.device in _CONFIGS:
    return _CONFIGS[case.device]
  return DeviceConfig(**_DEFAULTS.get(case.device, {}) | case.parameters)


def closed_form(case: aihwkit_response.Case) -> list[float] | None:
  """Computes the mean weight of equal devices at each read.

  With g = gamma / bound, an up pulse of mean step s moves a weight w on average
  by s (1 - g w). After k pulses

    w_k = 1 / g + (w_0 - 1 / g) (1 - s g)^k,    or    w_0 + s k  if g = 0,

  clipped at the bound. Returns None if devices differ, or if bounds clip noise
  and thus shift the mean.
  """
  config = make_config(case)
  fields = dataclasses.asdict(config).items()
  differ = any(value for name, value in fields if name.endswith('_dtod'))
  clip_noise = config.dw_min_std and min(config.gamma_up, config.gamma_down) < 1
  if differ or clip_noise or config.corrupt_devices_prob:
    return None
  up = config.dw_min * (1 + min(config.up_down, 0))
  down = config.dw_min * (1 - max(config.up_down, 0))
  weight, means = case.start, []
  for pulses in case.schedule:
    if pulses > 0:
      weight = _climb(weight, pulses, up, config.gamma_up, config.w_max)
    elif pulses < 0:
      response = down, config.gamma_down, -config.w_min
      weight = -_climb(-weight, -pulses, *response)
    else:
      weight *= 1 - 1 / config.lifetime
    means.append(weight)
  return means


def _climb(weight, pulses, step, gamma, bound):
  """Returns the weight after up pulses."""
  if not gamma:
    return min(weight + pulses * step, bound)
  limit = bound / gamma
  distance = (limit - weight) * (1 - step / limit) ** pulses
  return min(limit - distance, bound)


@functools.partial(jax.jit, static_argnames=('name', 'num_devices'))
def respond(key: jax.Array, name: str, num_devices: int) -> jax.Array:
  """Simulates the devices of a case; returns weights `[reads, devices]`."""
  case = _CASES[name]
  config = make_config(case)
  device_key, noise_key = jax.random.split(key)
  constants = resistive.sample_constants(device_key, config, (num_devices,))

  def one_pulse(index, carry):
    weights, key, pulses = carry
    # The same noise generator as in training.
    keys = jax.random.bits(
      jax.random.fold_in(key, index), (resistive.NUM_KEYS,), jnp.uint32
    )
    normals = resistive.sample_noise(keys, weights.shape).normals
    weights = resistive.move_weights(
      config, constants, weights, pulses, config.dw_min, normals
    )
    return weights, key, pulses

  def read(weights, scheduled):
    index, pulses = scheduled
    if not case.num_pulses:
      weights = resistive.decay(constants, weights)
      return weights, weights
    direction = jnp.sign(pulses).astype(jnp.float32)
    each = resistive.Pulses(jax.nn.relu(direction), jax.nn.relu(-direction))
    carry = weights, jax.random.fold_in(noise_key, index), each
    weights = jax.lax.fori_loop(0, jnp.abs(pulses), one_pulse, carry)[0]
    return weights, weights

  start = jnp.full(num_devices, case.start)
  start = jnp.clip(start, constants.w_min, constants.w_max)
  schedule = jnp.array(case.schedule)
  return jax.lax.scan(read, start, (jnp.arange(len(schedule)), schedule))[1]


def measure(key: jax.Array, num_devices: int) -> Iterator[dict[str, Any]]:
  """Yields the line of each case."""
  source = {'source': 'ssnn_jax', 'version': ssnn_jax.__version__}
  cases = tqdm.tqdm(_CASES.items(), disable=None, unit='case')
  for index, (name, case) in enumerate(cases):
    weights = respond(jax.random.fold_in(key, index), name, num_devices)
    parameters = dataclasses.asdict(make_config(case))
    line = aihwkit_response.make_line(name, weights, parameters, **source)
    yield {**line, 'closed_form': closed_form(case)}


def main() -> None:
  """Prints the lines of all cases."""
  values = flags.FLAGS.flag_values_dict()
  measured = measure(jax.random.key(values['seed']), values['num_devices'])
  json_lines.write(__spec__.name, provenance.environment(), measured)


if __name__ == '__main__':
  flags.DEFINE_integer(
    'num_devices', 20_000, 'devices per case.', 2, _MOST_DEVICES
  )
  command.define_seed(0, 'seed of the devices and their noise.')
  command.launch(main)
