"""Real time window by window, for tests: each window is a block of its own."""

import dataclasses
import functools

import jax
import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.simulation import blocks
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import samples
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes import trains


def init_state(config, batch_size):
  """Returns the state of a batch at the start of a presentation."""
  return jax.tree.map(
    lambda x: np.broadcast_to(x, (batch_size, *x.shape)),
    jax.device_get(blocks.init_state(config)),
  )


@functools.partial(jax.jit, static_argnums=0)
def run_window(config, params, key, batch, state, index):
  """Runs one window of a batch.

  Args:
    config: the network.
    params: its parameters.
    key: PRNG key of the presentation.
    batch: inputs and labels.
    state: state of the batch before the window.
    index: index of the window.

  Returns:
    The state after the window, and its signals with the words of their trains.
  """
  config = dataclasses.replace(config, update_every='window')
  block = spikes.block(config.schedule, index)
  keys = thresholds.make_keys(key, len(config.layer_sizes))

  def run(sample, state):
    sources = rules.make_sources(config, keys, block.words, sample.position)
    weights = types.Weights(params, params)
    state, signals = blocks.run_block(
      config, weights, sources, sample, state, block
    )
    return state, trains.words(signals, 0, len(block.words))

  return jax.vmap(run)(samples.prepare(config, params, key, *batch), state)


def count_coincidences(signals):
  """Counts the coincidences of the spikes of one window.

  Returns the counts with positive and with negative error spikes.
  """
  return tuple(
    tuple(
      _count(signal.train, error.streams[sign])
      for signal, error in zip(signals.forward, signals.errors)
    )
    for sign in range(2)
  )


def _count(train, stream):
  presynaptic, errors = unpack(train), unpack(stream)
  weights = np.einsum('bti,btj->ij', presynaptic, errors)
  return types.LayerParams(weights, errors.sum(axis=(0, 1)))


def unpack(words):
  """Unpacks words `[B, K, N]` to ticks `[B, 32 K, N]`."""
  ticks = np.arange(32, dtype=np.uint32)[:, None]
  bits = np.asarray(words)[:, :, None] >> ticks & 1
  return bits.reshape(len(bits), -1, bits.shape[-1]).astype(int)
