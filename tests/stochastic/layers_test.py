"""Tests for convolutions and for layers of one's own."""

import dataclasses

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.stochastic import neuron as stochastic
from ssnn_jax.stochastic import samples
from ssnn_jax.stochastic.coincidences import count_coincidences
from ssnn_jax.stochastic.layers import Conv
from ssnn_jax.stochastic.layers import Dense
from ssnn_jax.stochastic.layers import Wiring
from tests.testing import convolutions
from tests.testing import networks

KEY, EXACT = jax.random.key(3), {'exact': ('forward', 'backward', 'update')}
PULSES = {'exact': ('forward', 'backward', 'winners')}  # in updates alone
SHORT = convolutions.LAYERS[::2]  # a convolution, and a dense layer
CONVOLUTIONS = (
  Conv(3, kernel=(2, 4), stride=(1, 3), padding=(0, 1)),
  Conv(3, kernel=2, stride=3, channel_axis=0),  # leaves pixels out
)


def convolve(conv, weights, images):
  """Convolves images `[B, H, W, C]` by the library of JAX."""
  kernel = weights.reshape(*conv.kernel, images.shape[-1], conv.features)
  return jax.lax.conv_general_dilated(
    images,
    kernel,
    conv.stride,
    [(padding, padding) for padding in conv.padding],
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    precision='highest',
  )


class ConvTest(parameterized.TestCase):
  @parameterized.parameters(*CONVOLUTIONS)
  def test_read_transpose_and_coincidences_are_those_of_a_convolution(
    self, conv
  ):
    shape = (2, 9, 8) if conv.channel_axis == 0 else (9, 8, 2)
    wiring, rng, num_steps = conv.connect(shape), np.random.default_rng(0), 40
    draw = lambda *shape: np.float32(rng.normal(size=shape))
    weights, biases = draw(*wiring.weights_shape), draw(wiring.num_columns)
    rates, errors = draw(5, wiring.num_inputs), draw(5, wiring.num_neurons)
    spikes = rng.integers(0, 2, (2, num_steps, wiring.num_inputs))
    error_spikes = rng.integers(0, 2, (2, num_steps, wiring.num_neurons))
    is_negative = rng.integers(0, 2, (2, wiring.num_neurons)).astype(bool)

    def expect(weights, values):
      images = values.reshape(-1, *shape)
      if conv.channel_axis == 0:
        images = jnp.moveaxis(images, 1, -1)
      outputs = convolve(conv, weights, images)
      self.assertEqual(outputs.shape[1:], wiring.output_shape)
      return 0.5 * outputs.reshape(len(values), -1)

    @jax.jit
    def both():
      params = types.LayerParams(weights, biases)
      read = lambda rates: wiring.read(params, 0.5, rates)
      found, pull = jax.vjp(read, rates)
      rows = wiring.read_transposed(params, 0.5, errors)
      expected, expected_pull = jax.vjp(lambda x: expect(weights, x), rates)
      expected += jnp.tile(biases, wiring.num_positions)[None]
      words = trains.pack(spikes), trains.pack(error_spikes)[:, None]
      counted = count_coincidences(wiring, *words, is_negative[:, None])
      signs = jnp.where(is_negative, -0.5, 0.5)[:, None]
      flat = lambda x: jnp.float32(x).reshape(2 * num_steps, -1)
      _, count = jax.vjp(lambda w: 4 * expect(w, flat(spikes)), weights)
      counts = count(flat(signs * jnp.float32(error_spikes)))
      return (
        ((found, wiring.scatter(rows), *pull(errors)), counted.weights),
        ((expected, *2 * expected_pull(errors)), *counts),
      )

    (found, counted), (expected, counts) = both()
    networks.assert_close(found, expected)
    np.testing.assert_array_equal(counted, counts)


@dataclasses.dataclass(frozen=True)
class Ring:
  """Neurons in a ring, which see themselves and their right neighbors."""

  features: int

  def connect(self, input_shape):
    neurons = np.arange(np.prod(input_shape))
    inputs = np.stack([neurons, np.roll(neurons, -1)], axis=1)
    return Wiring(input_shape, (len(neurons), self.features), inputs)


