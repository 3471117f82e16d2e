"""A vision transformer of the attention of flax.

A. Dosovitskiy et al., An image is worth 16x16 words: Transformers for image
recognition at scale, ICLR 2021.
"""

import flax.linen as nn
import jax


class Vit(nn.Module):
  """Blocks of attention, `[B, H, W, C]` or `[B, H, W]` images to logits."""

  num_classes: int
  width: int
  num_layers: int
  num_heads: int
  patch: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits."""
    size, draw = (self.patch, self.patch), nn.initializers.normal(0.02)
    x = nn.Conv(self.width, size, size)(x.reshape(*x.shape[:3], -1))
    x = x.reshape(len(x), -1, self.width)
    x = x + self.param('place', draw, (1, *x.shape[1:]))
    for _ in range(self.num_layers):
      x = x + nn.SelfAttention(self.num_heads)(nn.LayerNorm()(x))
      y = nn.gelu(nn.Dense(4 * self.width)(nn.LayerNorm()(x)))
      x = x + nn.Dense(self.width)(y)
    return nn.Dense(self.num_classes)(nn.LayerNorm()(x).mean(1))


def make(
  num_classes: int = 10,
  width: int = 64,
  num_layers: int = 2,
  num_heads: int = 4,
  patch: int = 4,
) -> nn.Module:
  """Makes the module of a data set of images."""
  return Vit(num_classes, width, num_layers, num_heads, patch)
