"""Tests for networks as a whole, and for their configuration."""

import re

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.special import softmax

import ssnn_jax
from ssnn_jax import trains
from ssnn_jax.stochastic import crossbars
from ssnn_jax.trains import thresholds
from tests.testing import networks
from tests.testing import statistics
from tests.testing.networks import SIZES
from tests.testing.networks import batch
from tests.testing.networks import learner
from tests.testing.networks import make_params

KEY = jax.random.key(4)


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(jnp.asarray, list)
  def test_arrays_and_lists_are_hashable_values(self, array):
    sizes = 12, 9, 8, 3
    expected = ssnn_jax.NetworkConfig(sizes, num_steps=40, input_gain=0.5)
    config = ssnn_jax.NetworkConfig(
      array(sizes), num_steps=np.int64(40), input_gain=np.array(0.5)
    )
    self.assertEqual(config, expected)
    self.assertEqual(hash(config), hash(expected))

  def test_equal_configurations_build_the_same_network(self):
    built, same, other = (
      ssnn_jax.ssnn(ssnn_jax.NetworkConfig(SIZES, 32, input_gain=gain)).loss
      for gain in (9.0, 9.0, 8.0)
    )
    self.assertIs(built, same)
    self.assertIsNot(built, other)

  def test_init_is_scaled_by_fan_in(self):
    config = ssnn_jax.NetworkConfig((400, 300, 10))
    params = jax.device_get(jax.jit(config.init)(jax.random.key(0)))
    for layer, fan_in in zip(params, (400, 300)):
      size = layer.weights.size
      # A normal sample's variance has a relative error of sqrt(2 / n).
      variance = np.var(layer.weights) * fan_in
      self.assertLess(abs(variance - 1), 5 * np.sqrt(2 / size) + 0.02)
      np.testing.assert_array_equal(layer.biases, 0)


class LearningTest(parameterized.TestCase):
  def test_inference_and_given_trains_have_the_spikes_of_learning(self):
    config = ssnn_jax.NetworkConfig(SIZES, 70, input_gain=1.5)
    network, params = ssnn_jax.ssnn(config), make_params(config)
    key, (images, labels) = jax.random.key(2), batch(4)
    gradient, learned = learner(network)(params, key, images, labels)
    inference = jax.device_get(jax.jit(network.infer)(params, key, images))
    networks.assert_same(inference, learned)

    @jax.jit
    def draw(rates):
      keys, positions = thresholds.make_keys(key, 1), jnp.arange(4)
      sampler, role = config.train_sampler, trains.Role.INPUT
      return trains.draw(sampler, keys, role, 0, positions, rates, 70)

    words = np.asarray(draw(images))
    words = words | ~np.asarray(trains.mask(70))[None, :, None]  # are ignored
    # A scaled loss has a scaled gradient.
    loss = lambda *batch: (2.0 * (own := network.loss(*batch))[0], own[1])
    learn_twice = learner(network._replace(loss=loss))
    double, given = learn_twice(params, key, words, labels)
    networks.assert_same(given, learned)
    networks.assert_same(double, jax.tree.map(lambda x: 2.0 * x, gradient))
    num_winners = inference.winner_counts.sum(axis=-1)
    np.testing.assert_array_equal(num_winners, 70)

  def test_labels_and_images_inside_programs(self):
    network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig(SIZES, 32))
    params, (images, _) = make_params(network.config), batch(4)

    def learn(params, key, *own):
      return jax.value_and_grad(network.loss, has_aux=True)(params, key, *own)

    for label in (-1, 3):  # no class: a loss that nobody overlooks
      labels = np.int32([0, label, 1, 2])
      (loss, _), gradient = jax.jit(learn)(params, KEY, images, labels)
      for leaf in (loss, *jax.tree.leaves(gradient)):
        self.assertTrue(np.isnan(leaf).any())

  def test_dropped_units_have_no_spikes_and_no_errors(self):
    config = ssnn_jax.NetworkConfig(SIZES, 32, dropout=0.3)
    params, key, (images, labels) = make_params(config), KEY, batch(1)
    gradient, _ = learner(ssnn_jax.ssnn(config))(params, key, images, labels)
    draw = jax.jit(crossbars.draw_dropout, static_argnums=0)
    (masks,) = draw(config, key, np.arange(2000))
    statistics.assert_mean_within(np.ravel(masks), 0.7)
    dropped, (below, above) = np.asarray(masks[0]) == 0, gradient
    self.assertBetween(dropped.sum(), 1, dropped.size - 1)
    np.testing.assert_array_equal(above.weights[dropped], 0)
    np.testing.assert_array_equal(below.weights[:, dropped], 0)
    np.testing.assert_array_equal(below.biases[dropped], 0)
    self.assertTrue(np.any(above.weights) and np.any(below.weights))


