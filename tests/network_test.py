"""Tests for networks as a whole, and for their configuration."""

import functools
import re

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.special import softmax

import ssnn_jax
from ssnn_jax import crossbars
from ssnn_jax import spiking
from ssnn_jax import trains
from tests.testing import networks
from tests.testing import statistics
from tests.testing.networks import SIZES
from tests.testing.networks import batch
from tests.testing.networks import learner
from tests.testing.networks import make_params

NEURONS, KEY = ('bipolar', 'stochastic'), jax.random.key(4)


def make_config(neuron, num_steps=32, **options):
  """Returns a network whose sums are exact in any order."""
  if neuron == 'bipolar':
    options = {'weight_bits': 10, 'fraction_bits': 7} | options
  return ssnn_jax.NetworkConfig(SIZES, num_steps, neuron=neuron, **options)


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(jnp.asarray, list)
  def test_arrays_and_lists_are_hashable_values(self, array):
    sizes, bits = (12, 9, 8, 3), (9, 8, 7)
    make = functools.partial(
      ssnn_jax.NetworkConfig, neuron='bipolar', weight_bits=12
    )
    expected = make(sizes, 40, fraction_bits=bits, input_gain=0.5)
    config = make(
      array(sizes),
      np.int64(40),
      fraction_bits=array(bits),
      input_gain=np.array(0.5),
    )
    self.assertEqual(config, expected)
    self.assertEqual(hash(config), hash(expected))

  def test_defaults_depend_on_the_neuron(self):
    for neuron, num_steps, expected in (
      ('bipolar', 8, (32, 64)),
      ('bipolar', 100, (100, 64)),
      ('stochastic', 8, (8, 8)),
    ):
      config = ssnn_jax.NetworkConfig(SIZES, num_steps, neuron=neuron)
      found = config.steps_of_inputs, config.winners_of_sample
      self.assertEqual(found, expected)

  @parameterized.parameters(*NEURONS)
  def test_equal_configurations_build_the_same_network(self, neuron):
    built, same, other = (
      ssnn_jax.ssnn(make_config(neuron, input_gain=gain)).loss
      for gain in (9.0, 9.0, 8.0)
    )
    self.assertIs(built, same)
    self.assertIsNot(built, other)

  def test_init_is_scaled_by_fan_in(self):
    config = networks.stochastic((400, 300, 10))
    init = jax.jit(crossbars.init, static_argnums=0)
    params = jax.device_get(init(config, jax.random.key(0)))
    for layer, fan_in in zip(params, (400, 300)):
      size = layer.weights.size
      # A normal sample's variance has a relative error of sqrt(2 / n).
      variance = np.var(layer.weights) * fan_in
      self.assertLess(abs(variance - 1), 5 * np.sqrt(2 / size) + 0.02)
      np.testing.assert_array_equal(layer.biases, 0)


class LearningTest(parameterized.TestCase):
  @parameterized.parameters(*NEURONS)
  def test_inference_and_given_trains_have_the_spikes_of_learning(self, neuron):
    config = make_config(neuron, 70, input_gain=1.5)
    network, params = ssnn_jax.ssnn(config), make_params(config)
    key, (images, labels) = jax.random.key(2), batch(4)
    gradient, learned = learner(network)(params, key, images, labels)
    infer = jax.jit(network.infer)
    inference = jax.device_get(infer(params, key, images))
    networks.assert_same(inference, learned)
    if neuron == 'stochastic':
      draw = jax.jit(spiking.draw_trains, static_argnums=(2, 3))
      words = np.asarray(draw(key, images, 70, 'sobol'))
    else:
      counts = np.floor(70 * images + np.float32(0.5))
      words = trains.pack(np.arange(70)[:, None] < counts[:, None])
    words = words | ~np.asarray(trains.mask(70))[None, :, None]  # are ignored
    # A scaled loss has a scaled gradient.
    loss = lambda *batch: (2.0 * (own := network.loss(*batch))[0], own[1])
    learn_twice = learner(network._replace(loss=loss))
    double, given = learn_twice(params, key, words, labels)
    networks.assert_same(given, learned)
    networks.assert_same(double, jax.tree.map(lambda x: 2.0 * x, gradient))
    num_winners = inference.winner_counts.sum(axis=-1)
    np.testing.assert_array_equal(num_winners, config.winners_of_sample)

  @parameterized.parameters(*NEURONS)
  def test_labels_and_images_inside_programs(self, neuron):
    network = ssnn_jax.ssnn(make_config(neuron))
    params, (images, labels) = make_params(network.config), batch(4)

    def learn(params, key, *own):
      return jax.value_and_grad(network.loss, has_aux=True)(params, key, *own)

    (loss, _), gradient = jax.jit(learn)(params, KEY, images, labels)
    if neuron == 'bipolar':
      # Arrays of JAX that are constants of a program are not traced.
      fixed = jnp.asarray(images), jnp.asarray(labels)
      constant = jax.jit(lambda params: learn(params, KEY, *fixed))(params)
      networks.assert_close((constant[0][0], constant[1]), (loss, gradient))
      cross_entropy = lambda v: spiking.cross_entropy(KEY, v, fixed[1])
      potential = constant[0][1].potential
      networks.assert_close(jax.jit(cross_entropy)(potential), loss)
    for label in (-1, 3):  # no class: a loss that nobody overlooks
      labels = np.int32([0, label, 1, 2])
      (loss, _), gradient = jax.jit(learn)(params, KEY, images, labels)
      for leaf in (loss, *jax.tree.leaves(gradient)):
        self.assertTrue(np.isnan(leaf).any())

  def test_dropped_units_have_no_spikes_and_no_errors(self):
    config = make_config('stochastic', dropout=0.3)
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
    (networks.stochastic(SIZES, 40, exact=('update',)), 'ssnn'),
    (ssnn_jax.NetworkConfig(SIZES, 40, neuron='bipolar'), 'ssnn'),
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
    config = networks.stochastic((784, 256, 10), num_steps=1024)
    params = jax.eval_shape(
      functools.partial(crossbars.init, config), jax.random.key(0)
    )
    images = jax.ShapeDtypeStruct((128, 784), jnp.uint8)
    labels = jax.ShapeDtypeStruct((128,), jnp.int32)
    learn = jax.jit(jax.grad(ssnn_jax.ssnn(config).loss, has_aux=True))
    compiled = learn.lower(params, jax.random.key(0), images, labels).compile()
    memory = compiled.memory_analysis()
    # Spikes of 784 inputs and 256 neurons, and errors of 266.
    words = 4 * 128 * 32 * (784 + 256 + 266)
    self.assertLess(memory.temp_size_in_bytes, 3 * words)
