"""Synaptic devices: what stores the weights, and how they learn from a batch.

A `types.Device` is two pure functions, in the style of an optax optimizer, and
an optax optimizer is the ideal device: `training.init_state` and
`training.make_train_epoch` accept either. A training loop over batches::

  params, state = device.init(device_key, network.init(init_key))
  for each batch:
    (params, state), inference = device.learn(
      network, (present_key, pulse_key), (params, state), images, labels)

The weights are constant during a batch, after which its pulses are applied
together. On-chip learning corresponds to a batch size of 1.

Pulses of a batch are applied to resistive devices in closed form: the numbers
of up and down pulses of a device are known, their order is not. The mean is
exact if all pulses have one direction, and the variance has a relative error of
order (step / range)^2; for pulses in both directions, both are those of finely
interleaved pulses. Weights are clipped once, after all pulses.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.stochastic.device_config import GAMMAS
from ssnn_jax.stochastic.device_config import DeviceConfig
from ssnn_jax.trains import thresholds

# Sampled quantities, in the order of their keys.
QUANTITIES = ('dw_min', 'up_down', 'w_max', 'w_min', 'gamma_up', 'gamma_down')
_NUM_CONSTANT_KEYS, _STUCK, _STUCK_WEIGHT = 12, 8, 9
NUM_KEYS = 5  # uint32 keys of the noise of one array
_TINY = 1e-6
_MAX_FRACTION = 0.999  # of the distance to a soft bound, in one pulse


def make_resistive(
  config: DeviceConfig,
  learning_rate: jax.Array | float,
  schedule: optax.Schedule | None = None,
) -> types.Device:
  """Builds arrays of resistive devices; the biases are a row of each array.

  Args:
    config: the devices.
    learning_rate: step size for the mean gradient of a batch, 0 or more. It is
      part of the state, so that runs of several rates share a program.
    schedule: factor on the learning rate, as a function of the number of
      updates so far; None is constant.
  """
  checks.check_rate('learning_rate', learning_rate)

  def init(key, params):
    structure = jax.tree.structure(params)
    keys = structure.unflatten(jax.random.split(key, structure.num_leaves))
    sample = lambda own, key: sample_constants(key, config, own.shape)
    constants = jax.tree.map(sample, params, keys)
    clip = lambda weights, own: jnp.clip(weights, own.w_min, own.w_max)
    params = jax.tree.map(clip, params, constants)
    rate = jnp.float32(learning_rate)
    return params, types.DeviceState(jnp.int32(0), rate, constants)

  def learn(network, keys, carry, inputs, labels):
    (params, state), step = carry, config.dw_min
    rate = state.current_rate(schedule)
    # For this gradient, a step of SGD is one pulse.
    pulse_gradient = step / rate if step else None
    counted, inference = network.count_pulses(
      params, keys[0], inputs, labels, pulse_gradient
    )
    scales = counted.pulses
    if scales is None:  # the learning rate sets the step
      unit = step or 1.0
      scales = jax.tree.map(lambda leaf: rate * leaf / unit, counted.unit)

    def update(weights, own, keys, *pulses):
      return apply_pulses(config, keys, own, weights, *pulses)

    structure = jax.tree.structure(params)
    shape = structure.num_leaves, NUM_KEYS
    bits = structure.unflatten(jax.random.bits(keys[1], shape, jnp.uint32))
    pulses = counted.negative, counted.positive, scales
    params = jax.tree.map(update, params, state.hardware, bits, *pulses)
    state = state._replace(num_updates=state.num_updates + 1)
    return (params, state), inference

  return types.Device(init, learn)


class Constants(NamedTuple):
  """Constants of individual devices; scalars where all devices are equal.

  The mean response to a pulse is modelled in continuous time, from s = 0 to
  s = `dw_min`, the mean step at weight 0:

    up pulse    dw/ds =  up - rate_up w
    down pulse  dw/ds = -(down + rate_down w)
  """

  up: jax.Array
  down: jax.Array
  rate_up: jax.Array
  rate_down: jax.Array
  w_max: jax.Array
  w_min: jax.Array


def sample_constants(
  key: jax.Array, config: DeviceConfig, shape: tuple[int, ...]
) -> Constants:
  """Samples the constants of an array of devices; consumes the key.

  The constants are float32, of the shape of the array, or scalars.
  """
  all_keys = list(jax.random.split(key, _NUM_CONSTANT_KEYS))
  keys = dict(zip(QUANTITIES, all_keys))

  def vary(name, mean=1.0):
    deviation = getattr(config, f'{name}_dtod')
    if not deviation:
      return jnp.float32(mean)
    return mean + deviation * jax.random.normal(keys[name], shape)

  step, asymmetry = vary('dw_min'), vary('up_down', 0.0)
  up = jnp.abs(step + min(config.up_down, 0.0) + asymmetry)
  down = jnp.abs(step - max(config.up_down, 0.0) - asymmetry)
  w_max = high = jnp.abs(config.w_max * vary('w_max'))
  w_min = low = -jnp.abs(config.w_min * vary('w_min'))
  if config.mean_bound_reference:
    high, low = config.w_max, config.w_min
  gamma_up = jnp.abs(vary('gamma_up', config.gamma_up))
  gamma_down = jnp.abs(vary('gamma_down', config.gamma_down))
  up, rate_up = _continuous_step(config, up, gamma_up / high)
  down, rate_down = _continuous_step(config, down, -gamma_down / low)
  constants = Constants(up, down, rate_up, rate_down, w_max, w_min)
  if config.corrupt_devices_prob:
    is_stuck = jax.random.bernoulli(
      all_keys[_STUCK], config.corrupt_devices_prob, shape
    )
    low, high = jnp.maximum(w_min, -1.0), jnp.minimum(w_max, 1.0)
    uniform = jax.random.uniform(all_keys[_STUCK_WEIGHT], shape)
    weight = low + (high - low) * uniform
    stuck = Constants(0.0, 0.0, 0.0, 0.0, weight, weight)
    choose = lambda stuck, working: jnp.where(is_stuck, stuck, working)
    constants = jax.tree.map(choose, stuck, constants)
  return constants


def _continuous_step(config, step, decrease):
  """Returns the initial speed and the decay rate in continuous time.

  One pulse changes the weight by dw_min step (1 - decrease w), so that the
  distance to w = 1 / decrease, where the step is 0, is multiplied by 1 - c with
  c = dw_min step decrease. An exponential decay from s = 0 to s = dw_min
  multiplies the distance by the same factor if its rate is

    -log(1 - c) / dw_min = ratio step decrease.

  Its speed at weight 0 is then ratio step.
  """
  c = jnp.minimum(config.dw_min * step * decrease, _MAX_FRACTION)
  ratio = jnp.where(c > _TINY, -jnp.log1p(-c) / jnp.maximum(c, _TINY), 1.0)
  return ratio * step, ratio * step * decrease


def _sample_noise(keys, shape):
  """Samples standard normal numbers, and uniform ones in [0, 1), of a shape.

  They are nearly independent; the normal ones are centered binomials. A hash
  of the `[NUM_KEYS]` uint32 keys is faster than `jax.random`, which would
  dominate the time of updates. Under `jax.jit`, only what is used is computed.
  """

  def as_float(words):  # below 2**31; CPUs convert signed words faster
    return words.astype(jnp.int32).astype(jnp.float32)

  counters = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
  first = thresholds.keyed_hash(counters, keys[0], keys[1], keys[2])
  second = thresholds.keyed_hash(counters, keys[0], keys[3], keys[4])
  # Ones among 64 fair bits: mean 32, standard deviation 4.
  ones = sum(map(jax.lax.population_count, (first, second)))
  # The sum is uniform for any first word; the factor decorrelates it from the
  # number of ones.
  mixed = first * jnp.uint32(0x9E3779B1) + second
  return (as_float(ones) - 32.0) / 4.0, as_float(mixed >> 8) * 2.0**-24


def apply_pulses(
  config: DeviceConfig,
  keys: jax.Array,
  constants: Constants,
  weights: jax.Array,
  up: jax.Array,
  down: jax.Array,
  scale: jax.Array | float,
) -> jax.Array:
  """Returns the weights after requests of pulses, as coincidences.

  With constant steps, the change by n up pulses and m down pulses is normally
  distributed with

    mean      step (n a_up - m a_down),
    variance  (step dw_min_std)^2 (n a_up^2 + m a_down^2).

  With weight-dependent steps, the distance of the weight to the fixed point of
  the pulses decays, by exp(-n step rate_up) if all pulses are up, and the noise
  decays with it. The step is the mean of a pulse at weight 0.

  Args:
    config: the devices.
    keys: `[NUM_KEYS]` uint32 of the noise; consumed.
    constants: those of the devices.
    weights: `[...]` weights before.
    up: `[...]` requests of up pulses.
    down: `[...]` requests of down pulses.
    scale: pulses of a request, of which fractions are rounded stochastically;
      if `dw_min` is 0, a request is one pulse, and the scale its step.
  """
  normals, uniforms = _sample_noise(keys, weights.shape)
  n, m, step = up.astype(jnp.float32), down.astype(jnp.float32), scale
  if config.dw_min:
    step, scale = config.dw_min, jnp.asarray(scale)
    n, m = (scale.astype(jnp.float32) * number for number in (n, m))
    dtypes = scale.dtype, up.dtype, down.dtype
    if not all(jnp.issubdtype(dtype, jnp.integer) for dtype in dtypes):
      n, m = jnp.floor(n + uniforms), jnp.floor(m + uniforms)
  # Mean change and its variance, in units of the step.
  up, down, rate_up, rate_down, w_max, w_min = constants
  if not any(getattr(config, name) for name in GAMMAS):  # constant steps
    change, variance = n * up - m * down, n * up**2 + m * down**2
  else:
    speed_up, speed_down = up - rate_up * weights, down + rate_down * weights
    exponent = step * (n * rate_up + m * rate_down)
    decayed = -jnp.expm1(-exponent)  # fraction of the initial distance
    remaining = decayed / (exponent + _TINY**2)
    remaining = jnp.where(exponent > _TINY, remaining, 1.0)  # in the mean
    change = remaining * (n * speed_up - m * speed_down)
    if config.mult_noise:  # later pulses shrink the noise of earlier pulses
      growth_up, growth_down = (  # exponentials, to second order
        1.0 + x * (1.0 + 0.5 * x) for x in (step * rate_up, step * rate_down)
      )
      variance = n * speed_up**2 * growth_up + m * speed_down**2 * growth_down
      variance = (1.0 - decayed) ** 2 * variance
    else:
      variance = remaining * (1.0 - 0.5 * decayed) * (n * up**2 + m * down**2)
  if config.dw_min_std:
    change += config.dw_min_std * jnp.sqrt(variance) * normals
  return jnp.clip(weights + step * change, w_min, w_max)


def simulate(
  key: jax.Array,
  config: DeviceConfig,
  num_devices: int,
  up: jax.Array,
  down: jax.Array,
  start: float | None = None,
) -> tuple[jax.Array, Constants]:
  """Simulates the response of devices to `[N]` int32 up and down pulses.

  The key is consumed. All D devices start at a weight, or at their lower
  bounds. Returns `[N, D]` weights after each entry, and the constants.
  """
  device_key, noise_key = jax.random.split(key)
  constants = sample_constants(device_key, config, (num_devices,))
  keys = jax.random.bits(noise_key, (len(up), NUM_KEYS), jnp.uint32)

  def advance(weights, inputs):
    keys, *pulses = inputs
    weights = apply_pulses(config, keys, constants, weights, *pulses, 1)
    return weights, weights

  start = constants.w_min if start is None else start
  first = jnp.full(num_devices, start, jnp.float32)
  return jax.lax.scan(advance, first, (keys, up, down))[1], constants
