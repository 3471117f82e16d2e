"""Tests of surrogate gradients and BP-STDP against their published rules.

The references are in doubles: loops over ticks, without automatic
differentiation. Weights, spikes and errors are small multiples of powers of
two, so that both compute the same potentials and spikes.
"""

import types
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments.baselines import bp_stdp
from experiments.baselines import integrate_and_fire
from experiments.baselines import surrogate_gradient
from experiments.baselines.integrate_and_fire import Neuron
import ssnn_jax
from ssnn_jax import crossbars
from ssnn_jax import samples
from ssnn_jax import trains
from tests.testing import networks
from tests.testing import statistics

KEY, SIZES, BATCH_SIZE = jax.random.key(2), (4, 6, 5, 3), 3
LABELS = np.arange(BATCH_SIZE)
DECAY = 0.5  # of a membrane with surrogate gradients
# The mean response of a membrane to a constant current of 1.
MEAN_UNIT = np.mean((1 - DECAY ** np.arange(1, 11)) / (1 - DECAY))
# Dropout 1/2 and input gain 2 cause no rounding. The last sub-interval of
# BP-STDP has two ticks.
CONFIG = networks.stochastic(SIZES, 10, dropout=0.5, input_gain=2.0)


def make_params():
  """Draws parameters that are multiples of 1/4, in doubles."""
  rng = np.random.default_rng(2)
  draw = lambda shape, low, high: rng.integers(4 * low, 4 * high, shape) / 4
  shapes = list(zip(SIZES[:-1], SIZES[1:]))
  biases = [draw(shape[1], 0, 1) for shape in shapes[:-1]] + [np.zeros(3)]
  weights = [draw(shape, -1, 2) for shape in shapes]
  return tuple(map(ssnn_jax.LayerParams, weights, biases))


PARAMS = make_params()
# Spikes of the inputs `[B, T, I]`, of which one fires in each tick.
TRAINS = np.random.default_rng(1).integers(0, 2, (BATCH_SIZE, 10, SIZES[0]))
TRAINS[:, :, 0], TRAINS[0, :, 1] = 1, 0
WORDS = np.asarray(jax.jit(trains.pack)(TRAINS))
BATCH = jax.tree.map(np.float32, PARAMS), KEY, WORDS
LEAKY = [Neuron(DECAY, lambda v: 1.0 * (v >= 1), np.subtract)] * 2
LEAKY += [Neuron(DECAY, np.zeros_like, lambda v, _: v)]
RESET = [
  Neuron(1.0, lambda v, least=least: v >= least, lambda v, s: v * (1 - s))
  for least in (0.9, 0.9, 0.025 * SIZES[-2])
]


def draw_masks():
  """Returns the dropout masks `[B, J]` of each hidden layer."""
  positions = jnp.arange(len(WORDS))
  return jax.device_get(crossbars.draw_dropout(CONFIG, KEY, positions))


def present(masks, neurons, gains=CONFIG.read_gains):
  """Presents the batch to a network with the given neurons in each layer.

  Returns the trains `[B, T, I]` that enter each layer, the potentials `[B, T,
  J]` of each before reset, and spikes and currents `[B, T, C]` of the last.
  """
  sent, potentials = [TRAINS], []
  for layer, (weights, biases) in enumerate(PARAMS):
    currents = gains[layer] * sent[layer] @ weights + biases
    potential, neuron = 0.0, neurons[layer]
    fired, reached = np.zeros_like(currents), np.zeros_like(currents)
    for tick in range(10):
      potential = neuron.decay * potential + currents[:, tick]
      reached[:, tick] = potential
      fired[:, tick] = neuron.fire(potential)
      potential = neuron.reset(potential, fired[:, tick])
    potentials.append(reached)
    if layer < len(masks):
      sent.append(masks[layer][:, None] * fired)
  return types.SimpleNamespace(
    trains=sent, potentials=potentials, currents=currents, fired=fired
  )


def backpropagate(response, masks):
  """Computes the mean gradient, backward through layers and ticks."""
  odds = np.exp(response.potentials[-1].mean(axis=1) / MEAN_UNIT)
  error = odds / odds.sum(axis=1, keepdims=True) - np.eye(SIZES[-1])[LABELS]
  direct = np.repeat(error[:, None] / (10 * MEAN_UNIT * BATCH_SIZE), 10, axis=1)
  gradient = []
  for layer in reversed(range(len(PARAMS))):
    # A potential acts on its spike and on the potential of the next tick.
    errors, later = np.zeros_like(direct), 0.0
    for tick in reversed(range(10)):
      errors[:, tick] = later = direct[:, tick] + DECAY * later
    gain = CONFIG.read_gains[layer]
    weights = gain * np.einsum('bti,btj->ij', response.trains[layer], errors)
    gradient[:0] = [weights, errors.sum(axis=(0, 1))]
    if layer:
      slope = 1 / (1 + (np.pi * (response.potentials[layer - 1] - 1)) ** 2)
      direct = gain * errors @ PARAMS[layer].weights.T * slope
      direct *= masks[layer - 1][:, None]
  return statistics.flat(gradient)


