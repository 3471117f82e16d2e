"""Buffered timing: layer after layer, forward and back, in each block.

The fast simulation of the method: errors of a window are computed from the
potentials at its end, and coincide with the spikes of the same window, which
wait for them. All windows of a block are computed at once, but for what the
membranes pass on.
"""

import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane as membrane_lib
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import loops
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import samples
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes import trains
from ssnn_jax.spikes.thresholds import Role


class State(NamedTuple):
  """State of the neurons of one sample between two blocks."""

  membranes: tuple[Any, ...]  # state of each layer's membranes
  inhibition: jax.Array  # inhibition shared by the output neurons, in nats


def init_state(config: NetworkConfig) -> State:
  """Returns the state of one sample at the start of a presentation."""
  membrane = membrane_lib.find(config.integration, config.tau)
  return State(
    membranes=tuple(map(membrane.init, config.layer_sizes[1:])),
    inhibition=jnp.float32(config.race.inhibition_start),
  )


def run_block(
  config: NetworkConfig,
  weights: types.Weights,
  sources: rules.Sources,
  sample: samples.Sample,
  state: State,
  block: spikes.Block,
) -> tuple[State, types.Signals]:
  """Runs one sample through the windows of one block.

  Args:
    config: the network.
    weights: weights of the two reads.
    sources: thresholds of the sample in the block.
    sample: the sample, without an axis B; errors need its label.
    state: state of the neurons before the block.
    block: words and windows of the block.

  Returns:
    The state after the block, and its signals; without a label no errors.
  """
  windows = block.windows
  membrane = membrane_lib.find(config.integration, config.tau)
  fire = firing.find(config.firing_function).probability

  def integrate(state, drive_and_window):
    drive, window = drive_and_window
    state = membrane.integrate(state, drive, window)
    return state, membrane.read(state, window)

  signal, counts = _input_signal(config, sources, sample.inputs, block)
  forward, membranes, potentials = [signal], [], []
  for layer, params in enumerate(weights.forward):
    rates = forward[layer].rates
    if config.forward == 'spikes':
      ticks = jax.vmap(spikes.num_valid_ticks)(windows)
      rates = counts.astype(jnp.float32) / ticks[:, None]
    read = functools.partial(rules.drive, config, layer, params, sources)
    drives = jax.vmap(read)(rates, windows)
    after, potential = loops.scan(
      integrate, state.membranes[layer], (drives, windows)
    )
    membranes.append(after)
    potentials.append(potential)
    if layer < len(sample.dropout_masks):
      rates = fire(potential) * sample.dropout_masks[layer][None]
      source = sources(Role.FORWARD, layer + 1, rates.shape[1])
      signal, counts = _sample(config, source, rates, windows)
      forward.append(signal)
  inhibition, winners = _compete(
    config, sources, state.inhibition, potentials[-1], windows
  )
  # The largest potential of each window has the votes of all its ticks.
  largest = jnp.argmax(potentials[-1], axis=1)
  votes = jax.nn.one_hot(largest, potentials[-1].shape[1], dtype=jnp.int32)
  last = jnp.sum(windows.length > 0) - 1
  response = types.Inference(
    winner_counts=jnp.sum(spikes.count(winners), axis=0),
    potential=potentials[-1][last],
    largest_counts=jnp.sum(windows.length[:, None] * votes, axis=0),
  )
  errors = []
  if sample.label is not None:
    errors = _propagate_back(
      config, weights.transposed, sources, sample, potentials, winners, windows
    )
  state = State(tuple(membranes), inhibition)
  return state, types.Signals(forward, errors, potentials, response)


def _propagate_back(
  config, weights, sources, sample, potentials, winners, windows
):
  """Propagates the errors of all windows back to the first layer."""
  output = functools.partial(rules.output_error, config, sample.label)
  errors = jax.vmap(output)(potentials[-1], windows)
  if config.output_errors == 'winner':
    streams = jax.vmap(wta.output_errors, (0, None, 0))(
      winners, sample.label, windows.mask
    )
    counts = spikes.count(streams.positive) - spikes.count(streams.negative)
    # Windows do not overlap, so their sum is their union.
    join = lambda words: jnp.sum(words, axis=0, dtype=jnp.uint32)
    streams = trains.stored(jax.tree.map(join, streams))
  else:
    layer = len(potentials) - 1
    streams, counts = _sample_errors(config, layer, sources, errors, windows)
  signals = [types.ErrorSignal(errors, streams)]
  for layer in reversed(range(len(sample.dropout_masks))):

    def respond(potential, errors, counts, window, layer=layer):
      errors = rules.mean_errors(config, layer + 1, errors, counts, window)
      incoming = rules.transposed_drive(
        config, layer + 1, weights[layer + 1], sources, errors, window
      )
      mask = sample.dropout_masks[layer]
      return rules.hidden_error(config, mask, potential, incoming)

    errors = jax.vmap(respond)(potentials[layer], errors, counts, windows)
    streams, counts = _sample_errors(config, layer, sources, errors, windows)
    signals.insert(0, types.ErrorSignal(errors, streams))
  return signals


