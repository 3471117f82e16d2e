"""Tests of the command that fits a device."""

import contextlib
import io
import pathlib

from absl.testing import absltest
import numpy as np

from experiments import fit_device
from experiments.config import synapses
from experiments.measurements import pulse_fit
import ssnn_jax
from ssnn_jax import hardware
from tests.testing import pulse_curves
from tests.testing.experiments import call_main
from tests.testing.experiments import parse_flags
from tests.testing.figures import assert_readable

DEVICE = ssnn_jax.DeviceConfig(
  dw_min=0.0625, w_max=1.0, w_min=-1.0, gamma_up=0.75, gamma_down=0.5
)
FIT = hardware.PulseFit(DEVICE, {'dw_min': (0.05, 0.07)}, 5.0, 2.0, 0.02, 1, ())


class FitTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.csv, self.file = self.folder / 'm.csv', self.folder / 'own.json'

  def call(self, *flags):
    given = f'--csv={self.csv}', f'--file={self.file}', *flags
    return call_main(fit_device, *given)

  def test_fitted_device_trains(self):
    curves, _ = pulse_fit.simulate(DEVICE, num_cycles=2, read_noise=0.02)
    pulse_curves.write_csv(self.csv, curves, direction=False)
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
      output = self.call()
    self.assertIn('1/1', errors.getvalue())
    self.assertIn(f'{sum(len(c.pulses) for c in curves)} readings', output)
    self.assertRegex(output, r'dw_min +0\.06\d+ +0\.0\d+ to 0\.0\d+ +weight\n')
    self.assertRegex(output, r'number of states +3\d')
    self.assertIn('One device has no device-to-device variability', output)
    self.assertIn(f'experiments.run --device={self.file}', output)
    self.assertTrue(self.file.with_suffix('.png').exists())
    device = hardware.read_device(self.file)
    self.assertAlmostEqual(device.dw_min, DEVICE.dw_min, delta=0.005)
    config, _ = parse_flags(f'--device={self.file}')
    self.assertEqual(synapses.resistive(config), device)

  def test_rejects_flags_and_keeps_files(self):
    def refuse(message, *flags):
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        self.call(*flags)

    refuse('^--file=own.txt does not end in .json', '--file=own.txt')
    refuse('^--w_max is 0.0; expected a number above 0', '--w_max=0')
    refuse('m.csv: .*No such file')
    for path in (self.file, self.file.with_suffix('.png')):
      path.write_text('kept')
      refuse(f'^{path} exists already and is not overwritten; choose another')
      self.assertEqual(path.read_text(), 'kept')
      path.unlink()


class FigureTest(absltest.TestCase):
  def test_table_has_parameters_and_intervals(self):
    table = fit_device.table(FIT)
    first = ['dw_min', '0.0625', '0.05 to 0.07', 'weight']
    self.assertEqual(list(table.iloc[0]), first)
    cells = dict(zip(table['parameter'], table['value']))
    self.assertEqual(cells['number of states'], '32')
    self.assertEqual(cells['weight 1'], '7')
    self.assertNotIn('dw_min_dtod', cells)

  def test_figure_has_all_curves_and_the_fitted_response(self):
    curves, _ = pulse_fit.simulate(DEVICE, read_noise=0.02)
    fig = fit_device.draw(curves, FIT)
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
