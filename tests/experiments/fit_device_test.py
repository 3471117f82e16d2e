"""Tests of the command that fits a device."""

import pathlib

from absl.testing import absltest
import numpy as np

from experiments import fit_device
from experiments.runs import config as config_lib
import ssnn_jax
from ssnn_jax import stochastic
from tests.testing import commands
from tests.testing import pulse_curves

DEVICE = ssnn_jax.DeviceConfig(
  dw_min=0.0625, w_max=1.0, w_min=-1.0, gamma_up=0.75, gamma_down=0.5
)
FIT = stochastic.PulseFit(
  DEVICE, {'dw_min': (0.05, 0.07)}, 5.0, 2.0, 0.02, 1, ()
)


class FitTest(absltest.TestCase):
  def test_fitted_device_trains(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    csv, file = folder / 'm.csv', folder / 'own.json'
    curves, _ = pulse_curves.simulate(DEVICE, read_noise=0.02)
    pulse_curves.write_csv(csv, curves, direction=False)
    flags = f'--csv={csv}', f'--file={file}'
    done = commands.run('fit_device', *flags)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn(f'{sum(len(c.pulses) for c in curves)} readings', done.stdout)
    self.assertIn(file.read_text(), done.stdout)
    self.assertRegex(done.stdout, r'"dw_min": "0\.0\d+ to 0\.0\d+"')
    self.assertRegex(done.stdout, r'"num_states": 3\d')
    self.assertIn('no device-to-device variability', done.stdout)
    self.assertTrue(file.with_suffix('.png').exists())
    device = stochastic.read_device(file)
    self.assertAlmostEqual(device.dw_min, DEVICE.dw_min, delta=0.005)
    config = config_lib.ExperimentConfig(neuron='stochastic', device=str(file))
    self.assertEqual(config_lib.device(config), device)
    # Files are kept.
    content = file.read_bytes()
    done = commands.run('fit_device', *flags)
    self.assertRegex(done.stderr, f'error: {file} exists already')
    self.assertEqual(file.read_bytes(), content)

  def test_figure_has_all_curves_and_the_fitted_response(self):
    curves, _ = pulse_curves.simulate(DEVICE, read_noise=0.02)
    fig = fit_device.draw(curves, FIT)
    fig.draw_without_rendering()
    for axes, curve in zip(fig.axes, curves):
      lines = {line.get_label(): line for line in axes.lines}
      measured = lines['measured'].get_ydata()
      np.testing.assert_array_equal(measured, curve.conductances)
      distance = lines['mean of fitted devices'].get_ydata() - measured
      self.assertLess(np.sqrt(np.mean(distance**2)), 2 * 2 * 0.02)
      (band,) = axes.collections
      _, low, _, high = band.get_datalim(axes.transData).extents
      self.assertBetween(low, measured.min() - 0.1, measured.min() + 0.1)
      self.assertBetween(high, measured.max() - 0.1, measured.max() + 0.1)
