"""Crossbars between the layers of neurons of a configuration."""

from collections.abc import Callable
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from ssnn_jax import types
from ssnn_jax.stochastic.config import NetworkConfig
from ssnn_jax.trains import thresholds
from ssnn_jax.trains.thresholds import Role


def read_layers(
  config: NetworkConfig,
  params: types.Params,
  rates: jax.Array,
  respond: Callable[[jax.Array], jax.Array],
  masks: Sequence[jax.Array] | None = None,
) -> jax.Array:
  """Reads all crossbars; returns the `[B, C]` potential of the output layer.

  Args:
    config: the network.
    params: its parameters.
    rates: `[B, I]` rates of the inputs.
    respond: rates of hidden neurons by their potentials.
    masks: of dropout, as of `draw_dropout`; None drops no neuron.
  """
  gain = config.input_gain
  # Accelerators would round potentials by default.
  with jax.default_matmul_precision('highest'):
    for layer, wiring in enumerate(config.wirings):
      potential = wiring.read(params[layer], gain, rates)
      if layer < len(params) - 1:
        rates, gain = respond(potential), 1.0
        if masks is not None and config.dropout:
          rates, gain = masks[layer] * rates, 1.0 / (1.0 - config.dropout)
  return potential


def draw_dropout(
  config: NetworkConfig, key: jax.Array, positions: jax.Array
) -> list[jax.Array]:
  """Draws dropout of all hidden layers, `[B, J]`, 0 where a neuron is silent.

  Args:
    config: the network.
    key: PRNG key of the presentation.
    positions: `[B]` positions of the samples in the global batch.
  """
  sizes = config.layer_sizes[1:-1]
  if not config.dropout:
    return [jnp.ones((len(positions), size)) for size in sizes]

  def draw(layer, size, position):
    own = thresholds.make_keys(key, layer + 1)[layer, Role.DROPOUT]
    source = thresholds.Source(own, position, Role.DROPOUT, layer, size)
    bits = source.random_bits() >> (32 - thresholds.NUM_BITS)
    kept = thresholds.round_rates(jnp.float32(1.0 - config.dropout))
    return (bits < kept).astype(jnp.float32).reshape(size)

  return [
    jax.vmap(lambda own, layer=layer, size=size: draw(layer, size, own))(
      positions
    )
    for layer, size in enumerate(sizes)
  ]
