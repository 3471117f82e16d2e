"""What neurons and synapses do while a batch is presented.

Spikes are those of `Network.learn` with the same key and no unit dropped.
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
from ssnn_jax.simulation import backward
from ssnn_jax.simulation import forward
from ssnn_jax.simulation import inputs as input_lib
from ssnn_jax.spikes import thresholds


class Activity(NamedTuple):
  """How active a network is; scalars, averaged over a batch.

  The first three have one entry for each layer of neurons that sends spikes
  forward, inputs first; the others follow the layers of weights, hidden layers
  first.

  A use of rates in place of spikes has its expected value: a rate times the
  ticks it lasts stands for the spikes. With `forward` on rates a silent neuron
  is one whose rate is always 0, and a saturated one is always at 1, whatever T.
  With `backward` on rates an error is not cut at one spike per tick; what would
  be is still told. With `update` on rates a coincidence is a product of rates.
  """

  firing_rates: tuple[jax.Array, ...]  # spikes per neuron and tick
  silent_fractions: tuple[jax.Array, ...]  # neurons that never fire
  saturated_fractions: tuple[jax.Array, ...]  # neurons that fire at every tick
  # None, and so are the others, where errors are no spikes
  error_rates: tuple[jax.Array, ...] | None = None  # per neuron and tick
  # those of the positive stream; the others are the negative stream's
  positive_error_rates: tuple[jax.Array, ...] | None = None
  # of the hidden layers: reads of an error that asks for more than one spike
  # per tick, the only bias of the split into streams
  clipped_error_fractions: tuple[jax.Array, ...] | None = None
  # at the weights, per sample
  coincidences: tuple[jax.Array, ...] | None = None


class _Tally(NamedTuple):
  """What has been counted of one sample; float32 where rates are summed."""

  fired: tuple[jax.Array, ...]  # [N] int32 spikes
  erred: tuple[jax.Array, ...]  # [J] int32 error spikes
  erred_positive: tuple[jax.Array, ...]  # [J] int32, of the positive stream
  clipped: tuple[jax.Array, ...]  # [J] int32 windows, of hidden layers
  coincidences: tuple[jax.Array, ...]  # float32


def make_observe(
  config: NetworkConfig, feedback: types.Params | None = None
) -> Callable[..., Activity]:
  """Makes the function that observes one presentation of a batch.

  Args:
    config: the network; its units are observed without dropout.
    feedback: what errors are read back through, as for `network.ssnn`.

  Returns:
    `(params, key, inputs, labels) -> Activity` on one seed, pure; the arguments
    are those of `Network.learn`. Memory does not depend on T.
  """
  config = dataclasses.replace(config, dropout=0.0)
  return functools.partial(_observe, config, feedback)


def _observe(config, feedback, params, key, inputs, labels):
  """Presents a batch as `Network.learn` does and tallies each block."""
  inputs = input_lib.encode_batch(config, params, inputs, labels)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  positions = input_lib.batch_positions(len(inputs.rates))
  kept = input_lib.dropout_masks(config, key, positions)
  back = params if feedback is None else feedback

  def step(carry, index):
    block = spikes.block(config.schedule, index)

    def present(position, inputs, label, kept, membranes, tally):
      sources = forward.make_sources(config, keys, position, block.words)
      sent = forward.forward(
        config, params, sources, inputs, kept, membranes, block
      )
      errors = backward.errors(
        config, back, sources, label, kept, sent, block.windows
      )
      seen = _tally_block(config, sent.signals, errors, block.windows)
      return sent.membranes, jax.tree.map(jnp.add, tally, seen)

    return jax.vmap(present)(positions, inputs, labels, kept, *carry), None

  (_, tally), _ = jax.lax.scan(
    step,
    (
      forward.at_rest(config, len(positions)),
      _empty_tally(config, len(positions)),
    ),
    jnp.arange(config.schedule.num_blocks),
  )
  return _average(config, tally)


def _empty_tally(config, batch_size):
  """Makes the tallies of a batch before a presentation."""
  sizes = config.layer_sizes

  def zeros(sizes, use):
    dtype = jnp.float32 if use == 'rates' else jnp.int32
    return tuple(jnp.zeros((batch_size, size), dtype) for size in sizes)

  return _Tally(
    fired=zeros(sizes[:-1], config.forward),
    erred=zeros(sizes[1:], config.backward),
    erred_positive=zeros(sizes[1:], config.backward),
    clipped=zeros(sizes[1:-1], 'spikes'),
    coincidences=(jnp.zeros(batch_size),) * (len(sizes) - 1),
  )


def _tally_block(config, signals, errors, windows):
  """Tallies what one block of one sample has sent in both directions."""
  lengths = windows.length.astype(jnp.float32)[:, None]
  fired, erred, positive, clipped, coincidences = [], [], [], [], []
  for gain, signal, error in zip(config.gains, signals, errors):
    # A neuron has a spike in one of its two streams at most.
    error_train = spikes.join(error.streams.positive | error.streams.negative)
    train = spikes.join(signal.train)
    wanted = gain * jnp.abs(error.rates)  # error spikes per tick
    fired.append(
      jnp.sum(signal.rates * lengths, axis=0)
      if config.forward == 'rates'
      else spikes.count(train)
    )
    erred.append(
      jnp.sum(wanted * lengths, axis=0)
      if config.backward == 'rates'
      else spikes.count(error_train)
    )
    positive.append(
      jnp.sum(gain * jax.nn.relu(error.rates) * lengths, axis=0)
      if config.backward == 'rates'
      else spikes.count(spikes.join(error.streams.positive))
    )
    is_cut = (wanted > 1.0) & (lengths > 0.0)
    clipped.append(jnp.sum(is_cut, axis=0, dtype=jnp.int32))
    coincidences.append(
      jnp.sum(jnp.sum(signal.rates, axis=1) * jnp.sum(wanted * lengths, axis=1))
      if config.update == 'rates'
      else _count_coincidences(train, error_train)
    )
  clipped = clipped[:-1]  # of hidden layers
  return _Tally(*map(tuple, (fired, erred, positive, clipped, coincidences)))


def _count_coincidences(train, error_train):
  """Counts those of all pairs of a neuron `[K, I]` and an error `[K, J]`.

  At each tick every spike meets every error spike, so that no array of synapses
  is needed.
  """

  def by_tick(train):
    def count_bit(bit):
      spikes_now = jnp.sum((train >> bit) & jnp.uint32(1), axis=1)
      return spikes_now.astype(jnp.float32)

    # One bit after another: a spike a tick would take the memory of 32 words.
    bits = jnp.arange(spikes.TICKS_PER_WORD, dtype=jnp.uint32)
    return jax.lax.map(count_bit, bits)

  return jnp.sum(by_tick(train) * by_tick(error_train))


def _average(config, tally):
  """Averages the tallies of a batch."""
  num_steps, window = config.schedule
  num_windows = -(-num_steps // window)

  def layers(counts, most=1):
    return tuple(jnp.mean(count) / most for count in counts)

  def fraction(condition):
    return layers(condition(count) for count in tally.fired)

  return Activity(
    firing_rates=layers(tally.fired, num_steps),
    silent_fractions=fraction(lambda fired: fired == 0),
    saturated_fractions=fraction(lambda fired: fired == num_steps),
    error_rates=layers(tally.erred, num_steps),
    positive_error_rates=layers(tally.erred_positive, num_steps),
    clipped_error_fractions=layers(tally.clipped, num_windows),
    coincidences=layers(tally.coincidences),
  )
