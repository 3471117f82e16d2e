"""Tests of spikes as functions of JAX; `docs/your_model.md` runs libraries."""

import dataclasses

from absl.testing import parameterized
from flax import linen
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp
from scipy.special import softmax

import ssnn_jax
from ssnn_jax import layers
from ssnn_jax import network as network_lib
from ssnn_jax import spiking
from ssnn_jax import trains
from tests.testing import networks
from tests.testing import statistics
from tests.testing.networks import SIZES

T = 8
make_key = jax.random.key  # a new one wherever a key is used


count_winners, draw_phases = (
  jax.jit(function) for function in (spiking.count_winners, spiking.draw_phases)
)


class SignalsTest(parameterized.TestCase):
  """Exact signals, winners and phases; `settling_test` has the counts."""

  def test_forward_or_backward_signals_are_exact(self):
    v = np.float32([[-0.5, 0.0, 0.0625, 0.1875, 0.5, 0.9375, 1.0, 2.5]])
    slope = np.full_like(v, 0.3)

    def fire(exact):
      rates, back = jax.vjp(lambda v: spiking.fire(v, T, exact=exact), v)
      return rates, *back(slope)

    (rates, errors), forward, backward = jax.jit(
      lambda: [fire(exact) for exact in ((), ('forward',), ('backward',))]
    )()
    np.testing.assert_array_equal(forward[0], np.clip(v, 0, 1))
    np.testing.assert_array_equal(forward[1], errors)
    np.testing.assert_array_equal(backward[0], rates)
    expected = np.where((0 < v) & (v < 1), slope, 0.0)
    np.testing.assert_array_equal(backward[1], expected)

  def test_winners_are_a_systematic_sample_of_the_softmax(self):
    potential = 3.0 * np.random.default_rng(1).normal(size=(5, 1, 7))
    phases = np.tile((np.arange(1000) + 0.5) / 1000, (5, 1))
    potential = np.tile(np.float32(potential), (1, 1000, 1))
    winners = count_winners(np.float32(phases), potential, 16)
    expected = 16 * softmax(potential, axis=-1)
    np.testing.assert_array_equal(np.sum(winners, axis=-1), 16.0)
    self.assertLess(np.max(np.abs(winners - expected)), 1.001)
    # Evenly spaced phases: the mean is exact to their spacing.
    mean = np.mean(winners, axis=1)
    np.testing.assert_allclose(mean, expected[:, 0], atol=2 / 1000)

  def test_certain_class_wins_all_ticks(self):
    potential = np.float32([[1e4, 0.0, -1e4], [0.0, 0.0, 1e4]])
    last = np.full(2, 1 - 2.0**-16, np.float32)  # the largest phase
    winners = count_winners(last, potential, 2**12)
    np.testing.assert_array_equal(winners, [[2**12, 0, 0], [0, 0, 2**12]])

  def test_phases_are_uniform_and_those_of_a_position(self):
    all_of_them, few = np.arange(2**14), np.array([5, 77])
    phases = np.asarray(draw_phases(make_key(1), all_of_them))
    statistics.assert_uniform(phases, 1)
    found = draw_phases(make_key(1), few)
    np.testing.assert_array_equal(found, phases[few])
    other = draw_phases(make_key(2), all_of_them)
    self.assertLess(np.mean(phases == other), 0.01)

  def test_loss_is_the_cross_entropy(self):
    rng, labels = np.random.default_rng(1), np.arange(4) % 3
    logits = np.float32(rng.normal(size=(4, 3)))
    loss = jax.jit(spiking.cross_entropy, static_argnums=3)
    expected = logsumexp(logits, axis=1) - logits[np.arange(4), labels]
    np.testing.assert_allclose(
      loss(make_key(1), logits, labels, T), np.mean(expected), rtol=1e-6
    )


class EncodeTest(parameterized.TestCase):
  @parameterized.parameters(('regular', 16), ('sobol', 16), ('bernoulli', 40))
  def test_rates_are_those_of_trains(self, sampler, num_steps):
    images = np.arange(24, dtype=np.uint8).reshape(4, 2, 3) * 10
    grey = images.reshape(4, 6) / np.float32(255)
    expected = np.floor(num_steps * grey + 0.5)

    @jax.jit
    def encode():
      fixed, positions = (num_steps, sampler), jnp.array([2, 3])
      key = make_key(1)
      rates = spiking.encode(key, images, *fixed)
      shard = spiking.encode(key, images[2:], *fixed, positions=positions)
      if sampler == 'regular':
        return rates, shard, expected
      return rates, shard, trains.count(spiking.draw_trains(key, grey, *fixed))

    rates, shard, expected = map(np.asarray, encode())
    self.assertEqual(rates.shape, images.shape)
    counts = num_steps * rates.reshape(4, 6)
    np.testing.assert_array_equal(np.round(counts), expected)
    # Regular and Sobol trains are within one spike of their rate.
    bound = {'regular': 0.5, 'sobol': 1.0}.get(sampler, num_steps)
    distance = np.abs(counts - num_steps * grey)
    self.assertLessEqual(distance.max(), bound + 1e-4 * num_steps)
    np.testing.assert_array_equal(shard, rates[2:])


