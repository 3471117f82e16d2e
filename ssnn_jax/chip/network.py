"""The chip as a network that the training loop trains: its software.

Software quantizes the initial weights and the inputs, lowers the rates of the
enable bits by the learning-rate schedule, and counts the votes; here, and only
here, there are floats.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import checks
from ssnn_jax import network as network_lib
from ssnn_jax import observe as observe_lib
from ssnn_jax import types
from ssnn_jax.chip import config as config_lib
from ssnn_jax.chip import rules
from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.hardware import devices
from ssnn_jax.trains import encoding


def make_network(config: ChipConfig) -> types.Network:
  """Builds the chip as a network; its parameters are its integer weights.

  The chip learns while it presents samples (`make_device`), so that there is no
  `loss`. `infer` recognizes samples with registers that start from its key.
  """
  checks.check_type('config', config, ChipConfig, 'a ChipConfig')

  def infer(params, key, inputs):
    generators = rules.init_generators(config, key)
    pixels = encode(config, inputs)
    after = rules.present_samples(config, params, generators, pixels, -1, 0)
    return _describe(config, after)

  return types.Network(
    init=lambda key: network_lib.init(config.network, key),
    infer=infer,
    loss=None,
    name='chip',
    config=config,
  )


def _describe(config, presentation):
  """Returns the votes, and the drives in units of weights for each tick."""
  votes, drive, *_ = presentation.response
  ticks = config.num_steps - config.num_layers + 1  # a tick for each layer
  one = ticks * 2.0 ** config.fractions[-1]
  # Without a label, the class of the largest potential wins each tick.
  return types.Inference(votes, drive.astype(jnp.float32) / one)


def make_device(
  config: ChipConfig,
  learning_rate: jax.Array | float,
  schedule: optax.Schedule | None = None,
) -> devices.Device:
  """Builds the state of a chip, and the software that sets its learning rate.

  `init` quantizes the initial weights; `learn` presents the samples of a
  minibatch one after another, which change the weights.

  Args:
    config: the chip.
    learning_rate: step size for the gradient of one sample. It is part of the
      state, so that runs with different rates can share a compiled program.
    schedule: factor on the learning rate, as a function of the number of
      minibatches so far; None is constant.

  Raises:
    UserError: if a synapse needs more than one unit in a tick.
  """
  most = 1 / max(config.updates)
  if not isinstance(learning_rate, jax.Array) and learning_rate > most:
    raise types.UserError(
      f'learning_rate is {learning_rate:g} for a sample; expected at most '
      f'{most:g}, which takes an update of 2^-fraction_bits in each tick.'
    )

  def init(key, params):
    generators = rules.init_generators(config, key)
    rate = jnp.float32(learning_rate)
    state = devices.DeviceState(jnp.int32(0), rate, generators)
    return quantize(config, params), state

  def learn(network, keys, carry, inputs, labels):
    del network, keys  # the registers of the generators run on
    params, state = carry
    checks.check_array('labels', labels)
    checks.check_labels(labels, len(inputs), config.layer_sizes[-1])
    enable = enable_rates(config, state, schedule)
    pixels, number = encode(config, inputs), state.num_updates + 1
    after = rules.present_samples(
      config, params, state.hardware, pixels, labels, enable
    )
    state = state._replace(hardware=after.generators, num_updates=number)
    return (after.weights, state), _describe(config, after)

  return devices.Device(init, learn)


def enable_rates(
  config: ChipConfig,
  state: devices.DeviceState,
  schedule: optax.Schedule | None,
) -> jax.Array:
  """Returns the `[L]` int32 rates of enable bits, 0 to 2^16, of a minibatch."""
  rate = state.current_rate(schedule)
  rates = jnp.minimum(rate[None] * jnp.array(config.updates), 1.0)
  return jnp.round(rates * (1 << config_lib.RATE_BITS)).astype(jnp.int32)


def make_observe(config: ChipConfig) -> Callable[..., observe_lib.Activity]:
  """Builds `(params, key, inputs, labels) -> Activity` of fixed weights."""

  def observe(params, key, inputs, labels):
    generators = rules.init_generators(config, key)
    pixels = encode(config, inputs)
    after = rules.present_samples(config, params, generators, pixels, labels, 0)
    *_, spikes, errors = after.response
    average = lambda counts, f: tuple(jnp.mean(f(x)) for x in counts)
    return observe_lib.Activity(
      firing_rates=average(spikes, lambda x: x / config.num_steps),
      silent_fractions=average(spikes, lambda x: x == 0),
      saturated_fractions=average(spikes, lambda x: x == config.num_steps),
      error_rates=average(errors, lambda x: x / config.num_steps),
    )

  return observe


def init_weights(config: ChipConfig, key: jax.Array) -> rules.Weights:
  """Quantizes the initial weights of the library to int16 of each layer."""
  return quantize(config, network_lib.init(config.network, key))


def quantize(config: ChipConfig, params: types.Params) -> rules.Weights:
  """Rounds parameters to weights of the chip, which saturate."""
  limit = 1 << (config.weight_bits - 1)

  def layer(own, bits):
    rows = jnp.concatenate([own.weights, own.biases[None]])
    rounded = jnp.clip(jnp.round(rows * 2.0**bits), -limit, limit - 1)
    return rounded.astype(jnp.int16)

  return tuple(map(layer, params, config.fractions))


def dequantize(config: ChipConfig, weights: rules.Weights) -> types.Params:
  """Returns the parameters that weights of the chip stand for."""

  def layer(own, bits):
    rows = own.astype(jnp.float32) * 2.0**-bits
    return types.LayerParams(rows[:-1], rows[-1])

  return tuple(map(layer, weights, config.fractions))


def encode(config: ChipConfig, images: Any) -> jax.Array:
  """Encodes images of N_0 pixels as `[B, N_0]` uint8; bytes are unchanged."""
  rates = encoding.rate_encode(images)
  if rates.shape[1] != config.layer_sizes[0]:
    raise types.UserError(
      f'inputs have {rates.shape[1]} pixels, but layer_sizes starts with '
      f'{config.layer_sizes[0]} inputs; make the two agree.'
    )
  return jnp.round(rates * 255).astype(jnp.uint8)
