"""Baselines: the ANN trained by backpropagation.

The ANN has the weights of the spiking network, and its activations are the
firing rates of the composite neurons: it is the limit of the spiking network
for long spike trains, with an ideal periphery.
"""

from collections.abc import Callable
import functools

import jax

from ssnn_jax import spiking
from ssnn_jax import types
from ssnn_jax.baselines import update_rules
from ssnn_jax.config import NetworkConfig


def ann(
  config: NetworkConfig,
  *,
  activation: Callable[[jax.Array], jax.Array] | None = None,
  axis_name: str | None = None,
) -> types.Network:
  """Builds the ANN of a configuration, trained by backpropagation.

  Args:
    config: the architecture, with `ceiling`, `input_gain`, `dropout` and the
      `sampler` of the dropout masks, and `num_steps` for the expected winner
      counts and for input trains; other fields have no effect.
    activation: activation of hidden neurons, as `jax.nn.relu`, for an ANN that
      is no limit of spikes. None: the rates of spikes, clip(v, 0, ceiling).
    axis_name: axis of a mesh whose devices share each batch; None without one.

  Returns:
    The network's pure functions; `winner_counts` are expected values, T times
    softmax.

  Example:
    >>> rates = 'inputs', 'forward', 'backward'
    >>> config = ssnn_jax.NetworkConfig((4, 8, 3), rates=rates, winner='exact')
    >>> images, labels = jnp.array([[0.0, 0.2, 0.5, 1.0]]), jnp.array([2])
    >>> networks = ssnn_jax.ssnn(config), ssnn_jax.ann(config)
    >>> def gradient(network):  # of the second layer of weights
    ...   params, key = network.init(jax.random.key(0)), jax.random.key(1)
    ...   learn = jax.jit(jax.grad(network.loss, has_aux=True))
    ...   return learn(params, key, images, labels)[0][1].weights
    >>> bool(jnp.allclose(*map(gradient, networks), atol=1e-6))
    True
  """
  activate = activation or functools.partial(
    spiking.fire,
    num_steps=1,
    ceiling=config.ceiling,
    exact=('forward', 'backward'),
  )

  def forward_pass(config, params, batch):
    rates = batch.inputs.rates
    layers = zip(config.wirings, params, config.read_gains)
    *hidden, (wiring, own, gain) = layers
    for (below, weights, factor), mask in zip(hidden, batch.dropout_masks):
      rates = mask * activate(below.drive(weights, factor, rates))
    return read_out(config, wiring.drive(own, gain, rates))

  network = update_rules.make_network(
    config, forward_pass, axis_name=axis_name, name='ann'
  )
  return network._replace(readout='potential')


def read_out(config: NetworkConfig, potential: jax.Array) -> types.Inference:
  """Builds the `Inference` for `[B, C]` potentials, with expected counts."""
  return types.Inference(
    winner_counts=config.num_steps * jax.nn.softmax(potential),
    potential=potential,
  )
