"""Tests for the firing functions."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.neuron import firing


class FiringTest(parameterized.TestCase):
  @parameterized.parameters(*firing.FIRING_FUNCTIONS)
  def test_derivative_matches_autodiff(self, name):
    function = firing.FIRING_FUNCTIONS[name]()
    potentials = jnp.linspace(-4.05, 4.05, 82)  # no kink among them
    slopes = jax.vmap(jax.grad(function.probability))(potentials)
    np.testing.assert_allclose(
      function.derivative(potentials), slopes, rtol=1e-6
    )

  @parameterized.parameters(*firing.FIRING_FUNCTIONS)
  def test_probability_is_monotonic_from_0_to_1(self, name):
    rates = firing.FIRING_FUNCTIONS[name]().probability(
      jnp.linspace(-100.0, 100.0, 1001)
    )
    self.assertEqual(rates.min(), 0.0)
    self.assertEqual(rates.max(), 1.0)
    self.assertTrue(np.all(np.diff(rates) >= 0))

  @parameterized.parameters(('clip', 0.0, 1.0), ('hard_sigmoid', -3.0, 3.0))
  def test_derivative_is_zero_at_the_kinks(self, name, low, high):
    function = firing.FIRING_FUNCTIONS[name]()
    inside = jnp.array([np.nextafter(low, 1), np.nextafter(high, 0)])
    self.assertTrue(
      np.all(function.derivative(inside.astype(jnp.float32)) >= 0)
    )
    gates = function.derivative(jnp.array([low, high]))
    np.testing.assert_array_equal(gates, [0.0, 0.0])

  def test_hard_sigmoid_matches_jax(self):
    potentials = jnp.linspace(-5.0, 5.0, 101)
    np.testing.assert_allclose(
      firing.hard_sigmoid().probability(potentials),
      jax.nn.hard_sigmoid(potentials),
      atol=1e-6,
    )
