"""Tests for tables and figures of samplers over spike-train length."""

import dataclasses
import pathlib

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from experiments import config_records
from experiments import defaults
from experiments import figures
from experiments import grid_summary
from experiments import grids
from experiments import plot
from experiments import samplers
from experiments import summary
from ssnn_jax.runs import records
from tests.testing.experiments import rows

BASE = defaults.CONFIGS['digits']
ANN = 94.0
# Points lost at T = 4, at more ticks in proportion less; read in other ways
# that many times as much.
COSTS = {'bernoulli': 8.0, 'sobol': 4.0, 'threefry': 8.0}
FACTORS = dict(zip(summary.ACCURACIES, (1.0, 2.0, 3.0)))
# Of random trains alone: the differences of the seeds, beside their mean, in
# points. 95 % intervals are 4.303 * 0.2 / sqrt(3) = 0.497 to either side.
WOBBLE = (-0.2, 0.0, 0.2)
SWEEP = 'num_steps=4,16;sampler=bernoulli,sobol'


def make_settings(*texts, num_seeds=3):
  """Makes the settings of grids, as records of finished runs would."""
  runs = []
  for name, config in grids.settings(BASE, *map(grids.parse, texts)):
    for seed in range(num_seeds):
      final = {'event': 'final', 'method': config.method, 'seed': seed}
      share = COSTS[config.sampler] * 4 / config.num_steps
      error = 0.0 if config.method == 'bp' else share * (9 + seed) / 80
      final |= {'update_error': error, 'quantisation_error': error / 2}
      wobble = WOBBLE[seed] * (config.sampler == 'bernoulli')
      for quantity, factor in FACTORS.items():
        percent = ANN + 0.5 * seed
        if config.method != 'bp':
          percent -= factor * (share + wobble)
        final[quantity] = percent / 100
      recorded = config_records.as_record(
        dataclasses.replace(config, seed=seed)
      )
      runs.append(records.Run(pathlib.Path(name), recorded, [final]))
  return grid_summary.group(runs)


