"""Models as anyone writes them for flax, without a thought of spikes."""

import flax.linen as nn
import jax.numpy as jnp


class MLP(nn.Module):
  """Dense layers."""

  @nn.compact
  def __call__(self, x):
    """Returns logits."""
    x = x.reshape(len(x), -1)
    x = nn.relu(nn.Dense(32)(x))
    x = nn.relu(nn.Dense(32)(x))
    return nn.Dense(10)(x)


class Block(nn.Module):
  """Two convolutions and their shortcut."""

  features: int

  @nn.compact
  def __call__(self, x):
    """Returns logits."""
    y = nn.silu(nn.GroupNorm(4)(x))
    y = nn.relu(nn.GroupNorm(4)(nn.Conv(self.features, (3, 3))(y)))
    y = nn.Conv(self.features, (3, 3))(y)
    return x + y


class ResNet(nn.Module):
  """Group normalization, SiLU, maximum pooling."""

  features: int = 8

  @nn.compact
  def __call__(self, x):
    """Returns logits."""
    x = nn.Conv(self.features, (3, 3))(x)
    x = Block(self.features)(x)
    x = nn.max_pool(x, (2, 2), (2, 2))
    x = Block(self.features)(x)
    x = nn.relu(nn.GroupNorm(4)(x)).mean((1, 2))
    return nn.Dense(10)(x)


class Mixer(nn.Module):
  """Layer normalization, GELU, over patches and channels."""

  @nn.compact
  def __call__(self, x):
    """Returns logits."""
    x = nn.Conv(16, (4, 4), (4, 4))(x)
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    y = nn.LayerNorm()(x).swapaxes(1, 2)
    y = nn.Dense(y.shape[-1])(nn.gelu(nn.Dense(24)(y)))
    x = x + y.swapaxes(1, 2)
    y = nn.LayerNorm()(x)
    x = x + nn.Dense(16)(nn.gelu(nn.Dense(32)(y)))
    return nn.Dense(10)(nn.LayerNorm()(x).mean(1))


class ViT(nn.Module):
  """A vision transformer."""

  @nn.compact
  def __call__(self, x):
    """Returns logits."""
    x = nn.Conv(16, (4, 4), (4, 4))(x)
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    cls = self.param('cls', nn.initializers.normal(0.02), (1, 1, 16))
    x = jnp.concatenate([jnp.broadcast_to(cls, (len(x), 1, 16)), x], 1)
    x = x + self.param('pos', nn.initializers.normal(0.02), (1, x.shape[1], 16))
    x = x + nn.SelfAttention(num_heads=2)(nn.LayerNorm()(x))
    x = x + nn.Dense(16)(nn.gelu(nn.Dense(32)(nn.LayerNorm()(x))))
    return nn.Dense(10)(nn.LayerNorm()(x)[:, 0])


class GRU(nn.Module):
  """A recurrent network over rows."""

  @nn.compact
  def __call__(self, x):
    """Returns logits."""
    x = x.reshape(len(x), 4, -1)
    x = nn.RNN(nn.GRUCell(16))(x)
    return nn.Dense(10)(x[:, -1])


class LSTM(nn.Module):
  """The same, of another cell."""

  @nn.compact
  def __call__(self, x):
    """Returns logits."""
    x = x.reshape(len(x), 4, -1)
    x = nn.RNN(nn.OptimizedLSTMCell(16))(x)
    return nn.Dense(10)(x[:, -1])


class GPT(nn.Module):
  """A transformer of tokens with tied embeddings."""

  vocabulary: int = 20

  @nn.compact
  def __call__(self, tokens):
    """Returns logits."""
    embed = nn.Embed(self.vocabulary, 16)
    places = jnp.arange(tokens.shape[1])[None]
    x = embed(tokens) + nn.Embed(16, 16)(places)
    mask = nn.make_causal_mask(tokens)
    x = x + nn.MultiHeadDotProductAttention(2)(nn.LayerNorm()(x), mask=mask)
    x = x + nn.Dense(16)(nn.gelu(nn.Dense(32)(nn.LayerNorm()(x))))
    return embed.attend(nn.LayerNorm()(x))
