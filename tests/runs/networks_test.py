"""Tests of networks in folders."""

import dataclasses
import json
import pathlib
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files
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
  num_steps=np.int64(16),
  window=1,
  timing='realtime',
  gain=(0.5, np.float32(0.1)),
  winner='race',
  race=ssnn_jax.RaceConfig(inhibition='adaptive', inhibition_step=0.25),
  settle=9,
  kernels=np.False_,
  reads=ssnn_jax.ReadConfig(inp_bits=6, inp_bound=1.0),
)
CHIP = chip.ChipConfig((6, 5, 3), fraction_bits=(9, 8), max_shift=4)
MEMBRANE = ssnn_jax.neuron.membrane.leaky(3.0)


@dataclasses.dataclass(frozen=True)
class Skip(ssnn_jax.layers.Dense):
  """A layer of the user's own."""


def init(config, seed=0):
  key = jax.random.key(seed)
  if isinstance(config, chip.ChipConfig):
    return chip.init_weights(config, key)
  return ssnn_jax.ssnn(config).init(key)


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

  def assert_refused(self, message, function, *args, **options):
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      function(*args, **options)

  @parameterized.parameters(DENSE, RICH, CHIP)
  def test_loads_the_configuration_and_every_bit(self, config):
    params = init(config)
    ssnn_jax.save(self.folder, config, params)
    self.assert_loads(config, params)
    text = (self.folder / 'network.json').read_text()
    self.assertNotIn('Infinity', text)  # which JSON does not have

  def test_loaded_network_gives_the_same_spikes(self):
    params, key = init(DENSE), jax.random.key(1)
    inputs = np.random.default_rng(0).random((4, 6), np.float32)
    ssnn_jax.save(self.folder, DENSE, params)
    config, loaded = ssnn_jax.load(self.folder)
    infer = jax.jit(ssnn_jax.ssnn(config).infer)
    expected, found = (infer(own, key, inputs) for own in (params, loaded))
    jax.tree.map(np.testing.assert_array_equal, found, expected)

  def test_replaces_a_network_or_leaves_it(self):
    first, second = init(DENSE), init(CHIP)
    ssnn_jax.save(self.folder, DENSE, first)
    write, calls = files.write_atomically, []

    def killed_at_second(*args):
      calls.append(args)
      if len(calls) == 2:
        raise KeyboardInterrupt
      write(*args)

    with mock.patch.object(files, 'write_atomically', killed_at_second):
      with self.assertRaises(KeyboardInterrupt):
        ssnn_jax.save(self.folder, CHIP, second)
    self.assert_loads(DENSE, first)
    ssnn_jax.save(self.folder, CHIP, second)
    self.assert_loads(CHIP, second)
    names = {path.suffix for path in self.folder.iterdir()}
    self.assertEqual(names, {'.json', '.npz'})
    self.assertLen(list(self.folder.iterdir()), 2)

  @parameterized.parameters(
    ({'integration': MEMBRANE}, 'has a Membrane .*integration=.mean.'),
    ({'firing_function': ssnn_jax.neuron.firing.clip()}, 'FiringFunction'),
    ({'layer_sizes': None, 'layers': (Skip(3),), 'input_shape': (6,)}, 'Skip'),
  )
  def test_refuses_objects_of_the_user(self, changes, message):
    config = dataclasses.replace(DENSE, **changes)
    save = ssnn_jax.save
    self.assert_refused(message, save, self.folder, config, init(config))
    self.assertFalse(self.folder.exists())

  def test_refuses_other_parameters(self):
    for config, params in ((DENSE, init(RICH)), (CHIP, init(CHIP)[:1])):
      save = ssnn_jax.save
      self.assert_refused('^params have', save, self.folder, config, params)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), init(DENSE))
    self.assert_refused('bfloat16', ssnn_jax.save, self.folder, DENSE, half)

  def test_refuses_damaged_files(self):
    ssnn_jax.save(self.folder, DENSE, init(DENSE))
    (file,) = self.folder.glob('*.npz')
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    self.assert_refused(f'{file.name} is damaged', ssnn_jax.load, self.folder)
    path = self.folder / 'network.json'
    good = json.loads(path.read_text())
    unknown = good | {'config': good['config'] | {'type': 'Other'}}
    later = good | {'config': good['config'] | {'depth': 3}}
    for bad, message in (
      (good | {'params': '../file.npz'}, 'not in the same folder'),
      (good | {'params': 3}, 'params is 3'),
      (unknown, 'does not know .*Other'),
      (later, 'depth.*use version'),
    ):
      path.write_text(json.dumps(bad))
      self.assert_refused(message, ssnn_jax.load, self.folder)

  def test_loads_a_seed_of_a_run(self):
    self.folder.mkdir()
    config = ssnn_jax.NetworkConfig((4, 5, 3))
    networks.write_config(self.folder, config)
    with checkpoints.open_in(self.folder) as manager:
      checkpoints.save(manager, make_state(1, num_seeds=2), [7, 8], {}, 0.9)
      checkpoints.save(manager, make_state(2, num_seeds=2), [7, 8], {}, 0.5)
    for epoch, index, options in (
      (2, 0, {}),
      (2, 1, {'seed': 8}),
      (1, 1, {'seed': 8, 'best': True}),
    ):
      params = make_state(epoch, num_seeds=2).params
      params = jax.tree.map(lambda leaf: leaf[index], params)  # noqa: B023
      self.assert_loads(config, params, **options)
    self.assertEqual(checkpoints.last_epoch(self.folder), 2)
    load = ssnn_jax.load
    self.assert_refused('no seed 9', load, self.folder, seed=9)
    save = ssnn_jax.save
    self.assert_refused(
      'folder of a run', save, self.folder, DENSE, init(DENSE)
    )
    self.assert_refused('such as .*network', load, self.folder.parent)
