"""Tests of pulse curves and of their files."""

import pathlib

from absl.testing import absltest
import numpy as np

import ssnn_jax
from ssnn_jax import stochastic
from ssnn_jax.stochastic import pulse_curves as curves_lib
from tests.testing import pulse_curves

ROOT = pathlib.Path(__file__).parents[2]
UP = [f'{pulse},{pulse}e-6' for pulse in range(1, 9)]
DOWN = [f'{pulse},{9 - pulse}e-6' for pulse in range(1, 9)]


class FileTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'own.csv'

  def read(self, rows, header='pulse,conductance'):
    self.path.write_text('\n'.join([header, *rows]))
    return stochastic.read_pulse_csv(self.path)

  def test_restart_of_the_pulse_number_begins_the_next_curve(self):
    curves = self.read([*UP, *DOWN, *UP, *DOWN])
    self.assertEqual([c.is_up for c in curves], [True, False] * 2)
    np.testing.assert_array_equal(curves[1].pulses, np.arange(1, 9))
    values = 1e-6 * np.arange(8, 0, -1)
    np.testing.assert_allclose(curves[1].conductances, values)

  def test_direction_begins_the_next_curve(self):
    rows = [f'{row},Up' for row in UP]
    rows += [f'{pulse},{17 - pulse}, depression' for pulse in range(9, 17)]
    curves = self.read(rows, 'Pulse number, Conductance (uS), Direction')
    self.assertEqual([c.is_up for c in curves], [True, False])
    self.assertEqual(curves[1].pulses[0], 9)

  def test_reads_the_example_of_the_documentation(self):
    curves = stochastic.read_pulse_csv(ROOT / 'docs' / 'reram.csv')
    self.assertEqual([len(c.pulses) for c in curves], [1000, 1000])
    self.assertEqual([c.is_up for c in curves], [True, False])
    self.assertEqual(curves[1].conductances[-1], -1.3556)

  def test_devices_and_cycles_are_separate(self):
    config = ssnn_jax.DeviceConfig(dw_min=0.1, w_max=1.0, w_min=-1.0)
    written, _ = pulse_curves.simulate(config, 3, 15, num_cycles=2)
    for direction in (True, False):
      pulse_curves.write_csv(self.path, written, direction)
      read = curves_lib.by_device(stochastic.read_pulse_csv(self.path))
      for device, expected in curves_lib.by_device(written).items():
        for curve, other in zip(read[device], expected, strict=True):
          self.assertEqual(curve.is_up, other.is_up)
          np.testing.assert_array_equal(curve.conductances, other.conductances)

  def test_rejects_exchanged_rows_but_no_outlier(self):
    exchanged = [*UP[4:], *UP[:4], *DOWN[4:], *DOWN[:4]]
    with self.assertRaisesRegex(ssnn_jax.UserError, 'order of the m'):
      self.read(exchanged)
    outlier = '8,-9e-6'  # after 7 up pulses to 7e-6
    self.assertLen(self.read([*UP[:7], outlier, *DOWN]), 2)
