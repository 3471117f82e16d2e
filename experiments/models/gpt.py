"""A GPT, with all that spikes do not have, to compare with.

Layer normalization, softmax attention and GELU, after A. Radford et al.
(Language models are unsupervised multitask learners, 2019); nanoGPT has the
same blocks. It has as many parameters as `transformer` of the same arguments,
within 2 % at the default width, no neurons, and is trained by backpropagation.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

import ssnn_jax


class Gpt(nn.Module):
  """Blocks of attention and layers, `[B, L, A]` to `[B, L, C]` logits."""

  num_classes: int
  width: int
  num_layers: int
  num_heads: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits of the next character at each position."""
    size, draw = x.shape[1], nn.initializers.normal(0.02)
    mask = jnp.tril(jnp.ones((1, 1, size, size), bool))
    x = nn.Dense(self.width)(x) + self.param(
      'place', draw, (1, size, self.width)
    )
    for _ in range(self.num_layers):
      y = nn.LayerNorm()(x)
      shape = *x.shape[:2], self.num_heads, -1
      q, k, v = (nn.Dense(self.width)(y).reshape(shape) for _ in range(3))
      scores = jnp.einsum('bihd,bjhd->bhij', q, k) / q.shape[-1] ** 0.5
      shares = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf))
      y = jnp.einsum('bhij,bjhd->bihd', shares, v)
      x = x + nn.Dense(self.width)(y.reshape(x.shape))
      y = nn.Dense(4 * self.width)(nn.LayerNorm()(x))
      x = x + nn.Dense(self.width)(nn.gelu(y))
    return nn.Dense(self.num_classes)(nn.LayerNorm()(x))


def make(
  input_shape: tuple[int, ...] = (64, 65),
  num_classes: int = 65,
  width: int = 96,
  num_layers: int = 3,
  num_heads: int = 4,
) -> ssnn_jax.Model:
  """Makes the model of a text."""
  # 12 width^2 parameters of a block, instead of 10 with gates
  width = round(width * (10 / 12) ** 0.5 / num_heads) * num_heads
  build = lambda neuron: Gpt(num_classes, width, num_layers, num_heads)
  return ssnn_jax.from_linen(build, input_shape, answers='each')
