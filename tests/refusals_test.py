"""Tests that wrong inputs are refused in one sentence that names them."""

import math
import os
import pathlib

from absl.testing import parameterized

import ssnn_jax
from ssnn_jax import hardware
from ssnn_jax.hardware.device_config import DeviceConfig

_BOUNDED = dict(dw_min=0.01, w_max=1.0, w_min=-1.0)
DEVICES = [  # field, value, other fields
  ('dw_min', 1.0, _BOUNDED),  # a step to the bound
  ('dw_min', 1e-60, _BOUNDED),  # 0 as a 32-bit number
  ('dw_min_std', -0.1, _BOUNDED),
  ('dw_min_dtod', math.nan, {}),
  ('up_down', 1.0, _BOUNDED),
  ('up_down', -1.0, _BOUNDED),
  ('w_max', 0.0, {}),
  ('w_max', '1', {}),
  ('w_min', math.inf, {}),
  ('gamma_up', 1.5, _BOUNDED),
  ('gamma_up', 0.5, dict(w_min=-1.0)),
  ('gamma_down_dtod', 0.1, dict(w_max=1.0)),
  ('corrupt_devices_prob', 1.01, {}),
  ('mult_noise', 'false', {}),
]
PARAMS = [  # text, words
  ('dw_mn=0.01', 'dw_mn .* did you mean dw_min'),
  ('dw_min=0.1,dw_min=0.2', 'dw_min is given twice'),
  ('dw_min=small', 'dw_min is small; expected a number'),
  ('dw_min', 'dw_min is missing'),
  ('mult_noise=2', 'mult_noise is 2; expected true or false'),
]
DEVICE_FILES = [  # content, words
  (None, 'No such file'),
  ('', 'is not the file of a device'),
  ('\xff\xfe', 'is not the file of a device'),
  ('[1]', 'is not the file of a device'),
  ('{"dw_min": 0.1}', "'parameters'"),
  ('{"parameters": {"step": 1}}', "'step'"),
  ('{"parameters": {"w_max": -1}}', 'w_max'),
  (f'{{"parameters": {{"dw_min": 1{"0" * 400}}}}}', 'dw_min'),
]
_HEADER, _DIRECTED = 'pulse,conductance\n', 'pulse,conductance,direction\n'
_UP = ''.join(f'{pulse},{pulse}e-6\n' for pulse in range(1, 9))
_DOWN = ''.join(f'{pulse},{9 - pulse}e-6\n' for pulse in range(1, 9))


def _direct(rows, word):
  return rows.replace('\n', f',{word}\n')


CURVES = [  # content of a CSV file, words
  (None, 'No such file'),
  ('', 'No columns'),
  ('pulse;conductance\n1;2,5\n', 'separated by commas'),
  ('pulse,g\n1,2\n', 'columns are pulse, g;'),
  ('pulse,conductance,polarity\n1,2,3\n', 'polarity'),
  (f'{_HEADER}{_UP}9,x\n', 'x. at position 8'),
  (f'{_HEADER}{_UP}9,\n{_DOWN}', 'finite conductances'),
  (f'{_HEADER}{_UP}8,9\n{_DOWN}', 'pulse numbers'),
  (f'{_HEADER}{_UP}8.5,9\n{_DOWN}', 'pulse numbers'),
  (f'{_HEADER}{_UP}1e6,9\n{_DOWN}', 'pulse numbers'),
  (_HEADER, 'no curve'),
  (f'{_HEADER}{_UP}', '0 readings of down pulses'),
  (f'{_HEADER}{_DOWN}{_UP}', 'does not move up'),
  (f'{_HEADER}{_UP}{_DOWN}{_UP}{_DOWN}{_UP}{_UP}', 'column direction'),
  (f'{_DIRECTED}{_direct(_UP, "left")}', 'direction is left'),
  (
    f'{_DIRECTED}{_direct(_UP, "down")}{_direct(_DOWN, "up")}',
    'does not move up during up pulses; check .* up and down are exchanged',
  ),
]


class HardwareTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'own'

  def assert_file_refused(self, read, text, words):
    if text is not None:
      self.path.write_text(text, encoding='latin-1')
    with self.assertRaisesRegex(ssnn_jax.UserError, words) as caught:
      read(self.path)
    self.assertStartsWith(str(caught.exception), str(self.path))
    self.assertNotIn('\n', str(caught.exception))

  @parameterized.parameters(*DEVICES)
  def test_parameter_of_a_device(self, name, value, others):
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{name} is .*expected'):
      DeviceConfig(**(others | {name: value}))

  @parameterized.parameters(*PARAMS)
  def test_text_of_parameters(self, text, words):
    with self.assertRaisesRegex(ssnn_jax.UserError, words):
      hardware.parse_params(text)

  @parameterized.parameters(*DEVICE_FILES)
  def test_file_of_a_device(self, text, words):
    self.assert_file_refused(hardware.read_device, text, words)

  @parameterized.parameters(*CURVES)
  def test_file_of_curves(self, text, words):
    self.assert_file_refused(hardware.read_pulse_csv, text, words)

  def test_kind_of_zero(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, '^zero is top'):
      hardware.fit_pulse_response([], zero='top')

  @parameterized.parameters(hardware.read_device, hardware.read_pulse_csv)
  def test_pipe_at_once(self, read):
    os.mkfifo(self.path)
    self.assert_file_refused(read, None, 'not a regular file')
