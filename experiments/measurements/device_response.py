"""Measures how resistive devices respond to pulses, one pulse at a time.

  python -m experiments.measurements.device_response > response.jsonl

prints a JSON line for each case of `experiments.measurements.aihwkit_response`, of devices
with the same parameters.
"""

from collections.abc import Iterator
import dataclasses
import functools
import json
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp

from experiments.config import command as cli
from experiments.measurements import aihwkit_response
import ssnn_jax
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware import variability
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.hardware.presets import PRESETS

_CASES = aihwkit_response.CASES
FILE = 'response.jsonl'  # of the lines in a record
_PRESETS = {
  'GokmenVlasovPresetDevice': PRESETS['gokmen_vlasov'],
  'ReRamSBPresetDevice': PRESETS['reram'],
  'EcRamPresetDevice': PRESETS['ecram'],
  'EcRamMOPresetDevice': PRESETS['ecram_mo'],
  'IdealizedPresetDevice': dataclasses.replace(
    PRESETS['gokmen_vlasov'], dw_min=0.0002, up_down_dtod=0.0
  ),
}


def make_config(case: aihwkit_response.Case) -> DeviceConfig:
  """Makes the parameters of our devices that those of aihwkit correspond to.

  Args:
    case: the devices.

  Returns:
    The parameters: those of a preset are ours; others have the same names.
  """
  if case.device in _PRESETS:
    return _PRESETS[case.device]
  parameters = dict(case.parameters)
  if case.device == 'LinearStepDevice':  # as is the default there
    parameters.setdefault('mean_bound_reference', True)
  if case.device == 'SoftBoundsDevice':
    parameters |= {'gamma_up': 1.0, 'gamma_down': 1.0}
  return DeviceConfig(**parameters)


def closed_form(case: aihwkit_response.Case) -> list[float] | None:
  """Derives the mean weight where that is elementary: devices all alike.

  With g = gamma / bound, a pulse up moves a weight w by s (1 - g w), on the
  average over its noise, and so leaves 1 - s g of its distance to 1 / g. After
  k pulses

    w_k = 1 / g + (w_0 - 1 / g) (1 - s g)^k,    or    w_0 + s k  if g = 0,

  and not beyond the bound. Down is up seen from below. A bound cuts noise, too,
  and so changes the mean; this holds without noise, or with soft bounds, which
  no weight reaches. Of a weight that decays a step leaves 1 - 1 / lifetime.

  Args:
    case: the devices.

  Returns:
    The means, look by look; None where devices differ, or meet a bound with
    noise.
  """
  config = make_config(case)
  fields = dataclasses.asdict(config).items()
  is_alike = not any(value for name, value in fields if name.endswith('_dtod'))
  is_soft = config.gamma_up == config.gamma_down == 1.0
  is_exact = is_soft or not config.dw_min_std
  if not is_alike or not is_exact or config.corrupt_devices_prob:
    return None
  up = config.dw_min * (1 + min(config.up_down, 0))
  down = config.dw_min * (1 - max(config.up_down, 0))
  weight, means = case.start, []
  for pulses in case.schedule:
    if pulses > 0:
      weight = _climb(weight, pulses, up, config.gamma_up, config.w_max)
    elif pulses < 0:
      bound = -config.w_min
      weight = -_climb(-weight, -pulses, down, config.gamma_down, bound)
    else:
      weight *= 1 - 1 / config.lifetime
    means.append(weight)
  return means


def _climb(weight, pulses, step, gamma, bound):
  """The weight after pulses up."""
  if not gamma:
    return min(weight + pulses * step, bound)
  limit = bound / gamma
  distance = (limit - weight) * (1 - step / limit) ** pulses
  return min(limit - distance, bound)


@functools.partial(jax.jit, static_argnames=('name', 'num_devices'))
def respond(key: jax.Array, name: str, num_devices: int) -> jax.Array:
  """Gives devices their pulses, one by one, or lets them decay.

  Args:
    key: PRNG key; consumed.
    name: that of the case.
    num_devices: how many there are.

  Returns:
    `[looks, devices]` weights.
  """
  case = _CASES[name]
  config = make_config(case)
  device_key, noise_key = jax.random.split(key)
  constants = variability.sample(device_key, config, (num_devices,))

  def one_pulse(index, carry):
    weights, key, pulses = carry
    # Devices in training get numbers of this kind, too.
    keys = jax.random.bits(
      jax.random.fold_in(key, index), (resistive.NUM_KEYS,), jnp.uint32
    )
    normals = resistive.sample_noise(keys, weights.shape).normals()
    weights = resistive.move_weights(
      config, constants, weights, pulses, config.dw_min, normals
    )
    return weights, key, pulses

  def look(weights, now):
    place, pulses = now
    if case.num_decays:
      weights = resistive.decay(constants, weights)
      return weights, weights
    direction = jnp.sign(pulses).astype(jnp.float32)
    each = resistive.Pulses(jax.nn.relu(direction), jax.nn.relu(-direction))
    carry = weights, jax.random.fold_in(noise_key, place), each
    weights = jax.lax.fori_loop(0, jnp.abs(pulses), one_pulse, carry)[0]
    return weights, weights

  start = jnp.full(num_devices, case.start)
  start = jnp.clip(start, constants.w_min, constants.w_max)
  schedule = jnp.array(case.schedule)
  return jax.lax.scan(look, start, (jnp.arange(len(schedule)), schedule))[1]


def measure(key: jax.Array, num_devices: int) -> Iterator[dict[str, Any]]:
  """Measures all cases.

  Args:
    key: PRNG key; consumed.
    num_devices: how many devices of each.

  Yields:
    A line for each case.
  """
  for index, (name, case) in enumerate(_CASES.items()):
    own_key = jax.random.fold_in(key, index)
    yield {
      'source': 'ssnn_jax',
      'version': ssnn_jax.__version__,
      'case': name,
      'parameters': dataclasses.asdict(make_config(case)),
      'num_devices': num_devices,
      'pulses': case.schedule,
      **aihwkit_response.describe(respond(own_key, name, num_devices)),
      'closed_form': closed_form(case),
    }


def main() -> None:
  """Prints what the flags ask for."""
  values = flags.FLAGS.flag_values_dict()
  if values['num_devices'] < 2:
    raise ssnn_jax.UserError(
      f'--num_devices is {values["num_devices"]}; expected 2 or more.'
    )
  key = jax.random.key(values['seed'])
  for line in measure(key, values['num_devices']):
    print(json.dumps(line), flush=True)


if __name__ == '__main__':
  with cli.group('Measurements'):
    flags.DEFINE_integer('num_devices', 20_000, 'devices of each case.')
    flags.DEFINE_integer('seed', 0, 'chooses devices and their noise.')
  cli.launch(main)
