"""Tests of devices that all positions of a convolution share."""

import dataclasses

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax.hardware import presets
from tests.testing import convolutions

KEY = jax.random.key(3)


class SharedDevicesTest(parameterized.TestCase):
  def test_shared_weight_is_one_device_of_all_positions(self):
    config = convolutions.make_config()
    device = ssnn_jax.hardware.make_resistive(
      dataclasses.replace(presets.PRESETS['gokmen_vlasov'], endurance=2.0**30),
      learning_rate=0.5,
    )
    network = ssnn_jax.ssnn(config, separate_signs=True)
    images, labels = convolutions.batch()
    keys = jax.random.split(jax.random.key(4), 2)
    params, state = device.init(keys[0], network.init(jax.random.key(0)))
    update, _ = jax.jit(
      lambda: network.learn(
        params,
        KEY,
        images,
        labels,
        pulse_gradient=device.pulse_gradient(state),
      )
    )()
    after, state = jax.jit(device.update)(keys[1], update, state, params)
    for layer, (positive, negative, pulses, count) in enumerate(
      zip(update.positive, update.negative, update.pulses, state.pulse_counts)
    ):
      self.assertEqual(after[layer].weights.shape, positive.weights.shape)
      # All coincidences of all positions are pulses of the one device.
      expected = pulses.weights * (positive.weights + negative.weights)
      np.testing.assert_array_equal(count.weights, expected)
