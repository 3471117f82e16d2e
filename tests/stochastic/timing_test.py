"""Tests of stochastic neurons that work all at once, by all of their spikes."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import reference
from ssnn_jax import trains
from ssnn_jax.stochastic import crossbars
from ssnn_jax.stochastic import neuron as stochastic
from ssnn_jax.stochastic import samples
from ssnn_jax.stochastic import wta
from ssnn_jax.trains import Role
from ssnn_jax.trains import thresholds
from tests.testing import convolutions
from tests.testing import mutations
from tests.testing import networks
from tests.testing import sources
from tests.testing import statistics

TWO, THREE, FIVE = (12, 9, 4), (12, 9, 8, 3), (12, 9, 9, 8, 7, 3)
KEY, SIZE = jax.random.key(3), 4


def make(timing, sizes, num_steps, **options):
  """Returns a network, and what it is presented; some gates are shut."""
  config = ssnn_jax.NetworkConfig(sizes, num_steps, timing=timing, **options)
  params = tuple(
    ssnn_jax.LayerParams(1.5 * weights, biases + np.float32(0.2))
    for weights, biases in networks.make_params(config)
  )
  return config, params, *networks.batch(SIZE, sizes)


def play(config, params, images, labels):
  return stochastic.play(config, params, KEY, images, labels)


def learn(config, params, images, labels):
  learner = networks.learner(ssnn_jax.ssnn(config))
  return learner(params, KEY, images, labels)


def list_spikes(played):
  return *played.forward, *played.positive, *played.negative, played.winners


def count(config, played):
  """Returns the update of dense layers by its definition, in doubles."""
  counting, update = np.float64(played.counting), []
  streams = zip(played.forward, played.positive, played.negative)
  for gain, (spikes, positive, negative) in zip(config.read_gains, streams):
    errors = counting[:, None, None] * (np.float64(positive) - negative)
    share = counting.sum() * len(spikes[0])
    weights = gain * np.einsum('tbi,tbj->ij', spikes, errors) / share
    update.append((weights, errors.sum(axis=(0, 1)) / share))
  return update


# Sampler, ticks, layer sizes and other fields.
WINDOWS = (
  ('sobol', 8, FIVE, {}),
  ('sobol', 64, TWO, {'dropout': 0.3}),
  ('bernoulli', 33, THREE, {'winner': 'race', 'read_noise': 0.1}),
  ('bernoulli', 16, THREE, {'dropout': 0.3, 'input_gain': 1.25}),
)


class WindowTest(parameterized.TestCase):
  @parameterized.parameters(*WINDOWS)
  def test_it_settles_to_phases(self, sampler, num_steps, sizes, options):
    options |= {'sampler': sampler}
    phased = make('phased', sizes, num_steps, **options)
    window = make('window', sizes, num_steps, **options)
    before, played, learned = play(*phased), play(*window), learn(*window)
    # 2 L cycles, of L layers of weights, of which the last is settled.
    num_cycles = 2 * (len(sizes) - 1)
    self.assertEqual(played.settled, (num_cycles - 1) * num_steps)
    changed = False
    for expected, found in zip(list_spikes(before), list_spikes(played)):
      self.assertLen(found, num_cycles * num_steps)
      np.testing.assert_array_equal(found[played.settled :], expected)
      changed |= np.any(found[:num_steps] != expected)
    self.assertTrue(changed)
    networks.assert_same(played.update, before.update)
    networks.assert_same(played.update, learned[0])
    networks.assert_close(played.update, count(window[0], played))

  def test_a_convolution_settles(self):
    found = []
    for timing in ('phased', 'window'):
      config = convolutions.make_config(timing=timing, num_steps=8)
      args = convolutions.make_params(config), *convolutions.batch(2)
      found.append(play(config, *args))
    for expected, own in zip(*map(list_spikes, found)):
      np.testing.assert_array_equal(own[found[1].settled :], expected)
    networks.assert_same(found[1].update, found[0].update)


LEAKY = (
  ('sobol', 33, THREE, {'dropout': 0.3}),
  (sources.THREEFRY, 20, TWO, {'forgetting': 3.0, 'input_gain': 1.25}),
  ('bernoulli', 64, FIVE, {'counted': 0.3}),
)
MUTATIONS = (
  ('a = k / (t + k)', 'a = k / (t + 1 + k)'),
  ('if t >= first:', 'if t > first:'),
  ('(0 < v[l]) & (v[l] < 1)', '(0 < v[l])'),
  ('np.minimum(np.abs(g), 1)', 'np.minimum(np.abs(g), 0.2)'),
  ('+ b[l] - v[l])', '- v[l])'),
)


@functools.cache
def draw(config, role, layer, size):
  """Draws the thresholds of a layer in all samples, `[B, T, N]`."""
  key = thresholds.make_keys(KEY, len(config.layer_sizes))[layer, role]

  def draw_one(position):
    source = trains.Source(key, position, role, layer, size)
    args = config.train_sampler, source, config.num_steps
    return thresholds.draw_thresholds(*args)

  positions = jnp.arange(SIZE, dtype=jnp.uint32)
  return np.asarray(jax.jit(jax.vmap(draw_one))(positions))


def present_by_reference(config, params, images, labels, own=reference):
  """Presents all samples to the reference, in NumPy; returns its spikes."""
  batch = samples.prepare(config, params, KEY, images, labels)
  masks = crossbars.draw_dropout(config, KEY, batch.position)
  found = []
  for position, (image, label) in enumerate(zip(images, labels)):

    def fires(role, layer, tick, rates, position=position, image=image):
      rates = image if role == Role.INPUT else rates
      hidden = {Role.FORWARD: layer - 1, Role.ERROR: layer}
      if role in hidden:  # a dropped neuron has no spikes, nor errors
        rates = rates * np.asarray(masks[hidden[role]])[position]
      size = 1 if role == Role.WINNER else len(rates)
      drawn = draw(config, role, layer, size)[position, tick]
      return drawn < np.round(2**16 * rates)

    found.append(own.leaky(config, params, fires, label))
  return found


def is_equal(found, played):
  """Returns whether all spikes of the reference are those of a play."""
  return all(
    np.array_equal(own, signed[:, index])
    for index, (spikes, errors, _) in enumerate(found)
    for own, signed in zip(
      (*spikes, *errors),
      (
        *played.forward,
        *(
          np.int32(positive) - negative
          for positive, negative in zip(played.positive, played.negative)
        ),
      ),
    )
  )


class LeakyTest(parameterized.TestCase):
  @parameterized.parameters(*LEAKY)
  def test_spikes_are_those_of_the_reference(
    self, sampler, num_steps, sizes, options
  ):
    args = make('leaky', sizes, num_steps, sampler=sampler, **options)
    played, found = play(*args), present_by_reference(*args)
    self.assertTrue(is_equal(found, played))
    for positive, negative in zip(played.positive, played.negative):
      self.assertTrue(positive.any() and negative.any())
      self.assertFalse(np.any(positive & negative))
    np.testing.assert_array_equal(played.winners.sum(axis=2), 1)
    # A synapse counts coincidences, which are the derivative of the loss.
    networks.assert_close(played.update, count(args[0], played))
    counts = [sum(own) for own in zip(*(counts for *_, counts in found))]
    num_counted = played.counting.sum()
    for own, layer, gain in zip(counts, played.update, args[0].read_gains):
      expected = own / (SIZE * num_counted)
      networks.assert_close(layer, (gain * expected[:-1], expected[-1]))
    gradient, inference = learn(*args)
    networks.assert_same(gradient, played.update)
    ticks = played.counting > 0
    expected = played.winners[ticks].sum(axis=0, dtype=np.int32)
    np.testing.assert_array_equal(inference.winner_counts, expected)
    k = args[0].forgetting
    expected = k / (np.arange(num_steps) + k)
    np.testing.assert_allclose(played.averaging, expected, rtol=1e-6)

  def test_wrong_rules_are_seen(self):
    sampler, num_steps, sizes, options = LEAKY[-1]
    args = make('leaky', sizes, num_steps, sampler=sampler, **options)
    right = present_by_reference(*args)
    for change in MUTATIONS:
      wrong = present_by_reference(*args, mutations.mutate(reference, *change))
      same = jax.tree.map(np.array_equal, wrong, right)
      self.assertFalse(all(jax.tree.leaves(same)), change)

  def test_a_short_presentation_is_the_start_of_a_longer_one(self):
    short, long = (
      list_spikes(play(*make('leaky', THREE, num_steps, sampler='bernoulli')))
      for num_steps in (40, 64)
    )
    for own, other in zip(short, long):
      np.testing.assert_array_equal(own, other[:40])

  def test_race_and_read_noise(self):
    options = {'winner': 'race', 'read_noise': 0.2}
    args = make('leaky', TWO, 48, **options)
    played = play(*args)
    networks.assert_same(learn(*args)[0], played.update)
    numbers = played.winners.sum(axis=2)
    self.assertGreater(numbers.max(), 1)
    # The mean excess is the change of theta, of at most 5 nats, in steps.
    bound = 5 / wta.INHIBITION_STEP / len(numbers)
    self.assertLess(abs(numbers.mean() - 1), bound)
    # Without weights a potential is the average of its noise: a sum of squares
    # of the weights that its ticks have in the end.
    config, params, images, labels = make(
      'leaky', (12, 4), 20, read_noise=0.2, input_gain=2.0
    )
    params = jax.tree.map(np.zeros_like, params)
    images, labels = networks.batch(1000, (12, 4))
    network = ssnn_jax.ssnn(config)
    _, inference = networks.learner(network)(params, KEY, images, labels)
    weights = np.ones(20)
    for tick, a in enumerate(stochastic.find_averaging(config)):
      weights[:tick] *= 1 - a
      weights[tick] = a
    noise = np.float64(inference.potential)
    statistics.assert_mean_within(noise.ravel(), 0.0)
    expected = (2.0 * 0.2) ** 2 * np.sum(weights**2)
    statistics.assert_mean_within(noise.ravel() ** 2, expected)

  def test_devices_are_pulsed_by_the_coincidences(self):
    args = make('leaky', THREE, 40, dropout=0.3)
    network = ssnn_jax.ssnn(args[0])
    counts = jax.jit(network.count_pulses)
    found, inference = jax.device_get(counts(args[1], KEY, *args[2:]))
    gradient, expected = learn(*args)
    of_counts = jax.tree.map(
      lambda positive, negative, unit: np.float32(positive - negative) * unit,
      *found[:3],
    )
    networks.assert_same((of_counts, inference), (gradient, expected))
    for positive, negative in zip(*found[:2]):
      self.assertTrue(positive.weights.any() and negative.weights.any())

  def test_a_convolution_counts_its_positions(self):
    config = convolutions.make_config(timing='leaky', num_steps=33)
    args = convolutions.make_params(config), *convolutions.batch(2)
    played = play(config, *args)
    networks.assert_same(learn(config, *args)[0], played.update)
    counting = played.counting > 0
    for layer, wiring in enumerate(config.wirings):
      errors = np.int32(played.positive[layer]) - played.negative[layer]
      pair = wiring.gather(jnp.asarray(played.forward[layer][counting]))
      ends = np.float64(pair), np.float64(wiring.split(errors[counting]))
      weights = np.einsum('tbpi,tbpj->ij', *ends) / counting.sum() / 2
      gain = config.read_gains[layer]
      networks.assert_close(played.update[layer].weights, gain * weights)

  def test_long_presentations_approach_backpropagation(self):
    distances = []
    for num_steps in (64, 4096):
      args = make('leaky', TWO, num_steps)
      ann = networks.learner(ssnn_jax.ann(args[0]))
      expected, _ = ann(args[1], KEY, *args[2:])
      leaves = zip(*map(jax.tree.leaves, (learn(*args)[0], expected)))
      norm = np.linalg.norm
      distances.append([norm(own - bp) / norm(bp) for own, bp in leaves])
    # Errors of independent thresholds fall with the root of the ticks; those of
    # Sobol thresholds faster.
    for short, long in zip(*distances):
      self.assertLess(long, short / np.sqrt(4096 / 64))
