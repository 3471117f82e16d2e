"""Tests of distances between device responses, and of their figure."""

import json

from absl.testing import absltest
import jax
import numpy as np
import pandas as pd

from experiments.measurements import aihwkit_response
from experiments.measurements import device_response
from experiments.studies import device_response as study
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


def make_rows(*lines):
  """Returns the rows of the table of measured lines."""
  (table,) = study.table(pd.DataFrame(lines))
  return table.to_dict('records')


class DeviceResponseTest(absltest.TestCase):
  def test_table_has_the_largest_distances(self):
    names = ('constant', 'soft_bounds_dtod')
    lines = [make_line('ssnn_jax', name) for name in names]
    *_, row = make_rows(*lines)
    self.assertEqual(row['pulses'], '400')
    self.assertEqual(row['mean'], '')
    *_, row = make_rows(*lines, make_line('aihwkit', names[1], shift=0.02))
    # The distance has its smallest error at the first read.
    ratio = 0.02 / np.hypot(0.01, 0.01)
    self.assertEqual(row['mean'], f'2.000 ({ratio:.1f})')
    self.assertEqual(row['sd'], '0.000 (0.0)')

  def test_uncertain_deviations_have_no_standard_errors(self):
    ours, theirs = (make_line(x, 'soft') for x in ('ssnn_jax', 'aihwkit'))
    theirs |= {'mean': [0.0] * 400, 'sd_error': theirs['sd']}
    (row,) = make_rows(ours, theirs)
    self.assertEqual((row['mean'], row['sd']), ('99.750', '0.000'))

  def test_rejects_responses_to_different_pulses(self):
    ours, theirs = (make_line(x, 'soft') for x in ('ssnn_jax', 'aihwkit'))
    with self.assertRaisesRegex(
      ssnn_jax.UserError, '^the devices of soft received'
    ):
      make_rows(ours, theirs | {'pulses': [1] * 400})

  def test_figure_has_the_recorded_responses(self):
    lines = [make_line('ssnn_jax', name) for name in ('reram', 'ecram')]
    fig = study.draw(pd.DataFrame([*lines, make_line('aihwkit', 'ecram')]))
    drawn = {axes.get_title(): len(axes.containers) for axes in fig.axes[:2]}
    self.assertEqual(drawn, {'reram': 1, 'ecram': 2})

  def test_table_is_made_from_measured_lines(self):
    line = next(device_response.measure(jax.random.key(0), 2))
    line = json.loads(json.dumps(line))
    (row,) = make_rows(line, line | {'source': 'aihwkit'})
    self.assertEqual(
      list(row.values()), ['constant', '400', '0.000', '0.000', '0.000']
    )
