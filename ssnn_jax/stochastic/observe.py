"""All spikes of one sample, tick by tick: a raster."""

import dataclasses
from typing import Any
from typing import NamedTuple

import jax
import numpy as np

from ssnn_jax.stochastic import neuron
from ssnn_jax.stochastic.config import NetworkConfig


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
    config: the configuration; dropout is ignored.
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
  played = neuron.play(config, params, key, *sample)
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