def change_by_stdp(response):
  """Computes the change by the batch, by equations 15 to 20 of the source.

  Signs are those of the source: positive errors `xi` ask for more spikes.
  """
  changes = [[np.zeros_like(w), np.zeros_like(b)] for w, b in PARAMS]
  for start in range(0, 10, 4):
    sent = [*response.trains, response.fired]
    spikes = [train[:, start : start + 4] for train in sent]
    has_fired = [train.any(axis=1) for train in spikes]
    xi = np.eye(SIZES[-1])[LABELS] - has_fired[-1]  # equation 18
    for layer in reversed(range(len(PARAMS))):
      weights, gain = PARAMS[layer].weights, CONFIG.read_gains[layer]
      changes[layer][0] += gain * spikes[layer].sum(axis=1).T @ xi
      # A bias is an input that always fires.
      changes[layer][1] += spikes[0].shape[1] * xi.sum(axis=0)
      xi = gain * xi @ weights.T * has_fired[layer]
  return statistics.flat(changes)


class RulesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(mock.patch.object(surrogate_gradient, '_DECAY', DECAY))

  def learn(self, baseline):
    loss = baseline.make_network(CONFIG).loss
    learn = jax.jit(jax.grad(loss, has_aux=True))
    learned = jax.device_get(learn(*BATCH, LABELS))
    for layer in learned[0]:
      self.assertTrue(np.any(layer.weights) and np.any(layer.biases))
    return learned

  def test_surrogate_gradient_is_backpropagation_through_time(self):
    masks = draw_masks()
    response = present(masks, LEAKY)
    # A neuron fires at the threshold.
    self.assertTrue(np.any(response.potentials[0] == 1.0))
    gradient, inference = self.learn(surrogate_gradient)
    expected = backpropagate(response, masks)
    # Sums over ticks, layers and neurons are some hundred roundings, each of
    # at most 2**-24 of the largest term.
    bound = 100 * 2.0**-24 * np.max(np.abs(expected))
    distance = np.abs(statistics.flat(gradient) - expected)
    np.testing.assert_array_less(distance, bound)
    # Only the divisor of the mean and the quotient are rounded.
    outputs = response.potentials[-1]
    logits = outputs.mean(axis=1) / MEAN_UNIT
    np.testing.assert_allclose(inference.potential, logits, rtol=2.0**-22)
    winners = np.eye(SIZES[-1])[outputs.argmax(axis=-1)].sum(axis=1)
    np.testing.assert_array_equal(inference.winner_counts, winners)

  def test_update_of_bp_stdp_is_the_published_rule(self):
    response = present(draw_masks(), RESET)
    gradient, inference = self.learn(bp_stdp)
    expected = -change_by_stdp(response) / (10 * BATCH_SIZE)
    np.testing.assert_allclose(statistics.flat(gradient), expected, rtol=1e-6)
    fired = response.fired.sum(axis=1)
    np.testing.assert_array_equal(inference.winner_counts, fired)
    currents = response.currents.mean(axis=1)
    np.testing.assert_allclose(inference.potential, currents, rtol=1e-6)

  @parameterized.parameters((surrogate_gradient, LEAKY), (bp_stdp, RESET))
  def test_activity_is_that_of_the_trains_without_dropout(
    self, baseline, neurons
  ):
    masks = [np.ones((BATCH_SIZE, size)) for size in SIZES[1:-1]]
    response = present(masks, neurons, (CONFIG.input_gain, 1, 1))
    observe = jax.jit(
      integrate_and_fire.make_observe(CONFIG, baseline.make_neurons)
    )
    activity = observe(*BATCH, LABELS)
    expected = [
      (train.mean(), np.mean(~train.any(axis=1)), np.mean(train.all(axis=1)))
      for train in response.trains
    ]
    self.assertTrue(all(0 < fraction < 1 for fraction in expected[0]))
    found = np.transpose(activity[:3])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    self.assertEqual(activity[3:], (None,) * 4)

  def test_spikes_are_those_of_the_stochastic_network(self):
    config = networks.stochastic((4, 4), 70, sampler='bernoulli')
    images, _ = networks.batch(1, config.layer_sizes)
    params = networks.make_params(config)
    neuron = Neuron(1.0, jnp.zeros_like, jnp.subtract)

    @jax.jit
    def present():
      batch = samples.prepare(config, params, KEY, images)
      arguments = config, params, KEY, batch
      response = integrate_and_fire.present(*arguments, neuron, neuron)
      signals = ssnn_jax.stochastic.present(*arguments)
      return response.trains[0], trains.unpack(signals.forward[0].words)

    train, expected = present()
    self.assertBetween(np.mean(train), 0.1, 0.9)
    np.testing.assert_array_equal(train, expected[:, :70])
