"""A gated recurrent unit, by backpropagation through time, to compare with.

It has as many parameters as `signals` of the same arguments, and no spikes.
"""

import math

import flax.linen as nn
import jax

from experiments.models import signals
import ssnn_jax


class Recurrent(nn.Module):
  """A layer of units, `[B, L, channels]` rates to `[B, L, C]` logits."""

  num_classes: int
  width: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits of all moments."""
    x = nn.RNN(nn.GRUCell(self.width))(x)
    return nn.Dense(self.num_classes)(x)


def make(
  input_shape: tuple[int, ...] = (64, 65),
  num_classes: int = 10,
  width: int = 64,
  num_layers: int = 2,
) -> ssnn_jax.Model:
  """Makes the model of a data set of signals."""
  size, decays = input_shape[-1], len(signals.DECAYS)
  count = (decays * size + 1) * width + (width + 1) * num_classes
  count += (num_layers - 1) * (decays * width + 1) * width
  # Of h units: 3 h (h + I + 1) + h parameters, and C (h + 1) above.
  linear = 3 * size + 4 + num_classes
  root = math.sqrt(linear**2 + 12 * (count - num_classes))
  own = round((root - linear) / 6)
  build = lambda neuron: Recurrent(num_classes, own)
  return ssnn_jax.from_linen(build, input_shape)
