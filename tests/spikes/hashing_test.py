"""Tests for the counter-based hash."""

from absl.testing import absltest
import jax.numpy as jnp
import numpy as np

from ssnn_jax.spikes import hashing


class HashingTest(absltest.TestCase):
  def test_lowbias32_is_the_published_bijection(self):
    def published(x):  # the C code, on whole numbers of 64 bits
      x = (x ^ x >> 16) * 0x7FEB352D % 2**32
      x = (x ^ x >> 15) * 0x846CA68B % 2**32
      return x ^ x >> 16

    x = np.random.default_rng(0).integers(0, 2**32, 100_000, np.uint64)
    x[:6] = 0, 1, 2, 0x80000000, 0xFFFFFFFF, 0xDEADBEEF
    mixed = hashing.lowbias32(jnp.asarray(x.astype(np.uint32)))
    np.testing.assert_array_equal(mixed, published(x))
    self.assertLen(np.unique(mixed), len(np.unique(x)))
