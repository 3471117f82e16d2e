"""Tests that the fast simulation equals the reference, integer by integer."""

import contextlib
import functools
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import reference
from ssnn_jax import spikes
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import updates
from ssnn_jax.spikes import thresholds

KEY = jax.random.key(2)
ONE, TWO, THREE = (12, 3), (12, 9, 4), (12, 9, 8, 3)
# Number of ticks, window, layer sizes and batch size of each timing.
SETTINGS = {
  'realtime': (
    (2, 1, ONE, 1),
    (4, 1, TWO, 5),
    (16, 1, TWO, 3),
    (16, 1, THREE, 2),
    (33, 1, TWO, 2),
    (48, 1, (12, 7, 6, 5, 3), 2),
    (40, 8, TWO, 3),
    (70, 2, TWO, 1),
    (256, 32, TWO, 2),
    (200, 64, ONE, 2),
  ),
  'buffered': (
    (1, 1, TWO, 5),
    (7, 1, TWO, 3),
    (16, 4, TWO, 2),
    (16, 16, TWO, 3),
    (40, 8, TWO, 2),
    (50, 50, TWO, 2),
    (64, 32, (12, 6, 5, 4, 3), 2),
    (100, 32, TWO, 1),
    (256, 64, TWO, 2),
    (256, 256, THREE, 3),
  ),
}


def make_config(sampler, timing, num_steps, window, sizes, **options):
  return ssnn_jax.NetworkConfig(
    sizes,
    num_steps=num_steps,
    window=window,
    sampler=sampler,
    timing=timing,
    **{'gain': 1.5, 'input_gain': 1.25} | options,
  )


@functools.cache
def make_batch(sizes, batch_size):
  """Makes parameters, images and labels as NumPy arrays.

  Some gates are shut, some error streams saturate.
  """
  network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig(sizes))
  params = tuple(
    layer._replace(weights=2.0 * layer.weights, biases=layer.biases + 0.2)
    for layer in network.init(jax.random.key(0))
  )
  images = np.random.default_rng(1).random((batch_size, sizes[0]), np.float32)
  images[:, :2] = 0.0, 1.0
  labels = np.arange(batch_size, dtype=np.int32) % sizes[-1]
  return jax.tree.map(np.asarray, (params, images, labels))


def learn(config, batch_size, *builds):
  """Presents a batch to networks, which are compiled as one program."""
  params, *batch = make_batch(config.layer_sizes, batch_size)
  networks = [build(config) for build in builds]

  @jax.jit
  def learn(params, key, images, labels):
    learned = []
    for network in networks:
      update, inference = network.learn(params, key, images, labels)
      counts = inference.winner_counts, inference.largest_counts
      learned.append((update.positive, counts, update.unit))
    return learned

  return jax.tree.map(np.asarray, learn(params, KEY, *batch))


def is_equal(found, expected):
  equal = jax.tree.map(np.array_equal, found, expected)
  return all(jax.tree.leaves(equal))


class ReferenceTest(parameterized.TestCase):
  @parameterized.parameters(
    *(
      (sampler, timing, *setting)
      for timing, settings in SETTINGS.items()
      for setting in settings
      for sampler in ('bernoulli', 'sobol')
    ),
    ('lfsr', 'realtime', 40, 1, TWO, 2),
    ('lfsr_shared', 'buffered', 64, 64, TWO, 2),
  )
  def test_fast_simulation_counts_the_same(self, *setting):
    *described, batch_size = setting
    config = make_config(*described)
    found, expected = learn(config, batch_size, ssnn_jax.ssnn, reference.ssnn)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    _, (votes, largest), _ = found
    self.assertTrue(np.any(found[0][-1].biases))
    for counts in (votes, largest):
      ticks = np.full(batch_size, config.num_steps - config.settle_ticks)
      np.testing.assert_array_equal(counts.sum(axis=1), ticks)

  @parameterized.parameters(0, 11)
  def test_votes_wait_until_they_settle(self, settle):
    config = make_config('sobol', 'realtime', 16, 1, TWO, settle=settle)
    found, expected = learn(config, 3, ssnn_jax.ssnn, reference.ssnn)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    _, (votes, _), _ = found
    # The output layer starts after its two layers of weights.
    np.testing.assert_array_equal(votes.sum(axis=1), 16 - max(settle, 2))

  @parameterized.parameters(
    {'dropout': 0.5}, {'winner': 'race'}, {'integration': 'leaky'}
  )
  def test_refuses_what_it_does_not_cover(self, **options):
    config = make_config('sobol', 'buffered', 16, 4, TWO, **options)
    with self.assertRaisesRegex(ssnn_jax.UserError, *options):
      reference.ssnn(config)


def patch(module, name, mutate):
  return mock.patch.object(module, name, mutate(getattr(module, name)))


def after(change):
  """Returns the mutation that changes the result of a function."""

  def mutate(function):
    return lambda *args, **kwargs: change(function(*args, **kwargs))

  return mutate


def open_gate():
  return firing.clip()._replace(derivative=jnp.ones_like)


def late_mean():
  """Returns a mean membrane that counts one tick too many."""
  right = MEAN()

  def integrate(state, drive, window):
    window = window._replace(elapsed=window.elapsed + 1)
    return right.integrate(state, drive, window)

  return right._replace(integrate=integrate)


MEAN = membrane.mean
swap = lambda streams: type(streams)(*reversed(streams))
MUTATIONS = {
  'open gate': lambda: mock.patch.dict(firing.FIRING_FUNCTIONS, clip=open_gate),
  'output errors of the other sign': lambda: patch(
    wta, 'output_errors', after(swap)
  ),
  'no negative output errors': lambda: patch(
    wta,
    'output_errors',
    after(lambda own: own._replace(negative=jnp.zeros_like(own.negative))),
  ),
  'error streams do not saturate at one spike': lambda: patch(
    composite, 'error_rates', lambda _: lambda gain, errors: jnp.abs(errors)
  ),
  'errors without the gain of their layer': lambda: patch(
    rules, 'mean_errors', after(lambda errors: 1.5 * errors)
  ),
  'one class further wins': lambda: patch(
    wta, 'first', after(lambda winners: jnp.roll(winners, 1, axis=-1))
  ),
  'mean over one tick more': lambda: patch(
    membrane, 'mean', lambda _: late_mean
  ),
  'thresholds that equal a rate fire': lambda: patch(
    thresholds, 'round_rates', after(lambda rates: rates + 2**6)
  ),
  'layers start a window later': lambda: patch(
    spikes,
    'start_later',
    lambda right: lambda own, start: right(own, start + (start > 0)),
  ),
  'the last spikes of a word are not counted': lambda: patch(
    updates.trains,
    'words',
    after(lambda own: jax.tree.map(lambda x: x << 4, own)),
  ),
}


class MutationTest(parameterized.TestCase):
  """The comparison sees wrong rules of the fast simulation."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.config = make_config('bernoulli', 'realtime', 32, 1, TWO)
    (cls.expected,) = learn(cls.config, 3, reference.ssnn)

  @parameterized.parameters(None, *MUTATIONS)
  def test_wrong_rule_is_seen(self, name):
    jax.clear_caches()
    with MUTATIONS[name]() if name else contextlib.nullcontext():
      (found,) = learn(self.config, 3, ssnn_jax.ssnn)
    jax.clear_caches()
    self.assertEqual(is_equal(found, self.expected), name is None)
