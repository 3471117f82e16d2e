"""Tests of the table and the figure of one run."""

import pathlib
import re

from absl.testing import absltest

from experiments import curves
from experiments import plot
import ssnn_jax
from ssnn_jax.runs import records
from tests.testing.experiments import record_epochs

HEADINGS = [
  'epoch',
  'loss',
  'train accuracy',
  'test accuracy',
  'firing rates',
  'silent',
  'saturated',
  'error rates',
  'clipped',
  'coincidences',
]


class CurvesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def test_table_has_a_row_for_each_epoch(self):
    record_epochs(self.folder, num_epochs=3, num_hidden=1)
    text = curves.table(curves.epochs(records.read(self.folder)))
    heading, _, *rows = [re.split('  +', line) for line in text.splitlines()]
    self.assertEqual(heading, HEADINGS)
    expected = [
      [
        str(epoch),
        loss,
        training,
        *evaluation,
        f'0.{epoch}00 0.{epoch + 1}00',
        f'{epoch}0.0 {epoch + 1}0.0',
        '0.0 0.0',
        f'0.{epoch}000 0.{epoch + 1}000',
        f'{epoch}0.0',
        f'{epoch}00 {epoch + 1}00',
      ]
      for epoch, loss, training, evaluation in (
        (1, '1.0000', '50.00', []),
        (2, '0.5000', '75.00', ['25.00']),
        (3, '0.3333', '83.33', []),
      )
    ]
    self.assertEqual(rows, expected)

  def test_figure_has_a_curve_for_each_layer(self):
    record_epochs(self.folder, num_epochs=4)
    _, sheet, name = plot.read_record(self.folder)
    self.assertEqual(name, 'run')
    drawn = {
      axes.get_title(): {
        line.get_label(): list(line.get_xdata()) for line in axes.lines
      }
      for axes in sheet.axes
      if axes.lines
    }
    # All panels except that of the update's error, which is not recorded.
    self.assertLen(drawn, 7)
    self.assertEqual(
      drawn['accuracy'],
      {'during training': [1, 2, 3, 4], 'evaluation': [2, 4]},
    )
    layers = ['inputs', 'hidden layer 1', 'hidden layer 2']
    self.assertEqual(list(drawn['firing']), layers)
    self.assertEqual(list(drawn['errors']), [*layers[1:], 'output'])
    self.assertEqual(
      list(drawn['silent, or always on']),
      [
        f'{layer}, {kind}'
        for kind in ('silent', 'always on')
        for layer in layers
      ],
    )

  def test_rejects_run_without_an_epoch(self):
    record_epochs(self.folder, num_epochs=0)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, f'^{self.folder} tells of no epoch yet; wait'
    ):
      plot.read_record(self.folder)
