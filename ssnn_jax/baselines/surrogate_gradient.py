"""Leaky integrate-and-fire neurons, trained by surrogate gradients.

Spikes go forward alone. The gradient is computed outside of the network, by
backpropagation through time, with a smooth function's derivative in the place
of that of the step at the threshold, which is 0 or infinite.

  v = decay v + W s + b;  s = 1 where v >= 1;  v = v - s     (hidden)
  u = decay u + W s + b                                      (output, no spikes)
  loss = cross-entropy of the mean of u over ticks, relative to that of a
         constant drive of 1, whatever T and decay

The reset is not differentiated. Source: E. O. Neftci, H. Mostafa and F. Zenke,
"Surrogate gradient learning in spiking neural networks", IEEE Signal Processing
Magazine 36 (2019); surrogate, threshold and reset are the defaults of snnTorch.
"""

from collections.abc import Callable
import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.baselines import integrate_and_fire
from ssnn_jax.config import NetworkConfig
from ssnn_jax.training import activity

THRESHOLD = 1.0


def smooth_step(distance: jax.Array) -> jax.Array:
  """Smooths the step at a threshold: arctan(pi x) / pi + 1/2, of slope 1."""
  return jnp.arctan(jnp.pi * distance) / jnp.pi + 0.5


@jax.custom_jvp
def step(distance: jax.Array) -> jax.Array:
  """Fires where the distance to the threshold is not below 0.

  Its derivative is that of `smooth_step`, 1 / (1 + (pi x)^2).
  """
  return (distance >= 0.0).astype(distance.dtype)


@step.defjvp
def _step_jvp(primals, tangents):
  (distance,), (tangent,) = primals, tangents
  return step(distance), tangent / (1.0 + (jnp.pi * distance) ** 2)


def make_network(
  config: NetworkConfig,
  *,
  axis_name: str | None = None,
  fire: Callable[[jax.Array], jax.Array] = step,
) -> types.Network:
  """Builds the network of leaky integrate-and-fire neurons.

  Args:
    config: architecture, T, sampler of the inputs, dropout, and `tau`, the time
      constant of all membranes; what else concerns spikes is not used.
    axis_name: axis of a mesh whose devices share each batch, as for `ssnn`.
    fire: from the distance of potentials to the threshold to spikes; its
      derivative is the surrogate.

  Returns:
    The network's pure functions. The counts of `learn` are the gradient; a tick
    is won by the class of the highest output; potentials are relative means.
  """
  return types.Network(
    init=functools.partial(network.init, config),
    infer=functools.partial(_infer, config, axis_name, fire),
    learn=functools.partial(_learn, config, axis_name, fire),
  )


def make_observe(config: NetworkConfig) -> Callable[..., activity.Activity]:
  """Makes the function that observes forward spikes, as `activity` does."""
  return integrate_and_fire.make_observe(config, _send)


def _send(config, params, train, kept):
  return _present(config, step, params, train, kept)[0]


def _present(config, fire, params, train, kept):
  """Presents one sample; returns its trains and the output `[T, C]`."""
  decay = _decay(config)
  trains = [train]
  for layer, layer_params in enumerate(params):
    drives = integrate_and_fire.drive(
      layer_params, config.read_gains[layer], trains[layer]
    )
    if layer == len(kept):
      return trains, integrate_and_fire.integrate_and_fire(
        drives, decay, jnp.zeros_like, lambda potential, _: potential
      )[1]
    spikes, _ = integrate_and_fire.integrate_and_fire(
      *(drives, decay), lambda v: fire(v - THRESHOLD), _subtract
    )
    trains.append(kept[layer][None] * spikes)


def _decay(config):
  return math.exp(-1.0 / config.tau)


def _subtract(potential, spike):
  return potential - THRESHOLD * jax.lax.stop_gradient(spike)


def _infer(config, axis_name, fire, params, key, inputs):
  """Implements `Network.infer`."""
  config = dataclasses.replace(config, dropout=0.0)
  train, kept = integrate_and_fire.enter(
    config, params, key, inputs, axis_name=axis_name
  )
  return _read_out(config, _present_batch(config, fire, params, train, kept))


def _learn(
  config,
  axis_name,
  fire,
  params,
  key,
  inputs,
  labels,
  *,
  pulse_gradient=None,
):
  """Implements `Network.learn`."""
  del pulse_gradient  # no spike that could be dropped
  train, kept = integrate_and_fire.enter(
    config, params, key, inputs, labels, axis_name
  )

  def loss(params):
    outputs = _present_batch(config, fire, params, train, kept)
    inference = _read_out(config, outputs)
    losses = optax.softmax_cross_entropy_with_integer_labels(
      inference.potential, labels
    )
    return jnp.mean(losses), inference

  gradient, inference = jax.grad(loss, has_aux=True)(params)
  if axis_name:
    gradient = jax.lax.pmean(gradient, axis_name)
  return types.exact_update(gradient), inference


def _present_batch(config, fire, params, train, kept):
  """Presents a batch; returns its output `[B, T, C]`."""

  def present(train, kept):
    return _present(config, fire, params, train, kept)[1]

  return jax.vmap(present)(train, kept)


def _read_out(config, outputs):
  """Reads the output `[B, T, C]`: ticks won by each class, and the mean."""
  winners = jax.nn.one_hot(
    jnp.argmax(outputs, axis=-1), outputs.shape[-1], dtype=jnp.int32
  )
  return types.Inference(
    winner_counts=jnp.sum(winners, axis=1),
    potential=jnp.mean(outputs, axis=1) / _mean_response(config),
  )


def _mean_response(config):
  """The mean over ticks of a membrane under a constant drive of 1."""
  decay, potential, total = _decay(config), 0.0, 0.0
  for _ in range(config.num_steps):
    potential = decay * potential + 1.0
    total += potential
  return total / config.num_steps
