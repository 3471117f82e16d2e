"""A ConvNeXt of one stage: depthwise convolutions, normalization, GELU.

Z. Liu et al., A ConvNet for the 2020s, CVPR 2022, with blocks of one size
(section 3.3).
"""

import flax.linen as nn
import jax


class Block(nn.Module):
  """A depthwise convolution and two layers a place, beside what passes."""

  features: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the sum, of features `[B, H, W, F]`."""
    y = nn.Conv(self.features, (7, 7), feature_group_count=self.features)(x)
    y = nn.gelu(nn.Dense(4 * self.features)(nn.LayerNorm()(y)))
    y = nn.Dense(self.features)(y)
    scale = self.param('scale', nn.initializers.constant(1e-6), self.features)
    return x + scale * y


class ConvNeXt(nn.Module):
  """Blocks above patches, `[B, H, W, C]` or `[B, H, W]` images to logits."""

  num_classes: int
  width: int
  num_layers: int
  patch: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits."""
    size = self.patch, self.patch
    x = nn.Conv(self.width, size, size)(x.reshape(*x.shape[:3], -1))
    x = nn.LayerNorm()(x)
    for _ in range(self.num_layers):
      x = Block(self.width)(x)
    return nn.Dense(self.num_classes)(nn.LayerNorm()(x.mean((1, 2))))


def make(
  num_classes: int = 10, width: int = 64, num_layers: int = 2, patch: int = 4
) -> nn.Module:
  """Makes the module of a data set of images."""
  return ConvNeXt(num_classes, width, num_layers, patch)
