"""A residual network: group normalization, SiLU, maximum pooling.

Blocks begin with their normalization (K. He et al., Identity mappings in deep
residual networks, ECCV 2016), which is over groups of features (Y. Wu and K.
He, Group normalization, ECCV 2018).
"""

import flax.linen as nn
import jax


class Block(nn.Module):
  """Two convolutions beside what passes."""

  features: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the sum, of features `[B, H, W, F]`."""
    y = nn.silu(nn.GroupNorm(4)(x))
    y = nn.Conv(self.features, (3, 3))(y)
    y = nn.silu(nn.GroupNorm(4)(y))
    y = nn.Conv(self.features, (3, 3))(y)
    if x.shape != y.shape:
      x = nn.Conv(self.features, (1, 1))(x)
    return x + y


class Residual(nn.Module):
  """Stages of blocks, `[B, H, W, C]` or `[B, H, W]` images to logits."""

  num_classes: int
  width: int
  num_stages: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits."""
    x = nn.Conv(self.width, (3, 3))(x.reshape(*x.shape[:3], -1))
    for stage in range(self.num_stages):
      x = nn.max_pool(x, (2, 2), (2, 2))
      x = Block(self.width * 2**stage)(x)
    x = nn.silu(nn.GroupNorm(4)(x))
    return nn.Dense(self.num_classes)(x.mean((1, 2)))


def make(
  num_classes: int = 10, width: int = 16, num_stages: int = 2
) -> nn.Module:
  """Makes the module of a data set of images."""
  return Residual(num_classes, width, num_stages)
