"""The chip as a network that the training loop trains: its software.

Software quantizes the initial weights and the inputs, lowers the rates of the
enable bits by the learning-rate schedule, and counts the votes; here, and only
here, there are floats.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import checks
from ssnn_jax import network as network_lib
from ssnn_jax import types
from ssnn_jax.chip import config as config_lib
from ssnn_jax.chip import rules
from ssnn_jax.chip import samples
from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.hardware import devices
from ssnn_jax.spikes import encoding


class ChipState(NamedTuple):
  """State of a chip besides its weights, and of its software."""

  generators: rules.Generators  #: registers of the random words
  enable: jax.Array  #: [L] int32 rates of the enable bits in the next minibatch
  num_batches: jax.Array  #: int32 minibatches so far
  learning_rate: jax.Array  #: of a sample, before the schedule


def make_network(
  config: ChipConfig, *, use_kernel: bool = True
) -> types.Network:
  """Builds the chip as a network; its parameters are its integer weights.

  The chip learns while it presents the samples of a minibatch one after
  another, so that there is no `learn`, and `make_device` has its other state.

  Args:
    config: the chip.
    use_kernel: whether the compiled kernel may be used, on CPU.

  Returns:
    The pure functions. `infer` recognizes samples with the same rules; the
    registers of its generators start from its key.

  Example:
    >>> from ssnn_jax import chip
    >>> config = chip.ChipConfig((64, 32, 10), weight_bits=10, fraction_bits=8)
    >>> digits = ssnn_jax.datasets.load('digits')
    >>> result = ssnn_jax.training.fit(  # doctest: +SKIP
    ...   chip.make_network(config), chip.make_device(config, 1 / 32), digits,
    ...   num_epochs=3, batch_size=1, progress=False)
    >>> bool(result.history.eval_accuracy[-1] > 0.9)  # doctest: +SKIP
    True
  """
  checks.check_type('config', config, ChipConfig, 'a ChipConfig')

  def present(params, generators, pixels, labels, enable):
    enable = jnp.broadcast_to(enable, (len(pixels), config.num_layers))
    presented = samples.present(
      config, params, generators, pixels, labels, enable, use_kernel=use_kernel
    )
    votes, drive = presented.response
    one = config.output_steps * 2.0 ** config.fractions[-1]
    potential = drive.astype(jnp.float32) / one
    # Without a label, the class of the largest potential wins each tick.
    return presented, types.Inference(votes, potential, votes)

  def infer(params, key, inputs):
    pixels, labels = encode(config, inputs), jnp.full(len(inputs), -1)
    generators = rules.init_generators(config, key)
    return present(params, generators, pixels, labels, jnp.int32(0))[1]

  def learn_online(params, key, inputs, labels, update, state):
    del key  # the registers of the generators run on
    pixels = encode(config, inputs)
    checks.check_array('labels', labels)
    checks.check_labels(labels, len(pixels), config.layer_sizes[-1])
    labels = jnp.asarray(labels, jnp.int32)
    presented, response = present(
      params, state.generators, pixels, labels, state.enable
    )
    state = state._replace(generators=presented.generators)
    return update(0, None, state, presented.weights), response

  return types.Network(
    init=lambda key: network_lib.init(config.network, key),
    infer=infer,
    loss=None,
    learn_online=learn_online,
    name='chip',
    config=config,
  )


def make_device(
  config: ChipConfig,
  learning_rate: jax.Array | float,
  schedule: optax.Schedule | None = None,
) -> devices.Device:
  """Builds the state of a chip, and the software that sets its learning rate.

  Args:
    config: the chip.
    learning_rate: step size for the gradient of one sample. It is part of the
      state, so that runs with different rates can share a compiled program.
    schedule: factor on the learning rate, as a function of the number of
      minibatches so far; None is constant.

  Returns:
    The device; `init` quantizes the initial weights, and `update` leaves the
    weights unchanged.

  Raises:
    UserError: if a synapse needs more than one unit in a tick.
  """
  if not isinstance(learning_rate, jax.Array):
    config.enable_rates(learning_rate)

  def set_rates(state):
    """Sets the rates of the enable bits in the next minibatch."""
    factor = schedule or optax.constant_schedule(1.0)
    rate = state.learning_rate * factor(state.num_batches)
    rates = jnp.minimum(rate[None] * jnp.array(config.updates), 1.0)
    rates = jnp.round(rates * (1 << config_lib.RATE_BITS)).astype(jnp.int32)
    return state._replace(enable=rates)

  def init(key, params):
    rates = jnp.zeros(config.num_layers, jnp.int32)
    state = ChipState(
      generators=rules.init_generators(config, key),
      enable=rates,
      num_batches=jnp.int32(0),
      learning_rate=jnp.float32(learning_rate),
    )
    return quantize(config, params), set_rates(state)

  def update(key, update, state, params):
    del key, update
    state = state._replace(num_batches=state.num_batches + 1)
    return params, set_rates(state)

  return devices.Device(init, lambda state: None, update, separate_signs=False)


def make_observe(config: ChipConfig) -> Callable[..., types.Activity]:
  """Builds `(params, key, inputs, labels) -> Activity` of fixed weights."""

  def observe(params, key, inputs, labels):
    presented = samples.present(
      config,
      params,
      rules.init_generators(config, key),
      encode(config, inputs),
      labels.astype(jnp.int32),
      jnp.zeros((len(inputs), config.num_layers), jnp.int32),
    )
    ticks = config.num_steps
    average = lambda counts, f: tuple(jnp.mean(f(x)) for x in counts)
    return types.Activity(
      firing_rates=average(presented.spikes, lambda x: x / ticks),
      silent_fractions=average(presented.spikes, lambda x: x == 0),
      saturated_fractions=average(presented.spikes, lambda x: x == ticks),
      error_rates=average(presented.errors, lambda x: x / ticks),
    )

  return observe


def init_weights(config: ChipConfig, key: jax.Array) -> rules.Weights:
  """Quantizes the initial weights of the library to int16 of each layer."""
  params = network_lib.init(config.network, key)
  return quantize(config, params)


def quantize(config: ChipConfig, params: types.Params) -> rules.Weights:
  """Rounds parameters to weights of the chip, which saturate."""
  largest = (1 << (config.weight_bits - 1)) - 1

  def layer(own, bits):
    rows = jnp.concatenate([own.weights, own.biases[None]])
    rounded = jnp.round(rows * 2.0**bits)
    return jnp.clip(rounded, -largest - 1, largest).astype(jnp.int16)

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
