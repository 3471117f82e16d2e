"""LeNet-5 as it is written today: rectified linear units, maximum pooling.

Y. LeCun et al., Gradient-based learning applied to document recognition, Proc.
IEEE 86, 1998.
"""

import flax.linen as nn
import jax


class LeNet(nn.Module):
  """Two convolutions and three layers, `[B, H, W, C]` or `[B, H, W]` images."""

  num_classes: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits."""
    x = x.reshape(*x.shape[:3], -1)
    x = nn.max_pool(nn.relu(nn.Conv(6, (5, 5))(x)), (2, 2), (2, 2))
    x = nn.relu(nn.Conv(16, (5, 5), padding='VALID')(x))
    x = nn.max_pool(x, (2, 2), (2, 2)).reshape(len(x), -1)
    x = nn.relu(nn.Dense(84)(nn.relu(nn.Dense(120)(x))))
    return nn.Dense(self.num_classes)(x)


def make(num_classes: int = 10) -> nn.Module:
  """Makes the module of a data set of images."""
  return LeNet(num_classes)
