"""Errors that come back through fixed random weights: feedback alignment.

Everything is as in the spiking network (`network.ssnn`), but for the transposed
read of the crossbar, which a second one spares: fixed, random, and read forward
from the errors of a layer to the neurons below. Weights learn to agree with it.

Source: T. P. Lillicrap et al., "Random synaptic feedback weights support error
backpropagation for deep learning", Nature Communications 7, 13276 (2016).
"""

import jax

from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig


def draw_feedback(config: NetworkConfig, key: jax.Array) -> types.Params:
  """Draws fixed feedback, of the distribution of initial weights.

  Args:
    config: the architecture.
    key: PRNG key; consumed.

  Returns:
    Weights with the structure of the parameters; those of the first layer,
    which has nothing below, and biases are not used.
  """
  return network.init(config, key)


def make_network(
  config: NetworkConfig,
  feedback: types.Params,
  *,
  separate_signs: bool = False,
  axis_name: str | None = None,
) -> types.Network:
  """Builds the spiking network whose errors come back by fixed feedback.

  Args:
    config: architecture and use of spikes.
    feedback: `[I, J]` weights of each layer, from the errors J to the neurons
      I below; with the parameters themselves it is backpropagation.
    separate_signs: whether both signs are counted apart, as for `network.ssnn`.
    axis_name: axis of a mesh whose devices share each batch.

  Returns:
    The network's pure functions.
  """
  return network.ssnn(
    config,
    separate_signs=separate_signs,
    axis_name=axis_name,
    feedback=feedback,
  )
