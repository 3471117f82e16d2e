"""Recurrent layers, over moments of a signal or rows of an image.

Cells are those of flax: gated recurrent units, LSTM and minimal gated units;
`linear`, a recurrence with a diagonal after A. Orvieto et al. (LRU, arXiv
2303.06349) in real numbers; or `leaky`, averages at fixed decays.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax

DECAYS = 0.0, 0.5, 0.8, 0.92, 0.97  # time constants of up to 33 moments


class Linear(nn.RNNCellBase):
  """A cell whose units keep a share of themselves, and GELU above them."""

  features: int

  @nn.compact
  def __call__(self, h: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the carry and the output of a moment."""
    draw = nn.initializers.uniform(4.0)  # decays of 0.5 to 0.98
    kept = nn.sigmoid(self.param('kept', draw, (1, self.features)))
    h = kept * h + jnp.sqrt(1 - kept**2) * nn.Dense(self.features)(x)
    return h, nn.gelu(nn.Dense(self.features)(h))

  @nn.nowrap
  def initialize_carry(self, rng: Any, input_shape: tuple) -> jax.Array:
    """Returns the carry before a signal."""
    del rng
    return jnp.zeros((*input_shape[:-1], self.features))

  @property
  def num_feature_axes(self) -> int:
    """Axes of features of an input."""
    return 1


class Leaky(nn.Module):
  """Neurons that hear averages of what is below, at several decays."""

  features: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the rates of all moments."""
    # Fixed weights: longer averages of signals that change are smaller.
    gains = np.repeat(1 / np.sqrt(1 - np.array(DECAYS)), x.shape[-1])
    x = ssnn_jax.trace(x, DECAYS) * jnp.float32(gains)[None, None]
    return nn.relu(nn.Dense(self.features)(x))


def _repeat(cell: Callable[[int], nn.RNNCellBase]):
  return lambda features: nn.RNN(cell(features))


LAYERS = {
  'gru': _repeat(nn.GRUCell),
  'lstm': _repeat(nn.OptimizedLSTMCell),
  'mgu': _repeat(nn.MGUCell),
  'linear': _repeat(Linear),
  'leaky': Leaky,
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
      x = LAYERS[self.cell](self.width)(x)
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
