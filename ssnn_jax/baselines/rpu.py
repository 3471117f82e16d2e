"""Baselines: a crossbar of resistive processing units (RPUs).

With an ideal periphery, activations and errors are exact values. For the update
alone, they are sampled as pulse trains, whose coincidences change the weights.

Source: T. Gokmen and Y. Vlasov, "Acceleration of deep neural network training
with resistive cross-point devices: design considerations", Frontiers in
Neuroscience 10, 333 (2016). Their pulse train length BL is T here.
"""

import dataclasses
from typing import Any

from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.baselines import ann
from ssnn_jax.config import NetworkConfig


def make_network(config: NetworkConfig, **options: Any) -> types.Network:
  """Builds a network with pulses in the update only, and the inference of ANNs.

  Options are those of `network.ssnn`.
  """
  pulsed = network.ssnn(rpu_config(config), **options)

  def read_out(inference):
    return ann.read_out(config, inference.potential)

  def infer(*batch):
    return read_out(pulsed.infer(*batch))

  def learn(*batch, pulse_gradient=None):
    update, inference = pulsed.learn(*batch, pulse_gradient=pulse_gradient)
    return update, read_out(inference)

  def loss(*batch):
    value, inference = pulsed.loss(*batch)
    return value, read_out(inference)

  return types.Network(
    pulsed.init, infer, loss, learn, name='rpu', config=config
  )


def rpu_config(config: NetworkConfig) -> NetworkConfig:
  """Returns stochastic neurons with exact errors and pulses in the update."""
  return dataclasses.replace(
    config,
    neuron='stochastic',
    rates=('forward', 'backward'),
    winner='exact',
    window=config.num_steps,  # a value is read once
  )
