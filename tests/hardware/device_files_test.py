"""Tests of the files of devices."""

import json
import math
import pathlib

from absl.testing import parameterized

import ssnn_jax
from ssnn_jax import hardware
from ssnn_jax.hardware import device_files


class FilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'own.json'

  @parameterized.parameters(*hardware.PRESETS)
  def test_parameters_are_read_back(self, name):
    config = hardware.PRESETS[name]
    fit = hardware.PulseFit(
      config, {'dw_min': (1 / 3, 2 / 3)}, 5.0, 2.0, 0.01, 1, ('A note.',)
    )
    self.path.write_text(device_files.describe(fit, 'own.csv'))
    self.assertEqual(hardware.read_device(self.path), config)
    described = json.loads(self.path.read_text())['fit']
    self.assertEqual(described['source'], 'own.csv')
    interval = described['intervals_95_percent']['dw_min']
    self.assertEqual(interval, '0.333333 to 0.666667')

  def test_missing_parameters_have_their_defaults(self):
    self.path.write_text('{"parameters": {"w_max": 2, "mult_noise": false}}')
    device = hardware.read_device(self.path)
    self.assertEqual((device.w_max, device.w_min), (2.0, -math.inf))
    self.assertFalse(device.mult_noise)

  @parameterized.parameters(
    ('', 'cannot be read as JSON .Expecting value.*; give a file that'),
    ('\xff\xfe', 'cannot be read as JSON'),
    ('[' * 10_000, 'cannot be read as JSON'),
    ('[1]', 'is not the file of a device; expected a JSON object with param'),
    ('{"dw_min": 0.1}', 'is not the file of a device; expected a JSON object'),
    ('{"parameters": {"step": 1}}', ': step is unknown; expected parameters'),
    ('{"parameters": {"w_max": "1"}}', ': w_max is 1; expected a number'),
    ('{"parameters": {"w_max": null}}', ': w_max is None; expected a number'),
    ('{"parameters": {"w_max": true}}', ': w_max is True; expected a number'),
    (
      '{"parameters": {"w_max": -1}}',
      ': w_max is -1; expected a number above 0',
    ),
    ('{"parameters": {"mult_noise": 1}}', ': mult_noise is 1; expected True'),
    ('{"parameters": {"pulse_scheme": []}}', r': pulse_scheme is \[\]; expec'),
    (
      f'{{"parameters": {{"dw_min": 1{"0" * 400}}}}}',
      ': dw_min is 1000.*; expected a finite',
    ),
  )
  def test_rejects_damaged_files(self, text, message):
    self.path.write_text(text, encoding='latin-1')
    with self.assertRaisesRegex(ssnn_jax.UserError, message) as caught:
      hardware.read_device(self.path)
    self.assertStartsWith(str(caught.exception), str(self.path))
    self.assertNotIn('\n', str(caught.exception))

  def test_rejects_missing_and_large_files(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, 'No such file'):
      hardware.read_device(self.path)
    self.path.write_text(' ' * (2**20 + 1))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'larger than 1 MiB'):
      hardware.read_device(self.path)
