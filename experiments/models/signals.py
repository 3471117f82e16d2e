"""Signals in time: layers of traces and neurons, which answer at each moment.

The synapses of each layer keep traces of the spikes below. The model has no
other memory, and errors stay in their own moment; `bptt=True` sends them back
through time, as nothing that computes in real time could.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax.model import Neuron

DECAYS = 0.0, 0.5, 0.8, 0.92, 0.97  # time constants of up to 33 moments


class Signals(nn.Module):
  """Layers of neurons, `[B, L, channels]` rates to `[B, L, C]` logits."""

  neuron: Neuron
  num_classes: int
  width: int
  num_layers: int
  drop: float
  bptt: bool

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits of all moments."""
    for _ in range(self.num_layers):
      # Fixed weights: longer traces of signals that change are smaller.
      gains = np.repeat(1 / np.sqrt(1 - np.array(DECAYS)), x.shape[-1])
      traces = ssnn_jax.trace(x, DECAYS, bptt=self.bptt)
      x = traces * jnp.float32(gains)[None, None]
      x = self.neuron(nn.Dense(self.width)(x), dropout=self.drop)
    return nn.Dense(self.num_classes)(x)


def make(
  input_shape: tuple[int, ...] = (64, 65),
  num_classes: int = 10,
  width: int = 64,
  num_layers: int = 2,
  drop: float = 0.3,
  bptt: bool = False,
) -> ssnn_jax.Model:
  """Makes the model of a data set of signals."""
  options = num_classes, width, num_layers, drop, bptt
  build = lambda neuron: Signals(neuron, *options)
  return ssnn_jax.from_linen(build, input_shape, num_steps=16)
