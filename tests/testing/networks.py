"""A small network and its batch, for tests."""

import functools

import jax
import numpy as np

import ssnn_jax
from ssnn_jax import checks
from ssnn_jax import chip

SIZES = (12, 9, 3)


def of_chip(sizes, num_steps, weight_bits, fraction_bits, digits=2):
  """Returns a network of the chip."""
  return chip.Config(sizes, num_steps, digits, weight_bits, fraction_bits)


def batch(size=5, sizes=SIZES):
  """Returns random images and labels for a network of the given layers."""
  images = np.random.default_rng(1).random((size, sizes[0]), np.float32)
  return images, np.arange(size, dtype=np.int32) % sizes[-1]


def make_params(config, seed=0):
  """Draws weights of variance 1 / fan-in; biases are 0."""
  rng = np.random.default_rng(seed)
  return tuple(
    ssnn_jax.LayerParams(
      np.float32(
        rng.normal(size=own.weights.shape) / np.sqrt(len(own.weights))
      ),
      np.zeros(own.biases.shape, np.float32),
    )
    for own in checks.find_shapes(config)
  )


@functools.cache
def learner(network):
  """Compiles `(params, key, inputs, labels) -> (gradient, Inference)`.

  It returns arrays of NumPy, with which tests compile no programs.
  """
  learn = jax.jit(jax.grad(network.loss, has_aux=True))
  return lambda *batch: jax.device_get(learn(*batch))


def assert_same(found, expected):
  """Asserts that all arrays of two trees are equal."""
  jax.tree.map(np.testing.assert_array_equal, found, expected)


def assert_close(found, expected):
  """Asserts that leaves agree up to rounding.

  Rounding errors are relative to the largest terms of a sum, and add up over
  the layers of a network.
  """
  for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
    bound = 1e-5 * np.max(np.abs(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)
