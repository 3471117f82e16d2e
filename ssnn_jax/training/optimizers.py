"""Gradient descent with a schedule and decoupled weight decay."""

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
  factor = schedule or optax.constant_schedule(1.0)

  def mask(params):
    return tuple(types.LayerParams(weights=True, biases=False) for _ in params)

  def descend(learning_rate):
    return optax.chain(
      *OPTIMIZERS[rule],
      optax.add_decayed_weights(weight_decay, mask=mask),
      optax.scale_by_learning_rate(lambda count: learning_rate * factor(count)),
    )

  return optax.inject_hyperparams(descend)(jnp.float32(learning_rate))
