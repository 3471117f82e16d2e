"""Tests for rasters and the activity of neurons and synapses."""

import dataclasses

from absl.testing import parameterized
import jax
from matplotlib import collections
from matplotlib import colors
import numpy as np

import ssnn_jax
from ssnn_jax import observe
from ssnn_jax.hardware import counts
from ssnn_jax.training import raster_plot
from tests.testing import convolutions
from tests.testing import networks

KEY, T = jax.random.key(3), 8
SHAPES = (7, 6, 2), (4, 3, 3)  # of inputs and hidden neurons
CONFIGS = [
  convolutions.make_config(
    layers=convolutions.LAYERS[::2], num_steps=T, neuron=neuron, **options
  )
  for neuron, options in (
    ('stochastic', {'gain': 2.0}),
    ('bipolar', {'ceiling': 0.75}),
  )
]


def run_observe(config, params, *batch):
  """Measures an activity, in which dropout is ignored."""
  config = dataclasses.replace(config, dropout=0.5)
  return jax.jit(observe.make_observe(config))(params, KEY, *batch)


class RasterTest(parameterized.TestCase):
  @parameterized.parameters(*CONFIGS)
  def test_spikes_are_those_of_the_loss_and_of_the_activity(self, config):
    params = convolutions.make_params(config)
    images, labels = convolutions.batch(1)
    raster = observe.record(config, params, KEY, images[0], labels[0])
    learn = networks.learner(ssnn_jax.ssnn(config))
    gradient, inference = learn(params, KEY, images, labels)
    shapes = [train.shape[1:] for train in raster.spikes]
    self.assertEqual(shapes, list(SHAPES))
    shapes = [train.shape[1:] for train in (*raster.errors, raster.winners)]
    self.assertEqual(shapes, [SHAPES[1], (3,), (3,)])
    # One winner in each tick, the last of which are of a settled network.
    decided = raster.winners.cumsum(axis=0)
    num_ticks, is_bipolar = len(decided), config.neuron == 'bipolar'
    self.assertEqual(num_ticks > T, is_bipolar)
    self.assertEqual(raster.spikes[1].min() < 0, is_bipolar)
    expected = np.minimum(np.arange(num_ticks) + 1 - is_bipolar, T)
    np.testing.assert_array_equal(decided.sum(axis=1), expected)
    np.testing.assert_array_equal(inference.winner_counts[0], decided[-1])
    errors = decided[-1] - T * np.eye(3)[labels[0]]
    np.testing.assert_array_equal(raster.errors[-1].sum(axis=0), errors)
    self.assertTrue(np.any(errors))
    # The update of the first layer follows from its spikes and error spikes.
    inputs, errors = raster.spikes[0], raster.errors[0].astype(int)
    inputs = inputs.reshape(num_ticks, -1).astype(int)
    errors = errors.reshape(num_ticks, -1, 3)
    if is_bipolar:  # a synapse multiplies counts
      inputs, errors = inputs.sum(axis=0)[None], errors.sum(axis=0)[None]
    weights, coincidences = np.zeros((18, 3), int), 0
    conv = convolutions.synapses(config.layers[0], SHAPES[0])
    for source, position, row in conv:
      weights[row] += inputs[:, source] @ errors[:, position]
      coincidences += np.sum(inputs[:, source] @ np.abs(errors[:, position]))
    unit = 1 / (T * config.gains[0])
    if is_bipolar:
      np.testing.assert_array_equal(gradient[0].weights, unit / T * weights)
    else:
      np.testing.assert_array_equal(gradient[0].weights, unit * weights)
    biases = unit * errors.sum(axis=(0, 1))
    np.testing.assert_array_equal(gradient[0].biases, biases)
    # So does the activity: of spikes that are taken back none is counted.
    seen = run_observe(config, params, images, labels)
    sent, errors = (
      [train.sum(axis=0, dtype=int) for train in layers]
      for layers in (raster.spikes, raster.errors)
    )
    most = T, T * config.ceiling
    for field, expected in (
      ('firing_rates', [x.mean() / T for x in sent]),
      ('silent_fractions', [np.mean(x == 0) for x in sent]),
      (
        'saturated_fractions',
        [np.mean(x == full) for x, full in zip(sent, most)],
      ),
      ('error_rates', [np.abs(x).mean() / T for x in errors]),
    ):
      self.assertTrue(all(0 < x < 1 for x in expected), field)
      np.testing.assert_allclose(getattr(seen, field), expected, rtol=1e-6)
    num_sent = [x.sum() for x in sent]
    num_back = [np.abs(x).sum() for x in errors]
    reached = sent[0].ravel()[conv[:, 0]].sum()
    expected = reached, num_sent[1]
    np.testing.assert_allclose(seen.row_spikes, expected, rtol=1e-6)
    if is_bipolar:
      self.assertIsNone(seen.coincidences)
    else:
      meet = [
        np.abs(train.reshape(T, -1)).sum(axis=1, dtype=int)
        for train in (raster.spikes[1], raster.errors[1])
      ]
      expected = coincidences, np.dot(*meet)
      self.assertGreater(min(expected), 0)
      np.testing.assert_allclose(seen.coincidences, expected, rtol=1e-6)
    # So do the events of hardware.
    forward, backward = counts.spiking_events(config, seen)
    np.testing.assert_allclose(forward.spikes, sum(num_sent) + T, rtol=1e-6)
    np.testing.assert_allclose(backward.spikes, sum(num_back), rtol=1e-6)
    arrivals = 3 * (reached + num_sent[1]) + T * (36 + 3)
    np.testing.assert_allclose(forward.synaptic_events, arrivals, rtol=1e-6)
    arrivals = 36 * num_back[1]
    np.testing.assert_allclose(backward.synaptic_events, arrivals, rtol=1e-6)

  @parameterized.parameters(
    (0.25, ('forward', 'backward', 'update')), (2.0, ())
  )
  def test_clipped_errors_and_exact_signals(self, gain, rates):
    config = networks.stochastic((2, 6, 3), 40, gain=gain, rates=rates)
    # One of two inputs is always on; class 0 always wins.
    images, labels = np.tile(np.float32([1, 0]), (5, 1)), np.arange(5) % 3
    potentials = np.float32([0.5, 0.5, 0.5, 0.5, 0.0, 2.0])
    output = np.float32([0.5, 1.0, -0.75, 0.0, 4.0, 4.0])
    params = (
      ssnn_jax.LayerParams(np.stack([potentials] * 2), np.zeros(6, 'f4')),
      ssnn_jax.LayerParams(
        np.stack([output, 0 * output, 0 * output], axis=1),
        np.float32([80, 0, 0]),
      ),
    )
    gate, is_wrong = np.array([1, 1, 1, 1, 0, 0]), labels != 0
    errors = gain * gate * np.abs(output) * is_wrong[:, None]
    seen = run_observe(config, params, images, labels)
    expected = np.mean(errors > 1)
    self.assertEqual(expected > 0, gain > 1)
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


class DrawTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, 4, range(20, 25)),
    (1, None, range(0, 224, 7)),  # the most active
    (1, np.s_[1, 2, [0, 5]], (100, 105)),
    (2, [5, 0], (5, 0)),
  )
  def test_lines_are_the_recorded_spikes(self, layer, neurons, numbers):
    rng, active = np.random.default_rng(0), range(0, 224, 7)

    def draw(*shape):
      rates = np.where(np.isin(np.arange(np.prod(shape)), active), 0.5, 0.05)
      spikes = rng.uniform(size=(40, rates.size)) < rates
      return (spikes * rng.choice([-1, 1], spikes.shape)).reshape(40, *shape)

    spikes, winners = (draw(6, 5), draw(4, 3, 20)), draw(7)
    recorded = observe.Raster(spikes, (draw(4, 3, 20), draw(7)), winners)
    panels = raster_plot.draw(recorded, layer, neurons).axes
    self.assertLen(panels, 1 if layer == 0 else 2)
    train = (*spikes, winners)[layer]
    shown = [
      (panels[0], train == 1, raster_plot.SPIKE, 1),
      (panels[0], train == -1, raster_plot.TAKEN_BACK, 1),
    ]
    if layer:
      errors = recorded.errors[layer - 1]
      sums = errors.cumsum(axis=0)
      # A spike that brings the sum towards 0 takes one back.
      is_back = np.abs(sums) < np.abs(sums - errors)
      for sign, color in (
        (1, raster_plot.FIRE_LESS),
        (-1, raster_plot.FIRE_MORE),
      ):
        is_sent = errors == sign
        shown.append((panels[1], is_sent & ~is_back, color, 1))
        shown.append((panels[1], is_sent & is_back, color, 0.4))
    for axes, is_sent, color, alpha in shown:
      chosen = is_sent.reshape(40, -1)[:, list(numbers)]
      expected = [list(np.flatnonzero(own)) for own in chosen.T]
      drawn = [
        list(lines.get_positions())
        for lines in axes.findobj(collections.EventCollection)
        if colors.same_color(lines.get_color(), colors.to_rgba(color, alpha))
      ]
      self.assertEqual(drawn, expected)
