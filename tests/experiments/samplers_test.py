"""Tests of tables and figures of samplers over spike-train length."""

from absl.testing import parameterized
import numpy as np

from experiments import plot
from experiments import samplers
from tests.testing import sweeps
from tests.testing.experiments import rows

ANN = 94.0
# Points of accuracy lost at T = 4; losses fall with 1 / T, and each way to read
# has a factor.
COSTS = {'bernoulli': 8.0, 'sobol': 4.0, 'threefry': 8.0}
READS = ('winner counts', 'final potential', 'ANN of its weights')
FACTORS = (1.0, 2.0, 3.0)
# Deviations of the seeds of random trains from their mean, in points. 95 %
# intervals are 4.303 * 0.2 / sqrt(3) = 0.497 to either side, times the factor.
DEVIATIONS = (-0.2, 0.0, 0.2)
SWEEP = 'num_steps=4,16;sampler=bernoulli,sobol'
ONE_ANN = f'{SWEEP};method=ssnn'


def final(config):
  share = COSTS[config.sampler] * 4 / config.num_steps
  error = share * (9 + config.seed) / 80
  deviation = DEVIATIONS[config.seed] * (config.sampler == 'bernoulli')
  loss = share + deviation
  if config.method == 'bp':
    loss = error = 0.0
  ann = ANN + 0.5 * config.seed
  accuracies = sweeps.accuracies(*(ann - factor * loss for factor in FACTORS))
  return accuracies | {'update_error': error, 'quantisation_error': error / 2}


def make_settings(sweep=SWEEP, num_seeds=3):
  return sweeps.make_settings(sweep, final, num_seeds)


class SamplersTest(parameterized.TestCase):
  @parameterized.parameters(
    (SWEEP, True),
    ('sampler=bernoulli,sobol', True),
    ('num_steps=4,16;sampler=sobol,threefry;batch_size=16', True),
    ('num_steps=4,16', False),
    ('num_steps=4,16;sampler=bernoulli,sobol,threefry', False),
    (f'{SWEEP};gain=1,2', False),
    (ONE_ANN, False),  # no ANN
    (f'{SWEEP};method=bp,rpu', False),
    # Two ANNs, and one ANN that differs in another field.
    ([ONE_ANN, 'method=bp;num_epochs=20,9'], False),
    ([ONE_ANN, 'method=bp;batch_size=16'], False),
  )
  def test_recognizes_sweeps_over_samplers_and_length(self, sweep, expected):
    settings = make_settings(sweep, num_seeds=1)
    self.assertEqual(samplers.is_comparison(settings), expected)
    kind = next(kind for kind in plot._KINDS if kind.fits(settings))
    self.assertEqual(kind.name == 'samplers', expected)

  def test_tables_have_differences_and_errors(self):
    accuracies, errors, ann = samplers.table(make_settings()).split('\n\n')
    self.assertEqual(ann, 'ANN (BP): 94.50 ± 0.50')
    found = rows(accuracies)
    self.assertEqual(
      [(row['read by'], row['T']) for row in found],
      [(read, t) for read in READS for t in ('4', '16')],
    )
    expected = {
      'read by': READS[0],
      'T': '4',
      # Seeds differ by 0.5 less 0.2, and by 0.5.
      'bernoulli': '86.50 ± 0.30',
      'sobol': '90.50 ± 0.50',
      'bernoulli minus ANN (95 %)': '-8.00 ± 0.50',
      'sobol minus ANN (95 %)': '-4.00 ± 0.00',
      'sobol minus bernoulli (95 %)': '+4.00 ± 0.50',
      'seeds': '3',
    }
    self.assertEqual(found[0], expected)
    # At T = 16 a quarter is lost, and read as an ANN three times as much.
    expected = {
      'bernoulli minus ANN (95 %)': '-6.00 ± 1.49',
      'sobol minus bernoulli (95 %)': '+3.00 ± 1.49',
    }
    self.assertEqual({name: found[5][name] for name in expected}, expected)
    expected = {
      'T': '4',
      'update error, bernoulli': '1.000 ± 0.100',
      'update error, sobol': '0.500 ± 0.050',
      'quantisation error, bernoulli': '0.500 ± 0.050',
      'quantisation error, sobol': '0.250 ± 0.025',
      'sobol / bernoulli': '0.50',
      'seeds': '3',
    }
    self.assertEqual(rows(errors)[0], expected)

  def test_missing_settings_are_blank(self):
    sweep = ['num_steps=4,16', 'num_steps=16;sampler=sobol']
    settings = make_settings(sweep, num_seeds=1)
    accuracies, errors, _ = samplers.table(settings).split('\n\n')
    few, many = rows(accuracies)[:2]
    self.assertEqual(few['bernoulli'], '86.20')
    self.assertEqual(many['sobol minus bernoulli (95 %)'], 'one seed only')
    for minus in ('', ' minus ANN (95 %)', ' minus bernoulli (95 %)'):
      self.assertEqual(few[f'sobol{minus}'], '')
    ratios = [row['sobol / bernoulli'] for row in rows(errors)]
    self.assertEqual(ratios, ['', '0.50'])

  def test_figure_has_accuracy_difference_and_errors(self):
    sheet = samplers.draw(make_settings())
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

  def test_one_seed_has_no_bars(self):
    sheet = samplers.draw(make_settings(num_seeds=1))
    for axes in sheet.axes:
      self.assertNotIn('bars', axes.get_title())
    (_, _, (bars,)) = sheet.axes[1].containers[1].lines
    ends = np.array(bars.get_segments())[:, :, 1]
    np.testing.assert_allclose(ends, [[-4, -4], [-1, -1]])
    self.assertEndsWith(sheet.get_suptitle(), '\none seed')
