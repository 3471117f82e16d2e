"""Thresholds for tests, and a sampler that shares no code with the library."""

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax.spikes import samplers
from ssnn_jax.spikes import thresholds


def _draw_threefry(source, word):
  key = jax.random.wrap_key_data(source.key[:2], impl='threefry2x32')
  for number in (source.key[2], word, source.position):
    key = jax.random.fold_in(key, number)
  shape = spikes.TICKS_PER_WORD, source.num_neurons
  return jax.random.bits(key, shape, jnp.uint16)


THREEFRY = spikes.Sampler(_draw_threefry)
SAMPLERS = (*spikes.SAMPLERS, THREEFRY)


def make(
  words,
  num_neurons,
  role=spikes.Role.INPUT,
  layer=0,
  position=0,
  *,
  sampler='bernoulli',
  seed=0,
  use_kernel=True,
):
  """Returns the thresholds of one sample in some words."""
  keys = thresholds.make_keys(jax.random.key(seed), 7)
  return spikes.Source(
    keys[layer, role],
    jnp.asarray(position),
    jnp.asarray(words),
    role=role,
    layer=layer,
    num_neurons=num_neurons,
    sampler=samplers.find(sampler, role),
    use_kernel=use_kernel,
  )
