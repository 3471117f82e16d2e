"""Tests for evaluation."""

from absl.testing import absltest
import jax
import jax.numpy as jnp

from ssnn_jax import training
from ssnn_jax import types


class EvaluationTest(absltest.TestCase):
  def test_counts_each_sample_once(self):
    # The network classifies the first 7 of 10 images, in batches of 4.
    images = jnp.arange(10, dtype=jnp.uint8)[:, None, None]

    def infer(params, key, images):
      del params, key
      classes = (images[:, 0, 0] >= 7).astype(jnp.int32)
      potential = jax.nn.one_hot(classes, 2)
      return types.Inference(potential, potential)

    network = types.Network(None, infer, None)
    for ann in (network, None):
      evaluate = training.make_evaluate(network, ann, batch_size=4)
      labels = jnp.zeros(10, jnp.int32)
      accuracy = evaluate((), jax.random.key(0), images, labels)
      self.assertEqual(accuracy.rate is None, ann is None)
      for fraction in jax.tree.leaves(accuracy):
        self.assertAlmostEqual(float(fraction), 0.7, places=6)
