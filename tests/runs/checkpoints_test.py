"""Tests of checkpoints."""

import copy
import pathlib
import shutil
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax.runs import checkpoints
from tests.testing.checkpoints import make_state

RECORD = {'curves': [{'loss': [0.5]}], 'config': {'num_steps': 4}}


def set_weights(state, weights):
  """Replaces the weights of the first layer."""
  first, *others = state.params
  return state._replace(params=(first._replace(weights=weights), *others))


def of_seed(tree, index):
  return jax.tree.map(lambda leaf: leaf[index], tree)


LIKE = make_state().params


class CheckpointsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'checkpoints'

  def save(self, *accuracies, first=1):
    """Saves a checkpoint after each epoch from the first on."""
    with checkpoints.open_in(self.folder) as manager:
      for epoch, accuracy in enumerate(accuracies, start=first):
        checkpoints.save(manager, make_state(epoch), [7], RECORD, accuracy)

  def restore(self, **shape):
    with checkpoints.open_in(self.folder) as manager:
      return checkpoints.restore(manager, make_state(**shape))

  def names(self):
    return {path.name for path in self.path.iterdir()}

  def assert_same_bits(self, tree, expected):
    self.assertEqual(jax.tree.structure(tree), jax.tree.structure(expected))
    for ours, theirs in zip(jax.tree.leaves(tree), jax.tree.leaves(expected)):
      self.assertIsInstance(ours, np.ndarray)
      self.assertEqual((ours.dtype, ours.shape), (theirs.dtype, theirs.shape))
      self.assertEqual(ours.tobytes(), theirs.tobytes())

  def test_restores_every_bit_of_a_state_and_its_record(self):
    self.assertIsNone(checkpoints.last_epoch(self.folder))
    self.assertIsNone(self.restore())
    # Bits that `==` ignores, or that rounding would lose.
    special = [-0.0, np.nan, np.inf, 1e-45, 1 + 2**-23]
    state = make_state(3, num_seeds=2)
    weights = np.broadcast_to(np.float32(special), (2, 4, 5)).copy()
    state = set_weights(state, weights)
    with checkpoints.open_in(self.folder) as manager:
      record = copy.deepcopy(RECORD)
      checkpoints.save(manager, state, [7, 8], record, None)
      # Training goes on after `save` returns: it reuses the memory of the
      # state, and adds to the record.
      expected = jax.tree.map(np.copy, state)
      jax.tree.map(lambda leaf: leaf.fill(7), state)
      record['curves'][0]['loss'].append(0.25)
    restored, record = self.restore(num_seeds=2)
    self.assertEqual(record, RECORD)
    self.assert_same_bits(restored, expected)
    for seed, index in ((None, 0), (7, 0), (8, 1)):
      params = checkpoints.load_params(self.folder, LIKE, seed=seed)
      self.assert_same_bits(params, of_seed(expected.params, index))

  @parameterized.parameters(
    ([0.5, 0.9, None, 0.8], {2, 4}, 2, False),
    ([0.9, None, 0.8], {1, 3}, 1, True),
  )
  def test_keeps_last_and_best_checkpoint(
    self, accuracies, kept, best, is_reopened
  ):
    if is_reopened:  # after each epoch
      for epoch, accuracy in enumerate(accuracies, start=1):
        self.save(accuracy, first=epoch)
    else:
      self.save(*accuracies)
    self.assertEqual(self.names(), set(map(str, kept)))
    last = len(accuracies)
    self.assertEqual(checkpoints.last_epoch(self.folder), last)
    for epoch, is_best in ((last, False), (best, True)):
      params = checkpoints.load_params(self.folder, LIKE, best=is_best)
      self.assert_same_bits(params, of_seed(make_state(epoch).params, 0))

  @parameterized.parameters('changed', 'progress')
  def test_refuses_damaged_checkpoint(self, damage):
    # Random bits are stored without compression.
    weights = np.random.default_rng(0).bytes(4 * 4 * 500)
    state = set_weights(
      make_state(1, num_hidden=500),
      np.frombuffer(weights, np.float32).reshape(1, 4, 500),
    )
    with checkpoints.open_in(self.folder) as manager:
      checkpoints.save(manager, state, [0], RECORD, None)
    if damage == 'progress':
      shutil.rmtree(self.path / '1' / damage)
    else:
      files = [path for path in self.path.rglob('*') if path.is_file()]
      (path,) = (x for x in files if weights in x.read_bytes())
      changed = bytes([weights[0] ^ 1]) + weights[1:]
      path.write_bytes(path.read_bytes().replace(weights, changed))
    message = f'^{self.path}/1 is damaged .*; remove this folder to resume'
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      self.restore(num_hidden=500)
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      checkpoints.load_params(self.folder, LIKE)

  def test_full_disk_is_told_in_a_sentence(self):
    # Orbax raises errors of many types.
    full = mock.Mock(side_effect=ValueError('RESOURCE_EXHAUSTED: no space'))
    message = f'^{self.path} cannot be written .RESOURCE_EXHAUSTED: no space'
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      with checkpoints.open_in(self.folder) as manager:
        with mock.patch.object(manager, 'save', full):
          checkpoints.save(manager, make_state(1), [7], RECORD, None)

  def test_ignores_what_a_killed_process_leaves(self):
    self.save(0.5)
    state = self.path / '1' / 'state'
    left = self.path / '2.orbax-checkpoint-tmp'
    shutil.copytree(state, left / 'state.orbax-checkpoint-tmp')
    shutil.copytree(state, self.path / 'discarded' / '0' / 'state')
    before = sorted(self.path.rglob('*'))
    for best in (False, True):
      params = checkpoints.load_params(self.folder, LIKE, best=best)
      self.assert_same_bits(params, of_seed(make_state(1).params, 0))
    self.assertEqual(sorted(self.path.rglob('*')), before)
    self.assert_same_bits(self.restore()[0], make_state(1))
    self.assertEqual(self.names(), {'1'})
    self.save(0.4, first=2)
    self.assertEqual(self.names(), {'1', '2'})
