"""Tests that surrogate gradients are what the chain rule says.

What they are held against runs in doubles, tick by tick, without autodiff.
"""

import dataclasses
import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax.baselines import surrogate_gradient
from ssnn_jax.simulation import inputs as input_lib
from tests.baselines import integrate_and_fire_test
from tests.baselines.integrate_and_fire_test import HALF_LIFE
from tests.baselines.integrate_and_fire_test import as_float32
from tests.baselines.integrate_and_fire_test import pack
from tests.baselines.integrate_and_fire_test import quarter_params
from tests.testing import statistics

SIZES, BATCH_SIZE = (4, 5, 4, 3), 2
LABELS = np.arange(BATCH_SIZE)
KEY = jax.random.key(2)
FIRE = {
  'step': lambda x: 1.0 * (x >= 0),
  'smooth_step': lambda x: np.arctan(np.pi * x) / np.pi + 0.5,
}
# Float32 products of doubles that it holds: a gradient is a sum over ticks,
# layers and neurons, a hundred roundings in all, each of at most 2**-24 of the
# largest terms.
ROUNDING = 100 * 2.0**-24


def make_config(**options):
  # Of dropout 1/2, inputs doubled and membranes halved nothing is rounded.
  return ssnn_jax.NetworkConfig(
    SIZES, **{'input_gain': 2.0, 'dropout': 0.5, 'tau': HALF_LIFE} | options
  )


def make_case(num_steps, seed=0):
  """Draws parameters, in doubles, and trains `[B, T, I]`."""
  rng = np.random.default_rng(seed)
  params = quarter_params(rng, SIZES)
  return params, rng.integers(0, 2, (BATCH_SIZE, num_steps, SIZES[0]))


def draw_kept(config):
  return jax.tree.map(
    np.asarray,
    input_lib.draw_dropout_masks(config, KEY, jnp.arange(BATCH_SIZE)),
  )


def learn(config, params, trains, **options):
  built = surrogate_gradient.make_network(config, **options)
  update, inference = jax.jit(built.learn)(
    as_float32(params), KEY, pack(trains), LABELS
  )
  return ssnn_jax.as_gradient(update), inference


def present(config, params, train, kept, fire, resets=None):
  """Presents one sample.

  Given `resets` are subtracted in the place of the spikes that are emitted.
  Returns what enters each layer, its potentials and its emitted spikes.
  """
  decay = np.exp(-1 / config.tau)
  trains, potentials, emitted = [train], [], []
  for layer, (weights, biases) in enumerate(params):
    drives = config.read_gains[layer] * trains[layer] @ weights + biases
    potential = np.zeros_like(biases)
    before, fired = np.zeros_like(drives), np.zeros_like(drives)
    for tick, drive in enumerate(drives):
      potential = decay * potential + drive
      before[tick] = potential
      if layer < len(kept):
        fired[tick] = fire(potential - 1)
        potential = potential - (resets[layer] if resets else fired)[tick]
    potentials.append(before)
    emitted.append(fired)
    if layer < len(kept):
      trains.append(kept[layer] * fired)
  return trains, potentials, emitted


def mean_response(config):
  """Averages, over ticks, what a membrane makes of a constant drive of 1."""
  ages = np.arange(1, config.num_steps + 1)
  decay = np.exp(-1 / config.tau)
  return np.mean((1 - decay**ages) / (1 - decay))


def read_out(config, outputs):
  return outputs.mean(axis=0) / mean_response(config)


def softmax(potential):
  odds = np.exp(potential - potential.max())
  return odds / odds.sum()


def differentiate(config, params, train, kept, label):
  """Applies the chain rule backward through layers and ticks, to one sample."""
  trains, potentials, _ = present(config, params, train, kept, FIRE['step'])
  decay, num_steps = np.exp(-1 / config.tau), len(train)
  error = softmax(read_out(config, potentials[-1])) - np.eye(SIZES[-1])[label]
  share = num_steps * mean_response(config)
  direct = np.tile(error / share, (num_steps, 1))
  gradient = []
  for layer in reversed(range(len(params))):
    # A potential acts on what it fires, and on the potential after it.
    errors, later = np.zeros_like(direct), 0.0
    for tick in reversed(range(num_steps)):
      errors[tick] = later = direct[tick] + decay * later
    gain = config.read_gains[layer]
    gradient[:0] = [gain * trains[layer].T @ errors, errors.sum(axis=0)]
    if layer:
      distance = potentials[layer - 1] - 1
      slope = 1 / (1 + (np.pi * distance) ** 2)
      direct = gain * errors @ params[layer].weights.T * kept[layer - 1] * slope
  return statistics.flat(gradient)


def mean_over_batch(function, trains, kept):
  """Averages what is of one sample."""
  samples = zip(trains, zip(*kept), LABELS)
  return np.mean([function(*sample) for sample in samples], axis=0)


def difference(config, params, trains, kept, step):
  """Differentiates the smoothed network by central differences."""
  fire = FIRE['smooth_step']

  def loss_of(train, masks, label):
    resets = present(config, params, train, masks, fire)[2]

    def loss(flat_params):
      outputs = present(
        config, unflatten(flat_params), train, masks, fire, resets
      )[1][-1]
      return -np.log(softmax(read_out(config, outputs))[label])

    return loss

  def gradient(*sample):
    loss, point = loss_of(*sample), statistics.flat(params)
    steps = step * np.eye(point.size)
    return [(loss(point + h) - loss(point - h)) / (2 * step) for h in steps]

  return mean_over_batch(gradient, trains, kept)


