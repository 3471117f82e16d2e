"""Tests of tables and figures of the tolerance to device non-idealities."""

from absl.testing import parameterized
import numpy as np

from experiments import tolerance
from experiments import tolerance_figures
from experiments.config import grids
from tests.testing import sweeps

# Accuracy of ideal devices in percent; in float32, a loss of 1 point is a
# little more than 1.
IDEAL = 94.7
BOUNDS = 'device=custom;w_max=1;w_min=-1;'
# Deviations of the seeds of non-ideal devices from their mean, in points. 95 %
# intervals are 4.303 * 0.2 / sqrt(3) = 0.497 to either side.
DEVIATIONS = (-0.2, 0.0, 0.2)
LOSSES = {
  ('dw_min', 0.005): 0.2,
  ('dw_min', 0.01): 0.7,
  ('dw_min', 0.02): 1.0,
  ('dw_min', 0.05): 1.4,
  ('dw_min', 0.1): 1.6,
  ('dw_min', 0.2): 30.0,
  # Values above one that loses too much do not count.
  ('up_down', 0.01): 2.0,
  ('up_down', 0.02): 0.0,
  ('dw_min_dtod', 0.1): 5.0,
  ('dw_min_dtod', 0.3): 5.0,
  ('dw_min_dtod', 1.0): 5.0,
}
LIMITS = """\
flaw                  within 1 point of ideal up to  surely (95 %) up to  \
surely not from
-----------------------------------------------------------------------------\
------------
dw_min                0.02 (100 states)              0.005 (400 states)   \
0.1 (20 states)
dw_min_dtod           < 0.1                          < 0.1                \
≤ 0.1
up_down               < 0.01                         < 0.01               \
> 0.2
corrupt_devices_prob  ≥ 0.3                          ≥ 0.3                \
> 0.3
out_noise             ≥ 3                            ≥ 3                  \
> 3"""
TOLERANCE = [
  'device=ideal,ecram_mo,reram',
  BOUNDS + 'dw_min=0.002,0.005,0.01,0.02,0.05,0.1,0.2',
  BOUNDS + 'dw_min_dtod=0.1,0.3,1',
  BOUNDS + 'up_down=0.01,0.02,0.2',
  BOUNDS + 'corrupt_devices_prob=0.01,0.3',
  BOUNDS + 'out_noise=3',
]
SOFT_BOUNDS = BOUNDS + 'dw_min=0.002;gamma_up=1;gamma_down=1;'
REMEDY = [
  SOFT_BOUNDS + 'up_down=0,0.1,0.3;zero_shifting=true,false',
  SOFT_BOUNDS + 'up_down=0,0.1,0.3;zero_shifting=true;update_rule=tiki_taka',
]


def accuracy(config):
  """Returns the accuracy of a run in percent."""
  percent, deviation = IDEAL + 0.5 * config.seed, DEVIATIONS[config.seed]
  if config.method == 'bp':
    return percent + 1
  if config.update_rule == 'tiki_taka':
    return percent - 1
  if config.zero_shifting is not None:  # halves the loss
    loss = 20 * config.up_down / (1 + config.zero_shifting)
    return percent - loss - deviation
  if config.device == 'ideal':
    return percent
  losses = [
    loss
    for (name, value), loss in LOSSES.items()
    if getattr(config, name) == value
  ]
  return percent - sum(losses) - deviation


def final(config):
  share = float(np.float32(accuracy(config) / 100))
  return sweeps.accuracies(0.0) | {'test_accuracy': share}


def make_settings(sweep, num_seeds=3):
  return sweeps.make_settings(sweep, final, num_seeds)


