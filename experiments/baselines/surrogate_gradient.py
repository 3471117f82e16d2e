"""Baselines: leaky integrate-and-fire neurons with surrogate gradients.

Only forward signals are spikes. The gradient is computed outside of the
network, by backpropagation through time; the derivative of the firing step,
which is 0 or infinite, is replaced by that of a smooth function.

  v = decay v + W s + b;  s = 1 where v >= 1;  v = v - s     (hidden)
  u = decay u + W s + b                                      (output, no spikes)
  loss = cross-entropy of mean(u) / mean(r)

Means are over ticks, and r is the potential u under a constant current of 1:
dividing by mean(r) makes the scale of the logits independent of T and of the
decay. The reset is not differentiated.

Source: E. O. Neftci, H. Mostafa and F. Zenke, "Surrogate gradient learning in
spiking neural networks", IEEE Signal Processing Magazine 36 (2019). Surrogate,
threshold and reset by subtraction follow snnTorch.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import crossbars
from ssnn_jax import network as network_lib
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import trains

THRESHOLD = 1.0
_DECAY = math.exp(-1.0 / 16.0)  # in a tick; the time constant is 16 ticks


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
  config: ssnn_jax.NetworkConfig, *, axis_name: str | None = None
) -> ssnn_jax.Network:
  """Builds a network of leaky integrate-and-fire neurons.

  Of the configuration the layers, `num_steps`, `sampler` of the inputs and
  dropout have an effect. The class with the highest output wins a tick;
  `potential` are the logits.
  """

  def forward(params, key, batch):
    _, outputs = present(config, params, key, batch)  # [B, T, C]
    winners = jax.nn.one_hot(
      jnp.argmax(outputs, axis=-1), outputs.shape[-1], dtype=jnp.int32
    )
    units = np.cumsum(_DECAY ** np.arange(config.num_steps))  # r of each tick
    scale = float(np.mean(units))
    logits = jnp.mean(outputs, axis=1) / scale
    inference = ssnn_jax.Inference(jnp.sum(winners, axis=1), logits)
    return network_lib.mean_loss(logits, batch), inference

  return network_lib.from_forward(
    config, forward, axis_name, kind='surrogate_gradient'
  )


def present(
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  key: jax.Array,
  batch: samples.Batch,
) -> tuple[list[jax.Array], jax.Array]:
  """Simulates the network tick by tick; images are sampled.

  Input spikes and dropout masks are random, and for the same key equal those of
  the spiking network.

  Returns:
    The spikes `[B, T, I]` that enter each layer of weights, and the potentials
    `[B, T, C]` of the output.
  """
  words = batch.inputs.train
  if words is None:
    words = spiking.draw_trains(
      key,
      batch.inputs.rates,
      config.num_steps,
      config.train_sampler,
      positions=batch.position,
    )
  train = trains.unpack(words)[:, : config.num_steps]
  sent = [train.astype(jnp.float32)]
  if batch.label is None:
    config = dataclasses.replace(config, dropout=0.0)
  masks = crossbars.draw_dropout(config, key, batch.position)
  masks = [*masks, None]  # of the output, which does not fire
  for wiring, gain, own, mask in zip(
    config.wirings, config.read_gains, params, masks
  ):
    currents = wiring.read(own, gain, sent[-1])
    simulate = functools.partial(_simulate, mask is not None)
    fired, potentials = jax.vmap(simulate)(currents)
    if mask is not None:
      sent.append(mask[:, None] * fired)
  return sent, potentials


def _simulate(is_hidden, currents):
  """Returns the `[T, J]` spikes of a layer, and potentials before its reset."""

  def tick(potential, current):
    potential = _DECAY * potential + current
    spike = float(is_hidden) * step(potential - THRESHOLD)
    reset = potential - THRESHOLD * jax.lax.stop_gradient(spike)
    return reset, (spike, potential)

  return jax.lax.scan(tick, jnp.zeros_like(currents[0]), currents)[1]
