"""Rules of one sample: spikes, reads and winners."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import crossbar
from ssnn_jax.neuron import wta
from ssnn_jax.spikes import bernoulli
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes.thresholds import Role
from ssnn_jax.spikes.thresholds import Source

# (role, layer, num_neurons) -> thresholds of a sample in the words of a block
Sources = Callable[[Role, int, int], Source]


class State(NamedTuple):
  """All that the neurons of one sample store from block to block."""

  potentials: tuple[jax.Array, ...]  #: of each layer, so far
  inhibition: jax.Array  #: inhibition shared by the output neurons, in nats


def make_sources(
  config: NetworkConfig, keys: jax.Array, words: jax.Array, position: jax.Array
) -> Sources:
  """Returns the function that gives the thresholds of a sample in a block.

  Args:
    config: the network, with its sampler.
    keys: `[layers, roles, 3]` keys of the presentation.
    words: `[K]` indices of the words of the block.
    position: position of the sample in the global batch.

  Returns:
    `(role, layer, num_neurons) -> Source`.
  """
  schedule, sampler_of_trains = config.schedule, config.input_sampler
  if sampler_of_trains == 'regular':  # those of dropout are drawn
    sampler_of_trains = 'sobol'
  if isinstance(sampler_of_trains, str):
    sampler_of_trains = spikes.SAMPLERS[sampler_of_trains]

  def find(role, layer, num_neurons):
    sampler = sampler_of_trains
    if role in thresholds.INDEPENDENT_ROLES:
      sampler = bernoulli.SAMPLER
    if not schedule.has_whole_words:
      sampler = sampler._replace(count=None)
    return Source(
      keys[layer, role],
      jnp.asarray(position),
      words,
      role=role,
      layer=layer,
      num_neurons=num_neurons,
      sampler=sampler,
    )

  return find


def send(
  source: Source, rates: jax.Array, masks: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Samples the spikes of a layer, as `thresholds.sample_words`.

  Returns `[K, N]` uint32 words of spikes, and their counts, `[W, N]`.
  """
  words = thresholds.sample_words(source, rates, masks)
  count_word = source.sampler.count
  if not count_word:
    return words, count(words, masks)
  # Counted without sampling, so that a word that is not used is not sampled.
  counts = jax.vmap(count_word, (None, 0, None))(source, source.words, rates[0])
  counts = jnp.where(masks[0, :, None] > 0, counts, 0)
  return words, jnp.sum(counts, axis=0, dtype=jnp.int32)[None]


def send_inputs(
  inputs: types.Inputs, sources: Sources, block: spikes.Block
) -> tuple[jax.Array, jax.Array]:
  """Sends the spikes of the inputs, given or sampled; returns as `send`."""
  masks = block.windows.mask
  if inputs.train is not None:
    words = inputs.train.at[block.words].get(mode='clip') & masks[0][:, None]
    return words, count(words, masks)
  source = sources(Role.INPUT, 0, len(inputs.rates))
  return send(source, inputs.rates[None], masks)


def send_errors(
  source: Source, gain: float, errors: jax.Array, masks: jax.Array
) -> tuple[types.ErrorStreams, jax.Array]:
  """Samples the error spikes of a layer for `[W, J]` errors.

  Returns their streams, `[K, J]` words, and `[W, J]` counts, positive minus
  negative.
  """
  words, counts = send(source, composite.error_rates(gain, errors), masks)
  # An error has one sign in a window.
  is_positive, silent = errors > 0, jnp.uint32(0)
  streams = types.ErrorStreams(
    positive=jnp.where(is_positive, words, silent),
    negative=jnp.where(is_positive, silent, words),
  )
  return streams, jnp.where(is_positive, counts, -counts)


def send_output_errors(
  config: NetworkConfig,
  sources: Sources,
  winners: jax.Array,
  label: jax.Array,
  errors: jax.Array,
  masks: jax.Array,
) -> tuple[types.ErrorStreams, jax.Array]:
  """Compares winners with the target, or samples; returns as `send_errors`."""
  if config.winner == 'exact':
    source = sources(Role.ERROR, len(config.wirings) - 1, errors.shape[1])
    return send_errors(source, 1.0, errors, masks)
  streams = wta.output_errors(winners, label, masks[0])
  return streams, count_signed(streams, masks)


