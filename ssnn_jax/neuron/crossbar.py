"""Read noise of a crossbar, a sum of fair bits in each tick."""

import math

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax.spikes import bernoulli
from ssnn_jax.spikes.thresholds import NUM_BITS


def mean_noise(source: spikes.Source, window: spikes.Window) -> jax.Array:
  """Returns read noise averaged over the ticks of a window.

  The noise of one tick is a sum of 16 fair bits, scaled to mean 0 and variance
  1: it has 17 levels, and its mean over several ticks is nearly normal. As for
  thresholds, the noise of a tick does not depend on T or the window.

  Args:
    source: random bits of the N neurons of one sample that are read.
    window: the window.

  Returns:
    `[N]` means; 0 in a window without ticks.
  """

  def count(word, mask):
    ones = jax.lax.population_count(bernoulli.planes(source, word) & mask)
    return jnp.sum(ones, axis=0).astype(jnp.int32)

  ones = jnp.sum(jax.vmap(count)(source.words, window.mask), axis=0)
  excess = ones - NUM_BITS // 2 * window.length
  deviation = math.sqrt(NUM_BITS) / 2  # of the ones in one tick
  ticks = spikes.num_valid_ticks(window)
  return excess.astype(jnp.float32) / (deviation * ticks)
