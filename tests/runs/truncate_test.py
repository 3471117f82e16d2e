"""Tests of removing the recorded epochs after a checkpoint."""

import json
import os
from unittest import mock

from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

from ssnn_jax.runs import provenance
from ssnn_jax.runs import records
from tests.testing.records import CONFIG
from tests.testing.records import RecordsTestCase


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
      f'{self.metrics} ends in an incomplete line; resume the run',
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
      f'{self.metrics} {problem}',
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
