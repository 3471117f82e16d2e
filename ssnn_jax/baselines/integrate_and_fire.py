"""Integrate-and-fire neurons, simulated tick by tick.

Dynamics are deterministic; input spikes and dropout masks are random, and for
the same key they equal those of the spiking network.
"""

from collections.abc import Callable
import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import samples
from ssnn_jax.spikes import thresholds


class Neuron(NamedTuple):
  """Dynamics of the neurons of one layer.

  v = decay v + drive;  spike = fire(v);  v = reset(v, spike)
  """

  decay: float  #: of the membrane potential in a tick; 1 without leak
  fire: Callable[[jax.Array], jax.Array]  #: potential -> spike, 0 or 1
  #: (potential, spike) -> potential after the spike
  reset: Callable[[jax.Array, jax.Array], jax.Array]


class Response(NamedTuple):
  """Response of a network to a batch."""

  trains: list[jax.Array]  #: [B, T, I] spikes that enter each layer of weights
  drives: jax.Array  #: [B, T, C] synaptic currents of the output layer
  potentials: jax.Array  #: [B, T, C] output layer, before reset
  spikes: jax.Array  #: [B, T, C] output layer


def prepare(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array | None = None,
  axis_name: str | None = None,
) -> samples.Sample:
  """Prepares a batch by `samples.prepare`, and samples trains of its images."""
  batch = samples.prepare(config, params, key, inputs, labels, axis_name)
  if batch.inputs.train is not None:
    return batch
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  words = jnp.arange(spikes.count_words(config.num_steps))
  mask = spikes.mask_before(config.num_steps, words)

  def sample_train(position, rates):  # [K, I] words of all T ticks
    sources = rules.make_sources(config, keys, words, position)
    source = sources(spikes.Role.INPUT, 0, len(rates))
    return thresholds.sample_words(source, rates[None], mask[None])

  train = jax.vmap(sample_train)(batch.position, batch.inputs.rates)
  return batch._replace(inputs=batch.inputs._replace(train=train))


def present(
  config: NetworkConfig,
  params: types.Params,
  batch: samples.Sample,
  hidden: Neuron,
  output: Neuron,
) -> Response:
  """Simulates a network with the given neurons; `batch` is from `prepare`."""
  *hidden_layers, last = zip(config.wirings, params, config.read_gains)

  def present_sample(sample):
    train = spikes.unpack(sample.inputs.train)[: config.num_steps]
    trains = [train.astype(jnp.float32)]
    for (wiring, own, gain), mask in zip(hidden_layers, sample.dropout_masks):
      fired, _ = simulate_layer(wiring.drive(own, gain, trains[-1]), hidden)
      trains.append(mask[None] * fired)
    wiring, own, gain = last
    drives = wiring.drive(own, gain, trains[-1])
    fired, potentials = simulate_layer(drives, output)
    return Response(trains, drives, potentials, fired)

  return jax.vmap(present_sample)(batch)


def simulate_layer(
  drives: jax.Array, neuron: Neuron
) -> tuple[jax.Array, jax.Array]:
  """Simulates neurons from potential 0, with `[T, J]` synaptic currents.

  Returns `[T, J]` spikes, and `[T, J]` potentials before reset.
  """

  def tick(potential, drive):
    potential = neuron.decay * potential + drive
    spike = neuron.fire(potential)
    return neuron.reset(potential, spike), (spike, potential)

  return jax.lax.scan(tick, jnp.zeros_like(drives[0]), drives)[1]


def make_observe(
  config: NetworkConfig, present_batch: Callable[..., Response]
) -> Callable[..., types.Activity]:
  """Builds `(params, key, inputs, labels) -> Activity`, without dropout.

  `present_batch` is `(config, params, batch) -> Response`.
  """
  config = dataclasses.replace(config, dropout=0.0)

  def observe(params, key, inputs, labels):
    batch = prepare(config, params, key, inputs, labels)
    trains = present_batch(config, params, batch).trains
    counts = [jnp.sum(train, axis=1) for train in trains]  # [B, I]
    means = lambda function: tuple(map(jnp.mean, map(function, counts)))
    return types.Activity(
      firing_rates=tuple(jnp.mean(x) / config.num_steps for x in counts),
      silent_fractions=means(lambda count: count == 0),
      saturated_fractions=means(lambda count: count == config.num_steps),
    )

  return observe
