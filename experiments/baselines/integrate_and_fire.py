"""Integrate-and-fire neurons, simulated tick by tick.

Dynamics are deterministic; input spikes and dropout masks are random, and for
the same key they equal those of the spiking network.
"""

from collections.abc import Callable
import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

import ssnn_jax
from ssnn_jax import crossbars
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import trains


class Neuron(NamedTuple):
  """Dynamics of the neurons of one layer.

  v = decay v + current;  spike = fire(v);  v = reset(v, spike)
  """

  decay: float  #: of the membrane potential in a tick; 1 without leak
  fire: Callable[[jax.Array], jax.Array]  #: potential -> spike, 0 or 1
  #: (potential, spike) -> potential after the spike
  reset: Callable[[jax.Array, jax.Array], jax.Array]


class Response(NamedTuple):
  """Response of a network to a batch."""

  trains: list[jax.Array]  #: [B, T, I] spikes that enter each layer of weights
  currents: jax.Array  #: [B, T, C] input currents of the output layer
  potentials: jax.Array  #: [B, T, C] output layer, before reset
  spikes: jax.Array  #: [B, T, C] output layer


def present(
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  key: jax.Array,
  batch: samples.Batch,
  hidden: Neuron,
  output: Neuron,
) -> Response:
  """Simulates a network with the given neurons; images are sampled."""
  words = batch.inputs.train
  if words is None:
    words = spiking.draw_trains(
      key,
      batch.inputs.rates,
      config.num_steps,
      config.train_sampler,
      positions=batch.position,
    )
  train = trains.unpack(words)[:, : config.num_steps]
  sent, last = [train.astype(jnp.float32)], len(params) - 1
  if batch.label is None:
    config = dataclasses.replace(config, dropout=0.0)
  masks = crossbars.draw_dropout(config, key, batch.position)
  for layer, (wiring, gain) in enumerate(
    zip(config.wirings, config.read_gains)
  ):
    currents = wiring.read(params[layer], gain, sent[-1])
    neuron = output if layer == last else hidden
    fired, potentials = jax.vmap(lambda x, n=neuron: simulate_layer(x, n))(
      currents
    )
    if layer < last:
      sent.append(masks[layer][:, None] * fired)
  return Response(sent, currents, potentials, fired)


def simulate_layer(
  currents: jax.Array, neuron: Neuron
) -> tuple[jax.Array, jax.Array]:
  """Simulates neurons from potential 0, with `[T, J]` input currents.

  Returns `[T, J]` spikes, and `[T, J]` potentials before reset.
  """

  def tick(potential, current):
    potential = neuron.decay * potential + current
    spike = neuron.fire(potential)
    return neuron.reset(potential, spike), (spike, potential)

  return jax.lax.scan(tick, jnp.zeros_like(currents[0]), currents)[1]


def make_observe(
  config: ssnn_jax.NetworkConfig,
  make_neurons: Callable[[ssnn_jax.NetworkConfig], tuple[Neuron, Neuron]],
) -> Callable[..., ssnn_jax.Activity]:
  """Builds `(params, key, inputs, labels) -> Activity`, without dropout.

  `make_neurons` returns the hidden and the output neurons of a configuration.
  """
  config = dataclasses.replace(config, dropout=0.0)

  def observe(params, key, inputs, labels):
    batch = samples.prepare(config, params, key, inputs, labels)
    sent = present(config, params, key, batch, *make_neurons(config)).trains
    counts = [jnp.sum(train, axis=1) for train in sent]  # [B, I]
    means = lambda function: tuple(map(jnp.mean, map(function, counts)))
    return ssnn_jax.Activity(
      firing_rates=tuple(jnp.mean(x) / config.num_steps for x in counts),
      silent_fractions=means(lambda count: count == 0),
      saturated_fractions=means(lambda count: count == config.num_steps),
    )

  return observe
