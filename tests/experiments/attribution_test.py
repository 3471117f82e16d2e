"""Tests of tables and figures of the cost of each use of spikes."""

from absl.testing import parameterized
import numpy as np

from experiments import attribution
from experiments import summary
from experiments.config import grids
from tests.testing import sweeps
from tests.testing.experiments import rows

ANN = 94.0
# Points of accuracy that a use of spikes costs at T = 4, in addition to one
# point; costs fall with 1 / T, and each way to read has a factor.
COSTS = {'forward': 4.0, 'backward': 2.0, 'update': 1.0}
READS = ('winner counts', 'final potential', 'ANN of its weights')
FACTORS = dict(zip(READS, (1.0, 2.0, 3.0)))
# Deviations of the seeds from their mean difference, in points. 95 % intervals
# are 4.303 * 0.2 / sqrt(3) = 0.497 to either side, times the factor.
DEVIATIONS = (-0.2, 0.0, 0.2)
COMBINATIONS = {
  'none': 1,
  'forward': 5,
  'backward': 3,
  'update': 2,
  'forward, backward': 7,
  'forward, update': 6,
  'backward, update': 4,
  'all three': 8,
}
USES = 'forward=spikes,rates;backward=spikes,rates;update=rates,spikes'
SWEEP = f'num_steps=4,16;{USES}'


def final(config):
  costs = [c for use, c in COSTS.items() if getattr(config, use) == 'spikes']
  loss = (1 + sum(costs)) * 4 / config.num_steps + DEVIATIONS[config.seed]
  if config.method == 'bp':
    loss = 0.0
  ann = ANN + 0.5 * config.seed
  return sweeps.accuracies(*(ann - f * loss for f in FACTORS.values()))


def make_settings(sweep=SWEEP, num_seeds=3):
  return sweeps.make_settings(sweep, final, num_seeds)


def without(settings, num_steps, *uses):
  """Returns all settings but the one with the given uses of spikes."""
  return [
    setting
    for setting in settings
    if setting.config['method'] == 'bp'
    or setting.num_steps != num_steps
    or {use for use in COSTS if setting.config[use] == 'spikes'} != set(uses)
  ]


