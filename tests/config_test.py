"""Tests for the configuration of a network; see `refusals_test`, too."""

from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from tests.testing import networks

SIZES = (12, 9, 8, 3)


class ConfigTest(parameterized.TestCase):
  def test_arrays_and_lists_are_hashable_values(self):
    expected = ssnn_jax.NetworkConfig(
      SIZES, 40, 'stochastic', window=32, gain=(1.0, 2.0), input_gain=0.5
    )
    for array in (np.array, jnp.asarray, list):
      number = np.array if array is list else array
      config = ssnn_jax.NetworkConfig(
        array(SIZES),
        num_steps=np.int64(40),
        neuron='stochastic',
        window=np.uint8(32),
        gain=array([1.0, 2.0]),
        input_gain=number(0.5),
      )
      self.assertEqual(config, expected)
      self.assertEqual(hash(config), hash(expected))

  @parameterized.parameters(
    (100, None, 100), (100, 32, 32), (100, 96, 96), (33, 33, 33), (1, 1, 1)
  )
  def test_windows_of_stochastic_neurons(self, num_steps, window, expected):
    config = networks.stochastic(SIZES, num_steps, window=window)
    self.assertEqual(config.schedule, (num_steps, expected))

  def test_defaults_depend_on_the_neuron(self):
    bipolar = ssnn_jax.NetworkConfig(
      SIZES, weight_bits=12, fraction_bits=(9, 8, 7)
    )
    stochastic = networks.stochastic(SIZES)
    self.assertEqual(bipolar.gains, (4.0, 4.0, 1.0))
    self.assertEqual(stochastic.gains, (1.0, 1.0, 1.0))
    self.assertEqual(bipolar.input_sampler, 'regular')
    self.assertEqual(stochastic.input_sampler, 'sobol')
    self.assertEqual(bipolar.fractions, (9, 8, 7))
