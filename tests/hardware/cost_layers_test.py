"""Tests of the costs of convolutions."""

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import layers
from ssnn_jax.hardware import cost
from ssnn_jax.hardware import memory
from ssnn_jax.training import activity
from tests.testing import convolutions
from tests.testing import networks

KEY = jax.random.key(3)


class CostTest(parameterized.TestCase):
  def test_costs_count_every_position(self):
    config = convolutions.make_config(num_steps=8)
    params, batch = convolutions.make_params(config), convolutions.batch()
    seen = jax.jit(activity.make_observe(config))(params, KEY, *batch)
    counted = cost.count_presentation(config, seen)
    # 4 x 3 positions of 18 x 3 weights, 3 x 1 of 18 x 4, and 12 x 3.
    products = 12 * 18 * 3, 3 * 18 * 4, 12 * 3
    weights = 18 * 3 + 18 * 4 + 12 * 3
    self.assertEqual(counted.inference.crossbar_reads, 8 * (12 + 3 + 1))
    neurons = 36 + 12 + 3  # each with an always-on input
    self.assertEqual(
      counted.inference.device_reads, 8 * (sum(products) + neurons)
    )
    self.assertEqual(
      cost.count_backprop(config),
      (sum(products), sum(products[1:]), sum(products), weights),
    )
    arrivals = np.dot(seen.row_spikes, [3, 4, 3])
    self.assertAlmostEqual(counted.metrics.effective_acs, arrivals, places=3)
    biases = 3 + 4 + 3
    self.assertEqual(
      counted.metrics.footprint, 4 * (weights + biases + neurons)
    )
    fed_back = memory.count_feedback_alignment(config).feedback_weights
    self.assertEqual(fed_back, 32 * (18 * 4 + 12 * 3))

  def test_dense_layers_cost_the_same_in_both_forms(self):
    sizes = 8, 5, 3
    dense = ssnn_jax.NetworkConfig(sizes, num_steps=8)
    config = ssnn_jax.NetworkConfig(
      layers=tuple(map(layers.Dense, sizes[1:])), input_shape=(8,), num_steps=8
    )
    params, batch = ssnn_jax.ssnn(dense).init(KEY), networks.batch(4, sizes)
    found, expected = (
      cost.count_presentation(
        own, jax.jit(activity.make_observe(own))(params, KEY, *batch)
      )
      for own in (config, dense)
    )
    np.testing.assert_allclose(
      *(jax.tree.leaves(tree) for tree in (found, expected)), rtol=1e-6
    )

  def test_activity_without_rows_is_refused(self):
    config = convolutions.make_config(num_steps=8)
    params, batch = convolutions.make_params(config), convolutions.batch()
    seen = jax.jit(activity.make_observe(config))(params, KEY, *batch)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'lacks row_spikes'):
      cost.count_presentation(config, seen._replace(row_spikes=None))
