"""Tests of tables and figures of update errors and step times."""

import math

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from experiments import costs
from experiments import fidelity_figures
from experiments import figures
from experiments import orders
import ssnn_jax
from tests.testing.experiments import rows

SAMPLERS = ('bernoulli', 'sobol')


def line(num_steps, error, window=32, sampler='bernoulli', **fields):
  """Returns a line of a record of errors."""
  return {
    'dataset': 'digits',
    'train_steps': 4,
    'layer_sizes': [4, 3, 2],
    'sampler': sampler,
    'window': window,
    'num_steps': num_steps,
    'batch_size': 8,
    'error': error,
    'error_sd': 0.01,
    'num_draws': 2,
    **fields,
  }


def quantised(num_steps, error, quantisation_error, **fields):
  """Returns a line that also has the error with spikes only in the update."""
  fields |= {'quantisation_error_sd': 0.01}
  return line(num_steps, error, quantisation_error=quantisation_error, **fields)


def timed(num_steps, ratio, **fields):
  """Returns a line of a benchmark."""
  return {
    'name': 'learn',
    'method': 'ssnn',
    'layer_sizes': [4, 3, 2],
    'batch_size': 8,
    'sampler': 'bernoulli',
    'representation': 'packed',
    'num_steps': num_steps,
    'median_ms': ratio,
    'ratio_to_bp': ratio,
    'peak_mib': 1.0,
    **fields,
  }


class CostsTest(parameterized.TestCase):
  def test_target_is_interpolated_between_points(self):
    steps = [4, 16, 64, 256]
    errors = [2.0 / math.sqrt(t) for t in steps]
    self.assertAlmostEqual(costs.at_target(steps, errors), 64)
    errors = [1.5 / math.sqrt(t) for t in steps]
    self.assertAlmostEqual(costs.at_target(steps, errors), 36)
    self.assertTrue(math.isnan(costs.at_target(steps, [1.0] * 4)))

  def test_table_has_the_cost_of_the_target(self):
    lines = [line(t, 1.5 / math.sqrt(t)) for t in (32, 64, 256)]
    table = costs.fidelity_table(lines, [timed(32, 2.0), timed(64, 4.0)])
    row = table.splitlines()[2].split()
    expected = ['4-3-2', '32', 'bernoulli', '0.188', '0.094', '36', '2.2']
    expected += ['-0.500', '±', '0.000', '-0.5', 'to', '-0.25']
    self.assertEqual(row, expected)
    self.assertNotIn('quantisation', table)

  def test_table_has_the_slopes_of_both_errors(self):
    lines = [
      quantised(t, t**-0.75, t**-1.0, window=w, sampler='sobol')
      for t in (8, 16, 64, 256)
      for w in (1, 32)
    ]
    # Older records have no quantisation error.
    old = [line(t, t**-0.25) for t in (8, 16, 64, 256)]
    first, second = costs.fidelity_table([*lines, *old], []).split('\n\n')
    slopes = [row['slope'] for row in rows(first)]
    self.assertEqual(
      slopes, ['-0.750 ± 0.000', '-0.250 ± 0.000', '-0.750 ± 0.000']
    )
    expected = {
      'network': '4-3-2',
      'sampler': 'sobol',
      'quantisation error, T = 64': '0.016',
      'that at T = 256': '0.004',
      'its slope': '-1.000 ± 0.000',
      'its prediction': '-1',
    }
    self.assertEqual(rows(second), [expected])

  def test_benchmark_table_has_a_row_for_each_batch_size(self):
    blank = dict.fromkeys(('num_steps', 'representation', 'sampler'))
    lines = [
      timed(0, 1.0, batch_size=8, median_ms=2.0) | blank,
      timed(32, 3.0),
      timed(64, 5.0),
      timed(0, 1.0, batch_size=1, median_ms=0.5) | blank,
      timed(64, 4.0, batch_size=1),
    ]
    table = costs.benchmark_table(lines).splitlines()
    self.assertEqual(
      [line.split() for line in table[2:]],
      [
        'learn 4-3-2 8 packed bernoulli 2 3.00 5.00 1.0 (1.0)'.split(),
        'learn 4-3-2 1 packed bernoulli 0.5 4.00 1.0 (1.0)'.split(),
      ],
    )

  def test_figure_of_older_records_has_error_and_cost(self):
    lines = [
      line(t, 0.5 / t, window, sampler)
      for t in (32, 64)
      for window in (1, 32)
      for sampler in SAMPLERS
    ]
    prices = [timed(t, t / 16) for t in (32, 64)]
    sheet = fidelity_figures.draw(lines, prices)
    figures.draw_cost(prices)
    titles = [axes.get_title() for axes in sheet.axes]
    self.assertEqual(
      titles, ['4-3-2:\nspikes throughout', 'against price, n = 32']
    )

  def test_figure_has_the_predicted_slopes(self):
    lines = [
      quantised(t, t**-0.4, t**-0.5, sampler=sampler)
      for t in (4, 16, 64)
      for sampler in SAMPLERS
    ]
    upper, lower, _ = fidelity_figures.draw(lines, []).axes
    for axes, power, causes in (
      (upper, -0.4, ('chance', 'kinks')),
      (lower, -0.5, ('chance',)),
    ):
      guides = [x for x in axes.lines if 'slope' in x.get_label()]
      expected = [
        getattr(orders.ORDERS[sampler], cause)
        for sampler in SAMPLERS
        for cause in causes
      ]
      self.assertLen(guides, len(expected))
      for guide, slope in zip(guides, expected):
        steps, errors = guide.get_data()
        np.testing.assert_array_equal(steps, [16, 64])
        np.testing.assert_allclose(errors, 64**power * (steps / 64) ** slope)
        self.assertEndsWith(guide.get_label(), f'slope {slope:g}')


class OrdersTest(absltest.TestCase):
  def test_fits_power_laws_from_16_ticks(self):
    points = [(t, 3.0 * t**-0.7) for t in (16, 32, 64, 1024)]
    slope, error = orders.fit([(4, 9.0), (8, 0.1), *points])
    self.assertAlmostEqual(slope, -0.7)
    self.assertAlmostEqual(error, 0.0)

  def test_standard_error_is_that_of_least_squares(self):
    # Of x = 0, 1, 2 and y = 0, 1, 0 the slope is 0 and residuals are
    # -1/3, 2/3, -1/3: their squares sum to 2/3, those of x about 1 to 2.
    points = [(16, 1.0), (32, 2.0), (64, 1.0)]
    slope, error = orders.fit(points)
    self.assertAlmostEqual(slope, 0.0)
    self.assertAlmostEqual(error, math.sqrt(2 / 3 / 1 / 2))

  def test_few_points_have_no_slope(self):
    self.assertTrue(math.isnan(orders.fit([(4, 1.0), (16, 0.5), (64, 0.2)])[0]))

  def test_each_sampler_has_orders(self):
    self.assertEqual(
      set(orders.ORDERS), set(ssnn_jax.spikes.thresholds.SAMPLERS)
    )
