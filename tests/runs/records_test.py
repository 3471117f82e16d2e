"""Tests of the records of runs."""

import errno
import json
import multiprocessing
import os
import pathlib
import resource
from unittest import mock

from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

from ssnn_jax import runs
from ssnn_jax.runs import files
from ssnn_jax.runs import provenance
from ssnn_jax.runs import records

CONFIG = {'method': 'ssnn', 'layer_sizes': [2, 3]}
NUM_RACES = 100


def create_all(folders, config, barrier, queue):
  """Creates runs at the same time as another process; sends those created."""
  created = []
  with mock.patch.object(provenance, 'environment', dict):
    for folder in folders:
      barrier.wait()
      try:
        records.create(folder, config)
        created.append(str(folder))
      except runs.RecordError:
        pass
  queue.put(created)


class RecordsTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.parent = pathlib.Path(self.create_tempdir().full_path)
    self.folder = self.parent / 'a' / 'run'
    self.metrics = self.folder / 'metrics.jsonl'

  def contents(self):
    paths = [path for path in self.parent.rglob('*') if path.is_file()]
    return {path: path.read_bytes() for path in paths}

  def write_damaged(self, path, content):
    path.write_bytes(content)
    return (
      f'{path} does not hold valid JSON objects; restore the file, or remove '
      'the folder of the run.'
    )

  def assert_rejected(self, message, function, *args, **kwargs):
    """Asserts that a call raises an error and changes no file."""
    before = self.contents()
    with self.assertRaises(runs.RecordError) as caught:
      function(*args, **kwargs)
    self.assertEqual(str(caught.exception), message)
    self.assertEqual(self.contents(), before)


