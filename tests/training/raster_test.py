"""Tests of rasters, with convolutions."""

from absl.testing import absltest
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import training
from tests.testing import convolutions

KEY = jax.random.key(3)


class RasterTest(absltest.TestCase):
  def test_coincidences_of_a_raster_are_those_of_learn(self):
    config = convolutions.make_config(
      timing='realtime', num_steps=40, layers=convolutions.LAYERS[::2]
    )
    params, (images, labels) = (
      convolutions.make_params(config),
      convolutions.batch(1),
    )
    raster = training.raster.record(config, params, KEY, images[0], labels[0])
    self.assertEqual(raster.window, config.schedule.window)
    shapes = [train.shape[1:] for train in raster.spikes]
    expected = (7, 6, 2), (4, 3, 3), (3, 1, 4)
    self.assertEqual(shapes, list(expected[: len(config.layers)]))
    learn = jax.jit(ssnn_jax.ssnn(config).learn)
    update, inference = learn(params, KEY, images, labels)
    votes = raster.winners[config.first_vote :].sum(axis=0)
    np.testing.assert_array_equal(inference.winner_counts[0], votes)
    latency = len(config.layers) * config.schedule.window
    is_after = np.arange(config.num_steps) >= latency
    np.testing.assert_array_equal(raster.winners.sum(axis=1), is_after)
    target = np.eye(len(votes))[labels[0]] * is_after[:, None]
    np.testing.assert_array_equal(raster.errors[-1], raster.winners - target)
    first, shape = config.layers[0], (7, 6, 2)
    train = raster.spikes[0].reshape(-1, 84).astype(int)
    errors = raster.errors[0].reshape(-1, 12, 3).astype(int)
    counts = np.zeros((18, 3), int)
    for source, position, row in convolutions.synapses(first, shape):
      counts[row] += train[:, source] @ errors[:, position]
    np.testing.assert_array_equal(update.positive[0].weights, counts)
    np.testing.assert_array_equal(
      update.positive[0].biases, errors.sum(axis=(0, 1))
    )
