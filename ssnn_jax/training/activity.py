"""Activity: statistics of neurons and synapses during a presentation.

The spikes are those of `Network.learn` with the same key and no dropout.
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import presentation
from ssnn_jax.types import Activity


class _Counts(NamedTuple):
  """Counts of one sample, layer by layer; float32 where rates are summed."""

  spikes: tuple[jax.Array, ...]  # [N] int32
  error_spikes: tuple[jax.Array, ...]  # [J] int32
  positive_error_spikes: tuple[jax.Array, ...]  # [J] int32
  clipped_windows: tuple[jax.Array, ...]  # [J] int32, of hidden layers
  coincidences: tuple[jax.Array, ...]  # float32
  # spikes that reach rows of crossbars, float32; None without `layers`
  row_spikes: tuple[jax.Array, ...] | None = None


def make_observe(
  config: NetworkConfig, feedback: types.Params | None = None
) -> Callable[..., Activity]:
  """Builds the function that measures the activity of one presentation.

  Args:
    config: the network; dropout is ignored.
    feedback: weights of the transposed reads, as for `network.ssnn`.

  Returns:
    `(params, key, inputs, labels) -> Activity` of one seed, pure; the arguments
    are those of `Network.learn`. Memory does not depend on T.
  """
  config = dataclasses.replace(config, dropout=0.0)
  simulate = presentation.make_simulate(config, feedback=feedback)
  count_block = functools.partial(_count_block, config)

  def observe(params, key, inputs, labels):
    _, counts = simulate(params, key, inputs, labels, observe=count_block)
    # In the order of time: sums of rates are rounded.
    add = lambda total, block: (jax.tree.map(jnp.add, total, block), None)
    first = jax.tree.map(lambda x: jnp.zeros_like(x[0]), counts)
    return _average(config, jax.lax.scan(add, first, counts)[0])

  return observe


def _count_block(config, sources, block, signals):
  """Counts the spikes of one sample in one block."""
  del sources
  lengths = block.windows.length.astype(jnp.float32)[:, None]
  layers = zip(config.wirings, config.gains, *signals[:2])
  by_layer = [_count_layer(config, lengths, *layer) for layer in layers]
  counts = _Counts(*map(tuple, zip(*by_layer)))
  hidden = counts.clipped_windows[:-1]
  row_spikes = counts.row_spikes if config.layers else None
  return counts._replace(clipped_windows=hidden, row_spikes=row_spikes)


def _count_layer(config, lengths, wiring, gain, signal, error):
  """Counts the spikes at the two ends of one layer's synapses."""
  requested = gain * jnp.abs(error.errors)  # error spikes per tick
  is_clipped = (requested > 1.0) & (lengths > 0.0)
  counts = _count_spikes(wiring, signal.words, error.streams)._replace(
    clipped_windows=jnp.sum(is_clipped, axis=0, dtype=jnp.int32)
  )
  if 'forward' in config.rates:
    counts = counts._replace(spikes=jnp.sum(signal.rates * lengths, axis=0))
  if 'backward' in config.rates:
    positive_rates = gain * jax.nn.relu(error.errors)
    counts = counts._replace(
      error_spikes=jnp.sum(requested * lengths, axis=0),
      positive_error_spikes=jnp.sum(positive_rates * lengths, axis=0),
    )
  if 'update' in config.rates:
    inputs = jnp.sum(wiring.gather(signal.rates), axis=-1)
    outputs = jnp.sum(wiring.split(requested * lengths), axis=-1)
    counts = counts._replace(coincidences=jnp.sum(inputs * outputs))
  row_spikes = wiring.gather(counts.spikes).astype(jnp.float32)
  return counts._replace(row_spikes=jnp.sum(row_spikes))


def _count_spikes(wiring, train, streams):
  """Counts the spikes and coincidences of one layer."""
  # A neuron spikes in at most one of its two streams.
  error_train = streams.positive | streams.negative
  return _Counts(
    spikes=spikes.count(train),
    error_spikes=spikes.count(error_train),
    positive_error_spikes=spikes.count(streams.positive),
    clipped_windows=None,
    coincidences=_count_coincidences(wiring, train, error_train),
  )


def _count_coincidences(wiring, train, error_train):
  """Counts coincidences of spikes `[K, I]` and error spikes `[K, J]`.

  The coincidences of a tick and position are the product of its numbers of
  spikes and error spikes, so no array of all weights is needed.
  """
  rows, columns = wiring.gather(train), wiring.split(error_train)
  return jnp.sum(_spikes_per_tick(rows) * _spikes_per_tick(columns))


def _spikes_per_tick(train):
  """Counts spikes at each tick, `[K, P, N]` words to `[32, K, P]` float32."""

  def count_bit(bit):
    return jnp.sum((train >> bit) & jnp.uint32(1), axis=-1).astype(jnp.float32)

  # Bit by bit: one spike per tick would take the memory of 32 words.
  bits = jnp.arange(spikes.TICKS_PER_WORD, dtype=jnp.uint32)
  return jax.lax.map(count_bit, bits)


def _average(config, counts):
  """Averages the counts of a batch."""
  num_steps = config.num_steps

  def means(counts, maximum=1):
    return tuple(jnp.mean(count) / maximum for count in counts)

  def fractions(condition):
    layers = zip(counts.spikes, config.active_steps)
    return means(condition(*layer) for layer in layers)

  return Activity(
    firing_rates=means(counts.spikes, num_steps),
    silent_fractions=fractions(lambda spikes, _: spikes == 0),
    saturated_fractions=fractions(jnp.equal),
    error_rates=means(counts.error_spikes, num_steps),
    positive_error_rates=means(counts.positive_error_spikes, num_steps),
    clipped_error_fractions=means(
      counts.clipped_windows, config.schedule.num_windows
    ),
    coincidences=means(counts.coincidences),
    row_spikes=counts.row_spikes and means(counts.row_spikes),
  )
