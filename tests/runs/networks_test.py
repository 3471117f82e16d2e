"""Tests of networks in folders."""

import dataclasses
import os
import pathlib
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import networks
from tests.testing.checkpoints import make_state

DENSE = ssnn_jax.NetworkConfig((6, 5, 3), num_steps=8)
# All fields that are not texts or numbers of Python differ from the defaults.
RICH = ssnn_jax.NetworkConfig(
  layers=(
    ssnn_jax.layers.Conv(2, kernel=(3, 2), channel_axis=0),
    ssnn_jax.layers.Dense(5),
    ssnn_jax.layers.Dense(3),
  ),
  input_shape=(2, 4, 4),
  num_steps=np.int64(64),
  input_gain=np.float32(0.1),
  winner='race',
  read_noise=0.1,
  exact=('forward', 'update'),
)
CHIP = ssnn_jax.chip.Config(
  (6, 5, 3),
  num_steps=np.int64(8),
  weight_bits=8,
  fraction_bits=(7, np.int64(6)),
)
PAIR = (
  lambda key: {'w': jax.random.normal(key, (6, 3))},
  lambda p, x: x @ p['w'],
)
FUNCTION = ssnn_jax.as_function(PAIR, np.ones((1, 6)), num_steps=4)


def init(config, seed=0):
  return jax.jit(config.init)(jax.random.key(seed))


class NetworksTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path, 'network')

  def assert_loads(self, config, params, **options):
    loaded = ssnn_jax.load(self.folder, **options)
    self.assertEqual(loaded.config, config)
    structures = map(jax.tree.structure, (loaded.params, params))
    self.assertEqual(*structures)
    for pair in zip(*map(jax.tree.leaves, (loaded.params, params))):
      ours, theirs = map(np.asarray, pair)
      self.assertEqual(ours.dtype, theirs.dtype)
      np.testing.assert_array_equal(ours, theirs)

  @parameterized.parameters(RICH, CHIP)
  def test_loads_the_configuration_and_every_bit(self, config):
    params = init(config)
    ssnn_jax.save(self.folder, config, params)
    self.assert_loads(config, params)

  def test_loads_the_fields_of_a_function_that_is_given(self):
    model = dataclasses.replace(FUNCTION, num_steps=None, digits=5)
    params = init(model)
    ssnn_jax.save(self.folder, ssnn_jax.ann(model), params)
    self.assert_loads(model, params, model=FUNCTION)
    self.assertEqual(ssnn_jax.load(self.folder, FUNCTION).kind, 'ann')
    with self.assertRaisesRegex(ssnn_jax.UserError, 'give the Function that'):
      ssnn_jax.load(self.folder)

  def test_replaces_a_network_or_leaves_it(self):
    first, second = init(DENSE), init(CHIP)
    ssnn_jax.save(self.folder, DENSE, first)
    with mock.patch.object(os, 'replace', side_effect=KeyboardInterrupt):
      with self.assertRaises(KeyboardInterrupt):
        ssnn_jax.save(self.folder, CHIP, second)
    self.assert_loads(DENSE, first)
    ssnn_jax.save(self.folder, CHIP, second)
    self.assert_loads(CHIP, second)
    self.assertEqual(os.listdir(self.folder), ['network.npz'])

  def test_refuses_damaged_files(self):
    params, path = init(DENSE), self.folder / 'network.npz'
    ssnn_jax.save(self.folder, DENSE, params)
    content, weights = path.read_bytes(), params[0].weights.tobytes()
    changed = bytes([weights[0] ^ 1]) + weights[1:]
    with np.load(path) as file:
      arrays = dict(file)
    for damage, words in (
      (content.replace(weights, changed), ''),
      ({'config': '{'}, 'Expecting'),
      ({'2.weights': np.ones(5)}, 'the shapes .*2.weights.*; the network has'),
      ({'0.weights': np.ones((5, 6))}, r'\(5, 6\).*has .*0.weights.: \(6, 5\)'),
      ({'0.weights': np.full((6, 5), 1e300)}, 'float64, or NaN or infinite'),
    ):
      if isinstance(damage, bytes):
        path.write_bytes(damage)
      else:
        np.savez(path, **arrays | damage)
      words = f'^{path} is damaged.*{words}'
      with self.assertRaisesRegex(ssnn_jax.UserError, words):
        ssnn_jax.load(self.folder)

  def test_loads_a_seed_of_a_run(self):
    self.folder.mkdir()
    config = ssnn_jax.NetworkConfig((4, 5, 3))
    networks.write(self.folder, config, 'ssnn', {})
    best, last = (make_state(epoch, num_seeds=2) for epoch in (1, 2))
    with checkpoints.open_in(self.folder) as manager:
      checkpoints.save(manager, best, [7, 8], {}, 0.9)
      checkpoints.save(manager, last, [7, 8], {}, 0.5)
    for state, index, options in (
      (last, 0, {}),
      (last, 1, {'seed': 8}),
      (best, 1, {'seed': 8, 'best': True}),
    ):
      params = jax.tree.map(lambda leaf: leaf[index], state.params)  # noqa: B023
      self.assert_loads(config, params, **options)
    self.assertEqual(checkpoints.last_epoch(self.folder), 2)
