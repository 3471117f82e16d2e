"""Tests of pulse curves and of their files."""

import pathlib

from absl.testing import parameterized
import numpy as np

from experiments.measurements import pulse_fit
import ssnn_jax
from ssnn_jax import hardware
from ssnn_jax.hardware.fit import curves as curves_lib
from tests.testing import pulse_curves

ROOT = pathlib.Path(__file__).parents[3]
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
        for curve, other in zip(found[device], expected):
          self.assertEqual(curve.is_up, other.is_up)
          np.testing.assert_array_equal(curve.conductances, other.conductances)

  @parameterized.parameters(
    ('', 'cannot be read as CSV .No columns.*; give a file with the columns'),
    ('pulse,g\n1,2\n', 'has the columns pulse, g; expected pulse and cond'),
    (f'{HEADER}{UP}\n9,x\n', ': conductance is x in row 9; expected a number'),
    (f'{HEADER}{UP}\n9,\n', ': conductance is nan in row 9; expected a number'),
    (f'{HEADER}{UP}\n9,inf\n', ': conductance is inf in row 9; expected'),
    (HEADER, ': there is no curve; give readings of up and down pulses'),
    (f'{HEADER}{UP}\n', 'do not alternate between up and .* column direction'),
    (f'{HEADER}{DOWN}\n{UP}\n', 'do not alternate .* add a column direction'),
    (f'{DIRECTED}{directed(UP, "left")}\n', ': direction is left; expected up'),
    (
      f'{DIRECTED}{directed(UP, "up")}\n',
      ': device 1 has 0 readings of down pulses; expected curves of 5 or more',
    ),
    (
      f'{DIRECTED}{directed(UP, "down")}\n{directed(DOWN, "up")}\n',
      ': device 1 has a conductance that moves against its up pulses; exch',
    ),
    (f'{HEADER}{UP}\n8,9\n{DOWN}\n', 'pulse 8 after pulse 8; pulse numbers mu'),
    (f'{HEADER}{UP}\n8.5,9\n{DOWN}\n', 'numbers 1 to 8.5; expected whole'),
    (f'{HEADER}{UP}\n1e6,9\n{DOWN}\n', 'numbers 1 to 1e.06; expected whole'),
    (
      f'{DIRECTED}{directed(UP, "up")}\n'
      + '\n'.join(f'{pulse},3,down' for pulse in range(9)),
      ': device 1 has a constant conductance during down pulses; expected',
    ),
  )
  def test_rejects_what_is_no_pulse_response(self, text, message):
    with self.assertRaisesRegex(ssnn_jax.UserError, message) as caught:
      self.read(text)
    self.assertStartsWith(str(caught.exception), str(self.path))
    self.assertNotIn('\n', str(caught.exception))

  def test_rejects_missing_and_large_files(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, 'No such file'):
      hardware.read_pulse_csv(self.path)
    with open(self.path, 'wb') as file:
      file.truncate(2**26 + 1)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'larger than 64 MiB'):
      hardware.read_pulse_csv(self.path)


class CheckTest(parameterized.TestCase):
  @parameterized.parameters(
    (np.arange(4), np.arange(5), r'shape \(4,\) and conductances of shape'),
    (np.arange(5), [1, 2, np.nan, 4, 5], 'infinite values or NaN; leave them'),
    (np.arange(4), np.arange(4.0), '4 readings of up pulses; expected curves'),
  )
  def test_rejects_arrays(self, pulses, conductances, message):
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      curves_lib.check([hardware.PulseCurve(pulses, conductances, True)])
