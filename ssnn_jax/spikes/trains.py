"""Spike trains: sampling, counting, and the cut of time into windows.

A train is stored as words of 32 ticks, one bit a tick: `[K, N]` uint32. Words
are aligned to the presentation whatever the window; a window that is shorter
than a word masks its bits.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax.spikes import kernels
from ssnn_jax.spikes import thresholds

TICKS_PER_WORD = 32


class Schedule(NamedTuple):
  """The cut of a presentation into windows, and of windows into blocks.

  A block holds the fewest whole windows that fill whole words, so that
  coincidences are counted on full words; a window longer than a word that is
  not a whole number of words is a block of its own. Memory is that of one
  block, whatever T.

  Attributes:
    num_steps: T, ticks of a presentation.
    window: n, ticks between two reads of a membrane; the last window of a
      presentation may be shorter.
  """

  num_steps: int
  window: int

  @property
  def windows_per_block(self) -> int:
    """W, windows of a block."""
    total = -(-self.num_steps // self.window)
    if self.window > TICKS_PER_WORD:
      return 1
    return min(total, math.lcm(self.window, TICKS_PER_WORD) // self.window)

  @property
  def ticks_per_block(self) -> int:
    """Ticks from the start of a block to that of the next."""
    return self.windows_per_block * self.window

  @property
  def num_blocks(self) -> int:
    """Blocks of a presentation; the last one may be cut short."""
    return -(-self.num_steps // self.ticks_per_block)

  @property
  def words_per_block(self) -> int:
    """K, words that a block touches at most."""
    ticks = min(self.ticks_per_block, self.num_steps)
    if ticks % TICKS_PER_WORD == 0 or self.num_blocks == 1:
      return -(-ticks // TICKS_PER_WORD)
    # A block that starts inside a word touches one word more.
    return (ticks + TICKS_PER_WORD - 2) // TICKS_PER_WORD + 1


class Window(NamedTuple):
  """One window; past the end of the presentation it has no tick."""

  mask: jax.Array  # [K] uint32 the window's ticks in the words of its block
  length: jax.Array  # n_w, ticks of the window
  elapsed: jax.Array  # t_w, ticks from the start to the window's end


class Block(NamedTuple):
  """The place of one block in the presentation."""

  words: jax.Array  # [K] index of each word within the presentation
  windows: Window  # [W, ...] the block's windows


def block(schedule: Schedule, index: jax.Array | int) -> Block:
  """Places the block of the given index in the presentation.

  Args:
    schedule: the cut of time; static.
    index: the block, 0 up to `schedule.num_blocks - 1`.

  Returns:
    The block's words and windows.

  Example:
    >>> schedule = ssnn_jax.spikes.Schedule(num_steps=40, window=16)
    >>> schedule.num_blocks, schedule.windows_per_block
    (2, 2)
    >>> ssnn_jax.spikes.block(schedule, 1).windows.length  # the rest of 40
    Array([8, 0], dtype=int32)
  """
  first = index * schedule.ticks_per_block
  starts = first + schedule.window * jnp.arange(schedule.windows_per_block)
  words = first // TICKS_PER_WORD + jnp.arange(schedule.words_per_block)

  def window(start):
    end = jnp.minimum(start + schedule.window, schedule.num_steps)
    mask = bits_before(end, words) & ~bits_before(start, words)
    return Window(mask, jnp.maximum(end - start, 0), end)

  return Block(words, jax.vmap(window)(starts))


def count_words(num_steps: int) -> int:
  """Counts the words that so many ticks take, K."""
  return -(-num_steps // TICKS_PER_WORD)


def bits_before(tick: jax.Array | int, words: jax.Array) -> jax.Array:
  """Masks the ticks of words, given by their index, that precede a tick."""
  bits = jnp.clip(tick - words * TICKS_PER_WORD, 0, TICKS_PER_WORD)
  bits = bits.astype(jnp.uint32)
  # A shift by the whole word is undefined.
  below = (jnp.uint32(1) << (bits % TICKS_PER_WORD)) - jnp.uint32(1)
  return jnp.where(bits == TICKS_PER_WORD, ~jnp.uint32(0), below)


def ticks(window: Window) -> jax.Array:
  """Tells what counts of a window are divided by, also if it has no tick.

  Example:
    >>> schedule = ssnn_jax.spikes.Schedule(num_steps=40, window=16)
    >>> windows = ssnn_jax.spikes.block(schedule, 1).windows
    >>> ssnn_jax.spikes.ticks(windows)
    Array([8., 1.], dtype=float32)
  """
  return jnp.maximum(window.length, 1).astype(jnp.float32)


def compare(planes: jax.Array, rates: jax.Array) -> jax.Array:
  """Fires where threshold < rate, for the 32 ticks of a word at once.

  The comparison walks the bits from the least significant one up: where a bit
  of the rate is set a threshold bit of 0 makes the threshold smaller, where it
  is not a threshold bit of 1 makes it larger, and else the lower bits decide.
  Rates are rounded to multiples of 2**-16; 0 never fires and 1 always does.

  Args:
    planes: `[16, M]` uint32 bit planes of the thresholds; M is N, or 1 where
      the neurons share one threshold a tick.
    rates: `[N]` spikes per tick, in [0, 1].

  Returns:
    `[N]` uint32 spikes, one bit a tick.
  """
  scale = 1 << thresholds.NUM_PLANES
  target = jnp.round(rates * scale).astype(jnp.uint32)
  below = jnp.zeros_like(target)
  for plane in range(thresholds.NUM_PLANES):
    is_set = -((target >> plane) & 1)  # all ones, or all zeros
    zeros = ~planes[plane]
    below = (zeros & below) | (is_set & (zeros | below))
  return below | -(target >> thresholds.NUM_PLANES)


def fire(
  source: thresholds.Thresholds, rates: jax.Array, mask: jax.Array
) -> jax.Array:
  """Draws thresholds and fires where they are below the rates, in one word.

  Args:
    source: the thresholds of one sample in the word.
    rates: `[N]` spikes per tick, in [0, 1].
    mask: uint32, the ticks of the word that may hold spikes.

  Returns:
    `[N]` uint32 spikes, one bit a tick.
  """

  def kernel(source, rates, mask):
    return kernels.sample(source.kernel, source.shared, source.own, rates, mask)

  if not kernels.is_available(source.kernel):
    return _twin(source, rates, mask)
  return jax.lax.platform_dependent(
    source, rates, mask, cpu=kernel, default=_traced_once
  )


def _twin(source, rates, mask):
  """Fires as the kernel of a sampler does."""
  planes = source.draw(source.shared, source.own, rates.shape[0])
  return compare(planes, rates) & mask


# Beside a kernel it is not compiled, but traced all the same, which would be
# most of the time that tracing a network takes.
_traced_once = jax.jit(_twin)


def sample(
  source: thresholds.Thresholds, rates: jax.Array, window: Window
) -> jax.Array:
  """Samples the spikes of one sample in one window.

  Args:
    source: `[K, ...]` the thresholds of one sample in the words of a block.
    rates: `[N]` spikes per tick, in [0, 1].
    window: the window.

  Returns:
    `[K, N]` uint32 spikes, one bit a tick.

  Example:
    >>> from ssnn_jax.spikes import thresholds
    >>> keys = thresholds.make_keys(jax.random.key(0), num_layers=2)
    >>> place = thresholds.Role.INPUT, 0, jnp.int32(0), jnp.int32(0)
    >>> source = thresholds.shifted(keys, *place, 2)
    >>> source = jax.tree.map(lambda leaf: leaf[None], source)  # of one word
    >>> window = ssnn_jax.spikes.Window(jnp.full(1, 0xFFFF, jnp.uint32), 16, 16)
    >>> train = ssnn_jax.spikes.sample(source, jnp.array([0.25, 0.5]), window)
    >>> ssnn_jax.spikes.count(train)  # of 16 ticks
    Array([4, 8], dtype=int32)
  """
  return jax.vmap(fire, in_axes=(0, None, 0))(source, rates, window.mask)


def count(train: jax.Array) -> jax.Array:
  """Counts the spikes of each neuron: `[..., K, N]` words to `[..., N]`.

  Example:
    >>> words = jnp.array([[0b111, 0b0], [0b1, 0b11]], jnp.uint32)
    >>> ssnn_jax.spikes.count(words)  # of two neurons, in two words each
    Array([4, 2], dtype=int32)
  """
  return jnp.sum(jax.lax.population_count(train), axis=-2).astype(jnp.int32)


def join(train: jax.Array) -> jax.Array:
  """Joins the windows of a block, `[W, K, N]` words, to one train `[K, N]`."""
  if train.shape[0] == 1:
    return train[0]
  # Windows share no tick, so the sum is the union.
  return jnp.sum(train, axis=0, dtype=train.dtype)


def unpack(words: jax.Array) -> jax.Array:
  """Unpacks words to one spike a tick: `[K, N]` to `[32 K, N]` int8."""
  shifts = jnp.arange(TICKS_PER_WORD, dtype=jnp.uint32)[None, :, None]
  bits = (words[:, None, :] >> shifts) & jnp.uint32(1)
  return bits.astype(jnp.int8).reshape(-1, words.shape[-1])


def pack(spikes: jax.Array) -> jax.Array:
  """Packs one sample's spikes: `[T, N]` in {0, 1} to `[K, N]` uint32 words.

  Bit t of word k is tick 32 k + t; the bits after the last tick are 0.

  Args:
    spikes: one spike a tick; `jax.vmap` packs a batch.

  Returns:
    The words.

  Example:
    >>> spikes = jnp.array([[1, 0], [1, 1], [0, 1]])  # 3 ticks, 2 neurons
    >>> ssnn_jax.spikes.pack(spikes)
    Array([[3, 6]], dtype=uint32)
    >>> ssnn_jax.spikes.unpack(ssnn_jax.spikes.pack(spikes))[:3].tolist()
    [[1, 0], [1, 1], [0, 1]]
  """
  num_steps, num_neurons = spikes.shape
  padding = ((0, -num_steps % TICKS_PER_WORD), (0, 0))
  bits = jnp.pad(spikes.astype(jnp.uint32), padding)
  bits = bits.reshape(-1, TICKS_PER_WORD, num_neurons)
  shifts = jnp.arange(TICKS_PER_WORD, dtype=jnp.uint32)[None, :, None]
  return jnp.sum(bits << shifts, axis=1, dtype=jnp.uint32)
