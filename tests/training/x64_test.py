"""Tests that programs are the same where JAX has types of 64 bits."""

import hashlib
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spiking
from ssnn_jax import training
from tests.testing import networks

ROOT = pathlib.Path(__file__).parent.parent.parent


def digest():
  """Learns drawn trains and digits, and plays; returns one digest of all."""
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
  params = fitted.state.params
  played = spiking.play(ssnn_jax.spike(apply), params, signals, jnp.sum, key)
  found = [
    learn(networks.make_params(of_counts), key, inputs, labels),
    (params, fitted.history),
    played[:2],  # outputs and update, whatever the order of spikes
  ]
  leaves = map(np.asarray, jax.tree.leaves(found))
  content = b''.join(own.dtype.str.encode() + own.tobytes() for own in leaves)
  return hashlib.sha256(content).hexdigest()


class X64Test(absltest.TestCase):
  def test_spikes_and_weights_are_the_same(self):
    done = subprocess.run(
      [sys.executable, '-m', 'tests.training.x64_test'],
      cwd=ROOT,
      env=os.environ | {'JAX_ENABLE_X64': '1'},
      capture_output=True,
      text=True,
      timeout=300,
    )
    self.assertEqual(done.stdout.split(), ['True', digest()], done.stderr)


if __name__ == '__main__':
  print(jax.config.jax_enable_x64)
  print(digest())
