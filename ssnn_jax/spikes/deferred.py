"""Trains of long windows, drawn a few words at a time where they are needed.

The spikes of a window follow from rates that are known before it, so that no
more than a few words of a long window are ever in memory.
"""

from collections.abc import Callable
import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from ssnn_jax.spikes import sobol
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes import trains
from ssnn_jax.spikes import windows

_COUNTED_WORDS = 16  # counted at once where no spikes are drawn


class Deferred:
  """Trains of one window that are not drawn yet.

  A subclass is a `flax.struct.dataclass`.
  """

  mask: jax.Array  # [K] uint32 ticks of the window

  def draw(self, index: jax.Array | int, size: int) -> Any:
    """Draws words from an index on, `[size, N]` uint32 in any structure."""
    raise NotImplementedError

  def count(self, is_whole: bool) -> jax.Array:
    """Counts the spikes, of two streams positive minus negative.

    Args:
      is_whole: whether the window consists of whole words.

    Returns:
      `[N]` int32.
    """
    raise NotImplementedError


@flax.struct.dataclass
class DeferredTrain(Deferred):
  """Spikes of one window, not drawn yet: threshold < rate in all its sources.

  Several sources thin a train.
  """

  sources: tuple[thresholds.Thresholds, ...]  # each of [K] words
  rates: tuple[jax.Array, ...]  # each [N] spikes per tick
  mask: jax.Array  # [K] uint32 ticks of the window

  def thin(
    self, source: thresholds.Thresholds, rates: jax.Array
  ) -> 'DeferredTrain':
    """Returns the train of the spikes that a second source keeps."""
    return self.replace(
      sources=(*self.sources, source), rates=(*self.rates, rates)
    )

  def draw(self, index: jax.Array | int, size: int) -> jax.Array:
    """Draws words from an index on, `[size, N]` uint32."""
    sources, mask = _take((self.sources, self.mask), index, size)
    drawn = [
      trains.fire_words(*pair, mask) for pair in zip(sources, self.rates)
    ]
    return functools.reduce(jnp.bitwise_and, drawn)

  def count(self, is_whole: bool) -> jax.Array:
    """Counts the spikes of a train of one source; see `Deferred`."""
    (source,), (rates,) = self.sources, self.rates
    is_counted = is_whole and isinstance(source, sobol.SobolWord)
    size = _divisor(len(self.mask), _COUNTED_WORDS if is_counted else 1)

    def add(index, total):
      first = index * size
      if not is_counted:
        return total + trains.count(self.draw(first, size))
      own, mask = _take((source, self.mask), first, size)
      return total + trains.count_whole_words(own, rates, mask)

    zeros = jnp.zeros(rates.shape, jnp.int32)
    return jax.lax.fori_loop(0, len(self.mask) // size, add, zeros)


def defer(
  source: thresholds.Thresholds, rates: jax.Array, window: windows.Window
) -> DeferredTrain:
  """Returns the train of one sample in one window, without drawing it."""
  return DeferredTrain((source,), (rates,), window.mask)


def is_deferred(train: Any) -> bool:
  """Returns whether trains are not drawn yet."""
  return isinstance(train, Deferred)


def join_windows(train: Any) -> Any:
  """Joins the windows of a block, as `join`; a deferred train has only one."""
  if is_deferred(train):
    return jax.tree.map(lambda x: x[0], train)
  return jax.tree.map(trains.join, train)


def draw_all(trains_of_window: Any) -> Any:
  """Draws all words of the trains of one sample, in any structure.

  Trains that are drawn already, and other arrays, are returned as they are.
  """

  def draw(train):
    return train.draw(0, len(train.mask)) if is_deferred(train) else train

  return jax.tree.map(draw, trains_of_window, is_leaf=is_deferred)


def fold_words(
  function: Callable[[Any, Any], Any],
  initial: Any,
  ends: Any,
  words_at_once: int,
) -> Any:
  """Folds a function over the words of the trains of a batch.

  Args:
    function: `(total, ends) -> total`, whose ends have drawn trains.
    initial: the total before the first words.
    ends: trains `[B, K, N]`, drawn or deferred, in any structure.
    words_at_once: largest number of words that are drawn at once; where all
      trains are drawn, they are passed as a whole.

  Returns:
    The total.
  """
  leaves = jax.tree.leaves(ends, is_leaf=is_deferred)
  masks = [leaf.mask for leaf in leaves if is_deferred(leaf)]
  if not masks:
    return function(initial, ends)
  num_words = masks[0].shape[1]
  size = _divisor(num_words, words_at_once)

  def step(index, total):
    def draw(train):
      if is_deferred(train):
        return train.draw(index * size, size)
      return _take(train, index * size, size)

    def draw_words(ends):
      return jax.tree.map(draw, ends, is_leaf=is_deferred)

    return function(total, jax.vmap(draw_words)(ends))

  return jax.lax.fori_loop(0, num_words // size, step, initial)


def _take(tree, first, size):
  """Takes words from a first one on, of trains or thresholds of `[K]` words."""

  def take(words):
    return jax.lax.dynamic_slice_in_dim(words, first, size)

  is_source = lambda x: isinstance(x, thresholds.Thresholds)
  return jax.tree.map(
    lambda x: x.map_words(take) if is_source(x) else take(x),
    tree,
    is_leaf=is_source,
  )


def _divisor(number, largest):
  """Returns the largest divisor of a number up to a bound."""
  return max(n for n in range(1, largest + 1) if number % n == 0)
