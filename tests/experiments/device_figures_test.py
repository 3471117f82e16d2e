"""Tests of the table and the figure of device responses."""

import json

from absl.testing import absltest
import jax
import numpy as np

from experiments import device_figures
from experiments.measurements import aihwkit_response
from experiments.measurements import device_response
import ssnn_jax

CASES = aihwkit_response.CASES
STEP = 0.01


def make_line(source, name, shift=0.0):
  """Returns a line of a response with known mean and standard deviation."""
  case = CASES[name]
  reads = np.arange(len(case.schedule)) / len(case.schedule)
  return {
    'source': source,
    'case': name,
    'parameters': {'dw_min': STEP},
    'num_devices': 100,
    'pulses': case.schedule,
    'mean': (reads + shift).tolist(),
    'sd': (reads + 0.1).tolist(),
    'sd_error': (0.07 * (reads + 0.1)).tolist(),
    'closed_form': device_response.closed_form(case),
  }


class FiguresTest(absltest.TestCase):
  def test_table_has_the_largest_distances(self):
    names = ('constant', 'soft_bounds_dtod')
    lines = [make_line('ssnn_jax', name) for name in names]
    alone = device_figures.table(lines).splitlines()
    self.assertRegex(alone[3], r'^soft_bounds_dtod +200 up, 200 down$')
    lines.append(make_line('aihwkit', 'soft_bounds_dtod', shift=0.02))
    row = device_figures.table(lines).splitlines()[3]
    # The distance has its smallest error at the first read.
    self.assertEndsWith(
      row, f'2.000 ({0.02 / np.hypot(0.01, 0.01):.1f})  0.000 (0.0)'
    )

  def test_uncertain_deviations_are_not_compared(self):
    lines = [make_line(source, 'soft') for source in ('ssnn_jax', 'aihwkit')]
    lines[1] = dict(lines[1], mean=[0.0] * 400, sd_error=lines[1]['sd'])
    self.assertRegex(device_figures.table(lines), r'99\.750  0\.000 ')

  def test_rejects_responses_to_different_pulses(self):
    lines = [make_line(source, 'soft') for source in ('ssnn_jax', 'aihwkit')]
    lines[1] = dict(lines[1], pulses=[1] * 400)
    with self.assertRaisesRegex(ssnn_jax.UserError, '^the devices of soft got'):
      device_figures.table(lines)

  def test_figure_has_the_recorded_responses(self):
    lines = [make_line('ssnn_jax', name) for name in ('reram', 'ecram')]
    lines.append(make_line('aihwkit', 'ecram'))
    sheet = device_figures.draw(lines)
    drawn = {axes.get_title(): len(axes.containers) for axes in sheet.axes[:2]}
    self.assertEqual(drawn, {'preset reram': 0, 'preset ecram': 1})
    self.assertIn('100 of ssnn_jax', sheet.get_suptitle())

  def test_table_is_made_from_measured_lines(self):
    line = next(device_response.measure(jax.random.key(0), 2))
    line = json.loads(json.dumps(line))
    self.assertRegex(
      device_figures.table([line, dict(line, source='aihwkit')]),
      r'\nconstant +200 up, 200 down +0\.000 +0\.000 +0\.000$',
    )