class RecordsTest(RecordsTestCase):
  def test_read_returns_what_was_written(self):
    self.folder.mkdir(parents=True)  # empty
    records.create(self.folder, CONFIG, data_sha256='ab')
    records.append(self.folder, 'epoch', epoch=1, loss=jnp.float32(0.1))
    self.assertIsNone(records.read(self.folder).final)
    records.append(self.folder, 'final', seed=np.int32(3), done=True)
    run = records.read(self.folder)
    self.assertEqual(run.config, CONFIG)
    text = (self.folder / 'config.json').read_text()
    self.assertEqual(json.loads(text), CONFIG)
    header, epoch, final = run.events
    expected = {'event': 'header', 'config': CONFIG, 'data_sha256': 'ab'}
    self.assertEqual(header, provenance.environment() | header | expected)
    self.assertEqual(epoch, {'event': 'epoch', 'epoch': 1, 'loss': 0.1})
    self.assertEqual(final, {'event': 'final', 'seed': 3, 'done': True})
    self.assertEqual(run.final, final)

  def assert_create_rejected(self, folder, message):
    message = f'{folder} already holds {message} another folder.'
    self.assert_rejected(message, records.create, folder, CONFIG)

  def test_create_never_overwrites(self):
    records.create(self.folder, CONFIG)
    self.assert_create_rejected(
      self.folder, 'an unfinished run; resume the run, or choose'
    )
    records.append(self.folder, 'final')
    self.assert_create_rejected(self.folder, 'a finished run; choose')
    (self.parent / 'notes.txt').write_text('mine')
    for folder in (self.parent, self.parent / 'notes.txt', self.folder.parent):
      self.assert_create_rejected(folder, 'files that are not a run; choose')

  def test_create_rejects_folder_in_file(self):
    (self.parent / 'notes.txt').write_text('mine')
    self.assert_rejected(
      f'{self.parent}/notes.txt/run cannot be used (Not a directory); free '
      'disk space, change its permissions, or choose another folder.',
      records.create,
      self.parent / 'notes.txt' / 'run',
      CONFIG,
    )

  @parameterized.parameters(
    (records.create, 'pathlib.Path.mkdir', ''),
    (records.create, 'pathlib.Path.write_text', '/config.json'),
    (records.append, 'builtins.open', '/metrics.jsonl'),
  )
  def test_rejects_missing_permission(self, function, name, file):
    error = PermissionError(errno.EACCES, 'Permission denied')
    with mock.patch(name, side_effect=error):
      with self.assertRaisesRegex(
        runs.RecordError,
        f'^{self.folder}{file} cannot be used .Permission denied.; free disk',
      ):
        function(self.folder, {})

  def test_append_on_full_disk_removes_incomplete_line(self):
    records.create(self.folder, CONFIG)
    size = self.metrics.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, limits[1]))
    self.assert_rejected(
      f'{self.metrics} cannot be used (only 5 of 31 bytes fit); free disk '
      'space, change its permissions, or choose another folder.',
      records.append,
      self.folder,
      'epoch',
      epoch=1,
    )

  @parameterized.parameters(
    (jnp.float32(0.1), '0.1'),
    (np.float32([0.1]), '0.1'),
    (np.float64(0.1), '0.1'),
    (jnp.float32(1 / 3), '0.33333334'),
    (np.int32([[7]]), '7'),
    (np.bool_(True), 'true'),
    (jnp.float32(jnp.nan), 'null'),
    (jnp.float32(jnp.inf), 'null'),
    ((np.float32(0.1), [2]), '[0.1, [2]]'),
  )
  def test_numbers_have_the_digits_of_their_type(self, value, digits):
    self.folder.mkdir(parents=True)
    records.append(self.folder, 'epoch', value=value)
    expected = f'{{"event": "epoch", "value": {digits}}}\n'
    self.assertEqual(self.metrics.read_text(), expected)

  @parameterized.product(
    name=['config.json', 'metrics.jsonl'],
    content=[b'{"method": "ss\n', b'[1, 2]\n', b'"\xff"\n'],
    strict=[True, False],
  )
  def test_read_rejects_damaged_file(self, name, content, strict):
    records.create(self.folder, CONFIG)
    message = self.write_damaged(self.folder / name, content)
    self.assert_rejected(message, records.read, self.folder, strict=strict)

  def test_read_rejects_different_configurations(self):
    records.create(self.folder, CONFIG)
    (self.folder / 'config.json').write_text('{"method": "bp"}')
    self.assert_rejected(
      f'{self.folder}/config.json differs from the configuration in the header '
      f'of {self.metrics}; restore config.json.',
      records.read,
      self.folder,
    )

  def test_read_rejects_missing_run(self):
    self.assert_rejected(
      f'{self.folder}/config.json does not exist; give the folder of a run.',
      records.read,
      self.folder,
    )

  def test_find_reads_all_runs_in_order_of_paths(self):
    names = ['b', 'a/x', 'a/y']
    for name in names:
      records.create(self.folder / name, CONFIG | {'name': name})
    found = [run.config['name'] for run in records.find(self.folder)]
    self.assertEqual(found, sorted(names))

  def test_create_rejects_folder_locked_by_another_process(self):
    with files.exclusive_lock(self.folder):
      self.assert_rejected(
        f'{self.folder} is in use by another process; wait for the process to '
        'end, or choose another folder.',
        records.create,
        self.folder,
        CONFIG,
      )
    records.create(self.folder, CONFIG)
    self.assertEqual(records.read(self.folder).config, CONFIG)

  @parameterized.product(
    function=('write_atomically', 'append_line'),
    error=(runs.RecordError('full disk'), KeyboardInterrupt()),
    is_late=(False, True),
  )
  def test_create_writes_all_or_nothing(self, function, error, is_late):
    write = getattr(files, function)

    def fail(*args):
      if is_late:
        write(*args)
      raise error

    with mock.patch.object(files, function, fail):
      with self.assertRaises(type(error)):
        records.create(self.folder, CONFIG)
    self.assertFalse(files.is_nonempty(self.folder))
    records.create(self.folder, CONFIG)
    self.assertLen(records.read(self.folder).events, 1)

  def test_one_of_two_processes_creates_a_run(self):
    context = multiprocessing.get_context('spawn')
    barrier, queue = context.Barrier(2, timeout=60), context.Queue()
    folders = [self.folder / str(index) for index in range(NUM_RACES)]
    processes = [
      context.Process(
        target=create_all, args=(folders, {'process': i}, barrier, queue)
      )
      for i in range(2)
    ]
    for process in processes:
      process.start()
    created = [queue.get(timeout=60) for _ in processes]
    for process in processes:
      process.join()
    self.assertCountEqual(sum(created, []), map(str, folders))
    for folder in folders:  # also reads whether both files agree
      self.assertLen(records.read(folder).events, 1)


