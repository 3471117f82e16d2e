"""Windows: the division of a presentation into windows and words."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

TICKS_PER_WORD = 32


class Schedule(NamedTuple):
  """Division of a presentation of T ticks into windows.

  A potential is read once a window of n ticks. A block holds its whole words.

  Attributes:
    num_steps: T, ticks of a presentation.
    window: n, ticks of a window: T or a multiple of 32; the last window of a
      presentation may be shorter.
  """

  num_steps: int
  window: int

  @property
  def num_windows(self) -> int:
    """Windows of a presentation."""
    return -(-self.num_steps // self.window)

  @property
  def words_per_block(self) -> int:
    """K, words of a block."""
    return count_words(self.window)

  @property
  def has_whole_words(self) -> bool:
    """Whether all ticks of a word belong to the same window."""
    return not (self.num_steps % TICKS_PER_WORD or self.window % TICKS_PER_WORD)


class Window(NamedTuple):
  """One window."""

  mask: jax.Array  #: [K] uint32 ticks of the window in the words of its block
  length: jax.Array  #: number of ticks of the window
  elapsed: jax.Array  #: ticks of the presentation up to the end of the window


class Block(NamedTuple):
  """Words of one window."""

  words: jax.Array  #: [K] index of each word within the presentation
  windows: Window  #: [1, ...] the window


def block(schedule: Schedule, index: jax.Array | int) -> Block:
  """Returns the words and windows of one block.

  Args:
    schedule: division of the presentation; static.
    index: index of the window, from 0 to `schedule.num_windows - 1`.

  Returns:
    The block.

  Example:
    >>> schedule = ssnn_jax.spikes.Schedule(num_steps=40, window=32)
    >>> schedule.num_windows
    2
    >>> ssnn_jax.spikes.block(schedule, 1).windows.length  # ticks 32 to 39
    Array([8], dtype=int32)
  """
  start = index * schedule.window
  words = start // TICKS_PER_WORD + jnp.arange(schedule.words_per_block)
  end = jnp.minimum(start + schedule.window, schedule.num_steps)
  mask = mask_before(end, words) & ~mask_before(start, words)
  windows = mask[None], jnp.int32(end - start)[None], end[None]
  return Block(words, Window(*windows))


def count_words(num_steps: int) -> int:
  """Returns K, the number of words that hold `num_steps` ticks."""
  return -(-num_steps // TICKS_PER_WORD)


@jax.jit  # so that it is traced once
def mask_before(tick: jax.Array | int, words: jax.Array) -> jax.Array:
  """Returns `[K]` masks of the ticks before `tick`, for `[K]` word indices."""
  bits = jnp.clip(tick - words * TICKS_PER_WORD, 0, TICKS_PER_WORD)
  bits = bits.astype(jnp.uint32)
  # Shifting a word by its whole width is undefined.
  below = (jnp.uint32(1) << (bits % TICKS_PER_WORD)) - jnp.uint32(1)
  return jnp.where(bits == TICKS_PER_WORD, ~jnp.uint32(0), below)


def num_valid_ticks(window: Window) -> jax.Array:
  """Returns the ticks of a window as a divisor: 1 for an empty window."""
  return jnp.maximum(window.length, 1).astype(jnp.float32)
