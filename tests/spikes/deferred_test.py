"""Tests for trains that are drawn a few words at a time."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax.neuron import composite
from ssnn_jax.spikes import thresholds

NUM_STEPS, NUM_NEURONS, NUM_SAMPLES = 192, 11, 3


def make(role=thresholds.Role.FORWARD, sampler='sobol', num_steps=NUM_STEPS):
  """Returns the thresholds of samples in one long window, and the window."""
  block = spikes.block(spikes.Schedule(num_steps, num_steps), 0)
  keys = thresholds.make_keys(jax.random.key(0), 2)

  def source(position):
    address = thresholds.Address(role, 1, block.words, position)
    return thresholds.SAMPLERS[sampler](keys, address, NUM_NEURONS)

  window = jax.tree.map(lambda x: x[0], block.windows)
  return jax.vmap(source)(jnp.arange(NUM_SAMPLES)), window


def draw_rates(seed):
  rates = jax.random.uniform(jax.random.key(seed), (NUM_SAMPLES, NUM_NEURONS))
  return rates.at[0, :2].set(jnp.array([0.0, 1.0]))


over_samples = lambda f: jax.vmap(f, in_axes=(0, 0, None))


class DeferredTest(parameterized.TestCase):
  @parameterized.product(
    sampler=('bernoulli', 'sobol'), words_at_once=(1, 2, 4, 6, 100)
  )
  def test_words_are_those_of_the_whole_train(self, sampler, words_at_once):
    source, window = make(sampler=sampler)
    rates = draw_rates(1)
    train = over_samples(spikes.defer)(source, rates, window)
    whole = over_samples(spikes.sample)(source, rates, window)
    given = jnp.asarray(np.arange(whole.size).reshape(whole.shape), jnp.uint32)
    sizes = []

    def add(total, ends):
      drawn, own = ends
      sizes.append(drawn.shape[1])
      return total + jnp.sum(jax.lax.population_count(drawn & own), (0, 1))

    total = spikes.fold_words(
      add, jnp.zeros(NUM_NEURONS, jnp.uint32), (train, given), words_at_once
    )
    expected = np.bitwise_count(np.asarray(whole & given)).sum((0, 1))
    np.testing.assert_array_equal(total, expected)
    self.assertEqual(
      max(sizes), {4: 3}.get(words_at_once, min(words_at_once, 6))
    )

  def test_drawn_trains_are_passed_as_a_whole(self):
    train = jnp.ones((NUM_SAMPLES, 6, NUM_NEURONS), jnp.uint32)
    folded = spikes.fold_words(lambda total, x: (total, x), 0, train, 1)
    np.testing.assert_array_equal(folded[1], train)

  @parameterized.product(
    sampler=('bernoulli', 'sobol'), num_steps=(NUM_STEPS, NUM_STEPS - 5)
  )
  def test_counts_are_those_of_the_drawn_train(self, sampler, num_steps):
    source, window = make(sampler=sampler, num_steps=num_steps)
    rates, is_whole = draw_rates(1), num_steps % 32 == 0

    def count(source, rates, window):
      train = spikes.defer(source, rates, window)
      drawn = spikes.count(spikes.sample(source, rates, window))
      return train.count(is_whole), drawn

    np.testing.assert_array_equal(*over_samples(count)(source, rates, window))

  def test_thinned_spikes_fire_in_both_sources(self):
    source, window = make()
    other, _ = make(thresholds.Role.THINNING, 'bernoulli')
    rates, keep = draw_rates(1), draw_rates(2)

    def thin(source, other, rates, keep):
      train = spikes.defer(source, rates, window).thin(other, keep)
      both = [spikes.sample(source, rates, window)]
      both.append(spikes.sample(other, keep, window))
      return train.draw(0, len(window.mask)), both[0] & both[1]

    drawn, expected = jax.vmap(thin)(source, other, rates, keep)
    np.testing.assert_array_equal(drawn, expected)
    self.assertGreater(spikes.count(drawn).sum(), 0)

  def test_deferred_streams_are_those_that_are_drawn_at_once(self):
    source, window = make(thresholds.Role.ERROR)
    errors = 4.0 * draw_rates(1) - 2.0  # some of them saturate

    def both(source, errors, window):
      streams = composite.defer_streams(source, errors, window)
      drawn = composite.split_streams(source, errors, window)
      signed = spikes.count(drawn.positive) - spikes.count(drawn.negative)
      return (
        (streams.draw(0, len(window.mask)), streams.count(is_whole=True)),
        (drawn, signed),
      )

    deferred, drawn = over_samples(both)(source, errors, window)
    jax.tree.map(np.testing.assert_array_equal, deferred, drawn)
