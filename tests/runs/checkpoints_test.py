"""Tests that checkpoints bring back what was saved, or say why they cannot."""

import pathlib
import shutil
import subprocess
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import training
from ssnn_jax.runs import checkpoints

ROOT = pathlib.Path(__file__).parent.parent.parent
SECONDS = {'train': 1.25, 'wall': 0.1}
# Writes a checkpoint, and another one where files cannot grow as it needs.
FILL_DISK = """
import resource
import sys
import ssnn_jax
from ssnn_jax.runs import checkpoints
from tests.runs import checkpoints_test

def save(manager, state):
  checkpoints.save(manager, state, checkpoints_test.SECONDS, 0.5)
  checkpoints.wait(manager)

states = checkpoints_test.make_state(1), checkpoints_test.make_state(2, 500)
try:
  with checkpoints.open_in(sys.argv[1]) as manager:
    save(manager, states[0])
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    save(manager, states[1])
    print('written')
except ssnn_jax.UserError as error:
  print(error)
"""


def make_state(epoch=0, num_hidden=5):
  """Makes a state whose arrays differ from those of any other epoch."""
  config = ssnn_jax.NetworkConfig((4, num_hidden, 3))
  state = training.init_state(
    ssnn_jax.ann(config), training.make_optimizer(0.3), epoch
  )
  state = state.replace(
    key=jax.random.key_data(state.key), epoch=np.int32(epoch)
  )
  return jax.tree.map(np.array, state)


class CheckpointsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def save(self, *accuracies, first=1):
    """Saves a checkpoint after each of the epochs from the first on."""
    with checkpoints.open_in(self.folder) as manager:
      for epoch, accuracy in enumerate(accuracies, start=first):
        checkpoints.save(manager, make_state(epoch), SECONDS, accuracy)

  def restore(self, like=None):
    with checkpoints.open_in(self.folder) as manager:
      return checkpoints.restore(
        manager, make_state() if like is None else like
      )

  def kept(self):
    return {path.name for path in (self.folder / 'checkpoints').iterdir()}

  def assert_same_bits(self, tree, expected):
    self.assertEqual(jax.tree.structure(tree), jax.tree.structure(expected))
    for ours, theirs in zip(jax.tree.leaves(tree), jax.tree.leaves(expected)):
      self.assertIsInstance(ours, np.ndarray)
      self.assertEqual(ours.dtype, theirs.dtype)
      self.assertEqual(ours.shape, theirs.shape)
      self.assertEqual(ours.tobytes(), theirs.tobytes())

  def test_what_is_saved_is_restored_bit_for_bit(self):
    state = make_state(3)
    # Bits that equality does not see, or that rounding would lose.
    odd = np.array([-0.0, np.nan, np.inf, 1e-45, 1 + 2**-23], np.float32)
    first = state.params[0]._replace(biases=odd)
    state = state.replace(params=(first, *state.params[1:]))
    with checkpoints.open_in(self.folder) as manager:
      checkpoints.save(manager, state, SECONDS, None)
      # What follows may use the same memory.
      expected = jax.tree.map(np.copy, state)
      jax.tree.map(lambda leaf: leaf.fill(7), state)
    found = self.restore()
    self.assertEqual((found.epoch, found.seconds), (3, SECONDS))
    self.assert_same_bits(found.state, expected)
    self.assert_same_bits(checkpoints.load_params(self.folder), expected.params)

  @parameterized.parameters(
    ([None], {1}, 1),
    ([None, None, None], {3}, 3),
    ([None, 0.5, None], {2, 3}, 2),
    ([0.5, 0.9, None, 0.8], {2, 4}, 2),
    ([0.5, 0.8, 0.9], {3}, 3),
    ([0.0, None], {1, 2}, 1),
    ([None, 0.5, None], {2, 3}, 2, True),
    ([0.9, None, 0.8], {1, 3}, 1, True),
  )
  def test_the_last_and_the_best_are_kept(
    self, accuracies, kept, best, is_stopped=False
  ):
    if is_stopped:  # and goes on after each epoch
      for epoch, accuracy in enumerate(accuracies, start=1):
        self.save(accuracy, first=epoch)
    else:
      self.save(*accuracies)
    self.assertEqual(self.kept(), set(map(str, kept)))
    last = len(accuracies)
    self.assertEqual(self.restore().epoch, last)
    for epoch, is_best in ((last, False), (best, True)):
      params = checkpoints.load_params(self.folder, best=is_best)
      self.assert_same_bits(params, make_state(epoch).params)

  def test_a_process_killed_while_it_deletes_leaves_whole_checkpoints(self):
    with mock.patch.object(checkpoints, '_empty_bin', lambda path: None):
      self.save(None, None, None)
    self.assertEqual(self.kept(), {'3', 'discarded'})
    self.assert_same_bits(self.restore().state, make_state(3))
    self.assertEqual(self.kept(), {'3'})

  def test_an_evaluation_that_cannot_be_read_is_told(self):
    self.save(0.5)
    path = self.folder / 'checkpoints' / '1' / 'metrics' / 'metrics'
    path.write_text(path.read_text()[:5])
    for read in (self.restore, lambda: checkpoints.load_params(self.folder)):
      with self.assertRaisesRegex(
        checkpoints.CheckpointError, 'checkpoints is damaged .*; remove it'
      ):
        read()

  def test_where_there_is_none_a_run_starts(self):
    like = make_state(0)
    found = self.restore(like)
    self.assertEqual(found.epoch, 0)
    self.assertEqual(found.seconds, {'train': 0.0, 'wall': 0.0})
    self.assert_same_bits(found.state, like)

  def test_another_network_is_told(self):
    self.save(None)
    with self.assertRaisesRegex(
      checkpoints.CheckpointError,
      r'/checkpoints/1 holds another network, with arrays of shapes .*\(4, 5\)'
      r'.* where this run has .*\(4, 6\).*; choose the --workdir of this run',
    ):
      self.restore(make_state(num_hidden=6))
    self.assertEqual(self.restore().epoch, 1)

  def damage(self, change):
    """Saves a checkpoint and changes the bytes of its largest array on disk."""
    state = make_state(1, num_hidden=500)
    # Random bits are what nothing compresses, so that they can be found again.
    weights = np.random.default_rng(0).bytes(state.params[0].weights.nbytes)
    noise = np.frombuffer(weights, np.float32).reshape(-1, 500)
    first = state.params[0]._replace(weights=noise)
    state = state.replace(params=(first, *state.params[1:]))
    with checkpoints.open_in(self.folder) as manager:
      checkpoints.save(manager, state, SECONDS, None)
    (path,) = (
      path
      for path in (self.folder / 'checkpoints').rglob('*')
      if path.is_file() and weights in path.read_bytes()
    )
    path.write_bytes(change(path.read_bytes(), weights))

  def assert_damaged(self, reason='', num_hidden=500):
    path = self.folder / 'checkpoints' / '1'
    with self.assertRaises(checkpoints.CheckpointError) as caught:
      self.restore(make_state(num_hidden=num_hidden))
    self.assertRegex(
      str(caught.exception),
      rf'\A{path} is damaged \([^\n]*{reason}[^\n]*\); remove it to go on from '
      r'what is there beside it, or anew\.\Z',
    )

  @parameterized.parameters(0, 100)
  def test_a_truncated_checkpoint_is_told(self, size):
    self.damage(lambda content, weights: content[:size])
    self.assert_damaged()

  def test_every_bit_counts(self):
    def flip(content, weights):
      other = bytes([weights[0] ^ 1]) + weights[1:]
      return content.replace(weights, other)

    self.damage(flip)
    self.assert_damaged('its arrays are not those that were written')

  @parameterized.parameters('state', 'progress')
  def test_a_missing_part_is_told(self, item):
    self.save(None)
    shutil.rmtree(self.folder / 'checkpoints' / '1' / item)
    self.assert_damaged(num_hidden=5)

  @parameterized.parameters(False, True)
  def test_parameters_that_are_not_there_are_told(self, best):
    for reason in ('is not there; give the folder', 'holds no checkpoint yet'):
      with self.assertRaisesRegex(
        checkpoints.CheckpointError, f'^{self.folder}/checkpoints {reason}'
      ):
        checkpoints.load_params(self.folder, best=best)
      (self.folder / 'checkpoints').mkdir(exist_ok=True)

  def test_damaged_parameters_are_told(self):
    self.damage(lambda content, weights: b'')
    with self.assertRaisesRegex(
      checkpoints.CheckpointError, '/checkpoints/1 is damaged'
    ):
      checkpoints.load_params(self.folder)

  def leave(self, epoch):
    """Leaves a checkpoint as a process does that is killed while it writes."""
    self.save(0.5)
    checkpoint = self.folder / 'checkpoints' / '1'
    left = checkpoint.with_name(f'{epoch}.orbax-checkpoint-tmp')
    shutil.copytree(checkpoint / 'state', left / 'state.orbax-checkpoint-tmp')

  @parameterized.parameters(2, 3)
  def test_what_a_killed_process_left_is_cleaned_up(self, epoch):
    self.leave(epoch)
    with checkpoints.open_in(self.folder) as manager:
      found = checkpoints.restore(manager, make_state())
      self.assert_same_bits(found.state, make_state(1))
      checkpoints.save(manager, make_state(2), SECONDS, 0.4)
    self.assert_same_bits(self.restore().state, make_state(2))
    self.assertEqual(self.kept(), {'1', '2'})

  def test_to_read_parameters_disturbs_no_run_at_work(self):
    self.leave(2)
    before = sorted((self.folder / 'checkpoints').rglob('*'))
    for best in (False, True):
      params = checkpoints.load_params(self.folder, best=best)
      self.assert_same_bits(params, make_state(1).params)
    after = sorted((self.folder / 'checkpoints').rglob('*'))
    self.assertEqual(before, after)

  def test_a_full_disk_leaves_the_checkpoint_before(self):
    done = subprocess.run(
      [sys.executable, '-c', FILL_DISK, self.folder],
      cwd=ROOT,
      capture_output=True,  # a file for them could not grow either
      text=True,
      check=True,
      timeout=120,
    )
    path = self.folder / 'checkpoints'
    self.assertRegex(
      done.stdout,
      rf'\A{path} cannot be written \([^\n]+\); make room and permission '
      r'there, and go on by --resume\.\n\Z',
    )
    found = self.restore()
    self.assertEqual(found.epoch, 1)
    self.assert_same_bits(found.state, make_state(1))
    self.assertEqual(self.kept(), {'1'})

  def test_a_file_in_the_place_of_the_folder_is_told(self):
    (self.folder / 'checkpoints').write_text('mine')
    with self.assertRaisesRegex(
      checkpoints.CheckpointError,
      f'^{self.folder}/checkpoints cannot be written .*; make room',
    ):
      self.restore()
    self.assertEqual((self.folder / 'checkpoints').read_text(), 'mine')

  def test_errors_are_user_errors(self):
    self.assertTrue(issubclass(checkpoints.CheckpointError, ssnn_jax.UserError))


if __name__ == '__main__':
  absltest.main()
