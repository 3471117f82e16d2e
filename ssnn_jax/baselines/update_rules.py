"""Networks from a forward pass and an update rule.

`backpropagation` is the only use of automatic differentiation in the library;
the baselines `ann` and `surrogate_gradient` learn by it.
"""

from collections.abc import Callable
import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import inputs as input_lib

# (config, params, batch) -> response of the output layer
ForwardPass = Callable[
  [NetworkConfig, types.Params, input_lib.Sample], types.Inference
]
# (config, params, batch) -> mean gradient, response of the output layer
UpdateRule = Callable[
  [NetworkConfig, types.Params, input_lib.Sample],
  tuple[types.Params, types.Inference],
]


def make_network(
  config: NetworkConfig,
  forward_pass: ForwardPass,
  update_rule: UpdateRule,
  *,
  prepare: Callable[..., input_lib.Sample] = input_lib.prepare,
  axis_name: str | None = None,
) -> types.Network:
  """Builds a network that learns by a gradient instead of coincidences.

  Args:
    config: the network.
    forward_pass: computes the response of the output layer to a batch.
    update_rule: computes the gradient, averaged over the batch, and the
      response of the output layer.
    prepare: `(config, params, key, inputs, labels, axis_name) -> batch`; checks
      and encodes the arguments of the network.
    axis_name: axis of a mesh whose devices share each batch; None without one.

  Returns:
    The network's pure functions. For the same keys, initial weights and dropout
    masks equal those of the spiking network.
  """

  def infer(params, key, inputs):
    no_dropout = dataclasses.replace(config, dropout=0.0)
    batch = prepare(no_dropout, params, key, inputs, axis_name=axis_name)
    return forward_pass(no_dropout, params, batch)

  def learn(params, key, inputs, labels, *, pulse_gradient=None):
    del pulse_gradient  # no coincidences, so no device pulses
    batch = prepare(config, params, key, inputs, labels, axis_name)
    gradient, inference = update_rule(config, params, batch)
    if axis_name:
      gradient = jax.lax.pmean(gradient, axis_name)
    return types.exact_update(gradient), inference

  return types.Network(functools.partial(network.init, config), infer, learn)


def backpropagation(forward_pass: ForwardPass) -> UpdateRule:
  """Returns the update rule that differentiates the mean cross-entropy.

  Args:
    forward_pass: a forward pass whose `potential` are the logits.

  Returns:
    The update rule.
  """

  def update_rule(config, params, batch):
    def loss(params):
      inference = forward_pass(config, params, batch)
      losses = optax.softmax_cross_entropy_with_integer_labels(
        inference.potential, batch.label
      )
      return jnp.mean(losses), inference

    return jax.grad(loss, has_aux=True)(params)

  return update_rule
