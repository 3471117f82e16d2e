"""Tests of the table and the figure of a fitted device."""

from absl.testing import absltest
import numpy as np

from experiments.analysis import device_plot
from experiments.measurements import pulse_fit
import ssnn_jax
from ssnn_jax import hardware
from tests.testing.figures import assert_readable

DEVICE = ssnn_jax.DeviceConfig(
  dw_min=0.0625, w_max=1.0, w_min=-1.0, gamma_up=0.75, gamma_down=0.5
)
FIT = hardware.PulseFit(DEVICE, {'dw_min': (0.05, 0.07)}, 5.0, 2.0, 0.02, 1, ())


class PlotTest(absltest.TestCase):
  def test_table_has_parameters_and_intervals(self):
    table = device_plot.table(FIT)
    first = ['dw_min', '0.0625', '0.05 to 0.07', 'weight']
    self.assertEqual(list(table.iloc[0]), first)
    cells = dict(zip(table['parameter'], table['value']))
    self.assertEqual(cells['number of states'], '32')
    self.assertEqual(cells['weight 1'], '7')
    self.assertNotIn('dw_min_dtod', cells)

  def test_figure_has_all_curves_and_the_fitted_response(self):
    curves, _ = pulse_fit.simulate(DEVICE, read_noise=0.02)
    fig = device_plot.draw(curves, FIT)
    assert_readable(fig)
    for axes, curve in zip(fig.axes, curves):
      lines = {line.get_label(): line for line in axes.lines}
      measured = lines['measured'].get_ydata()
      np.testing.assert_array_equal(measured, curve.conductances)
      distance = lines['fit, mean'].get_ydata() - measured
      self.assertLess(np.sqrt(np.mean(distance**2)), 2 * 2 * 0.02)
      (band,) = axes.collections
      _, low, _, high = band.get_datalim(axes.transData).extents
      self.assertBetween(low, measured.min() - 0.1, measured.min() + 0.1)
      self.assertBetween(high, measured.max() - 0.1, measured.max() + 0.1)
