"""Baselines: the spiking network with fixed random feedback weights.

The transposed read of the crossbar is that of a second one, whose weights are
random and fixed. Forward weights learn to align with the feedback.

Source: T. P. Lillicrap et al., "Random synaptic feedback weights support error
backpropagation for deep learning", Nature Communications 7, 13276 (2016).
"""

from typing import Any

import jax

from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig


def draw_feedback(config: NetworkConfig, key: jax.Array) -> types.Params:
  """Draws feedback weights from the distribution of the initial weights.

  The first layer of weights, which propagates no errors, and biases are unused.
  """
  return network.init(config, key)


def make_network(
  config: NetworkConfig, feedback: types.Params, **options: Any
) -> types.Network:
  """Builds the spiking network with fixed feedback weights `[I, J]`.

  Options are those of `network.ssnn`.
  """
  return network.ssnn(config, feedback=feedback, **options)
