"""Activity: statistics of neurons and synapses in a presentation.

The spikes are those of `Network.loss` with the same key and no dropout; of
bipolar neurons, those that were not taken back.
"""

from collections.abc import Callable
import dataclasses
import math

import jax
import jax.numpy as jnp

from ssnn_jax import network
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import presentation
from ssnn_jax.simulation import samples
from ssnn_jax.types import Activity


def make_observe(
  config: NetworkConfig, feedback: types.Params | None = None
) -> Callable[..., Activity]:
  """Builds the function that measures the activity of one presentation.

  Args:
    config: the network; dropout is ignored.
    feedback: weights of the transposed reads, as for `network.ssnn`.

  Returns:
    `(params, key, inputs, labels) -> Activity` of one seed, pure; the arguments
    are those of `Network.loss`.
  """
  config = dataclasses.replace(config, dropout=0.0)
  if config.neuron == 'bipolar':
    return lambda *batch: _observe_settled(config, feedback, *batch)
  simulate = presentation.make_simulate(config, feedback=feedback)
  wirings, gains = config.wirings, config.gains

  def count(sources, block, signals):
    """Counts of one sample in one block, layer by layer."""
    del sources
    lengths = block.windows.length.astype(jnp.float32)[:, None]
    layers = zip(wirings, gains, signals.forward, signals.errors)
    return [_count_layer(config, lengths, *layer) for layer in layers]

  def observe(params, key, inputs, labels):
    _, counts = simulate(params, key, inputs, labels, observe=count)
    # In the order of time, as sums of rates are rounded: `[B, ...]` counts.
    silent = jax.tree.map(lambda x: jnp.zeros_like(x[0]), counts)
    add = lambda total, block: (jax.tree.map(jnp.add, total, block), None)
    counts, _ = jax.lax.scan(add, silent, counts)
    ticks = config.num_steps

    def means(name, maximum=1, layers=counts):
      return tuple(jnp.mean(layer[name]) / maximum for layer in layers)

    def fractions(numbers):
      layers = zip(counts, numbers)
      return tuple(
        jnp.mean(layer['spikes'] == number) for layer, number in layers
      )

    return Activity(
      firing_rates=means('spikes', ticks),
      silent_fractions=fractions([0] * len(counts)),
      saturated_fractions=fractions([ticks] * len(counts)),
      error_rates=means('error_spikes', ticks),
      positive_error_rates=means('positive_error_spikes', ticks),
      clipped_error_fractions=means(
        'clipped_windows', config.schedule.num_windows, counts[:-1]
      ),
      coincidences=means('coincidences'),
      row_spikes=means('row_spikes') if config.layers else None,
    )

  return observe


def settled_counts(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array,
  feedback: types.Params | None = None,
) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
  """Counts the spikes of a settled network of bipolar neurons.

  Args:
    config: the network, without dropout.
    params: its parameters.
    key: PRNG key of the presentation, as for `Network.loss`.
    inputs: inputs of a batch, as for `Network`.
    labels: `[B]` integer classes.
    feedback: weights of the transposed reads, as for `network.ssnn`.

  Returns:
    X, `[B, I]` forward spikes of inputs and hidden layers; and G E, `[B, J]`
    error spikes of hidden layers and output.
  """
  batch = samples.prepare(config, params, key, inputs, labels)

  def loss(probes):
    settled = network.settle(config, params, key, batch, feedback, probes)
    value = network.cross_entropy(config, key, batch, settled.potential)
    return value, settled

  num_samples = len(batch.position)
  shapes = [(num_samples, size) for size in config.layer_sizes[1:]]
  errors, settled = jax.grad(loss, has_aux=True)(tuple(map(jnp.zeros, shapes)))
  num_steps = config.num_steps
  return tuple(num_steps * own for own in settled.rates), tuple(
    num_steps * num_samples * gain * own
    for own, gain in zip(errors, config.gains)
  )


def _observe_settled(config, feedback, *batch):
  """Observes the counts of a settled network of bipolar neurons."""
  spikes, errors = settled_counts(config, *batch, feedback)
  ticks, most = config.num_steps, config.num_steps * config.ceiling
  if 'forward' not in config.rates:
    most = math.floor(most + 0.5)
  most *= 1 - 1e-6  # rounding errors of rates
  means = lambda function, counts: tuple(map(jnp.mean, map(function, counts)))
  reached = tuple(
    jnp.mean(jnp.sum(wiring.gather(own), axis=(1, 2)))
    for wiring, own in zip(config.wirings, spikes)
  )
  return Activity(
    firing_rates=means(lambda own: own / ticks, spikes),
    silent_fractions=means(lambda own: own == 0, spikes),
    saturated_fractions=(
      *means(lambda own: own == ticks, spikes[:1]),
      *means(lambda own: own >= most, spikes[1:]),
    ),
    error_rates=means(lambda own: jnp.abs(own) / ticks, errors),
    positive_error_rates=means(lambda own: jax.nn.relu(own) / ticks, errors),
    row_spikes=reached if config.layers else None,
  )


def _count_layer(config, lengths, wiring, gain, signal, error):
  """Counts the spikes at the two ends of one layer's synapses.

  With exact rates, the expected spikes are counted, rate times ticks.
  """
  requested = gain * error.errors * lengths  # [W, J] error spikes
  # A neuron spikes in at most one of its two streams.
  error_words = error.streams.positive | error.streams.negative
  rows, columns = wiring.gather(signal.words), wiring.split(error_words)
  counts = {
    'spikes': spikes.count(signal.words),
    'error_spikes': spikes.count(error_words),
    'positive_error_spikes': spikes.count(error.streams.positive),
    'clipped_windows': jnp.sum(jnp.abs(requested) > lengths, axis=0),
    # The coincidences of a tick and position are the product of its numbers of
    # spikes and error spikes, so no array of all weights is needed.
    'coincidences': jnp.sum(_spikes_per_tick(rows) * _spikes_per_tick(columns)),
  }
  if 'forward' in config.rates:
    counts['spikes'] = jnp.sum(signal.rates * lengths, axis=0)
  if 'backward' in config.rates:
    counts['error_spikes'] = jnp.sum(jnp.abs(requested), axis=0)
    counts['positive_error_spikes'] = jnp.sum(jax.nn.relu(requested), axis=0)
  if 'update' in config.rates:
    inputs = jnp.sum(wiring.gather(signal.rates), axis=-1)
    outputs = jnp.sum(wiring.split(jnp.abs(requested)), axis=-1)
    counts['coincidences'] = jnp.sum(inputs * outputs)
  reached = wiring.gather(counts['spikes']).astype(jnp.float32)
  return counts | {'row_spikes': jnp.sum(reached)}


def _spikes_per_tick(train):
  """Counts spikes at each tick, `[K, P, N]` words to `[32, K, P]` float32."""

  def count_bit(bit):
    return jnp.sum((train >> bit) & jnp.uint32(1), axis=-1).astype(jnp.float32)

  # Bit by bit: one spike per tick would take the memory of 32 words.
  bits = jnp.arange(spikes.TICKS_PER_WORD, dtype=jnp.uint32)
  return jax.lax.map(count_bit, bits)
