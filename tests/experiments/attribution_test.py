"""Tests for tables and figures of what each use of spikes costs."""

import dataclasses
import pathlib

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from experiments import attribution
from experiments import config_records
from experiments import defaults
from experiments import figures
from experiments import grid_summary
from experiments import grids
from experiments import summary
from ssnn_jax.runs import records
from tests.testing.experiments import rows

BASE = defaults.CONFIGS['digits']
ANN = 94.0
# Points that a use of spikes costs at T = 4 beside one that all lose, at more
# ticks in proportion less; read in other ways that many times as much.
COSTS = {'forward': 4.0, 'backward': 2.0, 'update': 1.0}
FACTORS = dict(zip(summary.ACCURACIES, (1.0, 2.0, 3.0)))
# Differences of the seeds, beside their mean, in points. 95 % intervals are
# 4.303 * 0.2 / sqrt(3) = 0.497 to either side, and as many times that.
WOBBLE = (-0.2, 0.0, 0.2)
COMBINATIONS = {
  **{'none': 1, 'forward': 5, 'backward': 3, 'update': 2},
  **{'forward, backward': 7, 'forward, update': 6, 'backward, update': 4},
  'all three': 8,
}
USES = 'forward=spikes,rates;backward=spikes,rates;update=rates,spikes'


def parse(*texts):
  return [grids.parse(text) for text in texts]


SWEEP = parse(f'num_steps=4,16;{USES}')


def loss(config, quantity):
  """The points that made runs of a spiking network lose, in the mean."""
  costs = [c for use, c in COSTS.items() if getattr(config, use) == 'spikes']
  return FACTORS[quantity] * (1 + sum(costs)) * 4 / config.num_steps


def make_settings(*listed, num_seeds=3):
  """Makes the settings of grids, as records of finished runs would."""
  runs = []
  for name, config in grids.settings(BASE, *listed):
    for seed in range(num_seeds):
      final = {'event': 'final', 'method': config.method, 'seed': seed}
      for quantity in summary.ACCURACIES:
        percent = ANN + 0.5 * seed
        if config.method != 'bp':
          wobble = FACTORS[quantity] * WOBBLE[seed]
          percent -= loss(config, quantity) + wobble
        final[quantity] = percent / 100
      recorded = config_records.as_record(
        dataclasses.replace(config, seed=seed)
      )
      runs.append(records.Run(pathlib.Path(name), recorded, [final]))
  return grid_summary.group(runs)


def without(settings, num_steps, *uses):
  """Leaves out the setting that has just these uses of spikes."""
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
    (parse('num_steps=4;forward=spikes,rates;update=spikes,rates'), True),
    (parse('forward=spikes,rates'), False),
    (parse('num_steps=4,16'), False),
    (parse(f'{USES};batch_size=16'), True),
    (parse(f'{USES};sampler=bernoulli,sobol'), False),
    (parse(f'{USES};method=ssnn,bp,feedback_alignment'), False),
    (parse(f'{USES};method=ssnn'), False),  # no ANN
    (parse('method=bp;num_epochs=20,9', f'{USES};method=ssnn'), False),  # two
    # One that does not share the rest.
    (parse('batch_size=16;method=bp', f'{USES};method=ssnn'), False),
  )
  def test_uses_that_vary_alone_are_recognised(self, listed, expected):
    settings = make_settings(*listed, num_seeds=1)
    self.assertEqual(attribution.is_attribution(settings), expected)

  def test_the_ann_has_to_share_seeds(self):
    ann, *spiking = make_settings(*SWEEP, num_seeds=1)
    self.assertTrue(attribution.is_attribution([ann, *spiking]))
    other = ann._replace(seeds=[7])
    self.assertFalse(attribution.is_attribution([other, *spiking]))

  def test_a_table_tells_differences_from_the_ann(self):
    table = attribution.table(make_settings(*SWEEP))
    self.assertEndsWith(table, '\n\nANN (BP): 94.50 ± 0.50')
    expected = [
      {
        **{'read by': read, 'spikes in': name},
        'T = 4': f'{-factor * cost:+.2f} ± {half_width}',
        'T = 16': f'{-factor * cost / 4:+.2f} ± {half_width}',
        'seeds': '3',
      }
      for read, factor, half_width in (
        ('winner counts', 1, '0.50'),
        ('final potential', 2, '0.99'),
        ('ANN of its weights', 3, '1.49'),
      )
      for name, cost in COMBINATIONS.items()
    ]
    self.assertEqual(rows(table), expected)

  def test_differences_are_paired_by_seed(self):
    ann, *spiking = make_settings(*SWEEP)
    values = {name: told[[2, 0]] for name, told in ann.values.items()}
    table = attribution.table(
      [ann._replace(seeds=[2, 0], values=values)] + spiking
    )
    # Of -0.2 and 0.2 alone it is 12.706 * 0.283 / sqrt(2) = 2.541.
    last = rows(table)[7]
    self.assertEqual(last['spikes in'], 'all three')
    self.assertEqual(last['T = 4'], '-8.00 ± 2.54')

  def test_what_is_missing_is_left_blank(self):
    settings = without(make_settings(*SWEEP), 16, 'forward', 'update')
    for number in (4, 16):
      settings = without(settings, number, 'backward')
    told = rows(attribution.table(settings))
    names = [name for name in COMBINATIONS if name != 'backward']
    self.assertEqual([row['spikes in'] for row in told], names * 3)
    blank = [row for row in told if not row['T = 16']]
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

  def test_seeds_that_differ_are_told(self):
    settings = make_settings(*SWEEP)
    settings[1] = settings[1]._replace(
      seeds=[0, 1],
      values={name: told[:2] for name, told in settings[1].values.items()},
    )
    seeds = [row['seeds'] for row in rows(attribution.table(settings))]
    self.assertEqual(sorted(seeds), ['2 to 3'] * 3 + ['3'] * 21)
    self.assertEndsWith(
      attribution.draw(settings).get_suptitle(),
      '\nmean over 2 to 3 seeds and 95 % interval, paired',
    )

  def test_a_figure_has_a_panel_for_each_length(self):
    sheet = attribution.draw(make_settings(*SWEEP))
    self.assertLen(sheet.axes, 2)
    for axes, num_steps in zip(sheet.axes, (4, 16)):
      self.assertEqual(axes.get_title(), f'T = {num_steps}')
      np.testing.assert_array_equal(axes.get_xticks(), range(8))
      self.assertLen(axes.containers, 3)
      for index, factor in enumerate(FACTORS.values()):
        means = -factor * np.array(list(COMBINATIONS.values())) * 4 / num_steps
        points, _, (bars,) = axes.containers[index].lines
        places = np.arange(8) + 0.2 * (index - 1)  # side by side
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
    reads = ('winner counts', 'final potential', 'ANN of its weights')
    self.assertEqual(labels, ['ANN (BP)', *(f'read by {r}' for r in reads)])

  def test_a_figure_is_saved(self):
    stem = pathlib.Path(self.create_tempdir().full_path) / 'attribution'
    png, _ = figures.save(attribution.draw(make_settings(*SWEEP)), stem)
    self.assertEqual(png.read_bytes()[:4], b'\x89PNG')


if __name__ == '__main__':
  absltest.main()
