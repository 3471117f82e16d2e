"""Tests for recorded spikes and activity of neurons and synapses."""

import dataclasses

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import observe
from tests.testing import convolutions
from tests.testing import networks

KEY, T = jax.random.key(3), 8
SHAPES = (7, 6, 2), (4, 3, 3)  # of inputs and hidden neurons
CONFIG = convolutions.make_config(layers=convolutions.LAYERS[::2], num_steps=T)


def run_observe(config, params, *batch):
  """Measures an activity, in which dropout is ignored."""
  config = dataclasses.replace(config, dropout=0.5)
  return jax.jit(observe.make_observe(config))(params, KEY, *batch)


class RasterTest(parameterized.TestCase):
  def test_spikes_are_those_of_the_loss_and_of_the_activity(self):
    params = convolutions.make_params(CONFIG)
    images, labels = convolutions.batch(1)
    raster = observe.record(CONFIG, params, KEY, images[0], labels[0])
    learn = networks.learner(ssnn_jax.ssnn(CONFIG))
    gradient, inference = learn(params, KEY, images, labels)
    shapes = [train.shape[1:] for train in raster.spikes]
    self.assertEqual(shapes, list(SHAPES))
    shapes = [train.shape[1:] for train in (*raster.errors, raster.winners)]
    self.assertEqual(shapes, [SHAPES[1], (3,), (3,)])
    np.testing.assert_array_equal(raster.winners.sum(axis=1), np.ones(T))
    won = raster.winners.sum(axis=0)
    np.testing.assert_array_equal(inference.winner_counts[0], won)
    rates = [own.sum(axis=0) / T for own in raster.spikes]
    errors = [own.sum(axis=0) / T for own in raster.errors]
    expected = won / T - np.eye(3)[labels[0]]
    np.testing.assert_array_equal(errors[-1], expected)
    self.assertTrue(np.any(expected))
    # The update of the first layer follows from its spikes and error spikes.
    sent = raster.spikes[0].reshape(T, 84)
    back = raster.errors[0].reshape(T, 12, 3) / T
    weights, coincidences = np.zeros((18, 3)), 0
    conv = convolutions.synapses(CONFIG.layers[0], SHAPES[0])
    for source, position, row in conv:
      weights[row] += sent[:, source] @ back[:, position]
      coincidences += np.sum(sent[:, source] @ np.abs(back[:, position]))
    np.testing.assert_array_equal(gradient[0].weights, weights)
    np.testing.assert_array_equal(gradient[0].biases, back.sum(axis=(0, 1)))
    # So does the activity.
    seen = run_observe(CONFIG, params, images, labels)
    for field, expected in (
      ('firing_rates', [x.mean() for x in rates]),
      ('silent_fractions', [np.mean(x == 0) for x in rates]),
      ('saturated_fractions', [np.mean(x == 1) for x in rates]),
      ('error_rates', [np.abs(x).mean() for x in errors]),
    ):
      self.assertTrue(all(0 < x < 1 for x in expected), field)
      np.testing.assert_allclose(getattr(seen, field), expected, rtol=1e-6)
    num_sent = [x.sum() for x in raster.spikes]
    reached = raster.spikes[0].sum(axis=0).ravel()[conv[:, 0]].sum()
    expected = reached, num_sent[1]
    np.testing.assert_allclose(seen.row_spikes, expected, rtol=1e-6)
    meet = [
      np.abs(train.reshape(T, -1)).sum(axis=1)
      for train in (raster.spikes[1], raster.errors[1])
    ]
    expected = T * coincidences, np.dot(*meet)
    self.assertGreater(min(expected), 0)
    np.testing.assert_allclose(seen.coincidences, expected, rtol=1e-6)

  @parameterized.parameters(
    (0.25, ('forward', 'backward', 'update')), (2.0, ())
  )
  def test_clipped_errors_and_exact_signals(self, scale, rates):
    config = networks.stochastic((2, 6, 3), 40, exact=rates)
    # One of two inputs is always on; class 0 always wins.
    images, labels = np.tile(np.float32([1, 0]), (5, 1)), np.arange(5) % 3
    potentials = np.float32([0.5, 0.5, 0.5, 0.5, 0.0, 2.0])
    output = scale * np.float32([0.5, 1.0, -0.75, 0.0, 4.0, 4.0])
    params = (
      ssnn_jax.LayerParams(np.stack([potentials] * 2), np.zeros(6, 'f4')),
      ssnn_jax.LayerParams(
        np.stack([output, 0 * output, 0 * output], axis=1),
        np.float32([80, 0, 0]),
      ),
    )
    gate, is_wrong = np.array([1, 1, 1, 1, 0, 0]), labels != 0
    errors = gate * np.abs(output) * is_wrong[:, None]
    seen = run_observe(config, params, images, labels)
    expected = np.mean(errors > 1)
    self.assertEqual(expected > 0, scale > 1)
    np.testing.assert_allclose(seen.clipped_error_fractions, [expected])
    if not rates:
      errors = np.minimum(errors, 1)  # so that no error is random
    wrong = np.mean(is_wrong)
    expected = errors.mean(), 2 * wrong / 3
    np.testing.assert_allclose(seen.error_rates, expected, rtol=1e-6)
    expected = 0.5, 1 / 6
    np.testing.assert_allclose(seen.silent_fractions, expected, rtol=1e-6)
    np.testing.assert_allclose(seen.saturated_fractions, expected, rtol=1e-6)
    if rates:
      np.testing.assert_allclose(seen.firing_rates[1], 3 / 6, rtol=1e-6)
      expected = 40 * errors.sum() / 5, 40 * 2 * wrong * 3.0
      np.testing.assert_allclose(seen.coincidences, expected, rtol=1e-6)
