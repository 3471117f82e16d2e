"""Tests for the records of runs."""

import errno
import json
import pathlib
import subprocess
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.runs import provenance
from ssnn_jax.runs import records

CONFIG = {'method': 'ssnn', 'layer_sizes': [2, 3]}


class RecordsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'a' / 'run'

  def text(self):
    return (self.folder / 'metrics.jsonl').read_text()

  def test_a_run_is_read_as_it_was_written(self):
    records.create(self.folder, CONFIG)
    records.append(self.folder, 'epoch', epoch=1, loss=jnp.float32(0.1))
    unfinished = records.read(self.folder)
    self.assertIsNone(unfinished.final)
    records.append(self.folder, 'final', seed=np.int32(3), done=True)
    run = records.read(self.folder)
    self.assertEqual(run.config, CONFIG)
    header, epoch, final = run.events
    self.assertEqual(header['event'], 'header')
    self.assertEqual(header['config'], CONFIG)
    self.assertEqual(epoch, {'event': 'epoch', 'epoch': 1, 'loss': 0.1})
    self.assertEqual(final, {'event': 'final', 'seed': 3, 'done': True})
    self.assertEqual(run.final, final)

  def test_the_header_tells_what_the_run_depends_on(self):
    records.create(self.folder, CONFIG)
    (header,) = records.read(self.folder).events
    for name in ('jax', 'jaxlib', 'numpy', 'optax', 'flax'):
      self.assertRegex(header['versions'][name], r'^\d+\.\d+')
    self.assertEqual(header['num_devices'], 1)
    self.assertIn('commit', header)

  def test_outside_a_checkout_there_is_no_commit(self):
    for error in (OSError(), subprocess.CalledProcessError(128, 'git')):
      with mock.patch.object(subprocess, 'run', side_effect=error):
        described = provenance.environment()
      self.assertIsNone(described['commit'])
      self.assertIsNone(described['dirty'])

  def test_nothing_is_overwritten(self):
    records.create(self.folder, CONFIG)
    before = self.text()
    with self.assertRaisesRegex(records.RecordError, 'did not finish'):
      records.create(self.folder, CONFIG)
    self.assertEqual(self.text(), before)
    records.append(self.folder, 'final')
    with self.assertRaisesRegex(records.RecordError, 'a finished run'):
      records.create(self.folder, CONFIG)
    foreign = self.folder.parent
    with self.assertRaisesRegex(
      records.RecordError, 'files that are not a run'
    ):
      records.create(foreign, CONFIG)

  def test_a_foreign_folder_stays_as_it_is(self):
    self.folder.mkdir(parents=True)
    (self.folder / 'notes.txt').write_text('mine')
    with self.assertRaises(records.RecordError) as caught:
      records.create(self.folder, CONFIG)
    self.assertEqual(
      str(caught.exception),
      f'--workdir={self.folder} already holds files that are not a run, and '
      'nothing is overwritten; choose another folder.',
    )
    self.assertEqual([p.name for p in self.folder.iterdir()], ['notes.txt'])

  @parameterized.parameters(
    ('', r'^--workdir={} already holds files that are not a run, .*another'),
    ('below', r'^{}/below cannot be used .*--workdir'),
  )
  def test_a_file_in_the_place_of_the_folder_is_told(self, below, sentence):
    self.folder.parent.mkdir()
    self.folder.write_text('mine')
    with self.assertRaisesRegex(
      records.RecordError, sentence.format(self.folder)
    ):
      records.create(self.folder / below, CONFIG)
    self.assertEqual(self.folder.read_text(), 'mine')

  def test_an_empty_folder_is_used(self):
    self.folder.mkdir(parents=True)
    records.create(self.folder, CONFIG)
    self.assertEqual(records.read(self.folder).config, CONFIG)

  def test_a_line_is_written_whole_or_not_at_all(self):
    records.create(self.folder, CONFIG)
    before = self.text()
    real_open = open

    def short_open(path, mode, buffering):
      file = real_open(path, mode, buffering=buffering)
      full_disk = mock.MagicMock(wraps=file)
      full_disk.write.side_effect = lambda data: file.write(data[:5])
      full_disk.__enter__.return_value = full_disk
      full_disk.__exit__.side_effect = lambda *args: file.close()
      return full_disk

    with mock.patch('builtins.open', short_open):
      with self.assertRaisesRegex(records.RecordError, 'metrics.jsonl .*make'):
        records.append(self.folder, 'epoch', epoch=1)
    self.assertEqual(self.text(), before)

  def test_what_json_lacks_is_null(self):
    records.create(self.folder, CONFIG)
    for value in (jnp.nan, jnp.inf):
      records.append(self.folder, 'epoch', loss=jnp.float32(value))
      self.assertIsNone(records.read(self.folder).events[-1]['loss'])

  def test_a_folder_that_cannot_be_written_is_told(self):
    error = PermissionError(errno.EACCES, 'Permission denied')
    with mock.patch.object(pathlib.Path, 'mkdir', side_effect=error):
      with self.assertRaisesRegex(
        records.RecordError, 'Permission denied.*another --workdir'
      ):
        records.create(self.folder, CONFIG)

  def test_a_line_that_cannot_be_written_is_told(self):
    records.create(self.folder, CONFIG)
    error = PermissionError(errno.EACCES, 'Permission denied')
    with mock.patch('builtins.open', side_effect=error):
      with self.assertRaisesRegex(
        records.RecordError, 'metrics.jsonl .*Permission denied.*--workdir'
      ):
        records.append(self.folder, 'epoch', epoch=1)

  @parameterized.parameters(
    (jnp.float32(0.1), '0.1'),
    (np.float32([0.1]), '0.1'),
    (np.float64(0.1), '0.1'),
    (jnp.float32(1 / 3), '0.33333334'),
    (np.int32([[7]]), '7'),
    (np.bool_(True), 'true'),
  )
  def test_a_number_has_the_digits_of_its_own_type(self, value, digits):
    records.create(self.folder, CONFIG)
    records.append(self.folder, 'epoch', value=value)
    expected = f'{{"event": "epoch", "value": {digits}}}'
    self.assertEqual(self.text().splitlines()[-1], expected)

  @parameterized.parameters('config.json', 'metrics.jsonl')
  def test_a_damaged_file_is_named(self, name):
    records.create(self.folder, CONFIG)
    path = self.folder / name
    path.write_text(path.read_text()[:-5] + '\n')
    for whole in (True, False):
      with self.assertRaisesRegex(
        records.RecordError, f'{name} is not made of'
      ):
        records.read(self.folder, whole=whole)

  @parameterized.parameters('config.json', 'metrics.jsonl')
  def test_json_of_another_kind_is_not_a_run(self, name):
    records.create(self.folder, CONFIG)
    (self.folder / name).write_text('[1, 2]\n')
    with self.assertRaisesRegex(records.RecordError, f'{name} is not made of'):
      records.read(self.folder)

  def test_a_changed_configuration_is_told(self):
    records.create(self.folder, CONFIG)
    (self.folder / 'config.json').write_text('{"method": "bp"}')
    with self.assertRaisesRegex(
      records.RecordError,
      f'^{self.folder}/config.json is not what the header of {self.folder}/'
      'metrics.jsonl says; restore it.$',
    ):
      records.read(self.folder)

  def test_a_missing_run_is_told(self):
    with self.assertRaisesRegex(records.RecordError, 'config.json'):
      records.read(self.folder)

  def test_runs_are_found_below_a_folder(self):
    names = ['b', 'a/x', 'a/y']
    for name in names:
      records.create(self.folder / name, CONFIG | {'name': name})
    found = [run.config['name'] for run in records.find(self.folder)]
    self.assertEqual(found, sorted(names))

  def test_digests_are_equal_where_bits_are(self):
    def digest(weights):
      layer = types.LayerParams(jnp.array(weights), jnp.zeros(1))
      return provenance.sha256((layer,))

    self.assertEqual(digest([0.0, 1.0]), digest([0.0, 1.0]))
    others = [[1.0, 0.0], [-0.0, 1.0], [0.0, 1.0 + 2**-23]]
    self.assertLen({digest([0.0, 1.0]), *map(digest, others)}, 4)

  def test_config_is_readable_json(self):
    records.create(self.folder, CONFIG)
    config = json.loads((self.folder / 'config.json').read_text())
    self.assertEqual(config, CONFIG)

  def test_errors_are_user_errors(self):
    self.assertTrue(issubclass(records.RecordError, ssnn_jax.UserError))


if __name__ == '__main__':
  absltest.main()