class SamplersTest(parameterized.TestCase):
  @parameterized.parameters(
    ([SWEEP], True),
    (['sampler=bernoulli,sobol'], True),
    (['num_steps=4,16;sampler=sobol,threefry;batch_size=16'], True),
    (['num_steps=4,16'], False),
    (['num_steps=4,16;sampler=bernoulli,sobol,threefry'], False),
    ([f'{SWEEP};gain=1,2'], False),
    ([f'{SWEEP};method=ssnn'], False),  # no ANN
    ([f'{SWEEP};method=bp,rpu'], False),
    ([f'{SWEEP};method=ssnn', 'method=bp;num_epochs=20,9'], False),  # two
    # One that does not share the rest.
    ([f'{SWEEP};method=ssnn', 'method=bp;batch_size=16'], False),
  )
  def test_samplers_that_vary_with_length_are_recognised(self, texts, expected):
    settings = make_settings(*texts, num_seeds=1)
    self.assertEqual(samplers.is_comparison(settings), expected)
    kind = next(kind for kind in plot._KINDS if kind.fits(settings))
    self.assertEqual(kind.name == 'samplers', expected)

  def test_tables_tell_differences_and_errors(self):
    accuracies, errors, ann = samplers.table(make_settings(SWEEP)).split('\n\n')
    self.assertEqual(ann, 'ANN (BP): 94.50 ± 0.50')
    reads = ('winner counts', 'final potential', 'ANN of its weights')
    told = rows(accuracies)
    self.assertEqual(
      [(row['read by'], row['T']) for row in told],
      [(read, t) for read in reads for t in ('4', '16')],
    )
    expected = {
      **{'read by': reads[0], 'T': '4', 'seeds': '3'},
      # Of 0.5 a seed less 0.2 a seed, and of 0.5 alone.
      **{'bernoulli': '86.50 ± 0.30', 'sobol': '90.50 ± 0.50'},
      'bernoulli minus ANN (95 %)': '-8.00 ± 0.50',
      'sobol minus ANN (95 %)': '-4.00 ± 0.00',
      'sobol minus bernoulli (95 %)': '+4.00 ± 0.50',
    }
    self.assertEqual(told[0], expected)
    # At T = 16 a quarter is lost, and read as an ANN three times as much.
    expected = {
      'bernoulli minus ANN (95 %)': '-6.00 ± 1.49',
      'sobol minus bernoulli (95 %)': '+3.00 ± 1.49',
    }
    self.assertEqual({name: told[5][name] for name in expected}, expected)
    expected = {
      **{'T': '4', 'sobol / bernoulli': '0.50', 'seeds': '3'},
      'update error, bernoulli': '1.000 ± 0.100',
      'update error, sobol': '0.500 ± 0.050',
      'quantisation error, bernoulli': '0.500 ± 0.050',
      'quantisation error, sobol': '0.250 ± 0.025',
    }
    self.assertEqual(rows(errors)[0], expected)

  def test_what_is_missing_is_left_blank(self):
    texts = ('num_steps=4,16', 'num_steps=16;sampler=sobol')
    settings = make_settings(*texts, num_seeds=1)
    accuracies, errors, _ = samplers.table(settings).split('\n\n')
    few, many = rows(accuracies)[:2]
    self.assertEqual(few['bernoulli'], '86.20')
    self.assertEqual(many['sobol minus bernoulli (95 %)'], 'one seed only')
    for name in (
      *('sobol', 'sobol minus ANN (95 %)', 'sobol minus bernoulli (95 %)'),
    ):
      self.assertEqual(few[name], '')
    ratios = [row['sobol / bernoulli'] for row in rows(errors)]
    self.assertEqual(ratios, ['', '0.50'])

  def test_a_figure_has_accuracy_difference_and_errors(self):
    sheet = samplers.draw(make_settings(SWEEP))
    left, middle, right = sheet.axes
    steps = np.array([4, 16])
    for index, cost in enumerate((8.0, 4.0)):
      lost = cost * 4 / steps
      for axes, curve, expected in (
        (left, index, 94.5 - lost),
        (middle, index, -lost),
        (right, 2 * index, lost / 8),
        (right, 2 * index + 1, lost / 16),
      ):
        drawn = axes.containers[curve].lines[0].get_xydata()
        np.testing.assert_allclose(drawn[:, 1], expected)
        np.testing.assert_array_less(abs(np.log2(drawn[:, 0] / steps)), 0.04)
    _, _, (bars,) = middle.containers[0].lines
    ends = np.array(bars.get_segments())[:, :, 1]
    half_width = 4.302653 * 0.2 / np.sqrt(3)
    np.testing.assert_allclose(np.ptp(ends, axis=1) / 2, half_width, atol=1e-6)
    labels = [text.get_text() for text in middle.get_legend().get_texts()]
    self.assertEqual(
      labels, ['ANN (BP)', 'within 0.3 points of it', 'bernoulli', 'sobol']
    )
    self.assertEqual(right.get_yscale(), 'log')
    for axes, bars in zip(
      sheet.axes, ('standard deviation', '95 % interval, paired by seed') * 2
    ):
      self.assertEndsWith(axes.get_title(), f': {bars}')
      self.assertEqual(axes.get_xscale(), 'log')
    self.assertEndsWith(sheet.get_suptitle(), '\n3 seeds')

  def test_of_one_seed_there_are_no_bars(self):
    sheet = samplers.draw(make_settings(SWEEP, num_seeds=1))
    for axes in sheet.axes:
      self.assertNotIn('bars', axes.get_title())
    (_, _, (bars,)) = sheet.axes[1].containers[1].lines
    ends = np.array(bars.get_segments())[:, :, 1]
    np.testing.assert_allclose(ends, [[-4, -4], [-1, -1]])
    self.assertEndsWith(sheet.get_suptitle(), '\none seed')

  def test_a_figure_is_saved(self):
    stem = pathlib.Path(self.create_tempdir().full_path) / 'samplers'
    png, _ = figures.save(samplers.draw(make_settings(SWEEP)), stem)
    self.assertEqual(png.read_bytes()[:4], b'\x89PNG')


if __name__ == '__main__':
  absltest.main()
