"""The chip as a network: its software, which may use floats."""

import jax
import jax.numpy as jnp

from ssnn_jax import network as network_lib
from ssnn_jax import types
from ssnn_jax.chip import rules
from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.config import NetworkConfig
from ssnn_jax.spikes import encoding


def init_weights(config: ChipConfig, key: jax.Array) -> rules.Weights:
  """Quantizes the initial weights of the library (`network.init`).

  Args:
    config: the chip.
    key: PRNG key; consumed.
  """
  return quantize(
    config, network_lib.init(NetworkConfig(config.layer_sizes), key)
  )


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


def encode(config: ChipConfig, images: jax.Array) -> jax.Array:
  """Encodes images `[B, ...]` as `[B, N_0]` int32 rates of 0 to 2^F_0."""
  rates = encoding.rate_encode(images) * 2.0 ** config.fractions[0]
  return jnp.round(rates).astype(jnp.int32)
