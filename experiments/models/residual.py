"""Color images: convolutions with residual sums, most at low resolution.

No activation is normalized: kernels are standardized instead, so that every map
between spikes is linear. The weights of a feature have a mean of 0 and, as
their norm, a learned gain (S. Qiao et al., Micro-batch training with
batch-channel normalization and weight standardization, arXiv 1903.10520; A.
Brock et al., Characterizing signal propagation to close the performance gap in
unnormalized ResNets, arXiv 2101.08692). Their derivative goes through it.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax.model import Neuron

# Gains with which potentials begin at about the same size in all layers; the
# size of kernels matters to the steps of optimizers alone.
_INPUT, _LAYER, _BRANCH = 8.0, 2.5, 0.5
_KERNEL = nn.initializers.normal(0.05)


class Convolution(nn.Module):
  """A convolution of 3 x 3 pixels with standardized kernels.

  With `batch_norm` potentials are standardized over the batch instead, as in
  conventional ANNs, which are no networks of spikes.
  """

  features: int
  gain: float
  batch_norm: bool = False

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns potentials `[B, H, W, features]` of rates `[B, H, W, C]`."""
    shape = 3, 3, x.shape[-1], self.features
    kernel = self.param('kernel', _KERNEL, shape)
    begin = nn.initializers.constant(self.gain)
    gain = self.param('gain', begin, (self.features,))
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    axes = 0, 1, 2
    if self.batch_norm:
      x = ssnn_jax.convolve(x, kernel, (1, 1), 'SAME')
      x = jax.nn.standardize(x, axes, epsilon=1e-5)
      return x * gain[None, None, None] + bias[None, None, None]
    scale = gain / np.float32(np.sqrt(np.prod(shape[:3])))
    kernel = jax.nn.standardize(kernel, axes, epsilon=0.0)
    kernel = kernel * scale[None, None, None]
    x = ssnn_jax.convolve(x, kernel, (1, 1), 'SAME')
    return x + bias[None, None, None]


def pool(x: jax.Array) -> jax.Array:
  """Returns averages of 2 x 2 pixels; those at odd ends are left out."""
  size, height, width, channels = x.shape
  x = x[:, : height // 2 * 2, : width // 2 * 2]
  x = x.reshape(size, height // 2, 2, width // 2, 2, channels)
  return jnp.mean(x, (2, 4))


class Residual(nn.Module):
  """Eight convolutions, `[B, H, W, C]` rates to `[B, classes]` logits."""

  neuron: Neuron
  num_classes: int
  width: int
  batch_norm: bool

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits."""

    def convolve(times, gain, x):
      gain = 1.0 if self.batch_norm else gain
      features = int(times * self.width)
      return Convolution(features, gain, self.batch_norm)(x)

    x = x.reshape(*x.shape[:3], -1)  # also without colors
    x = self.neuron(convolve(1 / 4, _INPUT, x))
    x = self.neuron(convolve(1, _LAYER, pool(x)))
    for _ in range(2):
      x = self.neuron(convolve(2, _LAYER, pool(x)))
      branch = self.neuron(convolve(2, _LAYER, x))
      x = self.neuron(x + convolve(2, _BRANCH, branch))
    return nn.Dense(self.num_classes)(jnp.mean(x, (1, 2)))


def make(
  input_shape: tuple[int, ...] = (32, 32, 3),
  num_classes: int = 10,
  width: int = 64,
  batch_norm: bool = False,
) -> ssnn_jax.Model:
  """Makes the model of a data set of images."""
  build = lambda neuron: Residual(neuron, num_classes, width, batch_norm)
  return ssnn_jax.from_linen(build, input_shape, num_steps=8, ceiling=4.0)
