"""Tests of the noise of pixels."""

import json

from absl.testing import absltest
import numpy as np

from experiments.measurements import pixel_noise
import ssnn_jax
from tests.testing.experiments import call_main


class StatisticsTest(absltest.TestCase):
  def test_moments_of_pixels(self):
    found = pixel_noise.statistics(np.array([[0, 1, 0.5, 0.25]], np.float32))
    expected = {'mean': 1.75 / 4, 'mean_square': (1 + 0.25 + 0.0625) / 4}
    self.assertEqual(found, expected)

  def test_command_prints_the_moments_of_each_data_set(self):
    output = call_main(pixel_noise, '--datasets=digits')
    header, line = map(json.loads, output.splitlines())
    self.assertEqual(header['event'], 'header')
    images = ssnn_jax.datasets.load('digits').train.inputs
    expected = pixel_noise.statistics(ssnn_jax.rate_encode(images))
    self.assertEqual(line, {'dataset': 'digits', **expected})


if __name__ == '__main__':
  absltest.main()
