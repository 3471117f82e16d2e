"""Tests of rasters, with convolutions."""

from absl.testing import absltest
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import training
from tests.testing import convolutions

KEY = jax.random.key(3)
SHAPES = (7, 6, 2), (4, 3, 3)  # of inputs and hidden neurons


def record(**options):
  """Records a sample; returns its label and what the network learns, too."""
  config = convolutions.make_config(layers=convolutions.LAYERS[::2], **options)
  params = convolutions.make_params(config)
  images, labels = convolutions.batch(1)
  raster = training.raster.record(config, params, KEY, images[0], labels[0])
  learn = jax.jit(jax.grad(ssnn_jax.ssnn(config).loss, has_aux=True))
  return raster, labels[0], *learn(params, KEY, images, labels)


def count(inputs, errors):
  """Counts coincidences of the first layer, for `[n, ...]` of both ends."""
  inputs = inputs.reshape(len(inputs), -1).astype(int)
  errors = errors.reshape(len(errors), -1, 3).astype(int)
  counts, conv = np.zeros((18, 3), int), convolutions.LAYERS[0]
  for source, position, row in convolutions.synapses(conv, SHAPES[0]):
    counts[row] += inputs[:, source] @ errors[:, position]
  return counts, errors.sum(axis=(0, 1))


class RasterTest(absltest.TestCase):
  def assert_shapes(self, raster):
    shapes = [train.shape[1:] for train in raster.spikes]
    self.assertEqual(shapes, list(SHAPES))
    shapes = [train.shape[1:] for train in (*raster.errors, raster.winners)]
    self.assertEqual(shapes, [SHAPES[1], (3,), (3,)])

  def test_coincidences_of_a_raster_are_those_of_learn(self):
    raster, label, gradient, inference = record(num_steps=64, window=32)
    self.assertEqual(raster.window, 32)
    self.assert_shapes(raster)
    np.testing.assert_array_equal(
      inference.winner_counts[0], raster.winners.sum(axis=0)
    )
    np.testing.assert_array_equal(raster.winners.sum(axis=1), np.ones(64))
    errors = raster.winners - np.eye(3)[label]
    np.testing.assert_array_equal(raster.errors[-1], errors)
    weights, biases = count(raster.spikes[0], raster.errors[0])
    np.testing.assert_array_equal(64 * gradient[0].weights, weights)
    np.testing.assert_array_equal(64 * gradient[0].biases, biases)

  def test_spikes_of_bipolar_neurons_are_taken_back(self):
    raster, label, gradient, inference = record(neuron='bipolar', num_steps=8)
    self.assert_shapes(raster)
    for train in (*raster.spikes, *raster.errors, raster.winners):
      self.assertLen(train, raster.window)  # of one window, with all ticks
    self.assertGreater(raster.window, 8)
    self.assertLess(raster.spikes[1].min(), 0)
    # Settled counts: of winners, errors, and updates.
    winners = raster.winners.sum(axis=0)
    decided = raster.winners.cumsum(axis=0).sum(axis=1)  # one of each tick
    expected = np.minimum(np.arange(raster.window), 8)
    np.testing.assert_array_equal(decided, expected)
    np.testing.assert_array_equal(inference.winner_counts[0], winners)
    errors = winners - 8 * np.eye(3)[label]
    np.testing.assert_array_equal(raster.errors[-1].sum(axis=0), errors)
    self.assertTrue(np.any(errors))
    ends = raster.spikes[0], raster.errors[0]
    weights, biases = count(*(own.sum(axis=0)[None] for own in ends))
    unit = 4 * 8**2  # an error spike is worth a quarter
    np.testing.assert_array_equal(unit * gradient[0].weights, weights)
    np.testing.assert_array_equal(unit * gradient[0].biases, 8 * biases)
