"""Tests that a run's own table and figure tell what it recorded."""

import pathlib
import re

from absl.testing import absltest

from experiments import curves
from experiments import plot
import ssnn_jax
from ssnn_jax.runs import records

CONFIG = {'method': 'ssnn', 'num_steps': 16, 'dataset': 'digits', 'seed': 3}


def record(folder, num_epochs, num_hidden=2):
  """Records a run that is at work, evaluated after each second epoch."""
  records.create(folder, CONFIG)
  for epoch in range(1, num_epochs + 1):
    sending = tuple(0.1 * (epoch + layer) for layer in range(num_hidden + 1))
    hidden = sending[:num_hidden]
    records.append(
      folder,
      'epoch',
      epoch=epoch,
      loss=1 / epoch,
      train_accuracy=1 - 0.5 / epoch,
      firing_rates=sending,
      silent_fractions=sending,
      saturated_fractions=(0.0,) * len(sending),
      error_rates=sending,
      clipped_error_fractions=hidden,
      coincidences=tuple(1000 * rate for rate in sending),
    )
    if epoch % 2 == 0:
      records.append(folder, 'eval', epoch=epoch, test_accuracy=0.25)


class CurvesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def test_the_table_has_a_line_an_epoch(self):
    record(self.folder, num_epochs=3, num_hidden=1)
    text = curves.table(curves.epochs(records.read(self.folder)))
    heading, _, *rows = text.splitlines()
    self.assertEqual(
      re.split('  +', heading),
      [
        *('epoch', 'loss', 'train accuracy', 'test accuracy', 'firing rates'),
        *('silent', 'saturated', 'error rates', 'clipped', 'coincidences'),
      ],
    )
    self.assertEqual(
      [re.split('  +', row) for row in rows],
      [
        [
          *(str(epoch), loss, training, *evaluated),
          *(f'0.{epoch}00 0.{epoch + 1}00', f'{epoch}0.0 {epoch + 1}0.0'),
          *('0.0 0.0', f'0.{epoch}000 0.{epoch + 1}000', f'{epoch}0.0'),
          f'{epoch}00 {epoch + 1}00',
        ]
        for epoch, loss, training, evaluated in (
          (1, '1.0000', '50.00', []),
          (2, '0.5000', '75.00', ['25.00']),
          (3, '0.3333', '83.33', []),
        )
      ],
    )

  def test_the_figure_has_a_curve_a_layer(self):
    record(self.folder, num_epochs=4)
    _, sheet, name = plot.read_record(self.folder)
    self.assertEqual(name, 'run')
    drawn = {
      axes.get_title(): {
        line.get_label(): list(line.get_xdata()) for line in axes.lines
      }
      for axes in sheet.axes
      if axes.lines
    }
    # The update was not compared with the gradient.
    self.assertLen(drawn, 7)
    self.assertEqual(
      drawn['accuracy'],
      {'during training': [1, 2, 3, 4], 'evaluation': [2, 4]},
    )
    self.assertEqual(
      list(drawn['firing']), ['inputs', 'hidden layer 1', 'hidden layer 2']
    )
    self.assertEqual(
      list(drawn['errors']), ['hidden layer 1', 'hidden layer 2', 'output']
    )
    self.assertEqual(
      list(drawn['silent, or always on']),
      [
        f'{layer}, {what}'
        for what in ('silent', 'always on')
        for layer in drawn['firing']
      ],
    )

  def test_a_run_without_an_epoch_is_told(self):
    record(self.folder, num_epochs=0)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, f'^{self.folder} tells of no epoch yet; wait'
    ):
      plot.read_record(self.folder)


if __name__ == '__main__':
  absltest.main()