def count_signed(streams: types.ErrorStreams, masks: jax.Array) -> jax.Array:
  """Counts error spikes in each window, `[W, J]`, positive minus negative."""
  positive, negative = (count(own, masks) for own in streams)
  return positive - negative


def count(words: jax.Array, masks: jax.Array) -> jax.Array:
  """Counts the spikes of `[K, N]` words in each window, `[W, N]`."""
  return spikes.count(words[None] & masks[:, :, None])


def make_drive(config: NetworkConfig) -> Callable[..., jax.Array]:
  """Returns the forward read of all layers.

  It is `(layer, params, sources, rates, window) -> drive`, with `[I]`
  presynaptic spikes per tick in a window and the `[J]` mean synaptic current.
  """
  wirings, gains = config.wirings, config.read_gains

  def drive(layer, params, sources, rates, window):
    currents = wirings[layer].drive(params, gains[layer], rates)
    if config.read_noise:
      source = sources(Role.READ, layer, len(currents))
      currents = _add_noise(config, layer, currents, source, window)
    return currents

  return drive


def make_transposed_drive(config: NetworkConfig) -> Callable[..., jax.Array]:
  """Returns the transposed read of all layers.

  It is `(layer, params, sources, errors, counts, window) -> errors`, with the
  `[J]` exact errors of the layer and its `[J]` int32 error spikes, positive
  minus negative, and the `[I]` errors of the layer below.
  """
  wirings, gains = config.wirings, config.read_gains

  def drive(layer, params, sources, errors, counts, window):
    if 'backward' not in config.rates:
      ticks = spikes.num_valid_ticks(window) * config.gains[layer]
      errors = counts.astype(jnp.float32) / ticks
    columns = wirings[layer].split(errors)
    rows = composite.transposed_drive(params, gains[layer], columns)
    if config.read_noise:
      # Each position is a read of its own, before errors of an input add up.
      source = sources(Role.TRANSPOSED_READ, layer, rows.size)
      rows = _add_noise(config, layer, rows, source, window)
    return wirings[layer].scatter(rows)

  return drive


def _add_noise(config, layer, currents, source, window):
  """Adds read noise to the currents of a crossbar, before the read gain."""
  gain = config.read_gains[layer]
  noise = crossbar.mean_noise(source, window).reshape(currents.shape)
  return gain * (currents / gain + config.read_noise * noise)


def compete(
  is_race: bool,
  sources: Sources,
  inhibition: jax.Array,
  potential: jax.Array,
  windows: spikes.Window,
) -> tuple[jax.Array, jax.Array]:
  """Finds the winners by the `[C]` potential: by a race, or drawn.

  Returns the inhibition after the block, and `[K, C]` uint32 words of winners.
  """
  if not is_race:
    rates = wta.cumulative_rates(potential)[None]
    source = sources(Role.WINNER, 0, 1)
    words = thresholds.sample_words(source, rates, windows.mask)
    return inhibition, wta.first(words)
  noise = thresholds.uniforms(sources(Role.WINNER, 0, len(potential)))
  is_valid = jnp.arange(len(noise)) < windows.length[0]
  inhibition, winners = wta.race(inhibition, noise, potential, is_valid)
  return inhibition, spikes.pack(winners)


def respond(
  potential: jax.Array, winners: jax.Array, mask: jax.Array
) -> types.Inference:
  """Returns the response of the output layer in a window.

  Its ticks are the bits of a `[K]` mask, its winners `[K, C]` words. The
  largest of the `[C]` potentials has all ticks.
  """
  largest = jax.nn.one_hot(
    jnp.argmax(potential), len(potential), dtype=jnp.int32
  )
  return types.Inference(
    winner_counts=spikes.count(winners & mask[:, None]),
    potential=potential,
    largest_counts=spikes.count(mask[:, None]) * largest,
  )
