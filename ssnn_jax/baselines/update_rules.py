"""Networks from a forward pass and an update rule.

The default rule is backpropagation.
"""

from collections.abc import Callable
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import checks
from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import samples


def make_network(
  config: NetworkConfig,
  forward_pass: Callable[..., types.Inference],
  update_rule: Callable[..., Any] | None = None,
  *,
  prepare: Callable[..., samples.Sample] = samples.prepare,
  axis_name: str | None = None,
  name: str,
) -> types.Network:
  """Builds a network that learns by a gradient instead of coincidences.

  Args:
    config: the network.
    forward_pass: `(config, params, batch) -> Inference`.
    update_rule: `(config, params, batch) -> (gradient, Inference)`, averaged
      over the batch. None differentiates the mean cross-entropy, with the
      `potential` of `forward_pass` as logits.
    prepare: `(config, params, key, inputs, labels, axis_name) -> batch`.
    axis_name: axis of a mesh whose devices share each batch; None without one.
    name: name of the network.

  Returns:
    The network's pure functions. For the same keys, initial weights and dropout
    masks equal those of the spiking network.
  """
  checks.check_type('config', config, NetworkConfig, 'a NetworkConfig')
  without_dropout = dataclasses.replace(config, dropout=0.0)

  def infer(params, key, inputs):
    batch = prepare(without_dropout, params, key, inputs, axis_name=axis_name)
    return forward_pass(without_dropout, params, batch)

  def prepare_labelled(params, key, inputs, labels):
    checks.check_array('labels', labels)
    return prepare(config, params, key, inputs, labels, axis_name)

  def differentiable(params, *samples):
    batch = prepare_labelled(params, *samples)
    params = network.average_gradient(params, axis_name)
    inference = forward_pass(config, params, batch)
    losses = optax.softmax_cross_entropy_with_integer_labels(
      inference.potential, batch.label
    )
    return jnp.mean(losses), inference

  def rule(params, *samples):
    batch = prepare_labelled(params, *samples)
    gradient, inference = update_rule(config, params, batch)
    if axis_name:
      gradient = jax.lax.pmean(gradient, axis_name)
    return gradient, inference

  return types.Network(
    lambda key: network.init(config, key),
    infer,
    differentiable if update_rule is None else network.loss_of(rule),
    name=name,
    config=config,
  )
