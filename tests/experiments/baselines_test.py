"""Tests of tables and figures that compare methods."""

import dataclasses
import pathlib
import tempfile

from absl.testing import parameterized
import numpy as np

from experiments import plot
from experiments import rivals
from experiments.config import grids
from experiments.config import methods
from tests.testing import sweeps
from tests.testing.experiments import rows

SIZES = 5, 3, 2, 4
BASE = dataclasses.replace(sweeps.BASE, layer_sizes=SIZES, num_epochs=3)
METHODS = 'bp', 'ssnn', 'surrogate_gradient', 'bp_stdp', 'rpu'
SWEEP = f'method={",".join(METHODS)};num_steps=3,8'
# Percent, at T = 3 and of seed 0; a point more at T = 8, and of seed 1.
PERCENT = dict(zip(METHODS, (95.0, 90.0, 88.0, 80.0, 92.0)))
SECONDS = dict(zip(METHODS, (3.0, 12.0, 30.0, 24.0, 15.0)))  # of three epochs
# Spikes per neuron and tick in the last epoch.
FORWARD_RATES, ERROR_RATES = (0.2, 0.5, 0.25), (0.5, 1.0, 0.25)
# Spikes of inputs wait for five windows of two ticks, those of hidden layers
# for three and one; their gates, one per window, for four and two.
DELAYED = 2 * (5 * 5 + 3 * 3 + 1 * 2) + 4 * 3 + 2 * 2
BITS = {
  'bp': 32 * (5 + 3 + 2),
  'rpu': 32 * (5 + 3 + 2),
  'surrogate_gradient': 8 * ((5 + 3 + 2) + 32 * (3 + 2)),
  'bp_stdp': 4 * (5 + 3 + 2),
  'ssnn': DELAYED,
  'feedback_alignment': DELAYED,
}


def make_runs(workdir, num_seeds=2):
  def epochs(config):
    estimates = methods.METHODS[config.method].estimates_gradient
    for epoch, factor in ((1, 0.5), (2, 0.1), (3, 1.0)):
      line = {'firing_rates': [factor * rate for rate in FORWARD_RATES]}
      if estimates:
        line['error_rates'] = [factor * rate for rate in ERROR_RATES]
      yield {'event': 'epoch', 'epoch': epoch, **line}
      yield {'event': 'eval', 'epoch': epoch, 'test_accuracy': 0.1}

  def final(config):
    percent = PERCENT[config.method] + config.seed
    percent += config.method != 'bp' and config.num_steps == 8
    return {
      **sweeps.accuracies(percent, percent, percent + 3),
      'layer_sizes': SIZES,
      'window': min(config.num_steps, 2),
      'train_seconds': SECONDS[config.method] * (1 + config.seed) * num_seeds,
      'seeds_at_once': num_seeds,
    }

  return sweeps.make_runs(
    SWEEP, final, num_seeds, workdir, base=BASE, epochs=epochs
  )


class RecognitionTest(parameterized.TestCase):
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
    (grids.SWEEPS['methods'], True),
  )
  def test_recognizes_sweeps_over_methods(self, sweep, expected):
    settings = sweeps.make_settings(sweep, base=BASE)
    self.assertEqual(rivals.is_comparison(settings), expected)

  def test_sweep_of_methods_has_all_methods(self):
    (grid,) = grids.SWEEPS['methods']
    self.assertEqual(set(grid['method']), set(methods.METHODS))


class BaselinesTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    workdir = cls.enterClassContext(tempfile.TemporaryDirectory())
    sweeps.write_runs(make_runs(workdir))
    cls.settings = rivals.read(workdir)

  @parameterized.parameters(*methods.METHODS)
  def test_stored_bits_match_hand_count(self, method):
    self.assertEqual(rivals.stored_bits(method, SIZES, 8, 2), BITS[method])

  def test_short_presentation_is_one_sub_interval(self):
    self.assertEqual(rivals.stored_bits('bp_stdp', SIZES, 3, 2), 3 * 10)

  def test_reads_seconds_spikes_and_bits(self):
    self.assertLen(self.settings, 9)
    for setting in self.settings:
      method, t = setting.config['method'], setting.num_steps
      self.assertEqual(setting.seeds, [0, 1])
      np.testing.assert_allclose(
        setting.values['epoch_seconds'],
        [SECONDS[method] / 3 * n for n in (1, 2)],
      )
      # Per sample after the last epoch; 5, 3 and 2 neurons send forward, and 3,
      # 2 and 4 send errors.
      forward, errors = (1 + 1.5 + 0.5) * t, (1.5 + 2 + 1) * t
      if method == 'bp':
        forward, errors = np.nan, np.nan
      if method in ('surrogate_gradient', 'bp_stdp'):
        errors = np.nan
      np.testing.assert_allclose(
        setting.values['forward_spikes'], [forward] * 2, rtol=1e-12
      )
      np.testing.assert_allclose(
        setting.values['error_spikes'], [errors] * 2, rtol=1e-12
      )
      if t == 8:
        self.assertEqual(setting.mean('stored_bits'), BITS[method])

  def test_table_has_a_row_for_each_method_and_length(self):
    ann, *others = rows(rivals.table(self.settings))
    expected = {
      'method': 'bp',
      'T': '',
      'accuracy': '95.50 ± 0.71',
      'minus ANN (95 %)': '',
      'read as ANN': '',
      'seconds an epoch': '1.5',
      'of BP': '',
      'spikes forward': '',
      'back': '',
      'bits stored': '320',
      'seeds': '2',
    }
    self.assertEqual(ann, expected)
    self.assertEqual(
      [(row['method'], row['T']) for row in others],
      [(name, t) for name in sorted(METHODS[1:]) for t in '38'],
    )
    found = {(row['method'], row['T']): row for row in others}
    self.assertEqual(
      found['ssnn', '8'],
      {
        'method': 'ssnn',
        'T': '8',
        'accuracy': '91.50 ± 0.71',
        'minus ANN (95 %)': '-4.00 ± 0.00',
        'read as ANN': '94.50 ± 0.71',
        'seconds an epoch': '6',
        'of BP': '4.0',
        'spikes forward': '24',
        'back': '36',
        'bits stored': '88',
        'seeds': '2',
      },
    )
    self.assertEqual(
      found['surrogate_gradient', '8'],
      {
        'method': 'surrogate_gradient',
        'T': '8',
        'accuracy': '89.50 ± 0.71',
        'minus ANN (95 %)': '-6.00 ± 0.00',
        'read as ANN': '92.50 ± 0.71',
        'seconds an epoch': '15',
        'of BP': '10.0',
        'spikes forward': '24',
        'back': '',
        'bits stored': '1,360',
        'seeds': '2',
      },
    )
    self.assertEqual(found['bp_stdp', '3']['bits stored'], '30')

  def test_figure_has_a_place_for_each_method(self):
    sheet = rivals.draw(self.settings)
    left, middle, right = sheet.axes
    names = ['ssnn', 'surrogate_gradient', 'bp_stdp', 'rpu']
    labels = [label.get_text() for label in sheet.axes[-1].get_xticklabels()]
    self.assertEqual(labels, names)
    self.assertEqual(
      [axes.get_yscale() for axes in sheet.axes], ['linear', 'log', 'log']
    )

    def by_method(line):
      places, values = line.get_xydata().T
      return {names[round(p)]: value for p, value in zip(places, values)}

    for index, t in enumerate((3, 8)):
      accuracies = by_method(left.containers[index].lines[0])
      seconds, bits = (by_method(axes.lines[index]) for axes in (middle, right))
      for name in names:
        percent = PERCENT[name] + 0.5 + (t == 8)
        self.assertAlmostEqual(accuracies[name], percent)
        self.assertAlmostEqual(seconds[name], SECONDS[name] / 2)
        expected = rivals.stored_bits(name, SIZES, t, 2)
        self.assertEqual(bits[name], expected)
    points = [bars.lines[0] for bars in left.containers]
    for lines in (points, middle.lines[:-1], right.lines[:-1]):
      ones, others = (line.get_xydata()[:, 0] for line in lines)
      self.assertTrue(np.all(ones < others))  # markers do not overlap
    for axes, expected in zip(sheet.axes, (95.5, 1.5, 320)):
      np.testing.assert_allclose(axes.lines[-1].get_ydata(), expected)

  def test_record_has_the_table_and_the_figure(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    sweeps.write_runs(make_runs(workdir, num_seeds=1))
    table, sheet, name = plot.read_record(workdir)
    self.assertEqual(table, rivals.table(rivals.read(workdir)))
    self.assertEqual(name, 'methods')
    self.assertIn('\none seed', sheet.get_suptitle())