class AnnTest(parameterized.TestCase):
  def test_activation_of_ones_own(self):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=10)
    built = ssnn_jax.ann(config, activation=jax.nn.relu)
    images, labels = batch()
    scale = lambda x: 4 * x  # potentials above 1, where clip has no gradient
    params = jax.tree.map(scale, make_params(config))

    def loss(params):
      first, second = params
      hidden = jax.nn.relu(images @ first.weights + first.biases[None])
      logits = hidden @ second.weights + second.biases[None]
      loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
      return jnp.mean(loss), logits

    learn = jax.jit(jax.grad(loss, has_aux=True))
    expected, logits = jax.device_get(learn(params))
    gradient, inference = learner(built)(params, KEY, images, labels)
    networks.assert_close(gradient, expected)
    np.testing.assert_allclose(inference.potential, logits, rtol=1e-5)
    winners = 10 * softmax(logits, axis=1)
    np.testing.assert_allclose(inference.winner_counts, winners, rtol=1e-5)


class ProgramTest(parameterized.TestCase):
  @parameterized.parameters(
    (ssnn_jax.NetworkConfig(SIZES, 40, exact=('update',)), 'ssnn'),
    (ssnn_jax.NetworkConfig(SIZES, 40), 'ann'),
  )
  def test_learning_is_exported_with_precise_products(self, config, builder):
    learn = jax.grad(getattr(ssnn_jax, builder)(config).loss, has_aux=True)

    def on_bits(params, bits, *arguments):  # typed keys are not exported
      return learn(params, jax.random.wrap_key_data(bits), *arguments)

    bits = jax.random.key_data(jax.random.key(0))
    exported = jax.export.export(
      jax.jit(on_bits), platforms=('cpu', 'cuda', 'tpu')
    )(make_params(config), bits, *batch())
    # Accelerators would otherwise multiply in TF32 or bfloat16. Learning
    # multiplies all that inference does.
    products = re.findall(r'stablehlo.dot_general.*', exported.mlir_module())
    floats = [line for line in products if 'xf32>' in line]
    self.assertGreaterEqual(len(floats), len(SIZES) - 1)
    for line in floats:
      self.assertIn('precision = [HIGHEST, HIGHEST]', line)

  def test_memory_is_that_of_the_words_of_all_spikes(self):
    config = ssnn_jax.NetworkConfig((784, 256, 10), num_steps=1024)
    params = jax.eval_shape(config.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((128, 784), jnp.uint8)
    labels = jax.ShapeDtypeStruct((128,), jnp.int32)
    learn = jax.jit(jax.grad(ssnn_jax.ssnn(config).loss, has_aux=True))
    compiled = learn.lower(params, jax.random.key(0), images, labels).compile()
    memory = compiled.memory_analysis()
    # Spikes of 784 inputs and 256 neurons, and errors of 266.
    words = 4 * 128 * 32 * (784 + 256 + 266)
    self.assertLess(memory.temp_size_in_bytes, 3 * words)
