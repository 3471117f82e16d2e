"""A crossbar of resistive processing units: analog but for its update.

Activations and errors are exact, digital or analog values. Only for the update
they become stochastic pulse trains, whose coincidences change the weights.

Source: T. Gokmen and Y. Vlasov, "Acceleration of deep neural network training
with resistive cross-point devices: design considerations", Frontiers in
Neuroscience 10, 333 (2016). Their BL is T here. Activation and output are those
of all networks of this library.
"""

import dataclasses

from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.baselines import ann
from ssnn_jax.config import NetworkConfig


def rpu_config(config: NetworkConfig) -> NetworkConfig:
  """Makes the configuration of the spiking network that learns as RPUs do.

  Args:
    config: any network's.

  Returns:
    Its architecture, with spikes in the update alone: trains of the rate of
    each activation, and of the magnitude of each error, at the output too.
  """
  return dataclasses.replace(
    config,
    forward='rates',
    backward='rates',
    update='spikes',
    output_errors='softmax',
    window=config.num_steps,  # values are read once
    delay=0,
  )


def make_network(
  config: NetworkConfig,
  *,
  separate_signs: bool = False,
  axis_name: str | None = None,
) -> types.Network:
  """Builds the network whose update alone is by pulses.

  Args:
    config: the architecture, with T, gain and sampler of the pulses.
    separate_signs: whether both signs are counted apart, as for `network.ssnn`.
    axis_name: axis of a mesh whose devices share each batch.

  Returns:
    The network's pure functions; its output is read as that of the ANN, with
    the ticks that classes are expected to win.
  """
  pulsed = network.ssnn(
    rpu_config(config), separate_signs=separate_signs, axis_name=axis_name
  )

  def infer(params, key, inputs):
    inference = pulsed.infer(params, key, inputs)
    return ann.read_out(config, inference.potential)

  def learn(*batch, **options):
    update, inference = pulsed.learn(*batch, **options)
    return update, ann.read_out(config, inference.potential)

  return types.Network(pulsed.init, infer, learn)
