"""Spike trains: values that are called for their words of 32 ticks.

A train is a pure function from words to bits, `(first, size) -> spikes`: the
spikes of its N neurons in `size` words from the word `first` of a block on,
`[size, N]` uint32, one bit per tick. It is a `jax.tree_util.Partial`, so that
`vmap` and `scan` pass it on like an array. A sampled train is drawn where it is
called, so that a few words of a long window are in memory at a time; a stored
train has its words. Some trains have several words for each call, as
`types.ErrorStreams`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes.windows import TICKS_PER_WORD

# (first, size) -> [size, N] uint32, in any structure
Train = Partial


def sampled(
  source: thresholds.Source, rates: jax.Array, mask: jax.Array
) -> Train:
  """Returns the train of one sample in the windows of a block.

  Args:
    source: thresholds of the sample in the K words of the block.
    rates: `[W, N]` spikes per tick in each window, in [0, 1].
    mask: `[W, K]` uint32 ticks of each window.

  Returns:
    The train; each call samples its words.
  """
  return Partial(thresholds.sample_words, source, rates, mask)


def stored(words: Any) -> Train:
  """Returns the train of given words, `[K, N]` uint32 in any structure."""
  return Partial(take, words)


def thinned(train: Train, kept: Train) -> Train:
  """Returns the spikes of a train at which another one has spikes, too."""
  return Partial(_intersect, train, kept)


def take(words: Any, first: jax.Array | int, size: int) -> Any:
  """Returns some of `[K, N]` words, in any structure."""
  return jax.tree.map(
    lambda x: jax.lax.dynamic_slice_in_dim(x, first, size), words
  )


def _intersect(train, kept, first, size):
  return train(first, size) & kept(first, size)


def words(trains: Any, first: jax.Array | int, size: int) -> Any:
  """Returns words of trains in any structure; other values are unchanged."""
  is_train = lambda x: isinstance(x, Partial)
  return jax.tree.map(
    lambda x: x(first, size) if is_train(x) else x, trains, is_leaf=is_train
  )


def fold(
  function: Callable[[Any, Any], Any],
  initial: Any,
  train: Callable[[jax.Array | int, int], Any],
  num_words: int,
  at_once: int = 1,
) -> Any:
  """Folds a function over the words of a train.

  Args:
    function: `(total, words) -> total`.
    initial: the total before the first words.
    train: `(first, size) -> words`.
    num_words: K, number of words.
    at_once: largest number of words in a call.

  Returns:
    The total.
  """
  size = max(n for n in range(1, at_once + 1) if num_words % n == 0)
  if size == num_words:
    return function(initial, train(0, size))
  step = lambda index, total: function(total, train(index * size, size))
  return jax.lax.fori_loop(0, num_words // size, step, initial)


def count(train: jax.Array) -> jax.Array:
  """Counts the spikes of each neuron, `[..., K, N]` words to `[..., N]`.

  Example:
    >>> words = jnp.array([[0b111, 0b0], [0b1, 0b11]], jnp.uint32)
    >>> ssnn_jax.spikes.count(words)  # of two neurons, in two words each
    Array([4, 2], dtype=int32)
  """
  return jnp.sum(jax.lax.population_count(train), axis=-2).astype(jnp.int32)


def unpack(words: jax.Array) -> jax.Array:
  """Unpacks words to one spike per tick: `[K, N]` to `[32 K, N]` int8."""
  shifts = jnp.arange(TICKS_PER_WORD, dtype=jnp.uint32)[None, :, None]
  bits = (words[:, None, :] >> shifts) & jnp.uint32(1)
  return bits.astype(jnp.int8).reshape(-1, words.shape[-1])


def pack(train: jax.Array) -> jax.Array:
  """Packs the spikes of one sample, `[T, N]` in {0, 1}, to `[K, N]` words.

  Bit t of word k is tick 32 k + t; the bits after the last tick are 0.

  Args:
    train: one spike per tick; `jax.vmap` packs a batch.

  Returns:
    uint32 words.

  Example:
    >>> train = jnp.array([[1, 0], [1, 1], [0, 1]])  # 3 ticks, 2 neurons
    >>> ssnn_jax.spikes.pack(train)
    Array([[3, 6]], dtype=uint32)
    >>> ssnn_jax.spikes.unpack(ssnn_jax.spikes.pack(train))[:3].tolist()
    [[1, 0], [1, 1], [0, 1]]
  """
  num_steps, num_neurons = train.shape
  bits = jnp.pad(train, ((0, -num_steps % TICKS_PER_WORD), (0, 0)))
  return jax.vmap(thresholds.pack_word)(
    bits.reshape(-1, TICKS_PER_WORD, num_neurons)
  )