class TruncateTest(RecordsTestCase):
  def setUp(self):
    """Records three epochs and an evaluation after the second one."""
    super().setUp()
    records.create(self.folder, CONFIG)
    for epoch in (1, 2, 3):
      rates = [jnp.float32(1 / 3), jnp.float32(1e-7 * epoch)]
      records.append(
        self.folder, 'epoch', epoch=epoch, loss=jnp.nan, rates=rates
      )
      if epoch == 2:
        records.append(self.folder, 'eval', epoch=2, accuracy=np.float64(0.1))
    self.lines = self.metrics.read_bytes().splitlines(keepends=True)

  @parameterized.parameters((0, 1), (1, 2), (2, 4), (3, 5))
  def test_truncate_keeps_bytes_of_earlier_lines(self, epoch, num_lines):
    records.append(self.folder, 'final', seed=3)
    records.truncate_to_epoch(self.folder, epoch)
    self.assertEqual(
      self.metrics.read_bytes(), b''.join(self.lines[:num_lines])
    )
    names = {path.name for path in self.folder.iterdir()}
    files_of_run = {'config.json', 'metrics.jsonl', 'resumed.jsonl'}
    self.assertEqual(names, {'.lock', *files_of_run})

  @parameterized.parameters(1, 20, 50)
  def test_truncate_removes_incomplete_line(self, num_bytes):
    *complete, last = self.lines
    self.metrics.write_bytes(b''.join(complete) + last[:num_bytes])
    self.assert_rejected(
      f'{self.metrics} ends in an incomplete line; resume the run, which '
      'writes the line again.',
      records.read,
      self.folder,
    )
    self.assertLen(records.read(self.folder, strict=False).events, 4)
    records.truncate_to_epoch(self.folder, 2)
    self.assertEqual(self.metrics.read_bytes(), b''.join(complete))

  def test_killed_truncate_changes_nothing(self):
    with mock.patch.object(os, 'replace', side_effect=KeyboardInterrupt):
      with self.assertRaises(KeyboardInterrupt):
        records.truncate_to_epoch(self.folder, 1)
    self.assertEqual(self.metrics.read_bytes(), b''.join(self.lines))

  @parameterized.parameters(
    (0, 'lacks lines'),  # header
    (2, 'lacks lines'),  # second epoch
    (4, 'ends at epoch 2, but the last checkpoint is of epoch 3'),
  )
  def test_truncate_rejects_missing_line(self, index, problem):
    del self.lines[index]
    self.metrics.write_bytes(b''.join(self.lines))
    self.assert_rejected(
      f'{self.metrics} {problem}; restore the file, or remove the folder and '
      'start the run again.',
      records.truncate_to_epoch,
      self.folder,
      epoch=3,
    )

  def test_truncate_rejects_damaged_line(self):
    self.lines[1] = self.lines[1][:-9] + b'\n'
    message = self.write_damaged(self.metrics, b''.join(self.lines))
    self.assert_rejected(message, records.truncate_to_epoch, self.folder, 3)

  @parameterized.parameters(None, b'', b'{"event": "hea')
  def test_truncate_restores_missing_header(self, content):
    self.metrics.unlink()
    if content is not None:
      self.metrics.write_bytes(content)
    records.truncate_to_epoch(self.folder, 0, data_sha256='ab')
    (header,) = records.read(self.folder).events
    expected = {'event': 'header', 'config': CONFIG, 'data_sha256': 'ab'}
    self.assertEqual(header, provenance.environment() | header | expected)

  def test_every_resumption_is_recorded(self):
    for epoch in (2, 2, 0):
      records.truncate_to_epoch(self.folder, epoch)
    text = (self.folder / 'resumed.jsonl').read_text()
    resumed = [json.loads(line) for line in text.splitlines()]
    self.assertEqual([line['epoch'] for line in resumed], [2, 2, 0])
    for line in resumed:
      self.assertEqual(line, provenance.environment() | line)
