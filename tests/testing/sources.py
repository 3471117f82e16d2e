"""Thresholds for tests, and a sampler that shares no code with the library."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax.spikes import thresholds


def _draw_threefry(source, word):
  key = jax.random.wrap_key_data(source.key[:2], impl='threefry2x32')
  for number in (source.key[2], word, source.position):
    key = jax.random.fold_in(key, number)
  shape = spikes.TICKS_PER_WORD, source.num_neurons
  return jax.random.bits(key, shape, jnp.uint16)


THREEFRY = spikes.Sampler(_draw_threefry)
SAMPLERS = (*spikes.SAMPLERS, THREEFRY)


@functools.cache
def _keys(seed):
  with jax.ensure_compile_time_eval():  # not again in each program
    make_keys = jax.jit(lambda key: thresholds.make_keys(key, 7))
    return np.asarray(make_keys(jax.random.key(seed)))


def make(
  words,
  num_neurons,
  role=spikes.Role.INPUT,
  layer=0,
  position=0,
  *,
  sampler='bernoulli',
  seed=0,
):
  """Returns the thresholds of one sample in some words."""
  return spikes.Source(
    jnp.asarray(_keys(seed)[layer, role]),
    jnp.asarray(position),
    jnp.asarray(words),
    role=role,
    layer=layer,
    num_neurons=num_neurons,
    sampler=spikes.SAMPLERS.get(sampler, sampler),
  )
