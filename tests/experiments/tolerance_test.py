"""Tests for tables and figures of what devices may be like."""

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
from experiments import tolerance
from experiments import tolerance_figures
from ssnn_jax.runs import records

BASE = defaults.CONFIGS['digits']
# Percent; as float32, a loss of 1 point is a little more than that here.
IDEAL = 94.7
BOUNDS = 'device=custom;w_max=1;w_min=-1;'
# Differences of the seeds of a flawed device, beside their mean, in points.
# 95 % intervals are 4.303 * 0.2 / sqrt(3) = 0.497 to either side.
WOBBLE = (-0.2, 0.0, 0.2)
LOSSES = {
  ('dw_min', 0.005): 0.2,
  ('dw_min', 0.01): 0.7,
  ('dw_min', 0.02): 1.0,
  ('dw_min', 0.05): 1.4,
  ('dw_min', 0.1): 1.6,
  ('dw_min', 0.2): 30.0,
  # Not in order: what is above a flaw that is too much does not count.
  ('up_down', 0.01): 2.0,
  ('up_down', 0.02): 0.0,
  **{('dw_min_dtod', value): 5.0 for value in (0.1, 0.3, 1.0)},
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


TOLERANCE = (
  'device=ideal,ecram_mo,reram',
  BOUNDS + 'dw_min=0.002,0.005,0.01,0.02,0.05,0.1,0.2',
  BOUNDS + 'dw_min_dtod=0.1,0.3,1',
  BOUNDS + 'up_down=0.01,0.02,0.2',
  BOUNDS + 'corrupt_devices_prob=0.01,0.3',
  BOUNDS + 'out_noise=3',
)
SOFT_BOUNDS = BOUNDS + 'dw_min=0.002;gamma_up=1;gamma_down=1;'
REMEDY = (
  SOFT_BOUNDS + 'up_down=0,0.1,0.3;zero_shifting=true,false',
  SOFT_BOUNDS + 'up_down=0,0.1,0.3;zero_shifting=true;update_rule=tiki_taka',
)


def accuracy(config, seed):
  """The accuracy of a made run, in percent."""
  percent = IDEAL + 0.5 * seed
  if config.method == 'bp':
    return percent + 1
  if config.update_rule == 'tiki_taka':
    return percent - 1
  if config.zero_shifting is not None:  # half as much is lost with it
    loss = 20 * config.up_down / (1 + config.zero_shifting)
    return percent - loss - WOBBLE[seed]
  if config.device == 'ideal':
    return percent
  losses = [
    loss for (n, value), loss in LOSSES.items() if getattr(config, n) == value
  ]
  return percent - sum(losses) - WOBBLE[seed]


def make_settings(*listed, num_seeds=3):
  """Makes the settings of grids, as records of finished runs would."""
  runs = []
  for name, config in grids.settings(BASE, *listed):
    for seed in range(num_seeds):
      share = float(np.float32(accuracy(config, seed) / 100))
      final = {
        **{'event': 'final', 'method': config.method, 'seed': seed},
        **{'test_accuracy': share, 'test_accuracy_potential': 0.0},
        **{'test_accuracy_rate': 0.0, 'update_error': 1.0},
        'quantisation_error': 1.0,
      }
      recorded = config_records.as_record(
        dataclasses.replace(config, seed=seed)
      )
      runs.append(records.Run(pathlib.Path(name), recorded, [final]))
  return grid_summary.group(runs)


def parse(*texts):
  return [grids.parse(text) for text in texts]


class ToleranceTest(parameterized.TestCase):
  @parameterized.parameters(
    (grids.SWEEPS['device_tolerance'], True),
    (grids.SWEEPS['tiki_taka'], False),
    (parse('num_steps=4,16'), False),
    (parse('method=bp'), False),
    (parse('device=ideal,reram'), True),
    (parse('device=ideal,reram;out_bits=8;out_bound=9'), True),
    (parse('device=ideal', BOUNDS + 'dw_min=0.1,0.2'), False),
    (
      parse('device=ideal', BOUNDS + 'dw_min=0.1', BOUNDS + 'out_noise=1'),
      True,
    ),
    (parse(BOUNDS + 'dw_min=0.1,0.2', BOUNDS + 'out_noise=1'), False),
    # Two flaws at once; ticks vary too; fewer bits are worse; a changed preset.
    (
      parse('device=ideal,reram', BOUNDS + 'dw_min=0,0.1;out_noise=0,1'),
      False,
    ),
    (parse('device=ideal,reram;num_steps=4,16'), False),
    (parse('device=ideal,reram', BOUNDS + 'out_bits=6,8;out_bound=9'), False),
    (parse('device=ideal', 'device=reram;dw_min=0.01,0.02'), False),
    (parse('device=ideal,reram;out_noise=1', BOUNDS + 'dw_min=0,0.1'), False),
    (parse('device=ideal,reram;learning_rate=0.1,1'), False),
    # Steps finer than what most have are no flaw.
    (
      parse(
        'device=ideal,reram',
        BOUNDS + 'dw_min=0.1;up_down=0,0.1,0.2',
        BOUNDS + 'dw_min=0',
      ),
      False,
    ),
  )
  def test_flaws_that_vary_alone_are_recognised(self, listed, expected):
    settings = make_settings(*listed, num_seeds=1)
    self.assertEqual(tolerance.is_tolerance(settings), expected)

  def test_a_flaw_is_what_most_devices_do_not_have(self):
    shared = BOUNDS + 'dw_min=0.001;'
    texts = 'up_down=0.2,0.1', 'dw_min_std=1', 'out_noise=0,2'
    settings = make_settings(
      *parse('device=ideal', BOUNDS + 'dw_min=0.05'),
      *parse(*(shared + text for text in texts)),
    )
    found = tolerance.sort_out(settings)
    self.assertEqual(
      {
        flaw: [tolerance.strength(setting, flaw) for setting in flawed]
        for flaw, flawed in found.flaws.items()
      },
      {
        **{'dw_min': [0.05], 'dw_min_std': [1.0]},
        **{'up_down': [0.1, 0.2], 'out_noise': [2.0]},
      },
    )
    self.assertLen(found.flawless, 1)
    self.assertEndsWith(
      tolerance.table(settings),
      '\n\nCustom devices have in common: dw_min = 0.001, w_max = 1.0, '
      'w_min = -1.0.',
    )

  def test_tables_tell_losses_and_limits(self):
    settings = make_settings(*parse(*TOLERANCE))
    lines, limits, common = tolerance.table(settings).split('\n\n')
    heading, _, *lines = lines.splitlines()
    self.assertEqual(
      heading.split(), 'flaw value accuracy minus ideal (95 %) seeds'.split()
    )
    cells = [line.split() for line in lines]
    self.assertLen(lines, len(settings))
    self.assertEqual(cells[0], 'ANN (BP) 96.20 ± 0.50 +1.00 ± 0.00 3'.split())
    self.assertEqual(cells[1], 'ideal device 95.20 ± 0.50 3'.split())
    self.assertEqual(
      cells[4], 'dw_min 0.01 (200 states) 94.50 ± 0.30 -0.70 ± 0.50 3'.split()
    )
    self.assertEqual(cells[-1][:2], ['preset', 'reram'])
    self.assertEqual(limits, LIMITS)
    self.assertIn('w_max = 1.0, w_min = -1.0.', common)

  def test_one_seed_has_no_limits(self):
    settings = make_settings(
      *parse('device=ideal,reram', BOUNDS + 'dw_min=0.1,0.2'), num_seeds=1
    )
    lines = tolerance.table(settings).splitlines()
    limits = [line for line in lines if line.startswith('dw_min')][-1]
    self.assertEqual(limits.split(), ['dw_min', *'one seed only'.split() * 3])

  def test_a_figure_has_a_panel_for_each_flaw(self):
    settings = make_settings(*parse(*TOLERANCE))
    sheet = tolerance_figures.draw(settings)
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
      self.assertBetween(low, 40, 65.2)  # the least is at 65.2
      self.assertBetween(high, 96.7, 100)  # the ANN is at 96.2 ± 0.5

  def test_a_figure_is_saved(self):
    settings = make_settings(
      *parse('device=ideal,reram', BOUNDS + 'dw_min=0,0.1'), num_seeds=1
    )
    sheet = tolerance_figures.draw(settings)
    self.assertLen(sheet.axes, 2)
    stem = pathlib.Path(self.create_tempdir().full_path) / 'tolerance'
    png, _ = figures.save(sheet, stem)
    self.assertEqual(png.read_bytes()[:4], b'\x89PNG')


class RemedyTest(parameterized.TestCase):
  @parameterized.parameters(
    (grids.SWEEPS['tiki_taka'], True),
    (grids.SWEEPS['tiki_taka'][:2], False),
    (grids.SWEEPS['device_tolerance'], False),
    (parse('method=bp'), False),
    (
      parse(BOUNDS + 'num_steps=4,16;up_down=0,0.1;update_rule=sgd,tiki_taka'),
      False,
    ),
  )
  def test_remedies_are_recognised(self, listed, expected):
    settings = make_settings(*listed, num_seeds=1)
    self.assertEqual(tolerance.is_remedy(settings), expected)

  def test_a_table_tells_the_gain(self):
    settings = make_settings(*parse(*REMEDY))
    _, _, ann, *lines = tolerance.remedy_table(settings).splitlines()
    self.assertEqual(ann.split(), 'ANN (BP) 96.20 ± 0.50 3'.split())
    self.assertLen(lines, 9)
    self.assertEqual(lines[6].split(), '0.3 sgd 89.20 ± 0.30 3'.split())
    # The two of sgd wobble alike; Tiki-Taka does not wobble.
    self.assertEqual(
      lines[7].split(),
      '0.3 sgd + zero shifting 92.20 ± 0.30 +3.00 ± 0.00 3'.split(),
    )
    self.assertEqual(
      lines[8].split(),
      '0.3 Tiki-Taka + zero shifting 94.20 ± 0.50 +5.00 ± 0.50 +2.00 ± 0.50 '
      '3'.split(),
    )

  def test_a_figure_has_a_curve_for_each_way(self):
    settings = make_settings(*parse(*REMEDY))
    (axes,) = tolerance_figures.draw_remedy(settings).axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    self.assertEqual(
      labels,
      [
        *('ANN by backpropagation', 'sgd', 'sgd + zero shifting'),
        'Tiki-Taka + zero shifting',
      ],
    )
    places = np.array([0.0, 0.1, 0.3])
    means = [95.2 - 20 * places, 95.2 - 10 * places, 94.2 + 0 * places]
    for bars, expected in zip(axes.containers, means, strict=True):
      np.testing.assert_allclose(
        bars.lines[0].get_xydata(), np.stack([places, expected], 1), rtol=1e-6
      )


if __name__ == '__main__':
  absltest.main()
