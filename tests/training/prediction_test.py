"""Tests of predictions: those of `infer`, in batches."""

from absl.testing import absltest
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import training
from tests.testing import networks

INPUTS = np.random.default_rng(0).random((300, 6), np.float32)


class PredictionTest(absltest.TestCase):
  def test_equals_inference_of_batches(self):
    config = ssnn_jax.NetworkConfig((6, 5, 3), num_steps=8)
    network = ssnn_jax.ssnn(config)
    params = networks.make_params(config)
    found = training.predict(network, params, INPUTS, seed=2)
    key = jax.random.fold_in(jax.random.key(2), training.Stream.EVALUATE)
    padded = np.concatenate([INPUTS, np.repeat(INPUTS[-1:], 212, axis=0)])
    infer = jax.jit(network.infer)
    for index in range(2):
      samples = slice(256 * index, 256 * (index + 1))
      inference = infer(params, jax.random.fold_in(key, index), padded[samples])
      classes = training.metrics.predict(inference, network.readout)
      mine = found.classes[samples]
      np.testing.assert_array_equal(mine, classes[: len(mine)])
      expected = inference.winner_counts[: len(mine)] / 8
      np.testing.assert_array_equal(found.probabilities[samples], expected)

  def test_confusion_has_classes_as_rows(self):
    found = training.Prediction(np.array([0, 2, 2]), np.zeros((3, 3)))
    counts = found.confusion(np.array([[0], [1], [2]]))
    self.assertEqual(counts.tolist(), [[1, 0, 0], [0, 0, 1], [0, 0, 1]])
