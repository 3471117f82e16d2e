"""Tests of checkpoints."""

import pathlib
import shutil
import subprocess
import sys
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import runs
from ssnn_jax.runs import checkpoints
from tests.testing.checkpoints import SECONDS
from tests.testing.checkpoints import make_state

# Writes a checkpoint, and then another one that exceeds the size of a file.
FILL_DISK = """
import resource
import sys
from ssnn_jax import runs
from ssnn_jax.runs import checkpoints
from tests.testing.checkpoints import SECONDS, make_state

try:
  with checkpoints.open_in(sys.argv[1]) as manager:
    checkpoints.save(manager, make_state(1), SECONDS, 0.5)
    checkpoints.wait(manager)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    checkpoints.save(manager, make_state(2, num_hidden=500), SECONDS, 0.6)
except runs.CheckpointError as error:
  print(error)
"""


def set_weights(state, weights):
  """Replaces the weights of the first layer."""
  first, *others = state.params
  return state.replace(params=(first._replace(weights=weights), *others))


class CheckpointsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'checkpoints'

  def save(self, *accuracies, first=1):
    """Saves a checkpoint after each epoch from the first on."""
    with checkpoints.open_in(self.folder) as manager:
      for epoch, accuracy in enumerate(accuracies, start=first):
        checkpoints.save(manager, make_state(epoch), SECONDS, accuracy)

  def restore(self, **shape):
    with checkpoints.open_in(self.folder) as manager:
      return checkpoints.restore(manager, make_state(**shape))

  def load_params(self):
    return checkpoints.load_params(self.folder)

  def names(self):
    return {path.name for path in self.path.iterdir()}

  def assert_rejected(self, pattern, function, *args, **kwargs):
    with self.assertRaises(runs.CheckpointError) as caught:
      function(*args, **kwargs)
    self.assertRegex(str(caught.exception), rf'\A{self.path}{pattern}\.\Z')

  def assert_same_bits(self, tree, expected):
    self.assertEqual(jax.tree.structure(tree), jax.tree.structure(expected))
    for ours, theirs in zip(jax.tree.leaves(tree), jax.tree.leaves(expected)):
      self.assertIsInstance(ours, np.ndarray)
      self.assertEqual(ours.dtype, theirs.dtype)
      self.assertEqual(ours.shape, theirs.shape)
      self.assertEqual(ours.tobytes(), theirs.tobytes())

  def test_restores_every_bit_of_a_saved_state(self):
    # Bits that `==` ignores, or that rounding would lose.
    special = [-0.0, np.nan, np.inf, 1e-45, 1 + 2**-23]
    state = set_weights(make_state(3), np.array([special] * 4, np.float32))
    with checkpoints.open_in(self.folder) as manager:
      checkpoints.save(manager, state, SECONDS, None)
      # Training may reuse the memory of the state after `save` returns.
      expected = jax.tree.map(np.copy, state)
      jax.tree.map(lambda leaf: leaf.fill(7), state)
    restored = self.restore()
    self.assertEqual((restored.epoch, restored.seconds), (3, SECONDS))
    self.assert_same_bits(restored.state, expected)
    self.assert_same_bits(self.load_params(), expected.params)

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
  def test_keeps_last_and_best_checkpoint(
    self, accuracies, kept, best, is_reopened=False
  ):
    if is_reopened:  # after each epoch
      for epoch, accuracy in enumerate(accuracies, start=1):
        self.save(accuracy, first=epoch)
    else:
      self.save(*accuracies)
    self.assertEqual(self.names(), set(map(str, kept)))
    last = len(accuracies)
    self.assertEqual(self.restore().epoch, last)
    for epoch, is_best in ((last, False), (best, True)):
      params = checkpoints.load_params(self.folder, best=is_best)
      self.assert_same_bits(params, make_state(epoch).params)

  def test_deletes_checkpoints_discarded_by_a_killed_process(self):
    with mock.patch.object(checkpoints, '_delete_discarded'):
      self.save(None, None, None)
    self.assertEqual(self.names(), {'3', 'discarded'})
    self.assert_same_bits(self.restore().state, make_state(3))
    self.assertEqual(self.names(), {'3'})

  def test_without_checkpoint_restores_initial_state(self):
    restored = self.restore()
    self.assertEqual(restored.epoch, 0)
    self.assertEqual(restored.seconds, {'train': 0.0, 'wall': 0.0})
    self.assert_same_bits(restored.state, make_state())

  def test_rejects_other_shapes(self):
    self.save(None)
    self.assert_rejected(
      r'/1 holds another network, with arrays of shapes .*\(4, 5\).* instead '
      r'of .*\(4, 6\).*; choose the folder of this run, or a new folder',
      self.restore,
      num_hidden=6,
    )
    self.assertEqual(self.restore().epoch, 1)

  def assert_damaged(self, function, reason='', name='/1', **shape):
    self.assert_rejected(
      rf'{name} is damaged \([^\n]*{reason}[^\n]*\); remove this folder to '
      'resume the run from an older checkpoint or from the start',
      function,
      **shape,
    )

  @parameterized.parameters(
    (lambda content, weights: b'', ''),
    (lambda content, weights: content[:100], ''),
    (
      lambda content, weights: content.replace(
        weights, bytes([weights[0] ^ 1]) + weights[1:]
      ),
      'its arrays have changed since they were written',
    ),
  )
  def test_rejects_truncated_file_and_changed_bit(self, change, reason):
    # Random bits are stored without compression.
    weights = np.random.default_rng(0).bytes(4 * 4 * 500)
    state = set_weights(
      make_state(1, num_hidden=500),
      np.frombuffer(weights, np.float32).reshape(4, 500),
    )
    with checkpoints.open_in(self.folder) as manager:
      checkpoints.save(manager, state, SECONDS, None)
    (path,) = (
      path
      for path in self.path.rglob('*')
      if path.is_file() and weights in path.read_bytes()
    )
    path.write_bytes(change(path.read_bytes(), weights))
    self.assert_damaged(self.restore, reason, num_hidden=500)
    self.assert_damaged(self.load_params, reason)

  @parameterized.parameters('state', 'progress')
  def test_rejects_missing_item(self, item):
    self.save(None)
    shutil.rmtree(self.path / '1' / item)
    self.assert_damaged(self.restore)

  def test_rejects_damaged_evaluation(self):
    self.save(0.5)
    path = self.path / '1' / 'metrics' / 'metrics'
    path.write_text(path.read_text()[:5])
    for function in (self.restore, self.load_params):
      self.assert_damaged(function, name='')

  @parameterized.parameters(False, True)
  def test_load_params_rejects_missing_checkpoint(self, best):
    for problem in (
      'does not exist; give the folder of a run that has checkpoints',
      'holds no checkpoint yet; wait until the run has written one',
    ):
      self.assert_rejected(
        f' {problem}', checkpoints.load_params, self.folder, best=best
      )
      self.path.mkdir(exist_ok=True)

  def save_incomplete(self, epoch):
    """Saves a checkpoint, and leaves files of one whose write was killed."""
    self.save(0.5)
    left = self.path / f'{epoch}.orbax-checkpoint-tmp'
    shutil.copytree(
      self.path / '1' / 'state', left / 'state.orbax-checkpoint-tmp'
    )

  def assert_resumes_from_first_checkpoint(self):
    with checkpoints.open_in(self.folder) as manager:
      restored = checkpoints.restore(manager, make_state())
      self.assertEqual(restored.epoch, 1)
      self.assert_same_bits(restored.state, make_state(1))
      checkpoints.save(manager, make_state(2), SECONDS, 0.4)
    self.assert_same_bits(self.restore().state, make_state(2))
    self.assertEqual(self.names(), {'1', '2'})

  @parameterized.parameters(2, 3)
  def test_deletes_incomplete_checkpoint_of_a_killed_process(self, epoch):
    self.save_incomplete(epoch)
    self.assert_resumes_from_first_checkpoint()

  def test_load_params_changes_no_file(self):
    self.save_incomplete(2)
    before = sorted(self.path.rglob('*'))
    for best in (False, True):
      params = checkpoints.load_params(self.folder, best=best)
      self.assert_same_bits(params, make_state(1).params)
    self.assertEqual(sorted(self.path.rglob('*')), before)

  def test_full_disk_keeps_previous_checkpoint(self):
    done = subprocess.run(
      [sys.executable, '-c', FILL_DISK, self.folder],
      cwd=pathlib.Path(__file__).parent.parent.parent,
      capture_output=True,  # files for the output could not grow either
      text=True,
      check=True,
      timeout=120,
    )
    self.assertRegex(
      done.stdout,
      rf'\A{self.path} cannot be written \([^\n]+\); free disk space or change '
      r'the permissions, then resume the run\.\n\Z',
    )
    self.assert_resumes_from_first_checkpoint()

  def test_rejects_file_as_folder(self):
    self.path.write_text('mine')
    self.assert_rejected(' cannot be written .*; free disk .*', self.restore)
    self.assertEqual(self.path.read_text(), 'mine')

  def test_errors_are_user_errors(self):
    for error in (runs.RecordError, runs.CheckpointError):
      self.assertTrue(issubclass(error, ssnn_jax.UserError))
