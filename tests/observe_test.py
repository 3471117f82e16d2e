"""Tests for recorded spikes, activity and diagnosis of neurons and synapses."""

import dataclasses
import functools

from absl.testing import parameterized
from flax import linen
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import observe
from ssnn_jax import spiking
from tests.testing import convolutions
from tests.testing import networks

KEY, T = jax.random.key(3), 8
SHAPES = (7, 6, 2), (4, 3, 3)  # of inputs and hidden neurons
CONFIGS = [
  convolutions.make_config(
    layers=convolutions.LAYERS[::2], num_steps=T, neuron=neuron, **options
  )
  for neuron, options in (
    ('stochastic', {}),
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
    params, is_bipolar = convolutions.make_params(config), config.ceiling < 1
    images, labels = convolutions.batch(1)
    raster = observe.record(config, params, KEY, images[0], labels[0])
    learn = networks.learner(ssnn_jax.ssnn(config))
    gradient, inference = learn(params, KEY, images, labels)
    shapes = [train.shape[1:] for train in raster.spikes]
    self.assertEqual(shapes, list(SHAPES))
    shapes = [train.shape[1:] for train in (*raster.errors, raster.winners)]
    self.assertEqual(shapes, [SHAPES[1], (3,), (3,)])
    # One winner in each tick, or all winners again, which settle.
    decided, num_ticks = raster.winners.cumsum(axis=0), len(raster.winners)
    num_winners = [64] * num_ticks if is_bipolar else range(1, T + 1)
    np.testing.assert_array_equal(decided.sum(axis=1), num_winners)
    self.assertEqual(raster.spikes[1].min() < 0, is_bipolar)
    np.testing.assert_array_equal(inference.winner_counts[0], decided[-1])
    steps = (32, T) if is_bipolar else (T, T)
    rates = [own.sum(axis=0) / n for own, n in zip(raster.spikes, steps)]
    errors = [own.sum(axis=0) for own in raster.errors]
    if not is_bipolar:
      errors = [own / T for own in errors]
    expected = decided[-1] / config.winners_of_sample - np.eye(3)[labels[0]]
    np.testing.assert_array_equal(errors[-1], expected)
    self.assertTrue(np.any(expected))
    # The update of the first layer follows from its spikes and error spikes.
    if is_bipolar:  # a synapse multiplies what has settled
      ends = rates[0][None], errors[0][None]
    else:
      ends = raster.spikes[0], raster.errors[0] / T
    sent, back = ends[0].reshape(-1, 84), ends[1].reshape(-1, 12, 3)
    weights, coincidences = np.zeros((18, 3)), 0
    conv = convolutions.synapses(config.layers[0], SHAPES[0])
    for source, position, row in conv:
      weights[row] += sent[:, source] @ back[:, position]
      coincidences += np.sum(sent[:, source] @ np.abs(back[:, position]))
    np.testing.assert_array_equal(gradient[0].weights, weights)
    np.testing.assert_array_equal(gradient[0].biases, back.sum(axis=(0, 1)))
    # So does the activity.
    seen = run_observe(config, params, images, labels)
    for field, expected in (
      ('firing_rates', [x.mean() for x in rates]),
      ('silent_fractions', [np.mean(x == 0) for x in rates]),
      (
        'saturated_fractions',
        [np.mean(x == most) for x, most in zip(rates, (1, config.ceiling))],
      ),
      ('error_rates', [np.abs(x).mean() for x in errors]),
    ):
      self.assertTrue(all(0 < x < 1 for x in expected), field)
      np.testing.assert_allclose(getattr(seen, field), expected, rtol=1e-6)
    if is_bipolar:
      self.assertIsNone(seen.coincidences)
      self.assertIsNone(seen.row_spikes)
      return
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


class Model(linen.Module):
  """A model whose second layer of neurons has a bias."""

  bias: float = 0.0

  @linen.compact
  def __call__(self, rates):
    hidden = spiking.fire(linen.Dense(16)(rates), 4, 0.5)
    shift = linen.initializers.constant(self.bias)
    hidden = spiking.fire(linen.Dense(8, bias_init=shift)(hidden), 8)
    return linen.Dense(3)(hidden)


@functools.cache
def diagnose(bias=0.0, wrap=lambda apply: apply):
  """Diagnoses a model; returns it, and the potentials of its first layer."""
  images, labels = networks.batch(20)
  model = Model(bias)
  variables = jax.jit(model.init)(jax.random.key(0), images)

  def loss(variables, images, labels):
    logits = wrap(model.apply)(variables, images)
    return spiking.cross_entropy(KEY, logits, labels)

  potential = images @ variables['params']['Dense_0']['kernel']
  return observe.diagnose(loss, variables, images, labels), potential


class DiagnoseTest(parameterized.TestCase):
  def test_neurons_of_each_call_with_what_to_try(self):
    (first, second), v = diagnose()
    self.assertEqual((first.shape, second.shape), ((20, 16), (20, 8)))
    np.testing.assert_allclose(first.saturated, np.mean(v >= 0.5))
    rates = np.floor(4 * np.clip(v, 0, 0.5) + 0.5) / 4
    np.testing.assert_allclose(first.rate, np.sqrt(np.mean(rates**2)), 1e-6)
    np.testing.assert_allclose(first.silent, np.mean(rates == 0))
    np.testing.assert_allclose(first.open, np.mean((v > 0) & (v < 0.5)))
    self.assertEqual(first.levels, 3)
    self.assertGreater(min(first.error, second.error), 0)
    self.assertEqual(second.advice, '')
    # Silent neurons, below which no error arrives.
    first, second = found = diagnose(bias=-9.0)[0]
    self.assertEqual((second.silent, second.rate), (1, 0))
    self.assertEqual((first.error, second.error), (0, 0))
    self.assertIn('no error arrives', first.advice)
    self.assertStartsWith(second.advice, 'silent: ')
    *_, own, advice = str(found).splitlines()
    self.assertRegex(own, r'^2\. 20x8 +100% +0% +0% +1 +0 +0.0e\+00$')
    self.assertEqual(advice, f'  {second.advice}')

  def test_loops_samples_and_checkpoints_are_seen(self):
    whole, _ = diagnose()
    samples = lambda apply: jax.vmap(apply, (None, 0))
    wrap = lambda apply: jax.jit(jax.checkpoint(samples(apply)))
    found, _ = diagnose(wrap=wrap)
    self.assertEqual([own.shape for own in found], [(20, 16), (20, 8)])
    for own, expected in zip(found, whole):
      np.testing.assert_allclose(own[1:], expected[1:], rtol=1e-5)
    # Each turn of a loop has half of the rates of the turn before.
    turn = lambda rates, w: (spiking.fire(w * rates, 8), None)
    loss = lambda w, rates: jnp.sum(jax.lax.scan(turn, rates, w)[0])
    batch = np.full(3, 0.5, np.float32), np.full(4, 4.0, np.float32)
    found = observe.diagnose(loss, *batch)
    self.assertEqual([own.rate for own in found], [2, 1, 0.5])
    self.assertEqual([own.error for own in found], [0.25, 0.5, 1])
