"""Tests for the counter-based hash."""

from absl.testing import absltest
import jax.numpy as jnp
import numpy as np

from ssnn_jax.spikes import hashing


class HashingTest(absltest.TestCase):
  def test_lowbias32_is_a_bijection(self):
    def inverse(x):  # of each step, in reverse order
      x = x ^ (x >> np.uint32(16))
      x = x * np.uint32(pow(0x846CA68B, -1, 2**32))
      x = x ^ (x >> np.uint32(15)) ^ (x >> np.uint32(30))
      x = x * np.uint32(pow(0x7FEB352D, -1, 2**32))
      return x ^ (x >> np.uint32(16))

    rng = np.random.default_rng(0)
    x = rng.integers(0, 2**32, 100_000, dtype=np.uint32)
    mixed = np.asarray(hashing.lowbias32(jnp.asarray(x)))
    np.testing.assert_array_equal(inverse(mixed), x)

  def test_lowbias32_matches_the_published_code(self):
    # Python version of the published C code.
    def published(x):
      x ^= x >> 16
      x = x * 0x7FEB352D % 2**32
      x ^= x >> 15
      x = x * 0x846CA68B % 2**32
      return x ^ (x >> 16)

    for x in (0, 1, 2, 0x80000000, 0xFFFFFFFF, 0xDEADBEEF):
      self.assertEqual(int(hashing.lowbias32(jnp.uint32(x))), published(x))
