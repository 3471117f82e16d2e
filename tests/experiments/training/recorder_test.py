"""Tests of the progress of runs, and of the files that runs write."""

import importlib
import json
import pathlib
import struct
from unittest import mock

from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

from experiments.config import serialization
from experiments.training import recorder
from experiments.training import trainer
import ssnn_jax
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import records
from tests.testing.experiments import FINAL
from tests.testing.experiments import lines
from tests.testing.experiments import make_runs
from tests.testing.experiments import share_programs
from tests.testing.experiments import small_digits
from tests.testing.experiments import stop_at_call

Status = recorder.Status


class RecorderTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)
    (self.run_,) = make_runs(self.workdir, 3)
    self.folder = self.run_.folder

  def create(self, config=None):
    config = config or serialization.as_record(self.run_.config)
    records.create(self.folder, config)

  def test_status_is_the_progress_of_a_run(self):
    self.assertIs(recorder.status(self.run_), Status.NEW)
    self.folder.mkdir()
    self.assertIs(recorder.status(self.run_), Status.NEW)
    self.create()
    self.assertIs(recorder.status(self.run_), Status.UNFINISHED)
    records.append(self.folder, 'epoch', epoch=1)
    metrics = self.folder.joinpath('metrics.jsonl')
    with metrics.open('a') as file:
      file.write('{"event": "fin')
    self.assertIs(recorder.status(self.run_), Status.UNFINISHED)
    records.truncate_to_epoch(self.folder, 1)
    records.append(self.folder, 'final', **FINAL)
    self.assertIs(recorder.status(self.run_), Status.FINISHED)
    metrics.unlink()
    self.assertIs(recorder.status(self.run_), Status.UNFINISHED)

  def test_names_all_fields_that_differ_from_another_run(self):
    self.create()
    (other,) = make_runs(self.workdir, 3, dropout=0.2, layer_sizes=(64, 10))
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      r'layer_sizes is \[64, 12, 10\], not \[64, 10\]; dropout is 0.1, not 0.2',
    ):
      recorder.status(other)

  def test_fields_missing_in_a_record_have_their_defaults(self):
    record = serialization.as_record(self.run_.config)
    for name in ('probe_every', 'eval_every', 'input_gain'):
      del record[name]
    self.create(record)
    self.assertIs(recorder.status(self.run_), Status.UNFINISHED)
    (other,) = make_runs(self.workdir, 3, probe_every=2)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'probe_every is 0, not 2'):
      recorder.status(other)

  def test_appends_its_own_values_to_each_run(self):
    runs = make_runs(self.workdir, 0, 1)
    manager = mock.Mock()
    opened = [recorder.Record(run, None, manager, None) for run in runs]
    elsewhere = recorder.Record(self.run_, None, None, None)
    for run in runs:
      run.folder.mkdir()
    own = {
      'array': jnp.array([0.5, 0.25], jnp.float32),
      'layers': (np.array([1, 2]), jnp.array([3, 4])),
      'text': np.array(['a', 'b']),
      'none': None,
    }
    recorder.append_each(
      [*opened, elsewhere], 'epoch', own, epoch=3, sizes=(64, 10)
    )
    shared = {'event': 'epoch', 'epoch': 3, 'sizes': [64, 10], 'none': None}
    first = {'array': 0.5, 'layers': [1, 3], 'text': 'a'}
    second = {'array': 0.25, 'layers': [2, 4], 'text': 'b'}
    self.assertEqual(
      [lines(run.folder) for run in runs],
      [[shared | first], [shared | second]],
    )
    self.assertFalse(self.folder.exists())  # the first process writes it


def read_events(folder):
  """Yields TensorBoard events, each stored after its length and a digest."""
  from tensorboardX.proto import event_pb2

  for path in sorted(folder.joinpath('tensorboard').iterdir()):
    content = path.read_bytes()
    while content:
      (size,) = struct.unpack('<Q', content[:8])
      yield event_pb2.Event.FromString(content[12 : 12 + size])
      content = content[16 + size :]


def recorded_scalars(folder):
  """Returns the numbers of a record by tag and epoch."""
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


class TensorBoardTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    share_programs(cls)

  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)
    (self.run_,) = make_runs(self.workdir, 0, method='bp', eval_every=2)

  def train(self, **options):
    options = trainer.Options(tensorboard=True, **options)
    trainer.train([self.run_], small_digits(), options)

  def scalars(self):
    """Returns the numbers that TensorBoard shows, by tag and epoch."""
    shown = {}
    for event in read_events(self.run_.folder):
      if event.session_log.status == event.session_log.START:
        shown = {k: v for k, v in shown.items() if k[1] < event.step}
      for value in event.summary.value:
        self.assertNotIn((value.tag, event.step), shown)
        shown[value.tag, event.step] = value.simple_value
    return shown

  # Stopped before the evaluation of epoch 2, without a checkpoint, and of epoch
  # 3, with the checkpoint of epoch 2.
  @parameterized.parameters((3, 0, 1e9), (5, 2, 0.0))
  def test_shows_each_epoch_of_a_resumed_run_once(self, call, epoch, every):
    with stop_at_call(self, call, recorder, 'append_each'):
      self.train(checkpoint_every=every)
    self.train()
    resumed = self.run_.folder.joinpath('resumed.jsonl').read_text()
    self.assertEqual(json.loads(resumed)['epoch'], epoch)
    shown, expected = self.scalars(), recorded_scalars(self.run_.folder)
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
  def test_reports_a_missing_package_before_any_work(self, exists):
    if exists:
      recorded = serialization.as_record(self.run_.config)
      records.create(self.run_.folder, recorded)
    before = sorted(self.run_.folder.rglob('*'))
    import_module = importlib.import_module

    def import_others(name, *args):
      if name == 'tensorboardX':
        raise ModuleNotFoundError(name)
      return import_module(name, *args)

    with (
      mock.patch.object(importlib, 'import_module', import_others),
      self.assertRaisesRegex(ssnn_jax.UserError, '^--tensorboard needs .* pip'),
    ):
      self.train()
    self.assertEqual(sorted(self.run_.folder.rglob('*')), before)

  def test_writes_no_events_without_the_flag(self):
    like = mock.sentinel.like
    with mock.patch.object(checkpoints, 'restore') as restore:
      restore.return_value = checkpoints.Checkpoint(0, like, {})
      with recorder.open_all(
        [self.run_], like, 'digest', resume=True, tensorboard=False
      ) as opened:
        self.assertIsNone(opened[0].board)
    names = {path.name for path in self.run_.folder.iterdir()}
    files_of_run = {'config.json', 'metrics.jsonl', 'checkpoints'}
    self.assertEqual(names, {'.lock', *files_of_run})
