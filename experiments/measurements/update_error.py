"""Distance of the update of a network from the gradient."""

import jax
import jax.numpy as jnp

import ssnn_jax


def measure(
  network: ssnn_jax.Network,
  reference: ssnn_jax.Network,
  params: ssnn_jax.Params,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array,
  num_draws: int,
) -> jax.Array:
  """Computes the relative error of a network's update of the weights.

  It is sqrt(mean_draws norm(update - gradient)^2) / norm(gradient) over all
  weights, for independent draws of the spikes of a batch; consumes the key. The
  gradient is that of the reference, without randomness.
  """

  def estimate(network, key):  # the gradient, without biases
    gradient, _ = jax.grad(network.loss, has_aux=True)(
      params, key, inputs, labels
    )
    return [layer.weights for layer in gradient]

  def squared_norm(layers):
    return sum(jnp.sum(layer**2) for layer in layers)

  gradient = estimate(reference, key)

  def squared_distance(draw):
    update = estimate(network, jax.random.fold_in(key, draw))
    return squared_norm(jax.tree.map(jnp.subtract, update, gradient))

  distances = jax.lax.map(squared_distance, jnp.arange(num_draws))
  return jnp.sqrt(jnp.mean(distances) / squared_norm(gradient))
