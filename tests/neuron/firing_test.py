"""Tests for the firing functions."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.neuron import firing


class FiringTest(absltest.TestCase):
  def test_derivative_is_that_of_the_probability_and_0_at_the_kinks(self):
    potentials = jnp.linspace(-4.05, 4.05, 82)  # no kink among them
    slopes = jax.vmap(jax.grad(firing.CLIP.probability))(potentials)
    np.testing.assert_array_equal(firing.CLIP.derivative(potentials), slopes)
    gates = firing.CLIP.derivative(jnp.array([0.0, 1.0]))
    np.testing.assert_array_equal(gates, [0.0, 0.0])
