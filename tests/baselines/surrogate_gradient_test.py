"""Tests that surrogate gradients follow the chain rule.

The reference is in doubles, tick by tick, without automatic differentiation.
"""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax.baselines import surrogate_gradient
from tests.testing import integrate_and_fire as reference
from tests.testing import statistics

SIZES, BATCH_SIZE = (4, 5, 4, 3), 2
LABELS = np.arange(BATCH_SIZE)
# A gradient in float32 is a sum over ticks, layers and neurons: some hundred
# roundings, each of at most 2**-24 of the largest term.
ROUNDING = 100 * 2.0**-24
TAU, DECAY = reference.HALF_LIFE, np.exp(-1 / reference.HALF_LIFE)


def step(distance):
  return 1.0 * (distance >= 0)


def smooth_step(distance, arctan=np.arctan):
  return arctan(np.pi * distance) / np.pi + 0.5


traced_smooth_step = functools.partial(smooth_step, arctan=jnp.arctan)


def make_config(**options):
  # Dropout 1/2, input gain 2 and half-life 1 cause no rounding.
  options = {'dropout': 0.5} | options
  return ssnn_jax.NetworkConfig(SIZES, input_gain=2.0, **options)


def make_case(config):
  """Draws parameters, in doubles, and samples (train, masks, label)."""
  params, trains = reference.make_case(SIZES, config.num_steps, BATCH_SIZE)
  masks = reference.draw_masks(config, BATCH_SIZE)
  return params, trains, list(zip(trains, masks, LABELS))


def learn(config, params, trains, **options):
  built = surrogate_gradient.make_network(config, tau=TAU, **options)
  update, inference = jax.jit(built.learn)(
    *reference.as_arguments(params, trains), LABELS
  )
  return statistics.flat(ssnn_jax.as_gradient(update)), inference


def present(config, params, train, masks, fire, resets=(None, None)):
  """Presents one sample; given `resets` are subtracted instead of spikes."""
  neurons = [
    reference.Neuron(DECAY, lambda v: fire(v - 1), make_reset(given))
    for given in resets
  ]
  neurons.append(reference.Neuron(DECAY, np.zeros_like, lambda v, _: v))
  return reference.present(config, params, train, masks, neurons)


def make_reset(given):
  """Returns the reset that subtracts spikes, or those of given ticks."""
  if given is None:
    return reference.subtract_spike
  ticks = iter(given)
  return lambda potential, _: potential - next(ticks)


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
  response = present(config, params, train, masks, step)
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


def smooth_difference(config, params, train, masks, label, size):
  """Computes the gradient of the smoothed network by central differences."""
  resets = present(config, params, train, masks, smooth_step).fired[:-1]
  leaves, treedef = jax.tree.flatten(params)
  splits = np.cumsum([leaf.size for leaf in leaves])[:-1]

  def loss(point):
    parts = np.split(point, splits)
    moved = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves)]
    moved = jax.tree.unflatten(treedef, moved)
    response = present(config, moved, train, masks, smooth_step, resets)
    return -np.log(softmax(read_out(config, response))[label])

  point = statistics.flat(params)
  steps = size * np.eye(point.size)
  return [(loss(point + h) - loss(point - h)) / (2 * size) for h in steps]


def assert_close(found, expected, tolerance=0.0):
  bound = ROUNDING * np.max(np.abs(expected)) + tolerance
  np.testing.assert_array_less(np.abs(found - expected), bound)


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


class SurrogateGradientTest(parameterized.TestCase):
  def test_gradient_of_the_smoothed_network_matches_differences(self):
    config = make_config(num_steps=6)
    params, trains, samples = make_case(config)
    near, far = (
      np.mean(
        [
          smooth_difference(config, params, *sample, size) for sample in samples
        ],
        axis=0,
      )
      for size in (1e-3, 2e-3)
    )
    # Errors of central differences are proportional to the square of the step,
    # so that `far - near` is three times the error of `near`.
    error = np.max(np.abs(far - near)) / 2
    self.assertLess(error, 1e-4 * np.max(np.abs(near)))
    gradient, _ = learn(config, params, trains, fire=traced_smooth_step)
    assert_close(gradient, near, error)

  @parameterized.parameters(0.0, 0.5)
  def test_gradient_matches_the_chain_rule(self, dropout):
    config = make_config(num_steps=16, dropout=dropout)
    params, trains, samples = make_case(config)
    expected = np.mean(
      [chain_rule(config, params, *sample) for sample in samples], axis=0
    )
    gradient, inference = learn(config, params, trains)
    self.assertGreater(np.count_nonzero(expected), 20)
    assert_close(gradient, expected)
    assert_inference_matches(
      config,
      inference,
      [present(config, params, *sample[:2], step) for sample in samples],
    )

  def test_step_has_the_derivative_of_the_smooth_step(self):
    distances = jnp.array([-3.0, -0.2, -1e-7, -0.0, 0.0, 1e-7, 0.4, 5.0])
    np.testing.assert_array_equal(
      surrogate_gradient.step(distances), distances >= 0
    )
    steep, smooth = (
      jax.vmap(jax.grad(function))(distances)
      for function in (surrogate_gradient.step, traced_smooth_step)
    )
    np.testing.assert_allclose(steep, smooth, rtol=1e-6)
    np.testing.assert_allclose(
      steep, 1 / (1 + (np.pi * np.float64(distances)) ** 2), rtol=1e-6
    )
    np.testing.assert_array_equal(smooth[3:5], 1.0)

  def test_inference_and_activity_match_reference(self):
    config = make_config(num_steps=16)
    no_dropout = make_config(num_steps=16, dropout=0.0)
    params, trains, samples = make_case(no_dropout)
    responses = [
      present(no_dropout, params, *sample[:2], step) for sample in samples
    ]
    potentials = statistics.flat([r.potentials for r in responses])
    self.assertTrue(np.any(potentials == 1.0))  # a neuron fires at threshold
    arguments = reference.as_arguments(params, trains)
    built = surrogate_gradient.make_network(config, tau=TAU)
    inference = jax.jit(built.infer)(*arguments)
    assert_inference_matches(no_dropout, inference, responses)
    observe = jax.jit(surrogate_gradient.make_observe(config, tau=TAU))
    layers = map(np.stack, zip(*(r.trains for r in responses)))
    reference.assert_observes(observe(*arguments, LABELS), list(layers))
