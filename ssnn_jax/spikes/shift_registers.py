"""Thresholds of linear-feedback shift registers, the generators of chips.

A Galois register of w bits shifts right, and flips the bits of its taps where a
1 leaves it. From any state but 0 it runs through all 2**w - 1 others if the
taps are those of a primitive polynomial. A step is a matrix over GF(2), so that
the state at any tick follows from that at the start of the presentation.

The upper 16 bits of the register are the threshold of a tick; a register of
fewer bits fills only the upper ones. After a single step a tick, a threshold is
the last one shifted by a bit, so that the ticks of a train depend on each
other; with about as many steps as bits they hardly do.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types
from ssnn_jax.spikes import hashing
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes.thresholds import NUM_BITS
from ssnn_jax.spikes.windows import TICKS_PER_WORD

# Of primitive polynomials, from P. Alfke, "Efficient shift registers, LFSR
# counters, and long pseudo-random sequence generators", Xilinx XAPP 052 (1996).
TAPS = {8: 0xB8, 12: 0xE08, 16: 0xD008, 24: 0xE10000, 32: 0x80200003}
_NUM_POWERS = 26  # of two, of the words of a presentation below 2**31 ticks


def lfsr(
  width: int = 16,
  taps: int | None = None,
  steps: int = 1,
  is_shared: bool = False,
) -> thresholds.Sampler:
  """Builds the sampler of shift registers.

  Registers start each presentation with a random state.

  Args:
    width: w, bits of a register, 2 to 32.
    taps: mask of the bits that flip, the highest of which is set; None is one
      of `TAPS`.
    steps: steps of a register in a tick, without a factor in common with
      2**w - 1, so that all states are thresholds.
    is_shared: whether a layer has one register for each sample and role, whose
      bits each neuron flips by a mask that is fixed forever; otherwise each
      neuron has a register of its own.

  Returns:
    The sampler; equal arguments return the same one.

  Raises:
    UserError: if there are no taps for the width, or if the register would
      repeat its states early.

  Example:
    >>> sampler = ssnn_jax.spikes.lfsr(width=24, steps=23)
    >>> config = ssnn_jax.NetworkConfig((64, 10), sampler=sampler)
  """
  taps = TAPS.get(width) if taps is None else taps
  return _make(width, taps, steps, is_shared)


@functools.cache
def _make(width, taps, steps, is_shared):
  """Builds the sampler of `lfsr`, once."""
  if taps is None or not _is_maximal(width, taps):
    raise types.UserError(
      f'taps is {taps} for a register of width {width}; expected the taps of a '
      f'primitive polynomial of this degree, as {TAPS[16]:#x} for 16.'
    )
  if steps < 1 or math.gcd(steps, 2**width - 1) > 1:
    raise types.UserError(
      f'steps is {steps} for a register of width {width}; expected a number '
      f'without a factor in common with {2**width - 1}, as 1.'
    )
  columns = _power(_step(width, taps), steps)
  powers = [_power(columns, TICKS_PER_WORD << k) for k in range(_NUM_POWERS)]
  powers = np.stack(powers)

  def jump(word):
    """Returns the matrix from the start of a presentation to a word."""
    own = jnp.uint32(1) << jnp.arange(width, dtype=jnp.uint32)

    def multiply(index, own):
      is_set = (word >> index) & 1
      return jnp.where(is_set, _apply(jnp.asarray(powers)[index], own), own)

    return jax.lax.fori_loop(0, _NUM_POWERS, multiply, own)

  def sample_thresholds(source, word):
    key, counters = source.key, source.counters()
    if is_shared:
      counters = jnp.asarray(source.position).astype(jnp.uint32)[None]
    start = hashing.keyed_hash(counters, *key) % jnp.uint32(2**width - 1) + 1

    def step(state, _):
      return _apply(columns, state), state

    first = _apply(jump(jnp.asarray(word).astype(jnp.uint32)), start)
    _, states = jax.lax.scan(step, first, length=TICKS_PER_WORD)
    values = states >> max(0, width - NUM_BITS) << max(0, NUM_BITS - width)
    if is_shared:
      values ^= _masks(source)[None]
    return values.astype(jnp.uint16)

  return thresholds.Sampler(sample_thresholds)


def _masks(source):
  """Returns `[N]` uint32 masks of 16 bits, fixed for each role and layer."""
  neurons = jnp.arange(source.num_neurons, dtype=jnp.uint32)
  place = jnp.uint32(len(thresholds.Role) * source.layer + source.role)
  bits = hashing.keyed_hash(neurons, place, place + 1, place + 2)
  return bits & ((1 << NUM_BITS) - 1)


def _step(width, taps):
  """Returns the matrix of a step: the state after it for each bit, `[w]`."""
  columns = np.uint32(1) << np.arange(width, dtype=np.uint32) >> 1
  columns[0] = taps
  return columns


def _apply(columns, states):
  """Multiplies states by a matrix, given by its columns."""
  product = columns[0] * (states & 1)
  for bit in range(1, len(columns)):
    product ^= columns[bit] * ((states >> bit) & 1)
  return product


def _power(columns, exponent):
  """Raises a matrix to a power."""
  result = np.uint32(1) << np.arange(len(columns), dtype=np.uint32)
  while exponent:
    if exponent & 1:
      result = _apply(columns, result)
    columns, exponent = _apply(columns, columns), exponent >> 1
  return result


def _is_maximal(width, taps):
  """Returns whether a register runs through all states but 0."""
  if not (2 <= width <= 32 and 0 < taps >> (width - 1) < 2):
    return False
  period, columns = 2**width - 1, _step(width, taps)
  identity = _power(columns, 0)
  factors = [n for n in range(2, 2**16 + 1) if period % n == 0]
  primes = [n for n in factors if all(n % m for m in factors if m < n)]
  cofactor = period
  for prime in primes:
    while cofactor % prime == 0:
      cofactor //= prime
  primes += [cofactor] * (cofactor > 1)
  repeats = lambda steps: np.array_equal(_power(columns, steps), identity)
  return repeats(period) and not any(repeats(period // p) for p in primes)
