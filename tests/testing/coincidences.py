"""Random spikes and errors, and their coincidences, for tests."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.neuron import coincidence


def pack(trains):
  """Packs spikes `[B, T, N]` to words `[B, K, N]`."""
  return jax.vmap(spikes.pack)(jnp.asarray(trains))


def random_trains(seed, batch_size, num_steps, num_inputs, num_neurons):
  """Returns spikes `[B, T, I]` and signed errors `[B, T, J]`, both int8."""
  rng = np.random.default_rng(seed)
  pre = rng.integers(0, 2, (batch_size, num_steps, num_inputs), np.int8)
  errors = rng.integers(-1, 2, (batch_size, num_steps, num_neurons), np.int8)
  return pre, errors


@jax.jit
def packed(pre, errors):
  """Packs spikes and signed errors to words and error streams."""
  streams = types.ErrorStreams(pack(errors == 1), pack(errors == -1))
  return pack(pre), streams


COUNTS = {
  'packed': coincidence.count_packed,
  'dense': coincidence.count_dense,
  'auto': None,  # the one of this platform
}


@functools.partial(jax.jit, static_argnames='name')
def count(pre, streams, name):
  """Counts the coincidences of a batch by one of `COUNTS`."""
  shape = pre.shape[-1], streams.positive.shape[-1]
  zeros = types.LayerParams(
    jnp.zeros(shape, jnp.int32), jnp.zeros(shape[1], jnp.int32)
  )
  if name == 'auto':
    return coincidence.count_coincidences(zeros, pre, streams)
  rows = [x.reshape(-1, x.shape[-1]) for x in (pre, *streams)]
  return types.LayerParams(*COUNTS[name](zeros.weights, *rows))
