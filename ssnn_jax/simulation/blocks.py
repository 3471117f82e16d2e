"""One block of windows of one sample, in both timings.

Real time: in each window every neuron emits spikes, forward and backward, from
its state at the end of the window before; every synapse counts the coincidences
of the spikes that meet at it (`updates.count`); and every neuron integrates the
spikes that reach it. Nothing else is stored of a sample: no trains, no phases.
A spike passes one layer in a window, so that an input reaches the output after
L windows, and its error the first layer after 2 L - 1. Layer l of weights, from
0, integrates from window l on: before, its inputs are silent. Errors start with
the output layer, and counts are divided by the ticks with errors
(`NetworkConfig.error_steps`). For static inputs the rates at both ends of a
synapse are those of one sample, and given the state its spikes are independent,
so that the counts are unbiased for given rates.

Buffered: a neuron emits the spikes of a window from its potential at the end of
that window, and errors of a window coincide with the spikes of the same window,
which wait for them: the fast simulation of the method.

`ssnn_jax.reference` says this tick by tick. Within a presentation errors change
no potential, so that here each layer is computed for all windows of a block at
once, forward and then back: the timings differ in what a neuron knows when it
emits, and when a layer starts.
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
  """All that the neurons of one sample store from block to block.

  In real time this is all that they store from window to window.
  """

  membranes: tuple[Any, ...]  #: state of each layer's membranes
  #: [J] error current of each hidden layer; none where errors are not late
  errors: tuple[jax.Array, ...]
  inhibition: jax.Array  #: inhibition shared by the output neurons, in nats


def init_state(config: NetworkConfig) -> State:
  """Returns the state of one sample at the start of a presentation."""
  membrane = membrane_lib.find(config.integration, config.tau)
  late = config.layer_sizes[1:-1] if config.timing == 'realtime' else ()
  return State(
    membranes=tuple(map(membrane.init, config.layer_sizes[1:])),
    errors=tuple(map(jnp.zeros, late)),
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
  forward = [_send_inputs(config, sources, sample.inputs, block)]
  membranes, potentials = [], []
  fire = firing.find(config.firing_function).probability
  for layer, params in enumerate(weights.forward):
    own = _start_later(config, config.starts[layer], windows)
    drives = _drive(config, layer, params, sources, forward[layer], own)
    after, potential = _integrate(config, state.membranes[layer], drives, own)
    membranes.append(after)
    potentials.append(potential)
    if layer < len(sample.dropout_masks):
      rates = fire(potential) * sample.dropout_masks[layer][None]
      source = sources(Role.FORWARD, layer + 1, rates.shape[1])
      own = _start_later(config, config.starts[layer + 1], windows)
      forward.append(_send(config, source, rates, own))
  competing = _start_later(config, config.starts[-1], windows)
  inhibition, winners = _compete(
    config, sources, state.inhibition, potentials[-1], competing, block
  )
  errors, currents = [], state.errors
  if sample.label is not None:
    errors, currents = _propagate_back(
      config, weights.transposed, sources, sample, currents, potentials,
      winners, windows,
    )  # fmt: skip
  state = State(tuple(membranes), currents, inhibition)
  response = _respond(config, state, potentials[-1], winners, block)
  forward = [types.Signal(sent.rates, sent.train) for sent in forward]
  signals = types.Signals(forward, errors, potentials, response, winners)
  return state, signals


class _Sent(NamedTuple):
  """Spikes of one layer in the windows of one block."""

  rates: jax.Array  # [W, N]
  train: Any  # of [K, N] uint32 words
  counts: jax.Array  # [W, N] int32


def _start_later(config, num_windows, windows):
  """Returns windows as a layer sees them that starts some windows later."""
  start = num_windows * config.schedule.window
  return jax.vmap(lambda own: spikes.start_later(own, start))(windows)


def _send_inputs(config, sources, encoded, block):
  """Sends the spikes of the inputs, given or sampled."""
  masks = block.windows.mask
  rates = jnp.broadcast_to(encoded.rates, (len(masks), *encoded.rates.shape))
  if encoded.train is not None:
    words = samples.given_words(encoded.train, block)
    return _Sent(rates, trains.stored(words), _count_words(words, masks))
  source = sources(Role.INPUT, 0, rates.shape[1])
  if len(masks) == 1:
    return _send(config, source, rates, block.windows)
  # The rates are constant, so that all windows are sampled as one.
  mask = jnp.sum(masks, axis=0, dtype=jnp.uint32)
  words = thresholds.sample_words(source, rates[:1], mask[None])
  return _Sent(rates, trains.stored(words), _count_words(words, masks))


def _send(config, source, rates, windows):
  """Samples the spikes of a layer with firing rates `[W, N]`."""
  masks = windows.mask
  train = trains.sampled(source, rates, masks)
  if masks.shape[1] == 1:
    train = trains.stored(train(0, 1))
  if len(masks) > 1:  # of a single word
    return _Sent(rates, train, _count_words(train(0, 1), masks))
  counts = _count_train(config, source, rates[0], train, masks[0])
  return _Sent(rates, train, counts[None])


def _count_words(words, masks):
  """Counts the spikes of `[K, N]` words in each window, `[W, N]`."""
  return spikes.count(words[None] & masks[:, :, None])


def _count_train(config, source, rates, train, mask):
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


def _drive(config, layer, params, sources, sent, windows):
  """Computes the `[W, J]` drives of a layer in all windows."""
  rates = sent.rates
  if config.forward == 'spikes':
    if rules.reads_spikes(config):
      words, ticks = sent.train(0, 1)[0], windows.mask[:, 0]
      return rules.drive_by_spikes(config, layer, params, words, ticks)
    num_ticks = jax.vmap(spikes.num_valid_ticks)(windows)
    rates = sent.counts.astype(jnp.float32) / num_ticks[:, None]
  read = functools.partial(rules.drive, config, layer, params, sources)
  return jax.vmap(read)(rates, windows)


def _integrate(config, state, drives, windows):
  """Integrates the drives of all windows in the membranes of a layer.

  Returns the state after the last window, and the potentials from which the
  neurons emit in each window, `[W, J]`: those before it in real time, otherwise
  those at its end.
  """
  membrane = membrane_lib.find(config.integration, config.tau)

  def step(state, own):
    drive, window = own
    after = membrane.integrate(state, drive, window)
    if config.timing == 'realtime':
      return after, membrane.read(state, spikes.window_before(window))
    return after, membrane.read(after, window)

  return loops.scan(step, state, (drives, windows))


def _compete(config, sources, inhibition, potentials, windows, block):
  """Finds the winners of all windows, `[K, C]` uint32 words."""
  if config.winner == 'softmax':
    source = sources(Role.WINNER, 0, 1)
    rates = jax.vmap(wta.cumulative_rates)(potentials)
    return inhibition, wta.first(
      thresholds.sample_words(source, rates, windows.mask)
    )
  num_windows, num_classes = potentials.shape
  length = config.schedule.window
  # A block that is a part of a word starts within the word.
  first = block.windows.elapsed[0] - block.windows.length[0]
  first -= block.words[0] * spikes.TICKS_PER_WORD
  noise = jax.lax.dynamic_slice_in_dim(
    thresholds.uniforms(sources(Role.WINNER, 0, num_classes)),
    first,
    num_windows * length,
  )
  is_valid = jnp.arange(length)[None] < windows.length[:, None]
  run = lambda theta, own: wta.race(config.race, own[0], theta, *own[1:])
  inhibition, winners = jax.lax.scan(
    run,
    inhibition,
    (noise.reshape(num_windows, length, -1), potentials, is_valid),
  )
  words = spikes.pack(winners.reshape(-1, num_classes))
  return inhibition, words << first.astype(jnp.uint32)


def _propagate_back(
  config, weights, sources, sample, currents, potentials, winners, windows
):
  """Propagates the errors of all windows back to the first layer.

  Returns the signals, and the error currents after the last window.
  """
  last = len(potentials) - 1
  own = _start_later(config, config.error_starts[last], windows)
  output = functools.partial(rules.output_error, config, sample.label)
  errors = jax.vmap(output)(potentials[last], own)
  if config.output_errors == 'winner':
    ticks = jnp.sum(own.mask, axis=0, dtype=jnp.uint32)
    words = wta.output_errors(winners, sample.label, ticks)
    streams, counts = trains.stored(words), _count_signed(words, own.mask)
  else:
    streams, counts = _send_errors(config, last, sources, errors, own)
  signals, after = [types.ErrorSignal(errors, streams)], []
  for layer in reversed(range(last)):
    read = functools.partial(
      _read_back, config, layer + 1, weights[layer + 1], sources
    )
    arriving = jax.vmap(read)(errors, counts, own)
    if config.timing == 'realtime':  # a window later
      after.insert(0, arriving[-1])
      arriving = jnp.concatenate([currents[layer][None], arriving[:-1]])
    mask = sample.dropout_masks[layer]
    gate = functools.partial(rules.hidden_error, config, mask)
    errors = jax.vmap(gate)(potentials[layer], arriving)
    own = _start_later(config, config.error_starts[layer], windows)
    streams, counts = _send_errors(config, layer, sources, errors, own)
    signals.insert(0, types.ErrorSignal(errors, streams))
  return signals, tuple(after)


def _send_errors(config, layer, sources, errors, windows):
  """Samples the error streams of a layer.

  Returns their train, and their signed counts in the windows, `[W, J]`.
  """
  rates = composite.error_rates(config.gains[layer], errors)
  source = sources(Role.ERROR, layer, errors.shape[1])
  if len(errors) == 1:  # An error has one sign in a window: sampled once.
    sent = _send(config, source, rates.positive + rates.negative, windows)
    streams = spikes.Train(_split, sent.train, errors[0])
    return streams, jnp.where(errors > 0, sent.counts, -sent.counts)
  words = types.ErrorStreams(
    *(thresholds.sample_words(source, each, windows.mask) for each in rates)
  )
  return trains.stored(words), _count_signed(words, windows.mask)


def _split(train, errors, first, size):
  """Splits words of a train by the sign of the errors of one window."""
  words, is_positive = train(first, size), (errors > 0)[None]
  return types.ErrorStreams(
    positive=jnp.where(is_positive, words, jnp.uint32(0)),
    negative=jnp.where(is_positive, jnp.uint32(0), words),
  )


def _count_signed(words, masks):
  """Counts the spikes of streams in each window, positive minus negative."""
  positive, negative = (_count_words(each, masks) for each in words)
  return positive - negative


def _read_back(config, layer, params, sources, errors, counts, window):
  """Computes the `[I]` errors of the layer below in one window."""
  errors = rules.mean_errors(config, layer, errors, counts, window)
  return rules.transposed_drive(config, layer, params, sources, errors, window)


def _respond(config, state, potentials, winners, block):
  """Returns the votes of a block, and the potential after it."""
  windows = block.windows
  has_settled = ~spikes.mask_before(config.settle_ticks, block.words)
  votes = windows.mask & has_settled[None]
  # The largest potential of each window has the votes of all its ticks.
  largest = jnp.argmax(potentials, axis=1)
  largest = jax.nn.one_hot(largest, potentials.shape[1], dtype=jnp.int32)
  num_votes = jnp.sum(jax.lax.population_count(votes), axis=1)
  last = jax.tree.map(lambda x: x[-1:], windows)
  last = _start_later(config, config.starts[-2], last)
  membrane = membrane_lib.find(config.integration, config.tau)
  return types.Inference(
    winner_counts=spikes.count(winners & has_settled[:, None]),
    potential=membrane.read(
      state.membranes[-1], jax.tree.map(lambda x: x[0], last)
    ),
    largest_counts=jnp.sum(num_votes[:, None].astype(jnp.int32) * largest, 0),
  )
