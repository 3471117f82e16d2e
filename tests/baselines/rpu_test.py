"""Tests for resistive processing units.

`identity_test` and `unbiased_test` test their update against backpropagation.
"""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.baselines import rpu
from tests.testing import networks

CONFIG = networks.stochastic((8, 6, 3), num_steps=40, dropout=0.2)
PARAMS = networks.make_params(CONFIG)
KEY = jax.random.key(2)
BATCH = networks.batch(size=12, sizes=CONFIG.layer_sizes)


class RpuTest(absltest.TestCase):
  def test_inference_equals_that_of_the_ann(self):
    ann, built = ssnn_jax.ann(CONFIG), rpu.make_network(CONFIG)
    learn = jax.jit(jax.grad(built.loss, has_aux=True))
    gradient, learned = learn(PARAMS, KEY, *BATCH)
    update, counted = jax.jit(built.learn)(PARAMS, KEY, *BATCH)
    networks.assert_same(gradient, ssnn_jax.as_gradient(update))
    networks.assert_same(learned, counted)
    _, expected = jax.jit(ann.loss)(PARAMS, KEY, *BATCH)
    networks.assert_close(learned, expected)
    np.testing.assert_allclose(
      learned.winner_counts.sum(axis=-1), CONFIG.num_steps, rtol=1e-5
    )
    inferred = jax.jit(built.infer)(PARAMS, KEY, BATCH[0])
    expected = jax.jit(ann.infer)(PARAMS, KEY, BATCH[0])
    networks.assert_close(inferred, expected)

  def test_certain_pulses_are_counted_exactly(self):
    # Inputs and errors are 0 or 1: class 0 wins with certainty, which is right
    # for the second sample only.
    config = networks.stochastic((3, 2), num_steps=7)
    params = (types.LayerParams(jnp.zeros((3, 2)), jnp.array([200.0, 0.0])),)
    images = jnp.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    run = jax.jit(rpu.make_network(config).learn)
    (counts,) = run(params, KEY, images, jnp.array([1, 0]))[0].positive
    expected = 7 * np.outer([1, 0, 1], [1, -1])
    np.testing.assert_array_equal(counts.weights, expected)
    np.testing.assert_array_equal(counts.biases, [7, -7])
