"""Tests of the fields, presets and files of resistive devices."""

import dataclasses
import json
import math
import os
import pathlib

from absl.testing import parameterized
import numpy as np

import ssnn_jax
from ssnn_jax import hardware
from ssnn_jax.hardware import device_config
from ssnn_jax.hardware.device_config import DeviceConfig

NUMBERS = [
  field.name
  for field in dataclasses.fields(DeviceConfig)
  if isinstance(field.default, float)
]
# Valid fields, of which a single change violates one limit.
BOUNDED = dict(dw_min=0.01, w_max=1.0, w_min=-1.0)
LINEAR = dict(BOUNDED, gamma_up=0.5, gamma_down=0.5)
UNLIMITED = {('w_max', math.inf), ('w_min', -math.inf), ('endurance', math.inf)}
INVALID = [
  ('dw_min', 1.0, BOUNDED),  # a step to the bound
  ('dw_min', 1e-60, BOUNDED),  # 0 as a 32-bit number
  ('dw_min', 0.0, dict(pulse_scheme='single')),
  ('up_down', 1.0, BOUNDED),
  ('up_down', -1.0, BOUNDED),
  ('w_max', 0.0, {}),
  ('w_min', 0.0, {}),
  ('gamma_up', 1.5, BOUNDED),
  ('gamma_down', 1.5, BOUNDED),
  ('gamma_up', 0.5, dict(w_min=-1.0)),
  ('gamma_down_dtod', 0.1, dict(w_max=1.0)),
  ('lifetime', 1.0, {}),
  ('corrupt_devices_prob', 1.01, {}),
  ('endurance', 2.0**31, {}),
  ('pulse_scheme', 'random', BOUNDED),
  ('mult_noise', 'false', {}),
  ('zero_shifting', True, dict(BOUNDED, gamma_up=0.5)),
  *((name, math.nan, {}) for name in NUMBERS),
  *(
    (name, -0.1, BOUNDED)
    for name in NUMBERS
    if name not in ('up_down', 'w_min', 'w_max')
  ),
  *(
    (name, value, {})
    for name in NUMBERS
    for value in (math.inf, -math.inf)
    if (name, value) not in UNLIMITED
  ),
]
NUM_STATES = {  # from aihwkit
  'gokmen_vlasov': 1250,
  'reram': 1000,
  'ecram': 1000,
  'ecram_mo': 7089,
}


class FieldsTest(parameterized.TestCase):
  @parameterized.parameters(*INVALID)
  def test_rejects_invalid_values(self, name, value, others):
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{name} is .*expected'):
      DeviceConfig(**(others | {name: value}))

  @parameterized.parameters(
    dict(BOUNDED, up_down=-0.99, corrupt_devices_prob=1.0),
    dict(LINEAR, zero_shifting=True, pulse_scheme='single'),
    dict(dw_min=10.0),  # without bounds
    dict(gamma_up=1.0, w_max=1.0, lifetime=1.01),
    dict(w_max=1, endurance=np.int64(7), dw_min=np.float32(0.1)),
    dict(mult_noise=np.bool_(False)),
    dict(UNLIMITED),
  )
  def test_accepts_valid_values(self, **options):
    DeviceConfig(**options)

  def test_default_is_ideal(self):
    for field in dataclasses.fields(DeviceConfig):
      self.assertIn(field.default, (0, 1, math.inf, -math.inf, 'scaled'))

  @parameterized.parameters(
    ({}, math.inf),
    (BOUNDED, 200),
    (dict(dw_min=0.1), math.inf),
    (dict(w_max=1.0, w_min=-1.0), math.inf),
  )
  def test_num_states(self, options, expected):
    self.assertAlmostEqual(DeviceConfig(**options).num_states, expected)

  def test_has_weight_dependent_steps(self):
    self.assertFalse(DeviceConfig(**BOUNDED).has_weight_dependent_steps)
    for name in ('gamma_up', 'gamma_down', 'gamma_up_dtod', 'gamma_down_dtod'):
      self.assertTrue(
        DeviceConfig(**BOUNDED, **{name: 0.1}).has_weight_dependent_steps
      )

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
    self.assertNotIn('endurance', parameters)
    self.path.write_text(json.dumps({'parameters': parameters, 'fit': {}}))
    self.assertEqual(hardware.read_device(self.path), config)

  def test_missing_parameters_have_their_defaults(self):
    self.path.write_text('{"parameters": {"w_max": 2, "mult_noise": false}}')
    expected = DeviceConfig(w_max=2.0, mult_noise=False)
    self.assertEqual(hardware.read_device(self.path), expected)

  @parameterized.parameters(
    (None, 'No such file'),
    ('', 'is not the file of a device'),
    ('\xff\xfe', 'is not the file of a device'),
    ('[1]', 'is not the file of a device'),
    ('{"dw_min": 0.1}', "'parameters'"),
    ('{"parameters": {"step": 1}}', "'step'"),
    ('{"parameters": {"w_max": "1"}}', 'w_max is 1; .*without quotes'),
    ('{"parameters": {"w_max": -1}}', 'w_max'),
    ('{"parameters": {"pulse_scheme": []}}', 'pulse_scheme'),
    (f'{{"parameters": {{"dw_min": 1{"0" * 400}}}}}', 'dw_min'),
  )
  def test_rejects_missing_and_damaged_files(self, text, message):
    if text is not None:
      self.path.write_text(text, encoding='latin-1')
    with self.assertRaisesRegex(ssnn_jax.UserError, message) as caught:
      hardware.read_device(self.path)
    self.assertStartsWith(str(caught.exception), str(self.path))

  def test_rejects_pipes_at_once(self):
    os.mkfifo(self.path)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'not a regular file'):
      hardware.read_device(self.path)
