"""Activity: statistics of neurons and synapses during a presentation.

The spikes are those of `Network.learn` with the same key and no dropout.
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import network
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.types import Activity


class _Tally(NamedTuple):
  """Counts of one sample, layer by layer; float32 where rates are summed."""

  fired: tuple[jax.Array, ...]  # [N] int32 spikes
  erred: tuple[jax.Array, ...]  # [J] int32 error spikes
  erred_positive: tuple[jax.Array, ...]  # [J] int32, of the positive stream
  clipped: tuple[jax.Array, ...]  # [J] int32 windows, of hidden layers
  coincidences: tuple[jax.Array, ...]  # float32


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
  return functools.partial(_observe, config, feedback)


def _observe(config, feedback, params, key, inputs, labels):
  """Presents a batch and averages its tallies."""
  observer = network.Observer(
    observe=functools.partial(_tally_block, config),
    accumulate=_add_tallies,
    initial=_init_tally(config, len(inputs)),
  )
  options = network.Options(feedback=feedback)
  _, tally = network.simulate(
    config, params, key, inputs, labels, observer=observer, options=options
  )
  return _average(config, tally)


def _init_tally(config, batch_size):
  """Returns the tallies of a batch before a presentation."""
  sizes = config.layer_sizes

  def zeros(sizes, signal):
    dtype = jnp.float32 if signal == 'rates' else jnp.int32
    return tuple(jnp.zeros((batch_size, size), dtype) for size in sizes)

  return _Tally(
    fired=zeros(sizes[:-1], config.forward),
    erred=zeros(sizes[1:], config.backward),
    erred_positive=zeros(sizes[1:], config.backward),
    clipped=zeros(sizes[1:-1], 'spikes'),
    coincidences=(jnp.zeros(batch_size),) * (len(sizes) - 1),
  )


def _add_tallies(total, tallies):
  """Adds the tallies of several blocks."""
  return jax.tree.map(lambda x, y: x + jnp.sum(y, axis=0), total, tallies)


def _tally_block(config, draw, block, forward, errors):
  """Tallies the signals of one sample in one block."""
  del draw
  lengths = block.windows.length.astype(jnp.float32)[:, None]
  layers = zip(config.gains, forward.signals, errors)
  tallies = [_tally_layer(config, lengths, *layer) for layer in layers]
  tally = _Tally(*map(tuple, zip(*tallies)))
  return tally._replace(clipped=tally.clipped[:-1])  # of hidden layers


def _tally_layer(config, lengths, gain, signal, error):
  """Tallies the signals at the two ends of one layer's synapses."""
  train, positive = spikes.join(signal.train), error.streams.positive
  # A neuron spikes in at most one of its two streams.
  error_train = spikes.join(positive | error.streams.negative)
  requested = gain * jnp.abs(error.rates)  # error spikes per tick
  is_clipped = (requested > 1.0) & (lengths > 0.0)
  tally = _Tally(
    fired=spikes.count(train),
    erred=spikes.count(error_train),
    erred_positive=spikes.count(spikes.join(positive)),
    clipped=jnp.sum(is_clipped, axis=0, dtype=jnp.int32),
    coincidences=None,
  )
  if config.forward == 'rates':
    tally = tally._replace(fired=jnp.sum(signal.rates * lengths, axis=0))
  if config.backward == 'rates':
    positive_rates = gain * jax.nn.relu(error.rates)
    tally = tally._replace(
      erred=jnp.sum(requested * lengths, axis=0),
      erred_positive=jnp.sum(positive_rates * lengths, axis=0),
    )
  if config.update == 'rates':
    inputs = jnp.sum(signal.rates, axis=1)
    outputs = jnp.sum(requested * lengths, axis=1)
    return tally._replace(coincidences=jnp.sum(inputs * outputs))
  return tally._replace(coincidences=_count_coincidences(train, error_train))


def _count_coincidences(train, error_train):
  """Counts coincidences of spikes `[K, I]` and error spikes `[K, J]`.

  At each tick every spike meets every error spike, so no array of synapses is
  needed.
  """
  return jnp.sum(_spikes_per_tick(train) * _spikes_per_tick(error_train))


def _spikes_per_tick(train):
  """Counts the spikes of all neurons at each tick: `[32, K]` float32."""

  def count_bit(bit):
    return jnp.sum((train >> bit) & jnp.uint32(1), axis=1).astype(jnp.float32)

  # Bit by bit: one spike a tick would take the memory of 32 words.
  bits = jnp.arange(spikes.TICKS_PER_WORD, dtype=jnp.uint32)
  return jax.lax.map(count_bit, bits)


def _average(config, tally):
  """Averages the tallies of a batch."""
  num_steps, window = config.schedule
  num_windows = -(-num_steps // window)

  def means(counts, maximum=1):
    return tuple(jnp.mean(count) / maximum for count in counts)

  def fractions(condition):
    return means(condition(count) for count in tally.fired)

  return Activity(
    firing_rates=means(tally.fired, num_steps),
    silent_fractions=fractions(lambda fired: fired == 0),
    saturated_fractions=fractions(lambda fired: fired == num_steps),
    error_rates=means(tally.erred, num_steps),
    positive_error_rates=means(tally.erred_positive, num_steps),
    clipped_error_fractions=means(tally.clipped, num_windows),
    coincidences=means(tally.coincidences),
  )
