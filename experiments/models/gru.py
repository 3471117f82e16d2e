"""Recurrent layers of flax, over moments of a signal or rows of an image."""

import flax.linen as nn
import jax

CELLS = {
  'gru': nn.GRUCell,
  'lstm': nn.OptimizedLSTMCell,
  'mgu': nn.MGUCell,
}


class Recurrent(nn.Module):
  """Layers of units, `[B, L, channels]` to `[B, L, C]` logits, or the last."""

  num_classes: int
  width: int
  num_layers: int
  cell: str
  is_last: bool

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits of all moments, or `[B, C]` of the last."""
    for _ in range(self.num_layers):
      x = nn.RNN(CELLS[self.cell](self.width))(x)
    return nn.Dense(self.num_classes)(x[:, -1] if self.is_last else x)


def make(
  num_classes: int = 10,
  width: int = 64,
  num_layers: int = 1,
  cell: str = 'gru',
  rows: bool = False,
) -> nn.Module:
  """Makes the module of a data set of signals; or of rows of images."""
  return Recurrent(num_classes, width, num_layers, cell, rows)
