"""Tests of the activity of convolutions."""

from absl.testing import absltest
import jax
import numpy as np

import ssnn_jax
from ssnn_jax.training import activity
from tests.testing import convolutions

KEY = jax.random.key(3)


class ActivityTest(absltest.TestCase):
  def test_counts_are_those_of_learn(self):
    config = convolutions.make_config(num_steps=40)
    params, batch = convolutions.make_params(config), convolutions.batch()
    learned = jax.jit(ssnn_jax.ssnn(config, separate_signs=True).learn)
    update, _ = learned(params, KEY, *batch)
    seen = jax.jit(activity.make_observe(config))(params, KEY, *batch)
    for layer, (positive, negative) in enumerate(zip(*update[:2])):
      counted = np.sum(positive.weights) + np.sum(negative.weights)
      found = float(seen.coincidences[layer]) * len(batch[1])
      np.testing.assert_allclose(found, counted, rtol=1e-5)

  def test_spikes_reach_the_rows_of_all_patches_that_see_them(self):
    config = convolutions.make_config(input_shape=(5, 5), num_steps=8)
    images = np.zeros((1, 5, 5), np.float32)
    images[0, 2, 2], images[0, 0, 1] = 1, 1  # seen by 1 and by 2 of 9 patches
    params = convolutions.make_params(config)
    observe = jax.jit(activity.make_observe(config))
    seen = observe(params, KEY, images, np.zeros(1, int))
    self.assertEqual(float(seen.row_spikes[0]), 8 * (1 + 2))
