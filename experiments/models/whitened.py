"""A residual network whose first filters whiten patches of colour images.

Its stages, and first filters that are known before learning, follow K. Jordan
(94 % on CIFAR-10 in 3.29 seconds on a single GPU, arXiv:2404.00498, 2024).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.spiking.functions import Function

# Principal components of 2 x 2 patches of photographs are products of means
# and differences of rows, of columns, and of colours (rows: grey, red and
# blue, green), with these standard deviations, of intensities in [0, 1].
_SIGNS = np.array([[1, 1], [1, -1]]) / 2**0.5
_COLOURS = np.linalg.qr([[1.0, 1.0, 1.0], [1.0, 0.0, -2.0], [1.0, -1.0, 1.0]])[
  0
].T
_STDS = np.array(
  [
    [[0.80, 0.23, 0.105], [0.145, 0.030, 0.022]],
    [[0.157, 0.032, 0.022], [0.059, 0.022, 0.022]],
  ]
)
_MEAN = 0.47


def _whiten(key, shape, dtype=jnp.float32):
  """Returns filters of components, and negated, `[2, 2, 3, 24]`."""
  del key, shape
  filters = np.einsum('ri,cj,ok->ijkrco', _SIGNS, _SIGNS, _COLOURS) / _STDS
  filters = filters.reshape(2, 2, 3, 12)
  return jnp.asarray(np.concatenate([filters, -filters], -1), dtype)


def _center(key, shape, dtype=jnp.float32):
  """Returns biases that subtract the mean intensity, `[24]`."""
  return -_MEAN * _whiten(key, shape, dtype).sum((0, 1, 2))


class Stage(nn.Module):
  """A convolution that halves places, and one beside what passes."""

  features: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns features `[B, H / 2, W / 2, F]`."""
    x = nn.Conv(self.features, (3, 3), use_bias=False)(x)
    x = nn.max_pool(x, (2, 2), (2, 2))
    x = nn.silu(nn.GroupNorm(8)(x))
    y = nn.Conv(self.features, (3, 3), use_bias=False)(x)
    return x + nn.silu(nn.GroupNorm(8)(y))


class Whitened(nn.Module):
  """Stages of convolutions, `[B, H, W, 3]` images to logits."""

  num_classes: int
  widths: tuple[int, ...]

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits."""
    x = nn.Conv(
      24, (2, 2), padding='VALID', kernel_init=_whiten, bias_init=_center
    )(x)
    x = nn.silu(x)
    for features in self.widths:
      x = Stage(features)(x)
    return nn.Dense(self.num_classes)(x.max((1, 2)))


def make(
  input_shape: tuple[int, ...], num_classes: int = 10, width: int = 128
) -> Function:
  """Makes the function of a data set of colour images, `[H, W, 3]`.

  Beyond training its logits are means of an image and its mirror image.
  """
  module = Whitened(num_classes, (width // 4, width, width))

  def apply(params, x):
    logits = module.apply(params, jnp.concatenate([x, x[:, :, ::-1]]))
    return jnp.mean(logits.reshape(2, len(x), -1), axis=0)

  return Function(
    lambda key: module.init(key, jnp.zeros((1, *input_shape))),
    apply,
    train=lambda params, x, key: module.apply(params, x),
  )