def unflatten(flat_params):
  """Undoes `statistics.flat` for parameters."""
  params, start = [], 0
  for shape in zip(SIZES[:-1], SIZES[1:]):
    weights = flat_params[start : start + shape[0] * shape[1]].reshape(shape)
    start += weights.size
    params.append((weights, flat_params[start : start + shape[1]]))
    start += shape[1]
  return params


def assert_close(found, expected, more=0.0):
  bound = ROUNDING * np.max(np.abs(expected)) + more
  np.testing.assert_array_less(np.abs(found - expected), bound)


class SurrogateGradientTest(parameterized.TestCase):
  def test_the_smoothed_network_has_its_own_gradient(self):
    config = make_config(num_steps=6)
    params, trains = make_case(config.num_steps)
    kept = draw_kept(config)
    near, far = (
      difference(config, params, trains, kept, step) for step in (1e-3, 2e-3)
    )
    # Errors of central differences are as the square of the step, so that far
    # and near ones differ by three times that of the near ones.
    error = np.max(np.abs(far - near)) / 2
    self.assertLess(error, 1e-4 * np.max(np.abs(near)))
    gradient, _ = learn(
      config, params, trains, fire=surrogate_gradient.smooth_step
    )
    assert_close(statistics.flat(gradient), near, error)

  @parameterized.parameters(0.0, 0.5)
  def test_learn_is_the_chain_rule_by_hand(self, dropout):
    config = make_config(num_steps=16, dropout=dropout)
    params, trains = make_case(config.num_steps)
    expected = mean_over_batch(
      lambda *sample: differentiate(config, params, *sample),
      trains,
      draw_kept(config),
    )
    gradient, _ = learn(config, params, trains)
    self.assertGreater(np.count_nonzero(expected), 20)
    assert_close(statistics.flat(gradient), expected)

  def test_a_step_fires_from_the_threshold_on_with_the_smooth_slope(self):
    distances = jnp.array([-3.0, -0.2, -1e-7, -0.0, 0.0, 1e-7, 0.4, 5.0])
    np.testing.assert_array_equal(
      surrogate_gradient.step(distances), distances >= 0
    )
    step, smooth = (
      jax.vmap(jax.grad(function))(distances)
      for function in (surrogate_gradient.step, surrogate_gradient.smooth_step)
    )
    np.testing.assert_allclose(step, smooth, rtol=1e-6)
    np.testing.assert_allclose(
      step, 1 / (1 + (np.pi * np.float64(distances)) ** 2), rtol=1e-6
    )
    np.testing.assert_array_equal(smooth[3:5], 1.0)

  def test_the_smooth_step_is_antisymmetric_about_one_half(self):
    distances = jnp.linspace(-4.0, 4.0, 9)
    smooth = surrogate_gradient.smooth_step(distances)
    np.testing.assert_allclose(smooth + smooth[::-1], 1.0, rtol=1e-6)
    np.testing.assert_allclose(
      smooth, FIRE['smooth_step'](np.float64(distances)), rtol=1e-5
    )

  def test_spikes_forward_are_those_of_a_loop(self):
    config = make_config(num_steps=16)
    params, trains = make_case(config.num_steps)
    trains[:, :, 0], trains[0, :, 1] = 1, 0
    whole = [np.ones(size) for size in SIZES[1:-1]]
    is_whole = dataclasses.replace(config, dropout=0.0)
    layers, potentials, _ = zip(
      *(
        present(is_whole, params, train, whole, FIRE['step'])
        for train in trains
      )
    )
    outputs = np.stack([layers[-1] for layers in potentials])
    layers = [np.stack(samples) for samples in zip(*layers)]
    self.assertTrue(
      any(np.any(v == 1) for sample in potentials for v in sample)
    )
    built = surrogate_gradient.make_network(config)
    inference = jax.jit(built.infer)(as_float32(params), KEY, pack(trains))
    # All that is added up are multiples of 2**-17 below 2**7; what the mean is
    # divided by is rounded, and so is the quotient.
    np.testing.assert_allclose(
      inference.potential,
      [read_out(config, output) for output in outputs],
      rtol=2.0**-22,
    )
    winners = np.eye(SIZES[-1])[outputs.argmax(axis=-1)].sum(axis=1)
    np.testing.assert_array_equal(inference.winner_counts, winners)
    np.testing.assert_array_equal(winners.sum(axis=-1), config.num_steps)
    observe = jax.jit(surrogate_gradient.make_observe(config))
    integrate_and_fire_test.assert_observes(
      observe(as_float32(params), KEY, pack(trains), LABELS), layers
    )

  def test_learn_says_what_infer_says_unless_units_are_dropped(self):
    params, trains = make_case(16)
    kept = make_config(num_steps=16, dropout=0.0)
    _, seen = learn(kept, params, trains)
    infer = functools.partial(
      jax.jit(surrogate_gradient.make_network(kept).infer),
      *(as_float32(params), KEY, pack(trains)),
    )
    jax.tree.map(np.testing.assert_array_equal, seen, infer())
    _, dropped = learn(make_config(num_steps=16), params, trains)
    self.assertTrue(np.any(dropped.potential != seen.potential))


if __name__ == '__main__':
  absltest.main()
