"""Real time window by window, for tests: every window calls `realtime.step`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.simulation import forward
from ssnn_jax.simulation import inputs
from ssnn_jax.simulation import realtime
from ssnn_jax.spikes import thresholds


def init_state(config, batch_size):
  """Returns the state of a batch at the start of a presentation."""
  return jax.tree.map(
    lambda x: jnp.broadcast_to(x, (batch_size, *x.shape)),
    realtime.init_state(config),
  )


@functools.partial(jax.jit, static_argnums=0)
def run_window(config, params, key, batch, state, index):
  """Runs one window of a batch, which is a block of its own.

  Args:
    config: the network.
    params: its parameters.
    key: PRNG key of the presentation.
    batch: inputs and labels.
    state: state of the batch before the window.
    index: index of the window.

  Returns:
    The state after the window and its emission.
  """
  schedule = spikes.Schedule(config.num_steps, config.schedule.window, True)
  block = spikes.block(schedule, index)
  window = jax.tree.map(lambda x: x[0], block.windows)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  samples = inputs.prepare(config, params, key, *batch)

  def run(sample, state):
    draw = forward.make_draw(config, keys, block.words, sample.position)

    def draw_window(role, layer, num_neurons):
      if role != thresholds.Role.WINNER or config.winner == 'softmax':
        return draw(role, layer, num_neurons)
      noise = draw(role, layer, config.layer_sizes[-1])
      noise = spikes.split_ticks(noise, schedule, block)
      return jax.tree.map(lambda x: x[0], noise)

    train = forward.emit_inputs(draw, sample.inputs, block)
    signal = forward.input_signal(sample.inputs, train, window)
    drive = forward.drive(config, 0, params[0], draw, signal, window)
    return realtime.step(
      config,
      types.Weights(params, params),
      draw_window,
      sample,
      state,
      realtime.Arriving(signal, drive),
      window,
    )

  return jax.vmap(run)(samples, state)


def count_coincidences(emission):
  """Counts the coincidences of the spikes of one window.

  Returns the counts with positive and with negative error spikes.
  """
  return tuple(
    tuple(
      _count(signal.train, error.streams[sign])
      for signal, error in zip(emission.signals, emission.errors)
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
