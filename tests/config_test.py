"""Tests for the configuration of a network; see `refusals_test`, too."""

from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

import ssnn_jax

SIZES = (12, 9, 8, 3)


class ConfigTest(parameterized.TestCase):
  def test_arrays_and_lists_are_hashable_values(self):
    expected = ssnn_jax.NetworkConfig(
      SIZES, num_steps=40, window=32, gain=(1.0, 2.0), input_gain=0.5
    )
    for array in (np.array, jnp.asarray, list):
      number = np.array if array is list else array
      config = ssnn_jax.NetworkConfig(
        array(SIZES),
        num_steps=np.int64(40),
        window=np.uint8(32),
        gain=array([1.0, 2.0]),
        input_gain=number(0.5),
      )
      self.assertEqual(config, expected)
      self.assertEqual(hash(config), hash(expected))

  @parameterized.parameters(
    (100, None, 100), (100, 32, 32), (100, 96, 96), (33, 33, 33), (1, 1, 1)
  )
  def test_windows_of_the_fast_simulation(self, num_steps, window, expected):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps, window)
    self.assertEqual(config.schedule, (num_steps, expected))
    self.assertEqual(config.error_steps, (num_steps,) * 3)
    self.assertEqual(config.active_steps, (num_steps,) * 4)

  @parameterized.parameters(
    # Errors start with the output layer and pass one layer in a tick.
    ((5, 3), (1,)),
    ((5, 4, 3), (3, 2)),
    ((5, 4, 4, 3), (5, 4, 3)),
  )
  def test_layers_start_later_in_real_time(self, sizes, starts):
    config = ssnn_jax.NetworkConfig(sizes, num_steps=19, timing='realtime')
    self.assertEqual(config.schedule, (19, 1))
    self.assertEqual(config.error_starts, starts)
    self.assertEqual(config.error_steps, tuple(19 - start for start in starts))
    active = tuple(19 - layer for layer in range(len(sizes)))
    self.assertEqual(config.active_steps, active)
