"""An MLP-mixer: layer normalization and GELU, over patches and channels.

I. Tolstikhin et al., MLP-Mixer: An all-MLP architecture for vision, NeurIPS
2021.
"""

import flax.linen as nn
import jax


class Mixer(nn.Module):
  """Blocks of two MLPs, `[B, H, W, C]` or `[B, H, W]` images to logits."""

  num_classes: int
  width: int
  num_layers: int
  patch: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits."""
    size = self.patch, self.patch
    x = nn.Conv(self.width, size, size)(x.reshape(*x.shape[:3], -1))
    x = x.reshape(len(x), -1, self.width)
    for _ in range(self.num_layers):
      y = nn.LayerNorm()(x).swapaxes(1, 2)
      y = nn.Dense(x.shape[1])(nn.gelu(nn.Dense(self.width)(y)))
      x = x + y.swapaxes(1, 2)
      y = nn.gelu(nn.Dense(4 * self.width)(nn.LayerNorm()(x)))
      x = x + nn.Dense(self.width)(y)
    return nn.Dense(self.num_classes)(nn.LayerNorm()(x).mean(1))


def make(
  num_classes: int = 10, width: int = 64, num_layers: int = 2, patch: int = 4
) -> nn.Module:
  """Makes the module of a data set of images."""
  return Mixer(num_classes, width, num_layers, patch)
