"""Tests of pulse curves and of their files."""

import os
import pathlib

from absl.testing import parameterized
import numpy as np

from experiments.measurements import pulse_fit
import ssnn_jax
from ssnn_jax import hardware
from ssnn_jax.hardware import pulse_curves as curves_lib
from tests.testing import pulse_curves

ROOT = pathlib.Path(__file__).parents[2]
UP = '\n'.join(f'{pulse},{pulse}e-6' for pulse in range(1, 9))
DOWN = '\n'.join(f'{pulse},{9 - pulse}e-6' for pulse in range(1, 9))
HEADER = 'pulse,conductance\n'
DIRECTED = 'pulse,conductance,direction\n'


def directed(text, word):
  return '\n'.join(f'{line},{word}' for line in text.splitlines())


class FileTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'own.csv'

  def read(self, text):
    self.path.write_text(text)
    return hardware.read_pulse_csv(self.path)

  def test_restart_of_the_pulse_number_begins_the_next_curve(self):
    curves = self.read(f'{HEADER}{UP}\n{DOWN}\n{UP}\n{DOWN}\n')
    self.assertEqual([c.is_up for c in curves], [True, False] * 2)
    np.testing.assert_array_equal(curves[1].pulses, np.arange(1, 9))
    np.testing.assert_allclose(
      curves[1].conductances, 1e-6 * np.arange(8, 0, -1)
    )

  def test_direction_begins_the_next_curve(self):
    later = '\n'.join(f'{pulse},{17 - pulse}' for pulse in range(9, 17))
    curves = self.read(
      'Pulse number, Conductance (uS), Direction\n'
      f'{directed(UP, "Up")}\n{directed(later, " depression")}\n'
    )
    self.assertEqual([c.is_up for c in curves], [True, False])
    self.assertEqual(curves[1].pulses[0], 9)

  def test_reads_the_example_of_the_documentation(self):
    curves = hardware.read_pulse_csv(ROOT / 'docs' / 'reram.csv')
    self.assertEqual([len(c.pulses) for c in curves], [1000, 1000])
    self.assertEqual([c.is_up for c in curves], [True, False])
    self.assertEqual(curves[1].conductances[-1], -1.3556)

  def test_devices_and_cycles_are_separate(self):
    config = ssnn_jax.DeviceConfig(dw_min=0.1, w_max=1.0, w_min=-1.0)
    written, _ = pulse_fit.simulate(config, 3, 15, num_cycles=2)
    for direction in (True, False):
      pulse_curves.write_csv(self.path, written, direction)
      found = curves_lib.by_device(hardware.read_pulse_csv(self.path))
      for device, expected in curves_lib.by_device(written).items():
        for curve, other in zip(found[device], expected, strict=True):
          self.assertEqual(curve.is_up, other.is_up)
          np.testing.assert_array_equal(curve.conductances, other.conductances)

  @parameterized.parameters(
    ('', 'No columns'),
    ('pulse;conductance\n1;2,5\n', 'separated by commas'),
    ('pulse,g\n1,2\n', 'columns are pulse, g;'),
    ('pulse,conductance,polarity\n1,2,3\n', 'polarity'),
    (f'{HEADER}{UP}\n9,x\n', 'x. at position 8'),
    (f'{HEADER}{UP}\n9,\n{DOWN}\n', 'finite conductances'),
    (f'{HEADER}{UP}\n8,9\n{DOWN}\n', 'pulse numbers'),
    (f'{HEADER}{UP}\n8.5,9\n{DOWN}\n', 'pulse numbers'),
    (f'{HEADER}{UP}\n1e6,9\n{DOWN}\n', 'pulse numbers'),
    (HEADER, 'no curve'),
    (f'{HEADER}{UP}\n', '0 readings of down pulses'),
    (f'{HEADER}{DOWN}\n{UP}\n', 'does not move up.* order of the measurement'),
    (
      f'{HEADER}{UP}\n{DOWN}\n{UP}\n9,1\n{DOWN}\n',
      'reading of 1, and all other readings lie within .1e-06, 8e-06',
    ),
    (
      f'{HEADER}0,-1\n{UP}\n{DOWN}\n{UP}\n{DOWN}\n',
      'reading of -1, .*remove this row',
    ),
    (f'{HEADER}{UP}\n{DOWN}\n{UP}\n{DOWN}\n{UP}\n{UP}\n', 'column direction'),
    (f'{DIRECTED}{directed(UP, "left")}\n', 'direction is left'),
    (
      f'{DIRECTED}{directed(UP, "down")}\n{directed(DOWN, "up")}\n',
      'does not move up during up pulses; check .* up and down are exchanged',
    ),
    (
      f'{DIRECTED}{directed(UP, "up")}\n'
      + '\n'.join(f'{pulse},3,down' for pulse in range(9)),
      'does not move down',
    ),
  )
  def test_rejects_what_is_no_pulse_response(self, text, message):
    with self.assertRaisesRegex(ssnn_jax.UserError, message) as caught:
      self.read(text)
    self.assertStartsWith(str(caught.exception), f'{self.path}: ')
    self.assertNotIn('\n', str(caught.exception))

  def test_rejects_exchanged_rows_but_no_outlier(self):
    rows = f'{UP}\n{DOWN}'.splitlines()
    exchanged = rows[4:8] + rows[:4] + rows[12:] + rows[8:12]
    with self.assertRaisesRegex(ssnn_jax.UserError, 'order of the m'):
      self.read(HEADER + '\n'.join(exchanged))
    rows[7] = '8,-9e-6'  # after 7 up pulses to 7e-6
    self.assertLen(self.read(HEADER + '\n'.join(rows)), 2)

  def test_rejects_pipes_at_once(self):
    os.mkfifo(self.path)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'not a regular file'):
      hardware.read_pulse_csv(self.path)