def make_case(config):
  """Returns parameters with which sums are exact, and a batch."""
  config = dataclasses.replace(config, weight_bits=10, fraction_bits=6)
  params = jax.jit(network_lib.quantize, static_argnums=0)(
    config, networks.make_params(config)
  )
  return params, *networks.batch(8, config.layer_sizes)


def loss_of(model):
  """Returns the loss of a model `(params, rates) -> potentials`."""

  def loss(params, key, images, labels):
    logits = model(params, spiking.encode(key, images, T))
    return spiking.cross_entropy(key, logits, labels, T)

  return loss


DENSE = ssnn_jax.NetworkConfig(SIZES, num_steps=T)
CONV = ssnn_jax.NetworkConfig(
  layers=(layers.Conv(4, (2, 3), stride=2), layers.Dense(3)),
  input_shape=(6, 5),
  num_steps=T,
)


class LinenConv(linen.Module):
  @linen.compact
  def __call__(self, rates):
    conv = linen.Conv(4, (2, 3), 2, padding='VALID', name='first')
    hidden = spiking.fire(conv(rates.reshape(-1, 6, 5, 1)), T)
    return linen.Dense(3, name='last')(hidden.reshape(len(rates), -1))


def make_linen(params):
  """Returns a convolution of flax, and its parameters of those of a network."""
  first, last = params
  kernel = first.weights.reshape(2, 3, 1, 4)
  tree = {
    name: {'kernel': kernel, 'bias': biases}
    for name, kernel, biases in (
      ('first', kernel, first.biases), ('last', *last)
    )
  }  # fmt: skip
  return lambda tree, rates: LinenConv().apply({'params': tree}, rates), tree


class ModelTest(parameterized.TestCase):
  """Models learn what the network of the same layers does, bit for bit."""

  def test_gradient_of_a_convolution_of_flax(self):
    params, *batch = make_case(CONV)
    model, tree = make_linen(params)
    with jax.default_matmul_precision('highest'):
      learn = jax.grad(loss_of(jax.checkpoint(model)))
      found = jax.jit(learn)(tree, make_key(1), *batch)
    learn = networks.learner(ssnn_jax.ssnn(CONV))
    expected, _ = learn(params, make_key(1), *batch)
    leaves = jax.device_get(jax.tree.leaves(make_linen(expected)[1]))
    networks.assert_same(jax.tree.leaves(found), leaves)
    self.assertTrue(all(np.any(leaf) for leaf in leaves))

  def test_mean_gradient_of_single_samples(self):
    params, *batch = make_case(DENSE)

    @jax.grad
    def learn(params, image, label, position):
      first, last = params
      rates = spiking.encode(make_key(1), image[None], T)[0]
      hidden = jnp.dot(rates, first.weights) + first.biases
      hidden = spiking.fire(hidden, T, batch_axis=None)
      logits = jnp.dot(hidden, last.weights) + last.biases
      positions = position[None]
      return spiking.cross_entropy(
        make_key(1), logits, label, T, positions=positions
      )

    learn_each = jax.vmap(learn, (None, 0, 0, 0))
    learned = jax.jit(learn_each)(params, *batch, jnp.arange(8))
    found = jax.tree.map(lambda leaf: np.mean(leaf, axis=0), learned)
    learn = networks.learner(ssnn_jax.ssnn(DENSE))
    networks.assert_same(found, learn(params, make_key(1), *batch)[0])


class GridTest(parameterized.TestCase):
  def test_weights_are_rounded_and_learn_below_the_grid(self):
    config = dataclasses.replace(DENSE, weight_bits=6, fraction_bits=(4, 3))
    params = jax.tree.map(lambda x: 2.0 * x, networks.make_params(config))
    quantize = jax.jit(network_lib.quantize, static_argnums=0)
    rounded = quantize(config, params)
    for layer, bits in zip(rounded, (4, 3)):
      steps = np.asarray(layer.weights) * 2.0**bits
      np.testing.assert_array_equal(steps, np.round(steps))
      self.assertTrue(-32 <= np.min(steps) and np.max(steps) <= 31)
    found, *expected = (
      networks.learner(ssnn_jax.ssnn(config))(
        params, make_key(1), *networks.batch(8)
      )[0]
      for config, params in (
        (config, params),
        (config, rounded),
        (DENSE, rounded),
      )
    )
    for gradient in expected:
      networks.assert_same(found, gradient)
