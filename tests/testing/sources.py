"""Sources of thresholds, and a sampler that shares no code with the library."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import trains
from ssnn_jax.trains import thresholds


def _draw_threefry(source, word):
  key = jax.random.wrap_key_data(source.key[:2], impl='threefry2x32')
  for number in (source.key[2], word, source.position):
    key = jax.random.fold_in(key, number)
  shape = trains.TICKS_PER_WORD, source.num_neurons
  return jax.random.bits(key, shape, jnp.uint16)


THREEFRY = trains.Sampler(_draw_threefry)
SAMPLERS = trains.SAMPLERS | {'threefry': THREEFRY}


@functools.cache
def keys(seed=0):
  """Returns the keys of all trains of a presentation."""
  with jax.ensure_compile_time_eval():  # not again in each program
    return np.asarray(thresholds.make_keys(jax.random.key(seed), 7))


def make(num_neurons, role=trains.Role.INPUT, layer=0, position=0, seed=0):
  """Returns the source of the thresholds of one sample."""
  key = jnp.asarray(keys(seed)[layer, role])
  return trains.Source(key, jnp.asarray(position), role, layer, num_neurons)
