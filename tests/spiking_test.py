"""Tests of neurons as functions of JAX."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spiking
from tests.testing import networks

T = 8


class NeuronTest(parameterized.TestCase):
  def test_errors_pass_between_floor_and_ceiling_alone(self):
    v = np.float32([[-0.5, 0.0, 0.0625, 0.1875, 0.5, 0.9375, 1.0, 2.5]])
    rates, back = jax.vjp(lambda v: spiking.fire(v, T, ceiling=1.0), v)
    expected = np.floor(T * np.clip(v, 0, 1) + 0.5) / T
    np.testing.assert_array_equal(rates, expected)
    (errors,) = back(np.full_like(v, 0.3))
    is_open = (0 < v) & (v < 1)
    np.testing.assert_array_equal(errors, np.where(is_open, 0.3125, 0.0))

  @parameterized.parameters(1, 2, 3)
  def test_digits_are_powers_of_two_that_halve_the_rest(self, digits):
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000) * 2.0 ** rng.integers(-100, 100, 2000)
    values = np.float32([*values, 0.0, 1.0, -1.5, 11.0, 1.499, np.nan])
    find = jax.jit(spiking.leading_digits, static_argnums=1)
    found = np.asarray(find(values, digits))
    rest = np.float64(values)
    for _ in range(digits):
      mantissa, exponent = np.frexp(rest)
      power = np.where(np.abs(mantissa) < 0.75, 0.5, 1.0) * np.exp2(exponent)
      rest = rest - np.sign(rest) * power
    np.testing.assert_array_equal(found, np.float64(values) - rest)
    error = np.abs(rest[:2000] / values[:2000])
    bound = 1 / (3, 11, 43)[digits - 1]
    self.assertLessEqual(error.max(), bound)
    self.assertGreater(error.max(), 0.9 * bound)

  @parameterized.parameters(jnp.bfloat16, jnp.float16)
  def test_counts_of_few_bits_are_those_of_float32(self, dtype):
    rng = np.random.default_rng(0)
    v = jnp.asarray(rng.normal(size=(1, 2000)), dtype)
    slope = jnp.asarray(rng.normal(size=(1, 2000)), dtype)

    @jax.jit
    def fire(v, slope):
      rates, back = jax.vjp(lambda v: spiking.fire(v, 16, 4.0, -4.0), v)
      return rates, *back(slope)

    short = fire(v, slope)
    full = fire(v.astype(jnp.float32), slope.astype(jnp.float32))
    for found, expected in zip(short, full):
      self.assertEqual(found.dtype, dtype)
      networks.assert_same(found.astype(jnp.float32), expected)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'holds'):
      spiking.fire(v, 1024, 4.0)
