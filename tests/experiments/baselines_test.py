"""Tests for tables and figures of methods side by side."""

import dataclasses
import pathlib

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from experiments import config_records
from experiments import defaults
from experiments import grid_summary
from experiments import grids
from experiments import methods
from experiments import plot
from experiments import rivals
from experiments import summary
from ssnn_jax.runs import records
from tests.testing.experiments import rows

SIZES = 5, 3, 2, 4
BASE = dataclasses.replace(
  defaults.CONFIGS['digits'], layer_sizes=SIZES, num_epochs=3
)
METHODS = 'bp', 'ssnn', 'surrogate_gradient', 'bp_stdp', 'rpu'
SWEEP = f'method={",".join(METHODS)};num_steps=3,8'
# Percent, at T = 3; at T = 8 it is a point more, and of seed 1 as well.
PERCENT = dict(zip(METHODS, (95.0, 90.0, 88.0, 80.0, 92.0)))
SECONDS = dict(zip(METHODS, (3.0, 12.0, 30.0, 24.0, 15.0)))  # of three epochs
# Spikes of a neuron and tick, those of the last line of an epoch.
FIRED, ERRED = (0.2, 0.5, 0.25), (0.5, 1.0, 0.25)
BITS = {
  'bp': 32 * (5 + 3 + 2),
  'rpu': 32 * (5 + 3 + 2),
  'surrogate_gradient': 8 * ((5 + 3 + 2) + 32 * (3 + 2)),
  'bp_stdp': 4 * (5 + 3 + 2),
  # Spikes of inputs wait for five windows of two ticks, those of hidden layers
  # for three and one; their gates, one a window, for four and two.
  **dict.fromkeys(
    ('ssnn', 'feedback_alignment'),
    2 * (5 * 5 + 3 * 3 + 1 * 2) + 4 * 3 + 2 * 2,
  ),
}


def make_settings(*listed):
  """Makes settings of grids, of which nothing is told."""
  final = {'event': 'final', 'seed': 0}
  return grid_summary.group(
    records.Run('nowhere', config_records.as_record(config), [final])
    for _, config in grids.settings(BASE, *listed)
  )


def write_runs(workdir, text=SWEEP, num_seeds=2):
  """Writes the finished runs of a grid to their folders."""
  for name, config in grids.settings(BASE, grids.parse(text)):
    for seed in range(num_seeds):
      folder = pathlib.Path(workdir, name, f'seed={seed}')
      recorded = config_records.as_record(
        dataclasses.replace(config, seed=seed)
      )
      records.create(folder, recorded)
      for epoch, factor in ((1, 0.5), (2, 0.1), (3, 1.0)):
        told = {'firing_rates': [factor * rate for rate in FIRED]}
        if methods.METHODS[config.method].estimates_gradient:
          told['error_rates'] = [factor * rate for rate in ERRED]
        records.append(folder, 'epoch', epoch=epoch, **told)
        records.append(folder, 'eval', epoch=epoch, test_accuracy=0.1)
      percent = PERCENT[config.method] + seed
      percent += config.method != 'bp' and config.num_steps == 8
      records.append(
        *(folder, 'final'),
        **{'method': config.method, 'seed': seed, 'layer_sizes': SIZES},
        **dict.fromkeys(summary.ACCURACIES[:2], percent / 100),
        test_accuracy_rate=percent / 100 + 0.03,
        window=min(config.num_steps, 2),
        train_seconds=SECONDS[config.method] * (1 + seed) * num_seeds,
        seeds_at_once=num_seeds,
      )


class RivalsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  @parameterized.parameters(
    ('method=bp,ssnn,bp_stdp;num_steps=4,16', True),
    ('method=bp,rpu', True),
    ('method=bp,surrogate_gradient', True),
    ('method=bp,rpu;learning_rate=0.1,1', False),
    ('method=bp,ssnn;num_steps=4,16', False),
    ('method=ssnn,rpu;num_steps=4,16', False),  # no ANN
    ('method=rpu,bp_stdp', False),
    ('method=bp,rpu;dropout=0,0.1', False),
    ('method=bp,rpu;gain=1,2', False),
    ('method=bp', False),
  )
  def test_methods_that_vary_alone_are_recognised(self, text, expected):
    settings = make_settings(grids.parse(text))
    self.assertEqual(rivals.is_comparison(settings), expected)

  def test_the_sweep_of_that_name_is_recognised(self):
    (grid,) = grids.SWEEPS['methods']
    self.assertEqual(set(grid['method']), set(methods.METHODS))
    self.assertTrue(rivals.is_comparison(make_settings(grid)))

  @parameterized.parameters(*methods.METHODS)
  def test_bits_are_counted_by_hand(self, method):
    self.assertEqual(rivals.stored_bits(method, SIZES, 8, 2), BITS[method])

  def test_a_short_presentation_is_one_sub_interval(self):
    self.assertEqual(rivals.stored_bits('bp_stdp', SIZES, 3, 2), 3 * 10)

  def test_what_runs_took_is_read(self):
    write_runs(self.workdir)
    settings = rivals.read(self.workdir)
    self.assertLen(settings, 9)
    for setting in settings:
      method, t = setting.config['method'], setting.num_steps
      self.assertEqual(setting.seeds, [0, 1])
      np.testing.assert_allclose(
        setting.values['epoch_seconds'],
        [SECONDS[method] / 3 * n for n in (1, 2)],
      )
      # Of a sample after the last epoch; 5, 3 and 2 neurons send forward, and
      # 3, 2 and 4 back.
      forward, back = (1 + 1.5 + 0.5) * t, (1.5 + 2 + 1) * t
      if method == 'bp':
        forward, back = np.nan, np.nan
      if method in ('surrogate_gradient', 'bp_stdp'):
        back = np.nan
      np.testing.assert_allclose(
        setting.values['forward_spikes'], [forward] * 2, rtol=1e-12
      )
      np.testing.assert_allclose(
        setting.values['error_spikes'], [back] * 2, rtol=1e-12
      )
      if t == 8:
        self.assertEqual(setting.mean('stored_bits'), BITS[method])

  def test_a_table_tells_each_method(self):
    write_runs(self.workdir)
    ann, *told = rows(rivals.table(rivals.read(self.workdir)))
    expected = {
      **{'method': 'bp', 'T': '', 'accuracy': '95.50 ± 0.71'},
      **{'minus ANN (95 %)': '', 'read as ANN': '', 'of BP': ''},
      **{'seconds an epoch': '1.5', 'spikes forward': '', 'back': ''},
      **{'bits stored': '320', 'seeds': '2'},
    }
    self.assertEqual(ann, expected)
    self.assertEqual(
      [(row['method'], row['T']) for row in told],
      [(name, t) for name in sorted(METHODS[1:]) for t in '38'],
    )
    by_place = {(row['method'], row['T']): row for row in told}
    self.assertEqual(
      by_place['ssnn', '8'],
      expected
      | {
        **{'method': 'ssnn', 'T': '8', 'accuracy': '91.50 ± 0.71'},
        **{'minus ANN (95 %)': '-4.00 ± 0.00', 'read as ANN': '94.50 ± 0.71'},
        **{'seconds an epoch': '6', 'of BP': '4.0', 'spikes forward': '24'},
        **{'back': '36', 'bits stored': '88'},
      },
    )
    self.assertEqual(
      by_place['surrogate_gradient', '8'],
      expected
      | {
        **{
          'method': 'surrogate_gradient',
          'T': '8',
          'accuracy': '89.50 ± 0.71',
        },
        **{'minus ANN (95 %)': '-6.00 ± 0.00', 'read as ANN': '92.50 ± 0.71'},
        **{'seconds an epoch': '15', 'of BP': '10.0', 'spikes forward': '24'},
        'bits stored': '1,360',
      },
    )
    self.assertEqual(by_place['bp_stdp', '3']['bits stored'], '30')

  def test_a_figure_has_a_place_for_each_method(self):
    write_runs(self.workdir)
    sheet = rivals.draw(rivals.read(self.workdir))
    left, middle, right = sheet.axes
    names = ['ssnn', 'surrogate_gradient', 'bp_stdp', 'rpu']
    labels = [label.get_text() for label in sheet.axes[-1].get_xticklabels()]
    self.assertEqual(labels, names)
    self.assertEqual(
      [axes.get_yscale() for axes in sheet.axes], ['linear', 'log', 'log']
    )

    def drawn(line):
      places, values = line.get_xydata().T
      return {names[round(p)]: value for p, value in zip(places, values)}

    for index, t in enumerate((3, 8)):
      accuracies = drawn(left.containers[index].lines[0])
      seconds, bits = (drawn(axes.lines[index]) for axes in (middle, right))
      for name in names:
        percent = PERCENT[name] + 0.5 + (t == 8)
        self.assertAlmostEqual(accuracies[name], percent)
        self.assertAlmostEqual(seconds[name], SECONDS[name] / 2)
        expected = rivals.stored_bits(name, SIZES, t, 2)
        self.assertEqual(bits[name], expected)
    points = [bars.lines[0] for bars in left.containers]
    for drawings in (points, middle.lines[:-1], right.lines[:-1]):
      ones, others = (line.get_xydata()[:, 0] for line in drawings)
      self.assertTrue(np.all(ones < others))  # none hides another
    for axes, expected in zip(sheet.axes, (95.5, 1.5, 320)):
      np.testing.assert_allclose(axes.lines[-1].get_ydata(), expected)

  def test_a_record_of_it_is_told_by_it(self):
    write_runs(self.workdir, num_seeds=1)
    table, sheet, name = plot.read_record(self.workdir)
    self.assertEqual(table, rivals.table(rivals.read(self.workdir)))
    self.assertEqual(name, 'methods')
    self.assertIn('\none seed', sheet.get_suptitle())


if __name__ == '__main__':
  absltest.main()
