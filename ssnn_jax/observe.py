"""What a network does in a presentation: its activity, and all of its spikes.

The spikes are those of `Network.loss` with the same key and no dropout. An
`Activity` averages over a batch; of bipolar neurons, it counts those that were
not taken back. A `Raster` has all spikes of one sample, tick by tick; those of
bipolar neurons are played until silence (`realtime`).
"""

from collections.abc import Callable
import dataclasses
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import network
from ssnn_jax import realtime
from ssnn_jax import samples
from ssnn_jax import stochastic
from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig


class Activity(NamedTuple):
  """Activity of neurons and synapses; scalars, averaged over a batch.

  The first three fields have one entry for each layer of neurons that sends
  spikes forward, inputs first; the other fields have one entry for each layer
  of weights, first layer first, and `clipped_error_fractions` for each hidden
  layer.

  Where rates replace spikes (`NetworkConfig.rates`), the expected spikes are
  counted: rate times ticks. With 'forward' a silent neuron has rate 0, and a
  saturated neuron rate 1. With 'backward' errors are not limited to one spike
  per tick; `clipped_error_fractions` are those of the error streams that spikes
  would carry. With 'update' a coincidence is a product of rates.
  """

  firing_rates: tuple[jax.Array, ...]  #: spikes per neuron and tick
  silent_fractions: tuple[jax.Array, ...]  #: neurons that never fire
  saturated_fractions: tuple[jax.Array, ...]  #: neurons that fire at every tick
  # The following fields are None for networks without error spikes.
  error_rates: tuple[jax.Array, ...] | None = None  #: per neuron and tick
  #: of the hidden layers: neurons whose error exceeds what can be sent in a
  #: tick; of stochastic neurons the only bias of their streams
  clipped_error_fractions: tuple[jax.Array, ...] | None = None
  coincidences: tuple[jax.Array, ...] | None = (
    None  # at the weights, per sample; None of bipolar neurons
  )
  #: spikes that reach rows of the crossbars, of all positions, per sample; None
  #: for networks of `layer_sizes`, where each spike reaches one row
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
    are those of `Network.loss`.
  """
  config = dataclasses.replace(config, dropout=0.0)
  observe = _observe_drawn
  if config.neuron == 'bipolar':
    observe = _observe_settled
  return functools.partial(observe, config, feedback)


def _observe_drawn(config, feedback, params, key, inputs, labels):
  """Observes the trains of a network of stochastic neurons."""
  batch = samples.prepare(config, params, key, inputs, labels)
  signals = stochastic.present(config, params, key, batch, feedback)
  ticks, layers = config.num_steps, []
  for wiring, gain, train, error in zip(
    config.wirings, config.gains, signals.forward, signals.errors
  ):
    spikes, errors = trains.count(train.words), trains.count(error.words)
    requested = gain * error.errors * ticks
    # The coincidences of a tick and position are the product of its numbers of
    # spikes and error spikes, so no array of all weights is needed.
    rows = _spikes_per_tick(wiring.gather(train.words))
    coincidences = rows * _spikes_per_tick(wiring.split(error.words))
    if 'forward' in config.rates:
      spikes = train.rates * ticks
    if 'backward' in config.rates:
      errors = jnp.abs(requested)
    if 'update' in config.rates:
      rows = jnp.sum(wiring.gather(train.rates), axis=-1)
      coincidences = rows * jnp.sum(wiring.split(jnp.abs(requested)), axis=-1)
    reached = jnp.sum(wiring.gather(spikes), axis=(1, 2))
    layers.append((
      jnp.mean(spikes) / ticks,
      jnp.mean(spikes == 0),
      jnp.mean(spikes == ticks),
      jnp.mean(errors) / ticks,
      jnp.mean(jnp.abs(requested) > ticks),
      jnp.sum(coincidences) / len(labels),
      jnp.mean(reached.astype(jnp.float32)),
    ))  # fmt: skip
  activity = Activity(*zip(*layers))
  return activity._replace(
    clipped_error_fractions=activity.clipped_error_fractions[:-1],
    row_spikes=activity.row_spikes if config.layers else None,
  )


def _spikes_per_tick(words):
  """Counts spikes at each tick, `[B, K, P, N]` words to `[32, B, K, P]`."""

  def count_bit(bit):
    return jnp.sum((words >> bit) & jnp.uint32(1), axis=-1).astype(jnp.float32)

  # Bit by bit: one spike per tick would take the memory of 32 words.
  return jax.lax.map(
    count_bit, jnp.arange(trains.TICKS_PER_WORD, dtype=jnp.uint32)
  )


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
  num_steps = config.num_steps
  batch = samples.prepare(config, params, key, inputs, labels)
  settled, errors = network.settle_errors(config, params, key, batch, feedback)
  return tuple(num_steps * rates for rates in settled.rates), tuple(
    num_steps * gain * error for gain, error in zip(config.gains, errors)
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
    jnp.mean(jnp.sum(wiring.gather(counts), axis=(1, 2)))
    for wiring, counts in zip(config.wirings, spikes)
  )
  return Activity(
    firing_rates=means(lambda counts: counts / ticks, spikes),
    silent_fractions=means(lambda counts: counts == 0, spikes),
    saturated_fractions=(
      *means(lambda counts: counts == ticks, spikes[:1]),
      *means(lambda counts: counts >= most, spikes[1:]),
    ),
    error_rates=means(lambda counts: jnp.abs(counts) / ticks, errors),
    row_spikes=reached if config.layers else None,
  )


class Raster(NamedTuple):
  """Spikes of the layers of a network, each in the shape of its neurons."""

  #: [T, ...] int8 of the inputs and of each hidden layer; -1 takes one back
  spikes: tuple[np.ndarray, ...]
  #: [T, ...] int8 error spikes of each layer: their number, of spikes to fire
  #: more negative
  errors: tuple[np.ndarray, ...]
  #: [T, C] int8 spikes of the output layer: the winner of each tick; of bipolar
  #: neurons what the winners change, as they are decided again in each tick
  winners: np.ndarray


def record(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  image: jax.Array | np.ndarray,
  label: int,
) -> Raster:
  """Records all spikes while a sample is presented; `raster_plot` draws them.

  Args:
    config: the network; dropout is ignored.
    params: its parameters.
    key: PRNG key of the presentation; consumed.
    image: inputs of one sample, without an axis B.
    label: its class.

  Returns:
    The spikes. Neurons of a convolution have the shape `[H, W, F]`.

  Raises:
    UserError: if the image, the label or the parameters do not fit the network.
  """
  config = dataclasses.replace(config, dropout=0.0)
  sample = np.asarray(image)[None], np.asarray(label)[None]
  if config.neuron == 'bipolar':
    played = realtime.play(config, params, key, *sample)
    sent, errors = played.spikes, played.errors
    decided = np.int32(played.winners)
    winners = np.diff(decided, axis=0, prepend=np.zeros_like(decided[:1]))
  else:
    batch = samples.prepare(config, params, key, *sample)
    signals = _present(config, params, key, batch)

    def unpack(words):
      """Unpacks `[1, K, N]` words to `[T, 1, N]` spikes."""
      return np.asarray(_unpack(words))[0, : config.num_steps, None]

    sent = [unpack(train.words) for train in signals.forward]
    errors = [
      np.where(error.is_negative, -1, 1) * unpack(error.words)
      for error in signals.errors
    ]
    winners = unpack(signals.winners)

  def shaped(layers, name):
    return tuple(
      np.int8(train[:, 0].reshape(-1, *getattr(wiring, name)))
      for train, wiring in zip(layers, config.wirings)
    )

  sent, errors = shaped(sent, 'input_shape'), shaped(errors, 'output_shape')
  return Raster(sent, errors, np.int8(winners[:, 0]))


_present = jax.jit(stochastic.present, static_argnums=0)
_unpack = jax.jit(trains.unpack)
