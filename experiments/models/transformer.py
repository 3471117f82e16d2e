"""A transformer in spikes: the next character, at each position of a text.

Every signal is a rate of neurons, and the factors of a product are rates of
different ones. Queries, keys, values, sums over values and branches are signed,
by a floor below 0; scores pass neurons instead of a softmax (M. Wortsman et
al., Replacing softmax with ReLU in vision transformers, arXiv 2309.08586), and
layers have gates (N. Shazeer, GLU variants improve transformer, arXiv
2002.05202). A residual sum is what a synapse receives. No activation is
normalized; branches begin small instead.

Heads see windows of the past, the last head all of it; scores have learned
biases by distance. Masks and factors, powers of two, are fixed weights.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax.model import Neuron

_BEGIN = nn.initializers.variance_scaling(0.04, 'fan_in', 'normal')


def scale(number: np.ndarray | int) -> np.ndarray:
  """Returns the powers of two next to 1 / sqrt(number)."""
  return np.exp2(-np.round(np.log2(number) / 2)).astype(np.float32)


class Attention(nn.Module):
  """Heads that look back, `[B, L, width]` to rates of the same shape."""

  neuron: Neuron
  num_heads: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the rates of the branch."""
    (_, length, width), heads = x.shape, self.num_heads
    signed = functools.partial(self.neuron, floor=-8.0)
    split = lambda own: own.reshape(-1, length, heads, width // heads)
    q, k, v = (split(signed(nn.Dense(width)(x))) for _ in range(3))
    places = np.arange(length)
    distances = places[:, None] - places
    windows = np.maximum(length // 4 ** np.arange(heads), 2)[:, None, None]
    bias = self.param('bias', nn.initializers.zeros, (heads, length))
    scores = jnp.einsum('bihd,bjhd->bhij', q, k) * scale(width // heads)
    # No synapses with what is not seen.
    mask = np.float32((0 <= distances) & (distances < windows))
    scores = scores + bias[None, :, np.maximum(distances, 0)]
    scores = self.neuron(scores * mask[None])
    factors = mask * scale(np.minimum(places[:, None] + 1, windows))
    y = signed(jnp.einsum('bhij,bjhd->bihd', scores * factors[None], v))
    return signed(nn.Dense(width, kernel_init=_BEGIN)(y.reshape(x.shape)))


class Transformer(nn.Module):
  """Blocks of attention and gates, `[B, L, A]` rates to `[B, L, C]` logits."""

  neuron: Neuron
  num_classes: int
  width: int
  num_layers: int
  num_heads: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits of the next character at each position."""
    signed = functools.partial(self.neuron, floor=-8.0)
    draw = nn.initializers.normal
    place = self.param('place', draw(0.1), (x.shape[1], self.width))
    x = signed(nn.Dense(self.width, kernel_init=draw(1.0))(x) + place[None])
    for _ in range(self.num_layers):
      x = x + Attention(self.neuron, self.num_heads)(x)
      gates = self.neuron(nn.Dense(2 * self.width)(x))
      y = gates * signed(nn.Dense(2 * self.width)(x))
      x = x + signed(nn.Dense(self.width, kernel_init=_BEGIN)(y))
    return nn.Dense(self.num_classes, kernel_init=_BEGIN)(x)


def make(
  input_shape: tuple[int, ...] = (64, 65),
  num_classes: int = 65,
  width: int = 96,
  num_layers: int = 3,
  num_heads: int = 4,
) -> ssnn_jax.Model:
  """Makes the model of a text of windows `[L, A]` of one-hot characters."""
  options = num_classes, width, num_layers, num_heads
  build = lambda neuron: Transformer(neuron, *options)
  return ssnn_jax.from_linen(build, input_shape, answers='each')