class ToleranceTest(parameterized.TestCase):
  @parameterized.parameters(
    (grids.SWEEPS['device_tolerance'], True),
    (grids.SWEEPS['tiki_taka'], False),
    (['num_steps=4,16'], False),
    (['method=bp'], False),
    (['device=ideal,reram'], True),
    (['device=ideal,reram;out_bits=8;out_bound=9'], True),
    (['device=ideal', BOUNDS + 'dw_min=0.1,0.2'], False),
    (['device=ideal', BOUNDS + 'dw_min=0.1', BOUNDS + 'out_noise=1'], True),
    ([BOUNDS + 'dw_min=0.1,0.2', BOUNDS + 'out_noise=1'], False),
    # Two non-idealities at once.
    (['device=ideal,reram', BOUNDS + 'dw_min=0,0.1;out_noise=0,1'], False),
    # T varies too.
    (['device=ideal,reram;num_steps=4,16'], False),
    # Fewer bits are worse, unlike all other values.
    (['device=ideal,reram', BOUNDS + 'out_bits=6,8;out_bound=9'], False),
    # A changed preset.
    (['device=ideal', 'device=reram;dw_min=0.01,0.02'], False),
    (['device=ideal,reram;out_noise=1', BOUNDS + 'dw_min=0,0.1'], False),
    (['device=ideal,reram;learning_rate=0.1,1'], False),
    # Finer steps than those of most devices are no non-ideality.
    (
      [
        'device=ideal,reram',
        BOUNDS + 'dw_min=0.1;up_down=0,0.1,0.2',
        BOUNDS + 'dw_min=0',
      ],
      False,
    ),
  )
  def test_recognizes_sweeps_over_single_non_idealities(self, sweep, expected):
    settings = make_settings(sweep, num_seeds=1)
    self.assertEqual(tolerance.is_tolerance(settings), expected)

  def test_values_of_most_devices_are_no_non_ideality(self):
    shared = BOUNDS + 'dw_min=0.001;'
    settings = make_settings(
      [
        'device=ideal',
        BOUNDS + 'dw_min=0.05',
        shared + 'up_down=0.2,0.1',
        shared + 'dw_min_std=1',
        shared + 'out_noise=0,2',
      ]
    )
    found = tolerance.sort_out(settings)
    self.assertEqual(
      {
        name: [tolerance.strength(setting, name) for setting in devices]
        for name, devices in found.flaws.items()
      },
      {
        'dw_min': [0.05],
        'dw_min_std': [1.0],
        'up_down': [0.1, 0.2],
        'out_noise': [2.0],
      },
    )
    self.assertLen(found.flawless, 1)
    self.assertEndsWith(
      tolerance.table(settings),
      '\n\nCustom devices have in common: dw_min = 0.001, w_max = 1.0, '
      'w_min = -1.0.',
    )

  def test_tables_have_losses_and_limits(self):
    settings = make_settings(TOLERANCE)
    table, limits, common = tolerance.table(settings).split('\n\n')
    heading, _, *rows = [line.split() for line in table.splitlines()]
    self.assertEqual(
      heading, 'flaw value accuracy minus ideal (95 %) seeds'.split()
    )
    self.assertLen(rows, len(settings))
    self.assertEqual(rows[0], 'ANN (BP) 96.20 ± 0.50 +1.00 ± 0.00 3'.split())
    self.assertEqual(rows[1], 'ideal device 95.20 ± 0.50 3'.split())
    self.assertEqual(
      rows[4], 'dw_min 0.01 (200 states) 94.50 ± 0.30 -0.70 ± 0.50 3'.split()
    )
    self.assertEqual(rows[-1][:2], ['preset', 'reram'])
    self.assertEqual(limits, LIMITS)
    self.assertIn('w_max = 1.0, w_min = -1.0.', common)

  def test_one_seed_has_no_limits(self):
    sweep = ['device=ideal,reram', BOUNDS + 'dw_min=0.1,0.2']
    lines = tolerance.table(make_settings(sweep, num_seeds=1)).splitlines()
    limits = [line for line in lines if line.startswith('dw_min')][-1]
    self.assertEqual(limits.split(), ['dw_min', *'one seed only'.split() * 3])

  def test_figure_has_a_panel_for_each_non_ideality(self):
    sheet = tolerance_figures.draw(make_settings(TOLERANCE))
    self.assertLen(sheet.axes, 6)
    steps, *_, presets = sheet.axes
    self.assertTrue(steps.xaxis_inverted())
    losses = [0, 0.2, 0.7, 1.0, 1.4, 1.6, 30]
    states = [1000, 400, 200, 100, 40, 20, 10]
    np.testing.assert_allclose(
      steps.containers[0].lines[0].get_xydata(),
      [[n, IDEAL + 0.5 - loss] for n, loss in zip(states, losses)],
      rtol=1e-6,
    )
    self.assertEqual(
      [label.get_text() for label in presets.get_xticklabels()],
      ['ecram\nmo', 'reram'],
    )
    for axes in sheet.axes:
      ideal, below = (line.get_ydata()[0] for line in axes.lines[:2])
      np.testing.assert_allclose([ideal, below], [95.2, 94.2], rtol=1e-6)
      low, high = axes.get_ylim()
      self.assertBetween(low, 40, 65.2)  # the lowest accuracy is 65.2
      self.assertBetween(high, 96.7, 100)  # the ANN has 96.2 ± 0.5

  def test_figure_of_one_seed_and_one_non_ideality_has_two_panels(self):
    sweep = ['device=ideal,reram', BOUNDS + 'dw_min=0,0.1']
    sheet = tolerance_figures.draw(make_settings(sweep, num_seeds=1))
    self.assertLen(sheet.axes, 2)
    sheet.draw_without_rendering()


class RemedyTest(parameterized.TestCase):
  @parameterized.parameters(
    (grids.SWEEPS['tiki_taka'], True),
    (grids.SWEEPS['tiki_taka'][:2], False),
    (grids.SWEEPS['device_tolerance'], False),
    ('method=bp', False),
    (
      BOUNDS + 'num_steps=4,16;up_down=0,0.1;update_rule=sgd,tiki_taka',
      False,
    ),
  )
  def test_recognizes_sweeps_over_update_rules(self, sweep, expected):
    settings = make_settings(sweep, num_seeds=1)
    self.assertEqual(tolerance.is_remedy(settings), expected)

  def test_table_has_gains(self):
    table = tolerance.remedy_table(make_settings(REMEDY))
    _, _, ann, *rows = [line.split() for line in table.splitlines()]
    self.assertEqual(ann, 'ANN (BP) 96.20 ± 0.50 3'.split())
    self.assertLen(rows, 9)
    self.assertEqual(rows[6], '0.3 sgd 89.20 ± 0.30 3'.split())
    # Both settings of sgd deviate alike; those of Tiki-Taka do not deviate.
    self.assertEqual(
      rows[7], '0.3 sgd + zero shifting 92.20 ± 0.30 +3.00 ± 0.00 3'.split()
    )
    self.assertEqual(
      ' '.join(rows[8]),
      '0.3 Tiki-Taka + zero shifting 94.20 ± 0.50 +5.00 ± 0.50 +2.00 ± 0.50 3',
    )

  def test_figure_has_a_curve_for_each_update_rule(self):
    (axes,) = tolerance_figures.draw_remedy(make_settings(REMEDY)).axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    curves = ['sgd', 'sgd + zero shifting', 'Tiki-Taka + zero shifting']
    self.assertEqual(labels, ['ANN by backpropagation', *curves])
    places = np.array([0.0, 0.1, 0.3])
    means = [95.2 - 20 * places, 95.2 - 10 * places, 94.2 + 0 * places]
    for bars, expected in zip(axes.containers, means, strict=True):
      np.testing.assert_allclose(
        bars.lines[0].get_xydata(), np.stack([places, expected], 1), rtol=1e-6
      )
