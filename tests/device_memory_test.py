"""Tests of arrays that do not fit in the memory."""

from absl.testing import absltest
import jax

import ssnn_jax
from ssnn_jax import device_memory


class DeviceMemoryTest(absltest.TestCase):
  def test_size_is_that_of_a_computer(self):
    self.assertBetween(device_memory.size(), 2**30, 2**50)

  def test_weights_and_counts_of_the_size_of_the_memory_fit(self):
    most = device_memory.size() // 8
    device_memory.check_weights([(most - 1, 1), (1, 1)])
    with self.assertRaisesRegex(ssnn_jax.UserError, 'fewer neurons'):
      device_memory.check_weights([(most, 1), (1, 1)])

  def test_weights_are_refused_before_they_are_drawn(self):
    config = ssnn_jax.NetworkConfig((64, 2**31 - 1, 10))
    for make in (ssnn_jax.ssnn, ssnn_jax.ann):
      with self.assertRaisesRegex(ssnn_jax.UserError, 'the weights'):
        jax.eval_shape(make(config).init, jax.random.key(0))
