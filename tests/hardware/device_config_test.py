"""Tests of the fields, presets and files of resistive devices."""

import json
import math
import pathlib

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from ssnn_jax import hardware
from ssnn_jax.hardware import device_config
from ssnn_jax.hardware.device_config import DeviceConfig

NUM_STATES = {  # from aihwkit
  'gokmen_vlasov': 1250,
  'reram': 1000,
  'ecram': 1000,
  'ecram_mo': 7089,
}


class FieldsTest(parameterized.TestCase):
  @parameterized.parameters(
    dict(up_down=-0.99, corrupt_devices_prob=1.0),
    dict(dw_min=10.0),  # without bounds
    dict(gamma_up=1.0, w_max=1.0),
    dict(w_max=np.int64(1), dw_min=np.float32(0.1)),
    dict(mult_noise=np.bool_(False)),
  )
  def test_accepts_valid_values(self, **options):
    DeviceConfig(**options)

  def test_presets_have_the_published_number_of_states(self):
    for name, preset in hardware.PRESETS.items():
      self.assertAlmostEqual(preset.num_states, NUM_STATES[name], delta=0.5)
    reram = hardware.PRESETS['reram']  # variability of 0.3 in units of weights
    self.assertAlmostEqual(reram.w_max_dtod * reram.w_max, 0.3)
    self.assertAlmostEqual(reram.w_min_dtod * -reram.w_min, 0.3)


class FilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'own.json'

  @parameterized.parameters(*hardware.PRESETS)
  def test_parameters_are_read_back(self, name):
    config = hardware.PRESETS[name]
    parameters = device_config.changed_fields(config)
    self.assertNotIn('corrupt_devices_prob', parameters)
    self.path.write_text(json.dumps({'parameters': parameters, 'fit': {}}))
    self.assertEqual(hardware.read_device(self.path), config)

  def test_missing_parameters_have_their_defaults(self):
    self.path.write_text('{"parameters": {"w_max": 2, "mult_noise": false}}')
    expected = DeviceConfig(w_max=2.0, mult_noise=False)
    self.assertEqual(hardware.read_device(self.path), expected)


class ParamsTest(absltest.TestCase):
  def test_parses_names_and_numbers(self):
    found = hardware.parse_params(' dw_min=0.01, w_max = inf,mult_noise=0.0,')
    expected = {'dw_min': 0.01, 'w_max': math.inf, 'mult_noise': False}
    self.assertEqual(found, expected)
    self.assertEqual(hardware.parse_params(''), {})
    self.assertEqual(DeviceConfig(**found).num_states, math.inf)