RINGS = SHORT[0], Ring(3), SHORT[1]


def dense(config):
  """Returns the configuration of the dense network with equal weights."""
  return dataclasses.replace(config, layers=None, input_shape=None)


def learn(network, *batch):
  return jax.grad(network.loss, has_aux=True)(*batch)


def count_pulses(network, *batch):
  (positive, negative, *pulses), inference = network.count_pulses(
    *batch, np.float32(0.003)
  )
  return (positive, negative), (pulses, inference)


class EqualDenseTest(parameterized.TestCase):
  """Each network of shared weights learns as the dense one with equal weights.

  All integers are equal: winners, and coincidences added up over positions.
  """

  def learn_both(self, make, learn, config, shape=convolutions.INPUT_SHAPE):
    params = convolutions.make_params(config, seed=1)
    batch = convolutions.batch(8, shape)

    @jax.jit
    def learn_both(params, expanded):
      nets = make(config), make(dense(config))
      return [
        learn(network, own, KEY, *batch)
        for network, own in zip(nets, (params, expanded))
      ]

    expanded = convolutions.expand(config, params)
    found, expected = jax.device_get(learn_both(params, expanded))
    for layer in jax.tree.leaves(found[0]):
      self.assertGreater(np.abs(layer).max(), 0)
    return found, expected

  @parameterized.parameters(
    (learn, dict(layers=RINGS, num_steps=64, dropout=0.5)),
    (count_pulses, dict(layers=SHORT, num_steps=16, winner='race')),
  )
  def test_spikes_and_updates_are_equal(self, learn, options):
    config = convolutions.make_config(**options)
    found, expected = self.learn_both(
      ssnn_jax.ssnn, learn, config, config.input_shape
    )
    networks.assert_same(found[1], expected[1])
    pairs = found[0], expected[0]
    if learn is not count_pulses:  # of positive and of negative error spikes
      pairs = [(own,) for own in pairs]
    for ours, theirs in zip(*pairs):
      networks.assert_same(ours, convolutions.fold(config, theirs))

  @parameterized.parameters(EXACT, PULSES)
  def test_exact_networks_learn_the_same(self, **options):
    config = convolutions.make_config(num_steps=8, layers=SHORT, **options)
    found, expected = self.learn_both(ssnn_jax.ssnn, learn, config)
    folded = convolutions.fold(config, expected[0])
    networks.assert_close(found[0], folded)


class NetworksTest(parameterized.TestCase):
  def test_read_noise_of_each_position_is_its_own(self):
    config = convolutions.make_config(num_steps=32, read_noise=0.5)
    params = jax.tree.map(jnp.zeros_like, convolutions.make_params(config))
    batch = convolutions.batch(1)

    @jax.jit
    def present():
      batch_of_one = samples.prepare(config, params, KEY, *batch)
      return stochastic.present(config, params, KEY, batch_of_one)

    signals = present()
    rates = signals.forward[1].rates.reshape(12, 3)
    self.assertGreater(np.ptp(rates, axis=0).min(), 0)
    # What comes back to the first layer is noise of three positions.
    self.assertGreater(np.abs(signals.errors[0].errors).max(), 0)

  def test_images_may_be_flat_or_have_an_axis_of_one_channel(self):
    config = ssnn_jax.NetworkConfig(
      layers=(Conv(2, 3), Dense(4)), input_shape=(7, 6)
    )
    images = np.random.default_rng(0).random((3, 7, 6), np.float32)
    network, params = ssnn_jax.ann(config), networks.make_params(config)
    infer = jax.jit(network.infer)
    expected = infer(params, KEY, images).potential
    for shape in ((3, 42), (3, 1, 42), (3, 7, 6, 1)):
      found = infer(params, KEY, images.reshape(shape)).potential
      np.testing.assert_array_equal(found, expected)
