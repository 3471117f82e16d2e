"""Independent thresholds from a counter-based hash: Bernoulli trains.

The thresholds of 32 ticks are sampled as bit planes: bit t of plane q is bit q
of the threshold of tick t. The keys of a word are hashes of its index under the
key of the train. The planes share the first round of mixing; each plane adds 64
bits of its own before the second round.
"""

import functools
import math

import jax
import jax.numpy as jnp

from ssnn_jax.trains import thresholds
from ssnn_jax.trains import words as words_lib
from ssnn_jax.trains.thresholds import NUM_BITS
from ssnn_jax.trains.thresholds import Source
from ssnn_jax.trains.words import TICKS_PER_WORD


def planes(source: Source, word: jax.Array) -> jax.Array:
  """Samples the bit planes of a word, `[16, N]` uint32."""
  draw = _make_draw(*_state(source, word), source.num_neurons)
  return jax.vmap(draw)(jnp.arange(NUM_BITS))


def _thresholds(source, word):
  # Otherwise each threshold would sample all planes of its word again.
  drawn = jax.lax.optimization_barrier(planes(source, word))
  ticks = jnp.arange(TICKS_PER_WORD, dtype=jnp.uint32)[:, None]
  values = jnp.zeros((TICKS_PER_WORD, source.num_neurons), jnp.uint32)
  for index, plane in enumerate(drawn):
    values |= ((plane[None] >> ticks) & 1) << index
  return values.astype(jnp.uint16)


def _sample(source, word, rates):
  keys, counter = _state(source, word)
  # Accelerators need a single loop over neurons.
  is_fused = jax.default_backend() != 'cpu'
  return _compare(keys, counter, rates, is_fused)


def _state(source, word):
  """Returns the keys of a word, and the counters of its neurons.

  The keys are `[33]` uint32: one for the first round, two for each plane. The
  counters are the one of the first neuron and the step to the next one, 0 where
  the neurons share their thresholds.
  """
  num_keys = 1 + 2 * NUM_BITS
  first = jnp.asarray(word).astype(jnp.uint32) * jnp.uint32(num_keys)
  counters = first + jnp.arange(num_keys, dtype=jnp.uint32)
  keys = thresholds.keyed_hash(counters, *source.key)
  step = jnp.uint32(source.num_neurons > 1)
  return keys, jnp.stack([source.counters()[0], step])


# Jitted so that it is traced once.
@functools.partial(jax.jit, static_argnames='is_fused')
def _compare(keys, counter, rates, is_fused):
  draw = _make_draw(keys, counter, len(rates))
  rounded = thresholds.round_rates(rates)

  def step(index, below):
    return thresholds.compare_bit(draw(index), rounded, index, below)

  silent = jnp.zeros_like(rounded)
  below = jax.lax.fori_loop(0, NUM_BITS, step, silent, unroll=is_fused)
  return below | thresholds.is_certain(rounded)


def _make_draw(keys, counter, num_neurons):
  """Returns the function that samples a plane by its index."""
  first, step = counter
  counters = first + step * jnp.arange(num_neurons, dtype=jnp.uint32)
  mixed = thresholds.lowbias32(counters ^ keys[0])
  second, third = keys[1:].reshape(2, NUM_BITS)
  return lambda plane: thresholds.finish(mixed, second[plane], third[plane])


SAMPLER = thresholds.Sampler(_thresholds, _sample)


def mean_noise(source: Source, num_steps: int) -> jax.Array:
  """Draws the mean noise of T ticks, `[N]`, of which that of a tick is normal.

  The noise of one tick is a sum of 16 fair bits, scaled to mean 0 and variance
  1: it has 17 levels, and its mean over several ticks is nearly normal.
  """

  def count(word, ticks):
    ones = jax.lax.population_count(planes(source, word) & ticks)
    return jnp.sum(ones, axis=0).astype(jnp.int32)

  ticks = words_lib.mask(num_steps)
  ones = jnp.sum(jax.vmap(count)(jnp.arange(len(ticks)), ticks), axis=0)
  excess = ones - NUM_BITS // 2 * num_steps
  deviation = math.sqrt(NUM_BITS) / 2  # of the ones in one tick
  return excess.astype(jnp.float32) / (deviation * num_steps)
