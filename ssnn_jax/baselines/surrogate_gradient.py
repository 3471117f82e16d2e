"""Baselines: leaky integrate-and-fire neurons with surrogate gradients.

Only forward signals are spikes. The gradient is computed outside of the
network, by backpropagation through time; the derivative of the firing step,
which is 0 or infinite, is replaced by that of a smooth function.

  v = decay v + W s + b;  s = 1 where v >= 1;  v = v - s     (hidden)
  u = decay u + W s + b                                      (output, no spikes)
  loss = cross-entropy of mean(u) / mean(r)

Means are over ticks, and r is the potential u under a constant drive of 1:
dividing by mean(r) makes the scale of the logits independent of T and of the
decay. The reset is not differentiated.

Source: E. O. Neftci, H. Mostafa and F. Zenke, "Surrogate gradient learning in
spiking neural networks", IEEE Signal Processing Magazine 36 (2019). Surrogate,
threshold and reset by subtraction follow snnTorch.
"""

from collections.abc import Callable
import math

import jax
import jax.numpy as jnp

from ssnn_jax import types
from ssnn_jax.baselines import integrate_and_fire
from ssnn_jax.baselines import update_rules
from ssnn_jax.config import NetworkConfig

THRESHOLD = 1.0
TAU = 16.0  # time constant of all membranes, in ticks


@jax.custom_jvp
def step(distance: jax.Array) -> jax.Array:
  """Returns 1 where the distance to the threshold is at least 0, otherwise 0.

  The derivative is that of the smooth step arctan(pi x) / pi + 1/2.
  """
  return (distance >= 0.0).astype(distance.dtype)


@step.defjvp
def _step_jvp(primals, tangents):
  (distance,), (tangent,) = primals, tangents
  return step(distance), tangent / (1.0 + (jnp.pi * distance) ** 2)


def make_network(
  config: NetworkConfig,
  *,
  tau: float = TAU,
  axis_name: str | None = None,
) -> types.Network:
  """Builds a network of leaky integrate-and-fire neurons.

  Args:
    config: architecture, `num_steps`, `sampler` of the inputs and dropout;
      other fields have no effect.
    tau: time constant of all membranes, in ticks.
    axis_name: axis of a mesh whose devices share each batch; None without one.

  Returns:
    The network's pure functions. The class with the highest output wins a
    tick; `potential` are the logits.
  """
  decay = math.exp(-1.0 / tau)

  def forward_pass(config, params, batch):
    response = _present(config, params, batch, decay)
    outputs = response.potentials  # [B, T, C]
    winners = jax.nn.one_hot(
      jnp.argmax(outputs, axis=-1), outputs.shape[-1], dtype=jnp.int32
    )
    counts = jnp.sum(winners, axis=1)
    scale = _mean_unit_response(decay, config.num_steps)
    return types.Inference(counts, jnp.mean(outputs, axis=1) / scale, counts)

  return update_rules.make_network(
    config,
    forward_pass,
    prepare=integrate_and_fire.prepare,
    axis_name=axis_name,
    name='surrogate_gradient',
  )


def make_observe(
  config: NetworkConfig, *, tau: float = TAU
) -> Callable[..., types.Activity]:
  """Builds `(params, key, inputs, labels) -> Activity` of forward spikes."""
  decay = math.exp(-1.0 / tau)
  present = lambda *batch: _present(*batch, decay)
  return integrate_and_fire.make_observe(config, present)


def _present(config, params, batch, decay):
  """Simulates the network during the presentation of a batch."""
  hidden = integrate_and_fire.Neuron(
    decay,
    fire=lambda v: step(v - THRESHOLD),
    reset=lambda v, spike: v - THRESHOLD * jax.lax.stop_gradient(spike),
  )
  output = integrate_and_fire.Neuron(decay, jnp.zeros_like, lambda u, _: u)
  return integrate_and_fire.present(config, params, batch, hidden, output)


def _mean_unit_response(decay, num_steps):
  """Returns the output's mean response over ticks to a constant drive of 1."""
  potential = total = 0.0
  for _ in range(num_steps):
    potential = decay * potential + 1.0
    total += potential
  return total / num_steps
