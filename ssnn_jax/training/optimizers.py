"""Gradient descent with a schedule and decoupled weight decay."""

import functools

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import checks
from ssnn_jax import types

# Transformations of the gradient before decay and learning rate.
OPTIMIZERS = {'sgd': (), 'adam': (optax.scale_by_adam(),)}


def make_optimizer(
  learning_rate: jax.Array | float,
  schedule: optax.Schedule | None = None,
  weight_decay: float = 0.0,
  rule: str = 'sgd',
) -> optax.GradientTransformation:
  """Builds an optimizer with decoupled weight decay.

  As in `optax.adamw`, the decay is multiplied by the learning rate. Biases do
  not decay.

  Args:
    learning_rate: step size for the mean gradient of a batch. It is part of the
      optimizer state, so that `jax.vmap` can train with different values.
    schedule: factor on the learning rate by number of updates; None for 1.
    weight_decay: coefficient of the weight decay.
    rule: one of `OPTIMIZERS`: stochastic gradient descent, or Adam.

  Returns:
    The optimizer.

  Raises:
    UserError: if a number is negative, or infinite as a float32.
  """
  checks.check_rate('learning_rate', learning_rate)
  checks.check_rate('weight_decay', weight_decay)

  return optax.GradientTransformation(
    init=functools.partial(_init, learning_rate, schedule, weight_decay, rule),
    update=functools.partial(_update, schedule, weight_decay, rule),
  )


def _init(learning_rate, schedule, weight_decay, rule, params):
  descend = _inject_rate(schedule, weight_decay, rule)
  return descend(jnp.float32(learning_rate)).init(params)


def _update(schedule, weight_decay, rule, gradient, state, params=None):
  descend = _inject_rate(schedule, weight_decay, rule)
  return descend(jnp.float32(0.0)).update(gradient, state, params)


def _inject_rate(schedule, weight_decay, rule):
  """Returns `(learning_rate) -> optimizer`, with the rate in its state."""
  factor = schedule or optax.constant_schedule(1.0)

  def make_descent(learning_rate):
    return optax.chain(
      *OPTIMIZERS[rule],
      optax.add_decayed_weights(weight_decay, mask=_mask_weights),
      optax.scale_by_learning_rate(lambda count: learning_rate * factor(count)),
    )

  return optax.inject_hyperparams(make_descent)


def _mask_weights(params):
  return tuple(types.LayerParams(weights=True, biases=False) for _ in params)
