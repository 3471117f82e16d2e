"""Tests of the noise of pixels."""

from absl.testing import absltest
import numpy as np

from experiments.measurements import pixel_noise


class StatisticsTest(absltest.TestCase):
  def test_moments_of_pixels(self):
    found = pixel_noise.statistics(np.array([[0, 1, 0.5, 0.25]], np.float32))
    expected = {'mean': 1.75 / 4, 'mean_square': (1 + 0.25 + 0.0625) / 4}
    self.assertEqual(found, expected)


if __name__ == '__main__':
  absltest.main()
