"""A GPT of the parts of flax: layer normalization, softmax attention, GELU.

After A. Radford et al., Language models are unsupervised multitask learners,
2019; nanoGPT has the same blocks.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp


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
    mask = nn.make_causal_mask(jnp.ones(x.shape[:2]))
    x = nn.Dense(self.width)(x)
    x = x + self.param('place', draw, (1, size, self.width))
    for _ in range(self.num_layers):
      y = nn.LayerNorm()(x)
      x = x + nn.MultiHeadDotProductAttention(self.num_heads)(y, mask=mask)
      y = nn.gelu(nn.Dense(4 * self.width)(nn.LayerNorm()(x)))
      x = x + nn.Dense(self.width)(y)
    return nn.Dense(self.num_classes)(nn.LayerNorm()(x))


def make(
  num_classes: int = 65,
  width: int = 88,
  num_layers: int = 3,
  num_heads: int = 4,
) -> nn.Module:
  """Makes the module of a text of windows `[L, A]` of one-hot characters."""
  return Gpt(num_classes, width, num_layers, num_heads)
