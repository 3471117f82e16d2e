"""Tests for layers of one's own and for networks of layers."""

import dataclasses

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import layers
from tests.testing import networks

KEY = jax.random.key(3)


@dataclasses.dataclass(frozen=True)
class Ring:
  """Neurons in a ring, which see themselves and their right neighbors."""

  features: int

  def connect(self, input_shape):
    neurons = np.arange(np.prod(input_shape))
    inputs = np.stack([neurons, np.roll(neurons, -1)], axis=1)
    output_shape = len(neurons), self.features
    return layers.Wiring(input_shape, output_shape, inputs)


class OwnLayerTest(parameterized.TestCase):
  def test_own_layer_learns_by_bp_and_by_spikes(self):
    config = ssnn_jax.NetworkConfig(
      layers=(Ring(3), layers.Dense(4)), input_shape=(10,), num_steps=32
    )
    self.assertEqual(config.layer_sizes, (10, 30, 4))
    rates = {'forward': 'rates', 'backward': 'rates', 'update': 'rates'}
    exact = dataclasses.replace(config, **rates)
    params = networks.make_params(config)
    batch = networks.batch(7, config.layer_sizes)
    builds = ssnn_jax.ssnn(exact), ssnn_jax.ann(exact), ssnn_jax.ssnn(config)
    learn = jax.jit(lambda *own: [built.learn(*own)[0] for built in builds])
    found, expected, counts = jax.device_get(learn(params, KEY, *batch))
    networks.assert_close(*map(ssnn_jax.as_gradient, (found, expected)))
    self.assertEqual(counts.positive[0].weights.shape, (2, 3))
    self.assertGreater(np.abs(counts.positive[0].weights).sum(), 0)

  def test_wrong_inputs_are_refused(self):
    for inputs in (
      *(np.zeros((3, 2), int), np.full((4, 2), 4), np.full((4, 2), -1)),
      None,
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, '4 positions'):
        layers.Wiring((4,), (4, 1), inputs)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, r'within \[-2, 3\] of shape'
    ):
      layers.Wiring((4,), (2, 1), [[0, -2], [3, 1]])

  @parameterized.parameters(
    (lambda shape: None, 'connect must return a layers.Wiring'),
    (lambda shape: layers.Wiring((3,), (4,)), r'inputs of shape \(10,\)'),
  )
  def test_wrong_connections_are_refused(self, connect, message):
    @dataclasses.dataclass(frozen=True)
    class Wrong:
      def connect(self, input_shape):
        return connect(input_shape)

    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      ssnn_jax.NetworkConfig(
        layers=(Wrong(), layers.Dense(4)), input_shape=(10,)
      )
