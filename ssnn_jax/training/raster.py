"""Raster: all spikes of one presentation, tick by tick.

They are the spikes of `Network.loss` for a batch of one sample with the same
key, without dropout; those of bipolar neurons are played until silence
(`realtime`). `training.raster_plot` draws them.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import realtime
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import presentation
from ssnn_jax.simulation import samples


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
  window: int  #: n, ticks between two reads of a potential


def record(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  image: jax.Array | np.ndarray,
  label: int,
) -> Raster:
  """Records all spikes while a sample is presented.

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

  Example:
    >>> config = ssnn_jax.NetworkConfig(
    ...   layers=(ssnn_jax.layers.Conv(3, kernel=2), ssnn_jax.layers.Dense(4)),
    ...   input_shape=(5, 5), num_steps=40)
    >>> params = ssnn_jax.ssnn(config).init(jax.random.key(0))
    >>> raster = ssnn_jax.training.raster.record(
    ...   config, params, jax.random.key(1), jnp.full((5, 5), 0.5), label=2)
    >>> [train.shape[1:] for train in raster.spikes]
    [(5, 5), (4, 4, 3)]
    >>> [train.shape[1:] for train in raster.errors]
    [(4, 4, 3), (4,)]
    >>> raster.winners.sum()  # one for each tick of the presentation
    np.int64(40)
  """
  config = dataclasses.replace(config, dropout=0.0)
  sample = np.asarray(image)[None], np.asarray(label)[None]
  samples.prepare(config, params, key, *sample)  # refuses wrong values
  if config.neuron == 'bipolar':
    return _record_played(config, realtime.play(config, params, key, *sample))
  signals = present(config, params, key, image, label)

  def unpack(words, shape):
    """Unpacks the `[blocks, K, N]` words of all blocks to `[T, ...]`."""
    train = np.asarray(spikes.unpack(words.reshape(-1, words.shape[-1])))
    return train[: config.num_steps].reshape(-1, *shape)

  layers = zip(config.wirings, signals.forward, signals.errors)
  emitted, errors = [], []
  for wiring, signal, error in layers:
    emitted.append(unpack(signal.words, wiring.input_shape))
    less, more = (unpack(train, wiring.output_shape) for train in error.streams)
    errors.append(less - more)
  winners = unpack(signals.winners, config.layer_sizes[-1:])
  return Raster(tuple(emitted), tuple(errors), winners, config.schedule.window)


def _record_played(config, played):
  """Returns the raster of a presentation of bipolar neurons."""

  def record_layer(sent, shape):
    return sent[:, 0].reshape(-1, *shape).astype(np.int8)

  wirings = config.wirings
  emitted = map(record_layer, played.spikes, [w.input_shape for w in wirings])
  errors = map(record_layer, played.errors, [w.output_shape for w in wirings])
  decided = np.int32(played.winners[:, 0])
  winners = np.diff(decided, axis=0, prepend=np.zeros_like(decided[:1]))
  return Raster(tuple(emitted), tuple(errors), winners, len(winners))


@functools.partial(jax.jit, static_argnums=0)
def present(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  image: jax.Array | np.ndarray,
  label: jax.Array | int,
) -> types.Signals:
  """Presents a sample; returns its signals, with a leading axis of blocks."""
  simulate = presentation.make_simulate(config)
  batch = jnp.asarray(image)[None], jnp.asarray(label)[None]
  keep = lambda sources, block, signals: signals
  _, signals = simulate(params, key, *batch, observe=keep)
  return jax.tree.map(lambda x: x[:, 0], signals)
