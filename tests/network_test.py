"""Tests for the spiking networks as a whole; `spiking_test` has more."""

import functools
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import network as network_lib
from ssnn_jax.simulation import samples
from ssnn_jax.simulation import updates
from tests.testing import networks
from tests.testing import statistics
from tests.testing.networks import SIZES
from tests.testing.networks import batch
from tests.testing.networks import learn
from tests.testing.networks import make_params

# A pulse is the gradient of four coincidences, in 100 ticks of 5 samples.
THINNED = dict(pulse_gradient=np.float32(4 / 500), separate_signs=True)


@functools.partial(jax.jit, static_argnums=(0, 2))
def draw_masks(config, key, size):
  return samples.draw_dropout_masks(config, key, jnp.arange(size))


class NetworkTest(parameterized.TestCase):
  def test_init_is_scaled_by_fan_in(self):
    config = networks.stochastic((400, 300, 10))
    params = jax.jit(functools.partial(network_lib.init, config))(
      jax.random.key(0)
    )
    for layer, fan_in in zip(params, (400, 300)):
      size = layer.weights.size
      # A normal sample's variance has a relative error of sqrt(2 / n).
      variance = np.var(layer.weights) * fan_in
      self.assertLess(abs(variance - 1), 5 * np.sqrt(2 / size) + 0.02)
      np.testing.assert_array_equal(layer.biases, 0)

  def test_learn_and_infer_agree(self):
    num_steps = 33
    config = networks.stochastic(SIZES, num_steps, window=32)
    params = make_params(config)
    update, seen = learn(config, params)
    inference = jax.jit(ssnn_jax.ssnn(config).infer)(
      params, jax.random.key(2), batch()[0]
    )
    # With the same key, infer and learn simulate the same spikes.
    jax.tree.map(np.testing.assert_array_equal, inference, seen)
    for counts in (inference.winner_counts, inference.largest_counts):
      np.testing.assert_array_equal(counts.sum(-1), num_steps)
    # Each sample has at most one error spike a tick in each stream.
    biases = np.asarray(update.positive[-1].biases)
    self.assertLessEqual(np.abs(biases).max(), 5 * num_steps)
    self.assertEqual(biases.sum(), 0)

  def test_equal_configurations_build_the_same_network(self):
    stochastic = lambda sigma: networks.stochastic(SIZES, read_noise=sigma)
    bipolar = lambda c: ssnn_jax.NetworkConfig(SIZES, ceiling=c)
    for make in (stochastic, bipolar):
      built = ssnn_jax.ssnn(make(9.0))
      self.assertIs(built.loss, ssnn_jax.ssnn(make(9.0)).loss)
      self.assertIsNot(built.loss, ssnn_jax.ssnn(make(8.0)).loss)

  def test_derivative_of_the_loss_is_the_update(self):
    config = networks.stochastic(SIZES, num_steps=40, dropout=0.2)
    params, key = make_params(config), jax.random.key(2)
    update, seen = learn(config, params)

    def twice(*arguments):
      loss, inference = ssnn_jax.ssnn(config).loss(*arguments)
      return 2.0 * loss, inference

    derive = jax.jit(jax.grad(twice, has_aux=True))
    gradient, inference = derive(params, key, *batch())
    expected = jax.tree.map(lambda own: 2 * own, ssnn_jax.as_gradient(update))
    networks.assert_same((gradient, inference), (expected, seen))

  def test_many_words_are_counted_in_parts(self):
    config = networks.stochastic(SIZES, num_steps=224)
    params = make_params(config)
    together, _ = learn(config, params)
    with mock.patch.object(updates, '_WORDS_AT_ONCE', 9):  # of 35
      apart, _ = learn(config, params)
    jax.tree.map(np.testing.assert_array_equal, together, apart)

  @parameterized.parameters(('bernoulli', 32), ('sobol', 1024))
  def test_memory_is_that_of_the_words_of_all_spikes(self, sampler, window):
    config = networks.stochastic(
      (784, 256, 10), num_steps=1024, window=window, sampler=sampler
    )
    params = jax.eval_shape(
      lambda key: network_lib.init(config, key), jax.random.key(0)
    )
    images = jax.ShapeDtypeStruct((128, 784), jnp.uint8)
    labels = jax.ShapeDtypeStruct((128,), jnp.int32)
    run = jax.jit(ssnn_jax.ssnn(config).learn)
    compiled = run.lower(params, jax.random.key(0), images, labels).compile()
    memory = compiled.memory_analysis()
    # Spikes of 784 inputs and 256 neurons, and two streams of 266 errors.
    words = 4 * 128 * 32 * (784 + 256 + 2 * 266)
    self.assertLess(memory.temp_size_in_bytes, 3 * words)

  @parameterized.parameters(
    networks.stochastic(SIZES, num_steps=64, window=32, gain=0.5),
    ssnn_jax.NetworkConfig(SIZES, num_steps=64),
  )
  def test_updates_of_batches_are_sums_over_samples(self, config):
    # Thresholds and phases depend on the position in the batch, so each sample
    # is presented alone at its position, with blank images at the others, whose
    # updates are subtracted.
    params, (images, labels) = make_params(config), batch(4)
    run = jax.jit(jax.grad(ssnn_jax.ssnn(config).loss, has_aux=True))
    key = jax.random.key(2)

    def present(images):
      gradient, _ = run(params, key, images, labels)
      return jax.tree.map(np.asarray, gradient)

    nothing, alone = present(np.zeros_like(images)), np.eye(len(images))
    parts = [
      jax.tree.map(
        np.subtract, present(np.float32(row[:, None]) * images), nothing
      )
      for row in alone
    ]
    total = jax.tree.map(lambda *own: sum(own), nothing, *parts)
    jax.tree.map(np.testing.assert_array_equal, present(images), total)
    self.assertTrue(all(map(np.any, jax.tree.leaves(parts))))

  def test_separate_counts_of_rates_differ_by_the_signed_counts(self):
    # `updates_test` has the counts of spikes.
    config = networks.stochastic(SIZES, num_steps=40, rates=('update',))
    params = make_params(config)
    signed, _ = learn(config, params)
    separate, _ = learn(config, params, separate_signs=True)
    self.assertIsNone(signed.negative)
    for counts in jax.tree.leaves(separate.negative):
      self.assertGreaterEqual(np.min(counts), 0)
    np.testing.assert_allclose(
      statistics.flat(ssnn_jax.as_gradient(separate)),
      statistics.flat(ssnn_jax.as_gradient(signed)),
      rtol=1e-5,
      atol=1e-7,
    )

  @parameterized.parameters('bipolar', 'stochastic')
  def test_dropped_units_have_no_spikes_and_no_errors(self, kind):
    config = ssnn_jax.NetworkConfig(
      SIZES, num_steps=40, neuron=kind, dropout=0.5
    )
    params, key = make_params(config), jax.random.key(4)
    run = jax.jit(jax.grad(ssnn_jax.ssnn(config).loss, has_aux=True))
    gradient, _ = run(params, key, *batch(1))
    masks = draw_masks(config, key, 1)
    for layer, mask in enumerate(masks):
      dropped = np.asarray(mask[0]) == 0
      self.assertBetween(dropped.sum(), 1, dropped.size - 1)
      below, above = gradient[layer : layer + 2]
      np.testing.assert_array_equal(above.weights[dropped], 0)
      np.testing.assert_array_equal(below.weights[:, dropped], 0)
      np.testing.assert_array_equal(below.biases[dropped], 0)
      self.assertTrue(np.any(above.weights) and np.any(below.weights))

  def test_dropout_rate(self):
    config = networks.stochastic((4, 500, 2), dropout=0.3)
    (mask,) = draw_masks(config, jax.random.key(0), 200)
    bound = 5 * np.sqrt(0.3 * 0.7 / mask.size)
    self.assertLess(abs(np.mean(mask) - 0.7), bound)

  def test_rates_of_bipolar_neurons_are_within_half_a_spike(self):
    config = ssnn_jax.NetworkConfig((12, 9, 8, 3), num_steps=50, ceiling=0.5)
    params, (images, _) = make_params(config), batch()
    potentials = [
      jax.jit(make(config).infer)(params, jax.random.key(0), images).potential
      for make in (ssnn_jax.ssnn, ssnn_jax.ann)
    ]
    # Of inputs and hidden neurons; a clipped drive is off by no more than it.
    bound = 0.0
    for weights, _ in params:
      most = np.max(np.sum(np.abs(weights), axis=0))
      bound = most * (bound + 0.5 / config.num_steps)
    distance = np.abs(potentials[0] - potentials[1])
    self.assertLess(distance.max(), bound + 1e-5)
    self.assertGreater(distance.max(), 0)  # spikes are whole numbers

  def test_long_trains_converge_to_the_ann(self):
    config = networks.stochastic(SIZES, num_steps=20_000, window=20_000)
    params, (images, _) = make_params(config), batch()
    spiking = jax.jit(ssnn_jax.ssnn(config).infer)(
      params, jax.random.key(0), images
    )
    ann = jax.jit(ssnn_jax.ann(config).infer)(params, jax.random.key(0), images)
    # Each potential is a sum over neurons of counts of variance at most T / 4,
    # plus the propagated deviation of the layer below.
    deviation = 0.0
    for weights, _ in params:
      norm = np.max(np.linalg.norm(weights, axis=0))
      gain = np.max(np.sum(np.abs(weights), axis=0))
      deviation = gain * deviation + norm * np.sqrt(0.25 / config.num_steps)
    np.testing.assert_allclose(
      spiking.potential, ann.potential, rtol=0, atol=5 * deviation
    )
