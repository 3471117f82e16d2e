"""Tests of surrogate gradients against a reference.

It is in doubles: loops over ticks, without automatic differentiation. Weights,
spikes and errors are small multiples of powers of two, so that both compute the
same potentials and spikes.
"""

import types
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments.baselines import surrogate_gradient
import ssnn_jax
from ssnn_jax import trains
from ssnn_jax.stochastic import crossbars
from ssnn_jax.stochastic import samples
from tests.testing import networks
from tests.testing import statistics

KEY, SIZES, BATCH_SIZE = jax.random.key(2), (4, 6, 5, 3), 3
LABELS = np.arange(BATCH_SIZE)
DECAY = 0.5  # of a membrane
# The mean response of a membrane to a constant current of 1.
MEAN_UNIT = np.mean((1 - DECAY ** np.arange(1, 11)) / (1 - DECAY))
# Dropout 1/2 and input gain 2 cause no rounding.
CONFIG = ssnn_jax.NetworkConfig(SIZES, 10, dropout=0.5, input_gain=2.0)


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


def draw_masks():
  """Returns the dropout masks `[B, J]` of each hidden layer."""
  positions = jnp.arange(len(WORDS))
  return jax.device_get(crossbars.draw_dropout(CONFIG, KEY, positions))


def present(masks):
  """Presents the batch to the network.

  Returns the trains `[B, T, I]` that enter each layer, and the potentials `[B,
  T, J]` of each before reset.
  """
  sent, potentials = [TRAINS], []
  for layer, (weights, biases) in enumerate(PARAMS):
    currents = CONFIG.read_gains[layer] * sent[layer] @ weights + biases
    fired, reached = np.zeros_like(currents), np.zeros_like(currents)
    potential, is_hidden = 0.0, layer < len(masks)
    for tick in range(10):
      potential = DECAY * potential + currents[:, tick]
      reached[:, tick] = potential
      fired[:, tick] = is_hidden * (potential >= 1)
      potential = potential - fired[:, tick]
    potentials.append(reached)
    if is_hidden:
      sent.append(masks[layer][:, None] * fired)
  return types.SimpleNamespace(trains=sent, potentials=potentials)


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


class RulesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(mock.patch.object(surrogate_gradient, '_DECAY', DECAY))

  def test_surrogate_gradient_is_backpropagation_through_time(self):
    masks = draw_masks()
    response = present(masks)
    # A neuron fires at the threshold.
    self.assertTrue(np.any(response.potentials[0] == 1.0))
    loss = surrogate_gradient.make_network(CONFIG).loss
    learn = jax.jit(jax.grad(loss, has_aux=True))
    gradient, inference = jax.device_get(learn(*BATCH, LABELS))
    for layer in gradient:
      self.assertTrue(np.any(layer.weights) and np.any(layer.biases))
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

  def test_spikes_are_those_of_the_stochastic_network(self):
    config = ssnn_jax.NetworkConfig((4, 4), 70, sampler='bernoulli')
    images, _ = networks.batch(1, config.layer_sizes)
    params = networks.make_params(config)

    @jax.jit
    def present():
      batch = samples.prepare(config, params, KEY, images)
      arguments = config, params, KEY, batch
      sent, _ = surrogate_gradient.present(*arguments)
      signals = ssnn_jax.stochastic.present(*arguments)
      return sent[0], trains.unpack(signals.forward[0].words)

    train, expected = present()
    self.assertBetween(np.mean(train), 0.1, 0.9)
    np.testing.assert_array_equal(train, expected[:, :70])
