"""Tests of neurons, losses and inputs as functions of JAX."""

import dataclasses
import functools

from absl.testing import parameterized
from flax import linen
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp
from scipy.special import softmax

import ssnn_jax
from ssnn_jax import crossbars
from ssnn_jax import layers
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


class NeuronTest(parameterized.TestCase):
  def test_forward_or_backward_signals_are_exact(self):
    v = np.float32([[-0.5, 0.0, 0.0625, 0.1875, 0.5, 0.9375, 1.0, 2.5]])
    slope = np.full_like(v, 0.3)

    def fire(exact):
      neurons = functools.partial(spiking.fire, ceiling=1.0, exact=exact)
      rates, back = jax.vjp(lambda v: neurons(v, T), v)
      return rates, *back(slope)

    (rates, errors), forward, backward = jax.jit(
      lambda: [fire(exact) for exact in ((), ('forward',), ('backward',))]
    )()
    np.testing.assert_array_equal(forward[0], np.clip(v, 0, 1))
    np.testing.assert_array_equal(forward[1], errors)
    np.testing.assert_array_equal(backward[0], rates)
    is_open = (0 < v) & (v < 1)
    np.testing.assert_array_equal(backward[1], np.where(is_open, slope, 0.0))
    np.testing.assert_array_equal(errors, np.where(is_open, 0.3125, 0.0))

  @parameterized.parameters(1, 2, 3)
  def test_digits_are_powers_of_two_that_halve_the_rest(self, digits):
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000) * 2.0 ** rng.integers(-100, 100, 2000)
    values = np.float32([*values, 0.0, 1.0, -1.5, 11.0, 1.499, np.nan])
    find = jax.jit(spiking.leading_digits, static_argnums=1)
    found = np.asarray(find(values, digits))
    rest = np.float64(values)
    for _ in range(digits):
      mantissa, exponent = np.frexp(rest)
      power = np.where(np.abs(mantissa) < 0.75, 0.5, 1.0) * np.exp2(exponent)
      rest = rest - np.sign(rest) * power
    np.testing.assert_array_equal(found, np.float64(values) - rest)
    error = np.abs(rest[:2000] / values[:2000])
    bound = 1 / (3, 11, 43)[digits - 1]
    self.assertLessEqual(error.max(), bound)
    self.assertGreater(error.max(), 0.9 * bound)

  @parameterized.parameters(jnp.bfloat16, jnp.float16)
  def test_counts_of_few_bits_are_those_of_float32(self, dtype):
    rng = np.random.default_rng(0)
    v = jnp.asarray(rng.normal(size=(1, 2000)), dtype)
    slope = jnp.asarray(rng.normal(size=(1, 2000)), dtype)

    @jax.jit
    def fire(v, slope):
      rates, back = jax.vjp(lambda v: spiking.fire(v, 16, 4.0, -4.0), v)
      return rates, *back(slope)

    short = fire(v, slope)
    full = fire(v.astype(jnp.float32), slope.astype(jnp.float32))
    for found, expected in zip(short, full):
      self.assertEqual(found.dtype, dtype)
      networks.assert_same(found.astype(jnp.float32), expected)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'holds no count above'):
      spiking.fire(v, 1024, 4.0)


class LossTest(parameterized.TestCase):
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

  def test_no_class_of_many_has_negative_winners(self):
    # Cumulative sums of float32 fall here.
    rng = np.random.default_rng(0)
    potential = np.float32(3 * rng.normal(size=(2, 200_000)))
    winners = count_winners(
      draw_phases(make_key(0), np.arange(2)), potential, 64
    )
    self.assertEqual(np.min(winners), 0)
    np.testing.assert_array_equal(np.sum(winners, axis=1), 64)

  def test_phases_are_uniform_and_those_of_a_position(self):
    all_of_them, few = np.arange(2**14), np.array([5, 77])
    phases = np.asarray(draw_phases(make_key(1), all_of_them))
    statistics.assert_uniform(phases, 1)
    found = draw_phases(make_key(1), few)
    np.testing.assert_array_equal(found, phases[few])
    other = draw_phases(make_key(2), all_of_them)
    self.assertLess(np.mean(phases == other), 0.01)

  @parameterized.parameters(((4,), None), ((2, 3), [0, 2, 1]))
  def test_loss_is_the_weighted_cross_entropy(self, shape, weights):
    rng = np.random.default_rng(1)
    logits = np.float32(rng.normal(size=(*shape, 3)))
    labels = rng.integers(0, 3, shape)
    if weights is not None:
      labels[:, 0] = -100  # of weight 0
      weights = np.broadcast_to(np.float32(weights), shape)

    @jax.jit
    def learn(key):
      loss = lambda logits, exact: spiking.cross_entropy(
        key, logits, labels, 2**12, weights=weights, exact=exact
      )
      return loss(logits, ()), *(
        jax.grad(loss)(logits, exact) for exact in ((), ('winners',))
      )

    found, gradient, exact = learn(make_key(1))
    shares = np.ones(shape) if weights is None else weights
    shares = shares / shares.sum()
    chosen = np.take_along_axis(logits, labels[..., None] % 3, -1)[..., 0]
    losses = logsumexp(logits, axis=-1) - chosen
    np.testing.assert_allclose(found, np.sum(shares * losses), rtol=1e-6)
    target = np.arange(3) == labels[..., None]
    expected = shares[..., None] * (softmax(logits, axis=-1) - target)
    np.testing.assert_allclose(exact, expected, atol=1e-7)
    np.testing.assert_allclose(gradient, expected, atol=2**-12)

  def test_phases_are_those_of_positions_in_the_batch(self):
    logits = np.zeros((2, 3, 5), np.float32)
    labels = np.zeros((2, 3), np.int32)
    learn = jax.jit(jax.grad(spiking.cross_entropy, 1))
    both = learn(make_key(1), logits, labels)
    second = jax.jit(
      jax.grad(
        lambda logits: spiking.cross_entropy(
          make_key(1), logits, labels[1], positions=jnp.arange(3, 6)
        )
      )
    )(logits[1])
    np.testing.assert_array_equal(2 * both[1], second)
    rows = np.unique(np.asarray(both).reshape(6, 5), axis=0)
    self.assertGreater(len(rows), 1)


