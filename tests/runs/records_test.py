"""Tests of the records of runs."""

import errno
import json
import multiprocessing
import resource
from unittest import mock

from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

from ssnn_jax import runs
from ssnn_jax.runs import files
from ssnn_jax.runs import provenance
from ssnn_jax.runs import records
from tests.testing.records import CONFIG
from tests.testing.records import RecordsTestCase

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

  def test_create_never_overwrites(self):
    def assert_create_rejected(folder, holds):
      message = f'{folder} already holds {holds}'
      self.assert_rejected(message, records.create, folder, CONFIG)

    records.create(self.folder, CONFIG)
    assert_create_rejected(self.folder, 'an unfinished run; resume the run')
    records.append(self.folder, 'final')
    assert_create_rejected(self.folder, 'a finished run; choose')
    (self.parent / 'notes.txt').write_text('mine')
    for folder in (self.parent, self.parent / 'notes.txt', self.folder.parent):
      assert_create_rejected(folder, 'files that are not a run; choose')

  def test_create_rejects_folder_in_file(self):
    (self.parent / 'notes.txt').write_text('mine')
    self.assert_rejected(
      f'{self.parent}/notes.txt/run cannot be used (Not a directory)',
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
      f'{self.metrics} cannot be used (only 5 of 31 bytes fit)',
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
      f'{self.folder}/config.json differs from the configuration',
      records.read,
      self.folder,
    )

  def test_read_rejects_missing_run(self):
    self.assert_rejected(
      f'{self.folder}/config.json does not exist',
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
        f'{self.folder} is in use by another process',
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
