"""What stochastic neurons do in a presentation: activity, and all spikes.

The spikes are those of `Network.loss` with the same key and no dropout. An
`Activity` averages over a batch; a `Raster` has all spikes of one sample, tick
by tick.
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

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

  Where rates replace spikes (`NetworkConfig.exact`), the expected spikes are
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
    None  # at the weights, per sample
  )
  #: spikes that reach rows of the crossbars, of all positions, per sample; None
  #: for networks of `layer_sizes`, where each spike reaches one row
  row_spikes: tuple[jax.Array, ...] | None = None


def make_observe(
  model: NetworkConfig, feedback: types.Params | None = None
) -> Callable[..., Activity]:
  """Builds the function that measures the activity of one presentation.

  Args:
    model: the configuration, of stochastic neurons; dropout is ignored.
    feedback: weights of the transposed reads, as for `network.ssnn`.

  Returns:
    `(params, key, inputs, labels) -> Activity` of one seed, pure; the arguments
    are those of `Network.loss`.
  """
  if getattr(model, 'neuron', None) != 'stochastic':
    raise types.UserError(
      'model has no stochastic neurons, whose spikes are drawn; use '
      'ssnn_jax.explain of a function.'
    )
  model = dataclasses.replace(model, dropout=0.0)
  return functools.partial(_observe_drawn, model, feedback)


def _observe_drawn(config, feedback, params, key, inputs, labels):
  """Observes the trains of a network of stochastic neurons."""
  batch = samples.prepare(config, params, key, inputs, labels)
  signals = stochastic.present(config, params, key, batch, feedback)
  ticks, layers = config.num_steps, []
  for wiring, train, error in zip(
    config.wirings, signals.forward, signals.errors
  ):
    spikes, errors = trains.count(train.words), trains.count(error.either)
    requested = error.errors * ticks
    # The coincidences of a tick and position are the product of its numbers of
    # spikes and error spikes, so no array of all weights is needed.
    rows = _spikes_per_tick(wiring.gather(train.words))
    coincidences = rows * _spikes_per_tick(wiring.split(error.either))
    if 'forward' in config.exact:
      spikes = train.rates * ticks
    if 'backward' in config.exact:
      errors = jnp.abs(requested)
    if 'update' in config.exact:
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


class Raster(NamedTuple):
  """Spikes of the layers of a network, each in the shape of its neurons."""

  #: [T, ...] int32 of the inputs and of each hidden layer
  spikes: tuple[np.ndarray, ...]
  #: [T, ...] error spikes of each layer, those to fire more are -1
  errors: tuple[np.ndarray, ...]
  #: [T, C] int32 spikes of the output layer: the winner of each tick
  winners: np.ndarray


def record(
  config: NetworkConfig,
  params: Any,
  key: jax.Array,
  image: jax.Array | np.ndarray,
  label: int,
) -> Raster:
  """Records all spikes while a sample is presented; `figures` draws them.

  Args:
    config: the configuration, of stochastic neurons; dropout is ignored.
    params: its parameters.
    key: PRNG key of the presentation; consumed.
    image: inputs of one sample, without an axis B.
    label: its class.

  Returns:
    The spikes. Neurons of a convolution have the shape `[H, W, F]`.

  Raises:
    UserError: if the image, the label or the parameters do not fit the network.
  """
  sample = np.asarray(image)[None], np.asarray(label)[None]
  config = dataclasses.replace(config, dropout=0.0)
  played = stochastic.play(config, params, key, *sample)
  sent = [train[:, 0] for train in played.forward]
  errors = [
    np.int32(positive[:, 0]) - negative[:, 0]
    for positive, negative in zip(played.positive, played.negative)
  ]
  winners = np.int32(played.winners[:, 0])
  for layer, wiring in enumerate(config.wirings):
    sent[layer] = sent[layer].reshape(-1, *wiring.input_shape)
    errors[layer] = errors[layer].reshape(-1, *wiring.output_shape)
  return Raster(tuple(sent), tuple(errors), winners)
