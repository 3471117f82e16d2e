"""Exact updates of small networks: by enumeration and by backpropagation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import reference
from ssnn_jax.stochastic import crossbars
from ssnn_jax.stochastic import samples
from ssnn_jax.trains import Role

_PATTERNS_AT_ONCE = 2**13


def bp_gradient(config, params, key, images, labels):
  """Computes the gradient of the ANN's mean cross-entropy over a batch."""
  batch = samples.prepare(config, params, key, images, labels)

  def activate(v):  # of derivative 0 at 0 and at 1
    return jnp.where(v > 0.0, jnp.where(v < 1.0, v, 1.0), 0.0)

  def loss(params):
    masks = crossbars.draw_dropout(config, key, batch.position)
    hidden, masks = batch.inputs.rates, (*masks, 1.0)
    for gain, mask, (weights, biases) in zip(config.read_gains, masks, params):
      product = jnp.matmul(hidden, weights, precision='highest')
      potential = gain * product + biases[None]
      hidden = mask * activate(potential)
    chosen = potential[jnp.arange(len(labels)), labels]
    return jnp.mean(jax.nn.logsumexp(potential, axis=1) - chosen)

  return jax.grad(loss)(params)


def expected_counts(config, params, image, label):
  """Computes the exact mean of the coincidences of one sample.

  The reference runs through every pattern of all spikes of the presentation,
  weighted by its probability. There are 2 to the number of spikes of them, so
  that only tiny networks of two classes are feasible.

  Takes an image of `[I]` rates and its label; returns expected signed
  coincidences over the presentation, in doubles.
  """
  present = functools.partial(_present, config, params, image, label)
  traced = []
  jax.eval_shape(lambda: traced.append(present(None)))
  (num_bits,) = traced

  @jax.jit
  def weigh(first):
    patterns = first + jnp.arange(min(_PATTERNS_AT_ONCE, 2**num_bits))
    bits = patterns[:, None] >> jnp.arange(num_bits)[None] & 1
    counts, probabilities = jax.vmap(present)(bits)
    return jax.tree.map(
      lambda count: jnp.tensordot(probabilities, count, axes=1),
      (counts, jnp.ones_like(probabilities)),
    )

  means = [
    jax.tree.map(np.float64, weigh(first))
    for first in range(0, 2**num_bits, _PATTERNS_AT_ONCE)
  ]
  counts, total = jax.tree.map(lambda *parts: sum(parts), *means)
  np.testing.assert_allclose(total, 1.0, rtol=1e-5)
  return tuple(counts)


def _present(config, params, image, label, bits):
  """Presents one sample with given spikes, `[bits]` in {0, 1}.

  Returns the counts and the probability of the spikes; without bits the number
  of bits.
  """
  num_steps, used, probability = config.num_steps, 0, jnp.float32(1.0)

  def sample(role, layer, rates):
    nonlocal used, probability
    del layer
    rates = jnp.asarray(image) if role == Role.INPUT else rates
    size = 1 if role == Role.WINNER else len(rates)
    first, used = used, used + num_steps * size
    if bits is None:
      return jnp.zeros((num_steps, len(rates)))
    fired = bits[first:used].reshape(num_steps, size).astype(jnp.float32)
    rates = rates[None, :size]
    probability *= jnp.prod(jnp.where(fired > 0, rates, 1.0 - rates))
    if role == Role.WINNER:  # of two classes, the second is reached for sure
      fired = jnp.concatenate([fired, jnp.ones_like(fired)], axis=1)
    return fired

  counts, _ = reference.stochastic(config, params, sample, label)
  return used if bits is None else (counts, probability)
