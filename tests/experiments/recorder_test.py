"""Tests of what folders tell of runs, and of what runs leave in them."""

import importlib
import json
import pathlib
import struct
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

from experiments import config_records
from experiments import recorder
from experiments import trainer
import ssnn_jax
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import records
from tests.testing.experiments import lines
from tests.testing.experiments import make_runs
from tests.testing.experiments import share_programs
from tests.testing.experiments import small_digits

Status = recorder.Status


class RecorderTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)
    (self.run_,) = make_runs(self.workdir, 3)
    self.folder = self.run_.folder

  def create(self, config=None):
    records.create(
      self.folder, config or config_records.as_record(self.run_.config)
    )

  def test_a_folder_tells_how_far_its_run_is(self):
    self.assertIs(recorder.status(self.run_), Status.NEW)
    self.folder.mkdir()
    self.assertIs(recorder.status(self.run_), Status.NEW)
    self.create()
    self.assertIs(recorder.status(self.run_), Status.UNFINISHED)
    records.append(self.folder, 'epoch', epoch=1)
    with self.folder.joinpath('metrics.jsonl').open('a') as file:
      file.write('{"event": "fin')
    self.assertIs(recorder.status(self.run_), Status.UNFINISHED)
    records.truncate_to_epoch(self.folder, 1)
    records.append(self.folder, 'final')
    self.assertIs(recorder.status(self.run_), Status.FINISHED)

  def test_a_run_without_metrics_has_not_finished(self):
    self.create()
    self.folder.joinpath('metrics.jsonl').unlink()
    self.assertIs(recorder.status(self.run_), Status.UNFINISHED)

  def test_another_run_is_told_by_all_that_differs(self):
    self.create()
    (other,) = make_runs(self.workdir, 3, dropout=0.2, layer_sizes=(64, 10))
    with self.assertRaises(ssnn_jax.UserError) as caught:
      recorder.status(other)
    self.assertEqual(
      str(caught.exception),
      f'{self.folder} holds another run (layer_sizes is [64, 12, 10], not [64, '
      '10]; dropout is 0.1, not 0.2); use the recorded values, or choose '
      'another --workdir.',
    )

  def test_what_a_record_lacks_had_its_default(self):
    record = config_records.as_record(self.run_.config)
    for name in ('probe_every', 'eval_every', 'input_gain'):
      del record[name]
    self.create(record)
    self.assertIs(recorder.status(self.run_), Status.UNFINISHED)
    (other,) = make_runs(self.workdir, 3, probe_every=2)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'probe_every is 0, not 2'):
      recorder.status(other)

  @parameterized.parameters('notes.txt', 'metrics.jsonl')
  def test_files_that_are_no_run_are_refused(self, name):
    self.folder.mkdir()
    self.folder.joinpath(name).write_text('mine')
    with self.assertRaisesRegex(
      ssnn_jax.UserError, f'{self.folder}.*; give the folder of a run'
    ):
      recorder.status(self.run_)
    self.assertEqual(self.folder.joinpath(name).read_text(), 'mine')

  def test_each_run_has_what_is_its_own(self):
    runs = make_runs(self.workdir, 0, 1)
    manager = mock.Mock()
    opened = [recorder.Record(run, None, manager, None) for run in runs]
    elsewhere = recorder.Record(self.run_, None, None, None)
    for run in runs:
      run.folder.mkdir()
    recorder.append_each(
      [*opened, elsewhere],
      'epoch',
      epoch=3,
      name='same',
      array=jnp.array([0.5, 0.25], jnp.float32),
      numpy=np.array([7, 8]),
      listed=['a', 'b'],
      layers=(np.array([1, 2]), (jnp.array([3, 4]), 'same')),
      none=None,
    )
    expected = [
      {
        'event': 'epoch',
        'epoch': 3,
        'name': 'same',
        'array': array,
        'numpy': number,
        'listed': listed,
        'layers': layers,
        'none': None,
      }
      for array, number, listed, layers in (
        (0.5, 7, 'a', [1, [3, 'same']]),
        (0.25, 8, 'b', [2, [4, 'same']]),
      )
    ]
    self.assertEqual(
      [lines(run.folder) for run in runs], [[e] for e in expected]
    )
    self.assertFalse(self.folder.exists())  # the first process has it


class TensorBoardTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    share_programs(cls)

  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def train(self, run, **options):
    options = trainer.Options(tensorboard=True, **options)
    trainer.train([run], small_digits(), options)

  def events(self, folder):
    """Reads TensorBoard's files: each event has its length and a digest."""
    from tensorboardX.proto import event_pb2

    for path in sorted(folder.joinpath('tensorboard').iterdir()):
      content = path.read_bytes()
      while content:
        (size,) = struct.unpack('<Q', content[:8])
        yield event_pb2.Event.FromString(content[12 : 12 + size])
        content = content[16 + size :]

  def scalars(self, folder):
    """Returns what TensorBoard shows: the values of each tag, by epoch."""
    shown = {}
    for event in self.events(folder):
      if event.session_log.status == event.session_log.START:
        shown = {k: v for k, v in shown.items() if k[1] < event.step}
      for value in event.summary.value:
        self.assertNotIn((value.tag, event.step), shown)
        shown[value.tag, event.step] = value.simple_value
    return shown

  def expected(self, folder):
    """Returns the numbers of a record's lines, as TensorBoard shows them."""
    numbers = {}
    for line in lines(folder):
      epoch = line.pop('epoch', None)
      for name, value in line.items():
        if epoch is None or name == 'event':
          continue
        if not isinstance(value, list):
          numbers[name, epoch] = value
        else:
          numbers |= {(f'{name}/{k}', epoch): v for k, v in enumerate(value)}
    return numbers

  @parameterized.parameters((2, 0, 1e9), (4, 2, 0.0))
  def test_the_numbers_of_each_epoch_are_shown_once(self, stop, epoch, every):
    # It is stopped with an epoch on the board that is in no checkpoint.
    (run,) = make_runs(self.workdir, 0, method='bp', eval_every=2)
    told = []
    append_each = recorder.append_each

    def append_and_stop(opened, event, **fields):
      append_each(opened, event, **fields)
      told.append(event)
      if len(told) == stop:
        raise KeyboardInterrupt

    with mock.patch.object(recorder, 'append_each', append_and_stop):
      with self.assertRaises(KeyboardInterrupt):
        self.train(run, checkpoint_every=every)
    self.train(run)
    resumed = json.loads(run.folder.joinpath('resumed.jsonl').read_text())
    self.assertEqual(resumed['epoch'], epoch)
    shown, expected = self.scalars(run.folder), self.expected(run.folder)
    epochs = {}
    for tag, epoch in sorted(shown):
      epochs.setdefault(tag, []).append(epoch)
    for tag in ('loss', 'train_accuracy', 'firing_rates/0', 'firing_rates/1'):
      self.assertEqual(epochs[tag], [1, 2, 3])
    self.assertEqual(epochs['test_accuracy'], [2, 3])
    self.assertEqual(set(shown), set(expected))
    for tag, value in expected.items():
      self.assertEqual(np.float32(value), np.float32(shown[tag]), tag)

  @parameterized.parameters(False, True)
  def test_a_missing_package_is_told_before_anything_is_done(self, is_there):
    (run,) = make_runs(self.workdir, 0, method='bp')
    if is_there:
      records.create(run.folder, config_records.as_record(run.config))
    before = sorted(run.folder.rglob('*'))
    import_module = importlib.import_module

    def import_others(name, *args):
      if name == 'tensorboardX':
        raise ModuleNotFoundError(name)
      return import_module(name, *args)

    with mock.patch.object(importlib, 'import_module', import_others):
      with self.assertRaises(ssnn_jax.UserError) as caught:
        self.train(run)
    self.assertEqual(
      str(caught.exception),
      '--tensorboard needs the package tensorboardX, which is not installed; '
      "pip install 'ssnn_jax[tensorboard]'.",
    )
    self.assertEqual(sorted(run.folder.rglob('*')), before)

  def test_without_the_flag_there_is_no_board(self):
    (run,) = make_runs(self.workdir, 0, method='bp')
    like = mock.sentinel.like
    with mock.patch.object(checkpoints, 'restore') as restore:
      restore.return_value = checkpoints.Checkpoint(0, like, {})
      with recorder.open_all(
        [run], like, resume=True, tensorboard=False
      ) as opened:
        self.assertIsNone(opened[0].board)
    names = {path.name for path in run.folder.iterdir()}
    self.assertEqual(names, {'config.json', 'metrics.jsonl', 'checkpoints'})


if __name__ == '__main__':
  absltest.main()
