"""Tests that surrogate gradients follow the chain rule.

The reference is in doubles, tick by tick, without automatic differentiation.
"""

from absl.testing import absltest
import jax
import numpy as np

from ssnn_jax.baselines import surrogate_gradient
from tests.testing import integrate_and_fire as reference
from tests.testing import networks
from tests.testing import statistics

SIZES, BATCH_SIZE = (4, 5, 4, 3), 2
LABELS = np.arange(BATCH_SIZE)
# A gradient in float32 is a sum over ticks, layers and neurons: some hundred
# roundings, each of at most 2**-24 of the largest term.
ROUNDING = 100 * 2.0**-24
TAU, DECAY = reference.HALF_LIFE, np.exp(-1 / reference.HALF_LIFE)


def make_config(**options):
  # Dropout 1/2, input gain 2 and half-life 1 cause no rounding.
  options = {'dropout': 0.5} | options
  return networks.stochastic(SIZES, input_gain=2.0, **options)


def make_case(config):
  """Draws parameters, in doubles, and samples (train, masks, label)."""
  params, trains = reference.make_case(SIZES, config.num_steps, BATCH_SIZE)
  masks = reference.draw_masks(config, BATCH_SIZE)
  return params, trains, list(zip(trains, masks, LABELS))


def learn(config, params, trains):
  built = surrogate_gradient.make_network(config, tau=TAU)
  gradient, inference = jax.jit(jax.grad(built.loss, has_aux=True))(
    *reference.as_arguments(params, trains), LABELS
  )
  return statistics.flat(gradient), inference


def present(config, params, train, masks):
  """Presents one sample."""
  fire = lambda v: 1.0 * (v >= 1)
  hidden = reference.Neuron(DECAY, fire, reference.subtract_spike)
  output = reference.Neuron(DECAY, np.zeros_like, lambda v, _: v)
  neurons = [*[hidden] * (len(params) - 1), output]
  return reference.present(config, params, train, masks, neurons)


def mean_unit_response(config):
  """Returns the mean response of a membrane to a constant drive of 1."""
  ages = np.arange(1, config.num_steps + 1)
  return np.mean((1 - DECAY**ages) / (1 - DECAY))


def read_out(config, response):
  return response.potentials[-1].mean(axis=0) / mean_unit_response(config)


def softmax(potential):
  odds = np.exp(potential - potential.max())
  return odds / odds.sum()


def chain_rule(config, params, train, masks, label):
  """Computes the gradient of one sample, backward through layers and ticks."""
  response = present(config, params, train, masks)
  num_steps = len(train)
  error = softmax(read_out(config, response)) - np.eye(SIZES[-1])[label]
  scale = num_steps * mean_unit_response(config)
  direct = np.tile(error / scale, (num_steps, 1))
  gradient = []
  for layer in reversed(range(len(params))):
    # A potential acts on its spike and on the potential of the next tick.
    errors, later = np.zeros_like(direct), 0.0
    for tick in reversed(range(num_steps)):
      errors[tick] = later = direct[tick] + DECAY * later
    gain = config.read_gains[layer]
    weights = gain * response.trains[layer].T @ errors
    gradient[:0] = [weights, errors.sum(axis=0)]
    if layer:
      distance = response.potentials[layer - 1] - 1
      slope = 1 / (1 + (np.pi * distance) ** 2)
      propagated = gain * errors @ params[layer].weights.T
      direct = propagated * masks[layer - 1] * slope
  return statistics.flat(gradient)


def assert_inference_matches(config, inference, responses):
  """Asserts that an inference is that of the reference's responses."""
  # All terms are multiples of 2**-17 below 2**7, so that only the divisor of
  # the mean and the quotient are rounded.
  np.testing.assert_allclose(
    inference.potential,
    [read_out(config, response) for response in responses],
    rtol=2.0**-22,
  )
  outputs = np.stack([response.potentials[-1] for response in responses])
  winners = np.eye(SIZES[-1])[outputs.argmax(axis=-1)].sum(axis=1)
  np.testing.assert_array_equal(inference.winner_counts, winners)


class SurrogateGradientTest(absltest.TestCase):
  def test_gradient_matches_the_chain_rule(self):
    config = make_config(num_steps=16)
    params, trains, samples = make_case(config)
    expected = np.mean(
      [chain_rule(config, params, *sample) for sample in samples], axis=0
    )
    gradient, inference = learn(config, params, trains)
    self.assertGreater(np.count_nonzero(expected), 20)
    bound = ROUNDING * np.max(np.abs(expected))
    np.testing.assert_array_less(np.abs(gradient - expected), bound)
    assert_inference_matches(
      config,
      inference,
      [present(config, params, *sample[:2]) for sample in samples],
    )

  def test_inference_and_activity_match_reference(self):
    config = make_config(num_steps=16)
    no_dropout = make_config(num_steps=16, dropout=0.0)
    params, trains, samples = make_case(no_dropout)
    responses = [present(no_dropout, params, *sample[:2]) for sample in samples]
    potentials = statistics.flat([r.potentials for r in responses])
    self.assertTrue(np.any(potentials == 1.0))  # a neuron fires at threshold
    arguments = reference.as_arguments(params, trains)
    built = surrogate_gradient.make_network(config, tau=TAU)
    inference = jax.jit(built.infer)(*arguments)
    assert_inference_matches(no_dropout, inference, responses)
    observe = jax.jit(surrogate_gradient.make_observe(config, tau=TAU))
    layers = map(np.stack, zip(*(r.trains for r in responses)))
    reference.assert_observes(observe(*arguments, LABELS), list(layers))
