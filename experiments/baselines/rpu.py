"""Baselines: a crossbar of resistive processing units (RPUs).

With an ideal periphery, activations and errors are exact values. For the update
alone, they are sampled as pulse trains, whose coincidences change the weights:
the stochastic network with exact signals.

Source: T. Gokmen and Y. Vlasov, "Acceleration of deep neural network training
with resistive cross-point devices: design considerations", Frontiers in
Neuroscience 10, 333 (2016). Their pulse train length BL is T here.
"""

import dataclasses

import ssnn_jax


def rpu_config(config: ssnn_jax.NetworkConfig) -> ssnn_jax.NetworkConfig:
  """Returns neurons with exact errors, and pulses in the update."""
  return dataclasses.replace(config, exact=('forward', 'backward', 'winners'))


def make_network(
  config: ssnn_jax.NetworkConfig, *, axis_name: str | None = None
) -> ssnn_jax.Network:
  """Builds a network with pulses in the update only; it answers as an ANN.

  Arguments are those of `ssnn`.
  """
  network = ssnn_jax.ssnn(rpu_config(config), axis_name=axis_name)
  return network._replace(kind='rpu', has_spikes=False, readout='potential')
