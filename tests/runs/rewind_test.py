"""Tests that records outlive what stops a process, and are taken back."""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import subprocess
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

from ssnn_jax.runs import provenance
from ssnn_jax.runs import records

CONFIG = {'method': 'ssnn', 'layer_sizes': [2, 3]}
# As `alone_in` keeps a file, without what it takes to import jax.
HOLD = (
  'import fcntl, sys, time; file = open(sys.argv[1], "a"); '
  'fcntl.flock(file, fcntl.LOCK_EX); print("held", flush=True); time.sleep(600)'
)


class RewindTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.metrics = self.folder / 'metrics.jsonl'

  def record(self):
    """Records three epochs, the second one evaluated; returns the lines."""
    records.create(self.folder, CONFIG)
    for epoch in (1, 2, 3):
      rates = [jnp.float32(1 / 3), jnp.float32(1e-7 * epoch)]
      records.append(
        self.folder, 'epoch', epoch=epoch, loss=jnp.nan, rates=rates
      )
      if epoch == 2:
        records.append(self.folder, 'eval', epoch=2, accuracy=np.float64(0.1))
    return self.metrics.read_bytes().splitlines(keepends=True)

  @parameterized.parameters((0, 1), (1, 2), (2, 4), (3, 5))
  def test_what_was_before_is_kept_byte_for_byte(self, epoch, num_lines):
    lines = self.record()
    records.append(self.folder, 'final', seed=3)
    records.rewind(self.folder, epoch)
    self.assertEqual(self.metrics.read_bytes(), b''.join(lines[:num_lines]))
    names = {path.name for path in self.folder.iterdir()}
    self.assertEqual(names, {'config.json', 'metrics.jsonl', 'resumed.jsonl'})

  @parameterized.parameters(1, 20, 50)
  def test_half_a_line_is_left_out(self, num_bytes):
    lines = self.record()
    self.metrics.write_bytes(b''.join(lines[:-1]) + lines[-1][:num_bytes])
    with self.assertRaisesRegex(
      records.RecordError,
      f'^{self.metrics} ends in half a line; go on with the run by --resume',
    ):
      records.read(self.folder)
    self.assertLen(records.read(self.folder, whole=False).events, 4)
    records.rewind(self.folder, 2)
    self.assertEqual(self.metrics.read_bytes(), b''.join(lines[:-1]))

  def test_a_process_that_is_killed_meanwhile_has_lost_nothing(self):
    before = b''.join(self.record())
    with mock.patch.object(os, 'replace', side_effect=KeyboardInterrupt):
      with self.assertRaises(KeyboardInterrupt):
        records.rewind(self.folder, 1)
    self.assertEqual(self.metrics.read_bytes(), before)

  def test_a_damaged_line_is_no_line_to_leave_out(self):
    lines = self.record()
    lines[1] = lines[1][:-9] + b'\n'
    damaged = b''.join(lines)
    self.metrics.write_bytes(damaged)
    with self.assertRaisesRegex(
      records.RecordError, f'^{self.metrics} is not made of whole JSON objects'
    ):
      records.rewind(self.folder, 3)
    self.assertEqual(self.metrics.read_bytes(), damaged)
    self.assertFalse((self.folder / 'resumed.jsonl').exists())

  def test_a_record_that_lags_behind_its_checkpoint_is_refused(self):
    lines = self.record()
    before = b''.join(lines[:-1])
    self.metrics.write_bytes(before)
    with self.assertRaises(records.RecordError) as caught:
      records.rewind(self.folder, 3)
    self.assertEqual(
      str(caught.exception),
      f'{self.metrics} tells of 2 epochs, the last checkpoint beside it of 3; '
      'restore it, or remove the folder to start anew.',
    )
    self.assertEqual(self.metrics.read_bytes(), before)
    self.assertFalse((self.folder / 'resumed.jsonl').exists())

  @parameterized.parameters(None, b'', b'{"event": "hea')
  def test_a_record_without_its_header_gets_one(self, content):
    self.record()
    self.metrics.unlink()
    if content is not None:
      self.metrics.write_bytes(content)
    records.rewind(self.folder, 0)
    (header,) = records.read(self.folder).events
    expected = {'event': 'header', 'config': CONFIG}
    self.assertEqual(header, provenance.environment() | header | expected)

  def test_each_time_that_a_run_went_on_is_noted(self):
    self.record()
    for epoch in (2, 2, 0):
      records.rewind(self.folder, epoch)
    text = (self.folder / 'resumed.jsonl').read_text()
    told = [json.loads(line) for line in text.splitlines()]
    self.assertEqual([line['epoch'] for line in told], [2, 2, 0])
    for line in told:
      self.assertEqual(line, provenance.environment() | line)


class FilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'file'

  @parameterized.parameters((os, 'replace'), (pathlib.Path, 'write_text'))
  def test_a_file_that_cannot_be_written_stays_as_it_was(self, owner, name):
    records.write_whole(self.path, 'before')
    error = OSError(errno.ENOSPC, 'No space left on device')
    with mock.patch.object(owner, name, side_effect=error):
      with self.assertRaisesRegex(
        records.RecordError, f'^{self.path} .*No space left.*make room'
      ):
        records.write_whole(self.path, 'after')
    self.assertEqual(self.path.read_text(), 'before')
    self.assertEqual(list(self.folder.iterdir()), [self.path])

  def test_a_process_that_is_killed_leaves_a_file_as_it_was(self):
    records.write_whole(self.path, 'before')
    with mock.patch.object(os, 'replace', side_effect=KeyboardInterrupt):
      with self.assertRaises(KeyboardInterrupt):
        records.write_whole(self.path, 'after')
    self.assertEqual(self.path.read_text(), 'before')
    records.write_whole(self.path, 'after')
    self.assertEqual(self.path.read_text(), 'after')
    self.assertEqual(list(self.folder.iterdir()), [self.path])

  def test_a_run_killed_at_its_very_start_has_left_nothing(self):
    folder = self.folder / 'run'
    self.assertFalse(records.holds_anything(folder))
    with mock.patch.object(os, 'replace', side_effect=KeyboardInterrupt):
      with self.assertRaises(KeyboardInterrupt):
        records.create(folder, CONFIG)
    self.assertLen(list(folder.iterdir()), 1)
    self.assertFalse(records.holds_anything(folder))
    records.create(folder, CONFIG)
    self.assertTrue(records.holds_anything(folder))
    self.assertEqual(records.read(folder).config, CONFIG)

  def test_the_folder_of_a_lock_is_made(self):
    for _ in range(2):
      with records.alone_in(self.folder / 'a' / 'b' / '.lock', 'a sweep'):
        self.assertTrue((self.folder / 'a' / 'b').is_dir())
    self.path.touch()
    with self.assertRaisesRegex(
      records.RecordError, f'^{self.path} cannot be used .*--workdir'
    ):
      with records.alone_in(self.path / '.lock', 'a sweep'):
        self.fail('a file is no folder')

  @parameterized.parameters(0, 2)
  def test_a_record_that_lacks_a_line_is_refused(self, index):
    records.create(self.folder, CONFIG)
    for epoch in (1, 2, 3):
      records.append(self.folder, 'epoch', epoch=epoch)
    path = self.folder / 'metrics.jsonl'
    lines = path.read_text().splitlines(keepends=True)
    del lines[index]
    path.write_text(''.join(lines))
    with self.assertRaisesRegex(
      records.RecordError, f'^{path} lacks lines; restore it'
    ):
      records.rewind(self.folder, 3)
    self.assertEqual(path.read_text(), ''.join(lines))

  def test_a_run_has_one_process_at_work(self):
    records.create(self.folder, CONFIG)
    with self.assertRaisesRegex(ValueError, 'stopped'):
      with records.at_work_in(self.folder):
        with self.assertRaises(records.RecordError) as caught:
          with records.at_work_in(self.folder):
            self.fail('two are at work')
        raise ValueError('stopped')
    self.assertEqual(
      str(caught.exception),
      f'--workdir={self.folder}: another process has a run at work there; wait '
      'for it, or choose another folder.',
    )
    with records.at_work_in(self.folder):
      pass  # free again, however the first one ended
    self.assertEqual(records.read(self.folder).config, CONFIG)

  def create_after(self, meanwhile):
    """Creates a run while another process does something with it."""
    write_whole = records.write_whole

    def write_and_pause(path, text):
      write_whole(path, text)
      meanwhile()

    with mock.patch.object(records, 'write_whole', write_and_pause):
      records.create(self.folder, CONFIG)

  def test_a_run_that_others_took_up_at_once_is_left_to_them(self):
    with contextlib.ExitStack() as stack:
      with self.assertRaisesRegex(records.RecordError, 'has a run at work'):
        self.create_after(
          lambda: stack.enter_context(records.at_work_in(self.folder))
        )
    self.assertEmpty(records.read(self.folder).events)

  def test_a_run_that_others_took_up_has_one_header(self):
    self.create_after(lambda: records.append(self.folder, 'header', theirs=1))
    events = records.read(self.folder).events
    self.assertEqual(events, [{'event': 'header', 'theirs': 1}])

  def test_a_killed_process_keeps_nobody_out(self):
    holder = subprocess.Popen(
      [sys.executable, '-c', HOLD, self.path],
      stdout=subprocess.PIPE,
      text=True,
    )
    self.addCleanup(holder.communicate, timeout=60)
    self.addCleanup(holder.kill)  # called first
    self.assertEqual(holder.stdout.readline(), 'held\n')
    with self.assertRaisesRegex(records.RecordError, 'has a sweep there'):
      with records.alone_in(self.path, 'a sweep'):
        self.fail('two have it')
    holder.kill()
    holder.wait(timeout=60)
    with records.alone_in(self.path, 'a sweep'):
      pass

  def test_a_disk_that_keeps_nobody_out_is_told(self):
    error = OSError(errno.ENOLCK, 'No locks available')
    with mock.patch.object(fcntl, 'flock', side_effect=error):
      with self.assertRaisesRegex(
        records.RecordError,
        f'^{self.folder} cannot be used .No locks available',
      ):
        with records.alone_in(self.path, 'a sweep'):
          self.fail('nobody is kept out')


if __name__ == '__main__':
  absltest.main()
