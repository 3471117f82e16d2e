"""Tests of networks whose inputs are spike trains."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spikes
from ssnn_jax.simulation import rules
from ssnn_jax.spikes import thresholds
from tests.testing import networks
from tests.testing import statistics
from tests.testing.coincidences import pack
from tests.testing.networks import assert_same

SIZES = (9, 7, 4)
BATCH_SIZE = 5
LABELS = np.arange(BATCH_SIZE) % 4


def make(num_steps, **fields):
  """Builds a network; returns its configuration, functions and parameters."""
  config = ssnn_jax.NetworkConfig(SIZES, num_steps=num_steps, **fields)
  network = ssnn_jax.ssnn(config)
  return config, network, networks.make_params(config)


def learner(network):
  return jax.jit(jax.grad(network.loss, has_aux=True))


def random_spikes(num_steps, rate=0.3):
  """Draws spikes `[B, T, I]`, one a byte."""
  shape = BATCH_SIZE, num_steps, SIZES[0]
  return (np.random.RandomState(0).rand(*shape) < rate).astype(np.uint8)


@functools.partial(jax.jit, static_argnames='config')
def sampled_inputs(config, key, images):
  """Samples the input spikes of a network for a batch of images."""
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  num_words = -(-config.num_steps // spikes.TICKS_PER_WORD)
  words = jnp.arange(num_words)
  mask = spikes.mask_before(config.num_steps, words)

  def sample(position, rates):
    sources = rules.make_sources(config, keys, words, position)
    source = sources(spikes.Role.INPUT, 0, SIZES[0])
    return thresholds.sample_words(source, rates[None], mask[None])

  return jax.vmap(sample)(jnp.arange(len(images)), ssnn_jax.rate_encode(images))


class EventsNetworkTest(parameterized.TestCase):
  @parameterized.parameters(
    dict(neuron='stochastic', window=64),
    dict(sampler='sobol'),
    dict(sampler='bernoulli'),
  )
  def test_given_trains_equal_the_same_sampled_trains(self, **options):
    config, network, params = make(70, input_gain=1.5, **options)
    images = np.random.RandomState(1).rand(BATCH_SIZE, SIZES[0])
    images, key = images.astype(np.float32), jax.random.key(3)
    trains = sampled_inputs(config, key, images)
    learn = learner(network)
    shown = learn(params, key, trains, LABELS)
    assert_same(shown, learn(params, key, images, LABELS))
    assert_same(shown[1], jax.jit(network.infer)(params, key, trains))

  @parameterized.parameters(
    dict(neuron='stochastic', rates=('forward', 'backward', 'update')),
    dict(rates=('inputs', 'forward', 'backward'), winner='exact'),
  )
  def test_updates_on_rates_are_gradients_at_the_mean_rates(self, **options):
    num_steps = 40
    config, network, params = make(num_steps, input_gain=3.0, **options)
    trains, key = random_spikes(num_steps), jax.random.key(0)
    rates = trains.mean(axis=1, dtype=np.float32)

    @jax.jit
    def both(params, trains, rates):
      return [
        learner(built)(params, key, inputs, LABELS)[0]
        for built, inputs in ((network, trains), (ssnn_jax.ann(config), rates))
      ]

    found, expected = both(params, pack(trains), rates)
    np.testing.assert_allclose(
      statistics.flat(found),
      statistics.flat(expected),
      rtol=1e-5,
      atol=1e-6,
    )

  def test_potential_is_the_mean_over_all_windows(self):
    config = networks.stochastic((9, 4), num_steps=70, window=32)
    params, trains = networks.make_params(config), random_spikes(70)
    infer = jax.jit(ssnn_jax.ssnn(config).infer)
    found = infer(params, jax.random.key(0), pack(trains)).potential
    expected = trains.mean(axis=1) @ params[0].weights
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

  def test_coincidences_are_with_the_given_events(self):
    # With weights of 0 the errors do not depend on the inputs, so the counts of
    # a train are the sum of the counts of its ticks.
    config = networks.stochastic((1, 4), num_steps=40)
    network = ssnn_jax.ssnn(config)
    params = jax.tree.map(jnp.zeros_like, network.init(jax.random.key(0)))
    learn = jax.jit(network.learn)

    def counts(train):
      batch = pack(np.broadcast_to(train[:, None], (1, 40, 1)))
      update, _ = learn(params, jax.random.key(1), batch, np.array([2]))
      return update.positive[0]

    alone = [counts(tick) for tick in np.eye(40, dtype=np.uint8)]
    by_tick = np.array([weights[0] for weights, _ in alone])
    # A wrong winner makes one error spike of either sign.
    self.assertTrue((by_tick.sum(axis=1) == 0).all())
    self.assertTrue((np.abs(by_tick).sum(axis=1) <= 2).all())
    self.assertGreater(np.abs(by_tick).sum(), 0)
    train = np.random.RandomState(2).randint(2, size=40).astype(np.uint8)
    np.testing.assert_array_equal(
      counts(train).weights[0], by_tick[train == 1].sum(axis=0)
    )
    everything, biases = counts(np.ones(40, np.uint8))
    np.testing.assert_array_equal(everything[0], biases)

  def test_ticks_past_the_end_are_ignored(self):
    config, network, params = make(40, neuron='stochastic')
    trains = random_spikes(64)
    cut = trains.copy()
    cut[:, 40:] = 0
    key = jax.random.key(0)
    self.assertFalse((pack(trains) == pack(cut)).all())
    bipolar = ssnn_jax.ssnn(ssnn_jax.NetworkConfig(SIZES, num_steps=40))
    for built in (network, bipolar, ssnn_jax.ann(config)):
      learn = learner(built)
      assert_same(
        learn(params, key, pack(trains), LABELS),
        learn(params, key, pack(cut), LABELS),
      )
