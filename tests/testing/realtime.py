"""Real time tick by tick, for tests: each tick is a block of its own."""

import functools

import jax
import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.simulation import realtime
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import samples
from ssnn_jax.spikes import thresholds


def init_state(config, batch_size):
  """Returns the state of a batch at the start of a presentation."""
  init, _ = realtime.make_run(config)
  return jax.tree.map(
    lambda x: np.broadcast_to(x, (batch_size, *x.shape)), jax.device_get(init())
  )


@functools.partial(jax.jit, static_argnums=0)
def run_tick(config, params, key, batch, state, index):
  """Runs one tick of a batch.

  Args:
    config: the network.
    params: its parameters.
    key: PRNG key of the presentation.
    batch: inputs and labels.
    state: state of the batch before the tick.
    index: index of the tick.

  Returns:
    The state after the tick, and its signals.
  """
  block = spikes.block(config.schedule, index // spikes.TICKS_PER_WORD)
  windows = jax.tree.map(
    lambda x: x[index % spikes.TICKS_PER_WORD][None], block.windows
  )
  block = block._replace(windows=windows)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  weights = types.Weights(params, params)
  _, run = realtime.make_run(config)

  def run_sample(sample, state):
    sources = rules.make_sources(config, keys, block.words, sample.position)
    return run(weights, sources, sample, state, block)

  batch = samples.prepare(config, params, key, *batch)
  return jax.vmap(run_sample)(batch, state)


def count_coincidences(signals):
  """Counts the coincidences of the spikes of one tick.

  Returns the counts with positive and with negative error spikes.
  """
  return tuple(
    tuple(
      _count(signal.words, error.streams[sign])
      for signal, error in zip(signals.forward, signals.errors)
    )
    for sign in range(2)
  )


def _count(words, stream):
  presynaptic, errors = unpack(words), unpack(stream)
  weights = np.einsum('bti,btj->ij', presynaptic, errors)
  return types.LayerParams(weights, errors.sum(axis=(0, 1)))


def unpack(words):
  """Unpacks words `[B, K, N]` to ticks `[B, 32 K, N]`."""
  ticks = np.arange(32, dtype=np.uint32)[:, None]
  bits = np.asarray(words)[:, :, None] >> ticks & 1
  return bits.reshape(len(bits), -1, bits.shape[-1]).astype(int)
