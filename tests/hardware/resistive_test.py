"""Tests of the sampled constants of devices.

The response to pulses is tested in `device_response_test`, against closed
forms.
"""

import dataclasses
import math

from absl.testing import absltest
import jax
import numpy as np

from ssnn_jax.hardware import resistive
from ssnn_jax.hardware.device_config import DeviceConfig
from tests.testing import statistics

SOFT = DeviceConfig(
  dw_min=0.01,
  dw_min_dtod=0.1,
  w_max=1.0,
  w_min=-1.0,
  gamma_up=1.0,
  gamma_down=1.0,
  up_down=0.3,
  up_down_dtod=0.1,
)


def sample(config, number):
  return resistive.sample_constants(jax.random.key(0), config, (number,))


class ConstantsTest(absltest.TestCase):
  def test_lifetimes_vary_and_retention_is_not_negative(self):
    config = DeviceConfig(lifetime=3.0, lifetime_dtod=0.5)
    retention = np.asarray(sample(config, 10_000).retention)
    self.assertBetween(retention.max(), 0.8, 0.9)
    statistics.assert_mean_within(retention < 1 - 1 / 3.0, 0.5)
    below_one_batch = (1 + math.erf((1 / 3 - 1) / 0.5 / math.sqrt(2))) / 2
    statistics.assert_mean_within(retention == 0, below_one_batch)

  def test_zero_shifting_moves_the_symmetry_point_to_zero(self):
    devices = sample(SOFT, 1000)
    shifted = sample(dataclasses.replace(SOFT, zero_shifting=True), 1000)
    point = resistive.symmetry_point(devices)
    self.assertGreater(float(point.mean()), 0.1)  # the up step is larger
    np.testing.assert_allclose(shifted.up, shifted.down, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(shifted.rate_up, devices.rate_up)
    np.testing.assert_array_equal(shifted.rate_down, devices.rate_down)
    np.testing.assert_allclose(shifted.w_max, devices.w_max - point, atol=1e-6)
    np.testing.assert_allclose(shifted.w_min, devices.w_min - point, atol=1e-6)
    self.assertTrue(np.all(shifted.w_min <= 0) and np.all(shifted.w_max >= 0))