class AttributionTest(parameterized.TestCase):
  @parameterized.parameters(
    (grids.SWEEPS['attribution'], True),
    ('num_steps=4;forward=spikes,rates;update=spikes,rates', True),
    ('forward=spikes,rates', False),
    ('num_steps=4,16', False),
    (f'{USES};batch_size=16', True),
    (f'{USES};sampler=bernoulli,sobol', False),
    (f'{USES};method=ssnn,bp,feedback_alignment', False),
    (f'{USES};method=ssnn', False),  # no ANN
    # Two ANNs, and one ANN that differs in another field.
    (['method=bp;num_epochs=20,9', f'{USES};method=ssnn'], False),
    (['batch_size=16;method=bp', f'{USES};method=ssnn'], False),
  )
  def test_recognizes_sweeps_over_uses_of_spikes(self, sweep, expected):
    settings = make_settings(sweep, num_seeds=1)
    self.assertEqual(attribution.is_attribution(settings), expected)

  def test_needs_an_ann_with_the_same_seeds(self):
    ann, *spiking = make_settings(num_seeds=1)
    self.assertTrue(attribution.is_attribution([ann, *spiking]))
    other = ann._replace(seeds=[7])
    self.assertFalse(attribution.is_attribution([other, *spiking]))

  def test_table_has_differences_from_the_ann(self):
    table = attribution.table(make_settings())
    self.assertEndsWith(table, '\n\nANN (BP): 94.50 ± 0.50')
    half_widths = ('0.50', '0.99', '1.49')
    expected = [
      {
        'read by': read,
        'spikes in': name,
        'T = 4': f'{-factor * cost:+.2f} ± {half_width}',
        'T = 16': f'{-factor * cost / 4:+.2f} ± {half_width}',
        'seeds': '3',
      }
      for (read, factor), half_width in zip(FACTORS.items(), half_widths)
      for name, cost in COMBINATIONS.items()
    ]
    self.assertEqual(rows(table), expected)

  def test_differences_are_paired_by_seed(self):
    ann, *spiking = make_settings()
    values = {name: values[[2, 0]] for name, values in ann.values.items()}
    table = attribution.table(
      [ann._replace(seeds=[2, 0], values=values), *spiking]
    )
    # The interval of -0.2 and 0.2 is 12.706 * 0.283 / sqrt(2) = 2.541.
    last = rows(table)[7]
    self.assertEqual(last['spikes in'], 'all three')
    self.assertEqual(last['T = 4'], '-8.00 ± 2.54')

  def test_missing_settings_are_blank(self):
    settings = without(make_settings(), 16, 'forward', 'update')
    for number in (4, 16):
      settings = without(settings, number, 'backward')
    found = rows(attribution.table(settings))
    names = [name for name in COMBINATIONS if name != 'backward']
    self.assertEqual([row['spikes in'] for row in found], names * 3)
    blank = [row for row in found if not row['T = 16']]
    self.assertEqual([row['spikes in'] for row in blank], [names[4]] * 3)
    self.assertEqual(names[4], 'forward, update')
    self.assertEqual(
      [row['T = 4'] for row in blank],
      ['-6.00 ± 0.50', '-12.00 ± 0.99', '-18.00 ± 1.49'],
    )
    few, many = attribution.draw(settings).axes
    drawn = [
      axes.containers[1].lines[0].get_xydata()[:, 0] for axes in (few, many)
    ]
    np.testing.assert_array_equal(drawn[0], range(7))
    np.testing.assert_array_equal(drawn[1], [0, 1, 2, 3, 5, 6])

  def test_reports_different_numbers_of_seeds(self):
    settings = make_settings()
    values = settings[1].values.items()
    settings[1] = settings[1]._replace(
      seeds=[0, 1], values={name: numbers[:2] for name, numbers in values}
    )
    seeds = [row['seeds'] for row in rows(attribution.table(settings))]
    self.assertEqual(sorted(seeds), ['2 to 3'] * 3 + ['3'] * 21)
    self.assertEndsWith(
      attribution.draw(settings).get_suptitle(),
      '\nmean over 2 to 3 seeds and 95 % interval, paired',
    )

  def test_figure_has_a_panel_for_each_length(self):
    sheet = attribution.draw(make_settings())
    self.assertLen(sheet.axes, 2)
    for axes, num_steps in zip(sheet.axes, (4, 16)):
      self.assertEqual(axes.get_title(), f'T = {num_steps}')
      np.testing.assert_array_equal(axes.get_xticks(), range(8))
      self.assertLen(axes.containers, 3)
      for index, factor in enumerate(FACTORS.values()):
        means = -factor * np.array(list(COMBINATIONS.values())) * 4 / num_steps
        points, _, (bars,) = axes.containers[index].lines
        places = np.arange(8) + 0.2 * (index - 1)  # next to each other
        np.testing.assert_allclose(
          points.get_xydata(), np.stack([places, means], 1), atol=1e-9
        )
        ends = np.array(bars.get_segments())[:, :, 1]
        half_width = factor * 4.302653 * 0.2 / np.sqrt(3)
        np.testing.assert_allclose(
          ends, means[:, None] + half_width * np.array([-1, 1]), atol=1e-6
        )
    labels = [label.get_text() for label in sheet.axes[1].get_xticklabels()]
    self.assertEqual(labels, list(COMBINATIONS))
    (legend,) = sheet.legends
    labels = [text.get_text() for text in legend.get_texts()]
    self.assertEqual(labels, ['ANN (BP)', *(f'read by {r}' for r in READS)])
    self.assertLen(summary.ACCURACIES, len(READS))
