"""Tests of figures of compared settings."""

from absl.testing import absltest
import numpy as np

from experiments.analysis import comparison_plot
from experiments.analysis import comparisons
from tests.testing import sweeps


class ComparisonPlotTest(absltest.TestCase):
  def test_figure_has_a_curve_for_each_value(self):
    metrics = {'minus ANN': comparisons.minus()}
    (axes,) = comparison_plot.draw(
      sweeps.make_comparison(), 'num_steps', 'sampler', metrics
    ).axes
    drawn = {bars.get_label(): bars.lines[0] for bars in axes.containers}
    np.testing.assert_allclose(
      drawn['low-discrepancy trains'].get_xydata(),
      [[4, -6], [16, 0]],
      atol=1e-9,
    )
    self.assertLen(drawn, 2)


if __name__ == '__main__':
  absltest.main()
