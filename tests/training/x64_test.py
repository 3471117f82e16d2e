"""Tests that programs are the same where JAX has types of 64 bits."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spiking
from ssnn_jax import training
from tests.testing import networks


def learn_and_play():
  """Learns drawn trains and digits, and plays; returns all arrays."""
  labels = np.arange(16) % 3
  inputs = np.eye(6)[labels] + np.random.default_rng(0).random((16, 6)) / 8
  inputs = np.minimum(inputs, 1.0)
  of_counts = ssnn_jax.NetworkConfig((6, 5, 3), num_steps=8)
  key, learn = jax.random.key(1), networks.learner(ssnn_jax.ssnn(of_counts))
  init = lambda key: jax.random.normal(key, (6, 3), jnp.float32)
  apply = lambda weights, x: jax.nn.relu(x @ weights)
  signals = np.float32(inputs)
  network = ssnn_jax.ssnn(ssnn_jax.as_function((init, apply), signals))
  fitted = training.fit(
    network, 0.5, (signals, labels), num_epochs=1, batch_size=8, progress=False
  )
  params, own = fitted.state.params, jax.random.clone(key)
  played = spiking.play(ssnn_jax.spike(apply), params, signals, jnp.sum, own)
  found = [
    learn(networks.make_params(of_counts), key, inputs, labels),
    (params, fitted.history),
    played[:2],  # outputs and update, whatever the order of spikes
  ]
  return list(map(np.asarray, jax.tree.leaves(found)))


class X64Test(absltest.TestCase):
  @jax.numpy_dtype_promotion('standard')
  def test_spikes_and_weights_are_the_same(self):
    expected = learn_and_play()
    with jax.enable_x64(True):
      self.assertEqual(jnp.zeros(1).dtype, np.float64)
      found = learn_and_play()
    for ours, theirs in zip(found, expected, strict=True):
      self.assertEqual(ours.dtype, theirs.dtype)
      self.assertEqual(ours.tobytes(), theirs.tobytes())