def _input_signal(config, sources, encoded, block):
  """Returns the signal of the inputs, given or sampled, and its counts."""
  windows, size = block.windows, encoded.rates.shape[0]
  rates = jnp.broadcast_to(encoded.rates, (len(windows.length), size))
  if encoded.train is None:
    source = sources(Role.INPUT, 0, size)
    if len(rates) == 1:
      return _sample(config, source, rates, windows)
    # The rates are constant, so that all windows are sampled at once.
    mask = jnp.sum(windows.mask, axis=0, dtype=jnp.uint32)
    words = thresholds.sample_words(source, encoded.rates, mask)
  else:
    words = samples.given_words(encoded.train, block)
  counts = spikes.count(words[None] & windows.mask[:, :, None])
  return types.Signal(rates, trains.stored(words)), counts


def _sample(config, source, rates, windows):
  """Samples the spikes of a layer with firing rates `[W, N]`.

  Returns the signal, and the counts of the windows, `[W, N]` int32.
  """
  num_windows, num_words = windows.mask.shape
  if num_windows > 1:  # of a single word
    each = jax.vmap(thresholds.sample_words, (None, 0, 0))
    words = each(source, rates, windows.mask)
    # Windows do not overlap, so their sum is their union.
    train = trains.stored(jnp.sum(words, axis=0, dtype=jnp.uint32))
    return types.Signal(rates, train), spikes.count(words)
  train = trains.sampled(source, rates[0], windows.mask[0])
  if num_words == 1:
    train = trains.stored(train(0, 1))
  counts = _count(config, source, rates[0], train, windows.mask[0])
  return types.Signal(rates, train), counts[None]


def _count(config, source, rates, train, mask):
  """Counts the `[N]` spikes of a train, without sampling where possible."""
  count_word = source.sampler.count
  if config.schedule.has_whole_words and count_word:

    def count_whole(word, mask):
      return jnp.where(mask > 0, count_word(source, word, rates), 0)

    words, at_once = functools.partial(trains.take, (source.words, mask)), 16
    count = lambda own: jnp.sum(jax.vmap(count_whole)(*own), 0, jnp.int32)
  else:
    words, at_once, count = train, 1, spikes.count
  add = lambda total, own: total + count(own)
  zeros = jnp.zeros(rates.shape, jnp.int32)
  return trains.fold(add, zeros, words, len(mask), at_once)


def _sample_errors(config, layer, sources, errors, windows):
  """Samples the error streams of a layer with errors `[W, J]`.

  Returns their train, and signed counts of the windows, `[W, J]` int32.
  """
  rates = composite.error_rates(config.gains[layer], errors)
  source = sources(Role.ERROR, layer, errors.shape[1])
  signal, counts = _sample(config, source, rates, windows)
  streams = spikes.Train(_split, signal.train, errors, windows.mask)
  return streams, jnp.where(errors > 0, counts, -counts)


def _split(train, errors, masks, first, size):
  """Splits words of a train by the sign of the errors in each window."""
  masks = jax.lax.dynamic_slice_in_dim(masks, first, size, axis=1)
  positive = jnp.where(errors[:, None] > 0, masks[:, :, None], jnp.uint32(0))
  positive = jnp.sum(positive, axis=0, dtype=jnp.uint32)
  words = train(first, size)
  return types.ErrorStreams(words & positive, words & ~positive)


def _compete(config, sources, inhibition, potentials, windows):
  """Finds the winners of each window, `[W, K, C]` uint32 words."""
  if config.winner == 'softmax':
    source = sources(Role.WINNER, 0, 1)
    rates = jax.vmap(wta.cumulative_rates)(potentials)
    sample = jax.vmap(thresholds.sample_words, (None, 0, 0))
    return inhibition, wta.first(sample(source, rates, windows.mask))
  num_windows, num_classes = potentials.shape
  length = config.schedule.window
  noise = thresholds.uniforms(sources(Role.WINNER, 0, num_classes))
  noise = noise[: num_windows * length]
  is_valid = jnp.arange(length)[None] < windows.length[:, None]
  run = lambda theta, own: wta.race(config.race, own[0], theta, *own[1:])
  inhibition, winners = jax.lax.scan(
    run,
    inhibition,
    (noise.reshape(num_windows, length, -1), potentials, is_valid),
  )
  words = spikes.pack(winners.reshape(-1, num_classes))
  return inhibition, words[None] & windows.mask[:, :, None]