class EncodeTest(parameterized.TestCase):
  @parameterized.parameters(('regular', 16), ('sobol', 64))
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
    bound = {'regular': 0.5, 'sobol': 1.0}[sampler]
    distance = np.abs(counts - num_steps * grey)
    self.assertLessEqual(distance.max(), bound + 1e-4 * num_steps)
    np.testing.assert_array_equal(shard, rates[2:])


def make_case(config):
  """Returns parameters with which sums are exact, and a batch."""
  config = dataclasses.replace(config, weight_bits=10, fraction_bits=6)
  params = jax.jit(crossbars.quantize, static_argnums=0)(
    config, networks.make_params(config)
  )
  return params, *networks.batch(8, config.layer_sizes)


DENSE = ssnn_jax.NetworkConfig(SIZES, num_steps=T, neuron='bipolar')
CONV = ssnn_jax.NetworkConfig(
  layers=(layers.Conv(4, (2, 3), stride=2), layers.Dense(3)),
  input_shape=(6, 5),
  num_steps=T,
  neuron='bipolar',
)


class LinenConv(linen.Module):
  @linen.compact
  def __call__(self, rates):
    conv = linen.Conv(4, (2, 3), 2, padding='VALID', name='first')
    hidden = spiking.fire(conv(rates.reshape(-1, 6, 5, 1)), T, ceiling=1.0)
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

    def loss(tree, key, images, labels):
      logits = jax.checkpoint(model)(tree, spiking.encode(key, images))
      return spiking.cross_entropy(key, logits, labels)

    with jax.default_matmul_precision('highest'):
      found = jax.jit(jax.grad(loss))(tree, make_key(1), *batch)
    learn = networks.learner(ssnn_jax.ssnn(CONV))
    expected, _ = learn(params, make_key(1), *batch)
    leaves = jax.device_get(jax.tree.leaves(make_linen(expected)[1]))
    networks.assert_same(jax.tree.leaves(found), leaves)
    self.assertTrue(all(np.any(leaf) for leaf in leaves))

  def test_gradient_has_the_scale_of_the_loss(self):
    params, images, labels = make_case(CONV)
    model, tree = make_linen(params)
    rates, key = np.floor(T * images + np.float32(0.5)) / T, make_key(1)

    def loss(tree, rates, labels, positions):
      logits = model(tree, rates)
      place = {'positions': positions}
      return spiking.cross_entropy(key, logits, labels, **place)

    def loss_of_one(tree, image, label, position):
      logits, place = model(tree, image[None])[0], {'positions': position}
      return spiking.cross_entropy(key, logits, label, **place)

    factors = np.float32([2.0**-40, 2.0**40, 1000.0])
    samples = rates, labels, jnp.arange(8)

    @jax.jit
    def learn(tree):
      learn = jax.grad(loss)
      halves = [own.reshape(2, 4, *own.shape[1:]) for own in samples]
      halves = jax.lax.map(lambda own: learn(tree, *own), halves)
      singles = jax.vmap(jax.grad(loss_of_one), (None, 0, 0, 0))
      singles = singles(tree, *samples)
      means = [
        jax.tree.map(lambda own: jnp.mean(own, axis=0), parts)
        for parts in (halves, singles)
      ]

      def scaled(factor):
        gradient = jax.grad(lambda tree: factor * loss(tree, *samples))(tree)
        return jax.tree.map(lambda leaf: leaf / factor, gradient)

      return learn(tree, *samples), means, jax.lax.map(scaled, factors)

    with jax.default_matmul_precision('highest'):
      expected, means, scaled = jax.device_get(learn(tree))
    *scaled, thousand = (
      jax.tree.map(lambda own, at=at: own[at], scaled) for at in range(3)
    )
    for found in (*means, *scaled):
      networks.assert_same(found, expected)
    # Digits of other factors differ: by 2/11 of an error at most.
    flat = lambda tree: np.concatenate(
      [np.ravel(leaf) for leaf in jax.tree.leaves(tree)]
    )
    distance = np.linalg.norm(flat(thousand) - flat(expected))
    self.assertLess(distance, 2 / 11 * np.linalg.norm(flat(expected)))


class GridTest(parameterized.TestCase):
  def test_weights_are_rounded_and_learn_below_the_grid(self):
    config = dataclasses.replace(DENSE, weight_bits=6, fraction_bits=(4, 3))
    params = jax.tree.map(lambda x: 2.0 * x, networks.make_params(config))
    quantize = jax.jit(crossbars.quantize, static_argnums=0)
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
