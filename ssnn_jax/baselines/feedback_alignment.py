"""Baselines: the spiking network with fixed random feedback weights.

Feedback alignment replaces the transposed read of the crossbar by the read of a
second crossbar, whose weights are random and fixed; all other parts equal the
spiking network (`network.ssnn`). Forward weights learn to align with the
feedback.

Source: T. P. Lillicrap et al., "Random synaptic feedback weights support error
backpropagation for deep learning", Nature Communications 7, 13276 (2016).
"""

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
  config: NetworkConfig,
  feedback: types.Params,
  *,
  separate_signs: bool = False,
  axis_name: str | None = None,
) -> types.Network:
  """Builds the spiking network with fixed feedback weights.

  Args:
    config: architecture and use of spikes.
    feedback: `[I, J]` weights of each layer, which propagate errors from its
      postsynaptic to its presynaptic neurons; the parameters themselves give
      the transposed reads of `network.ssnn`.
    separate_signs: whether coincidences with positive and with negative errors
      are counted separately, as for `network.ssnn`.
    axis_name: axis of a mesh whose devices share each batch; None without one.

  Returns:
    The network's pure functions.
  """
  return network.ssnn(
    config,
    separate_signs=separate_signs,
    axis_name=axis_name,
    feedback=feedback,
  )
