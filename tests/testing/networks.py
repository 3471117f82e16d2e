"""A small network and its batch, for tests."""

import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax

SIZES = (12, 9, 8, 3)


def batch(size=5, sizes=SIZES):
  """Returns random images and labels for a network of the given layers."""
  images = jax.random.uniform(jax.random.key(1), (size, sizes[0]))
  return images, jnp.arange(size) % sizes[-1]


def zeros(sizes):
  """Returns parameters of a network of dense layers that are all 0."""
  return tuple(
    ssnn_jax.LayerParams(
      np.zeros(shape, np.float32), np.zeros(shape[1:], np.float32)
    )
    for shape in zip(sizes, sizes[1:])
  )


def learn(config, params, key=None, size=5, **options):
  """Presents a batch to the spiking network of a configuration."""
  network = ssnn_jax.ssnn(config, **options)
  key = jax.random.key(2) if key is None else key
  return jax.jit(network.learn)(params, key, *batch(size, config.layer_sizes))


def assert_close(found, expected):
  """Asserts that leaves agree up to rounding.

  Rounding errors are relative to the largest terms of a sum, and add up over
  the windows of a long presentation.
  """
  for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
    bound = 1e-5 * float(jnp.max(jnp.abs(theirs)))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)
