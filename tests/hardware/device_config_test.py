"""Tests of the fields of `DeviceConfig`."""

import dataclasses
import math
import re

from absl.testing import parameterized
import numpy as np

import ssnn_jax
from ssnn_jax.hardware.device_config import DeviceConfig

NUMBERS = [
  field.name
  for field in dataclasses.fields(DeviceConfig)
  if isinstance(field.default, float)
]
# Valid fields, of which a single change violates one limit.
BOUNDED = dict(dw_min=0.01, w_max=1.0, w_min=-1.0)
LINEAR = dict(BOUNDED, gamma_up=0.5, gamma_down=0.5)
NON_NEGATIVE = ('gamma', 'corrupt', 'lifetime', 'endurance')
UNLIMITED = {('w_max', math.inf), ('w_min', -math.inf), ('endurance', math.inf)}
INVALID = [
  ('dw_min', -0.1, BOUNDED),
  ('dw_min', 1.0, BOUNDED),  # a step to the bound
  ('dw_min', 0.3, dict(w_max=0.2)),
  ('dw_min', 0.3, dict(w_min=-0.2)),
  ('dw_min', 0.0, dict(pulse_scheme='single')),
  ('up_down', 1.0, BOUNDED),
  ('up_down', -1.0, BOUNDED),
  ('w_max', -0.5, BOUNDED),
  ('w_max', 0.0, {}),
  ('w_min', 0.5, BOUNDED),
  ('w_min', 0.0, {}),
  ('gamma_up', 1.5, BOUNDED),
  ('gamma_down', 1.5, BOUNDED),
  ('gamma_up', 0.5, dict(w_min=-1.0)),
  ('gamma_down', 0.5, dict(w_max=1.0)),
  ('gamma_up_dtod', 0.1, dict(w_min=-1.0)),
  ('gamma_down_dtod', 0.1, dict(w_max=1.0)),
  ('lifetime', 1.0, {}),
  ('lifetime', 0.5, {}),
  ('corrupt_devices_prob', 1.01, {}),
  ('endurance', 2.0**31, {}),
  ('pulse_scheme', 'random', BOUNDED),
  ('mult_noise', 1, {}),
  ('zero_shifting', True, BOUNDED),
  ('zero_shifting', True, dict(BOUNDED, gamma_up=0.5)),
  ('zero_shifting', True, dict(BOUNDED, gamma_down=0.5)),
  *(
    (name, -0.1, BOUNDED)
    for name in NUMBERS
    if name.endswith('_dtod') or name.startswith(NON_NEGATIVE)
  ),
  *((name, value, {}) for name in NUMBERS for value in (math.nan, '1', True)),
  *(
    (name, value, {})
    for name in NUMBERS
    for value in (math.inf, -math.inf)
    if (name, value) not in UNLIMITED
  ),
]


class DeviceConfigTest(parameterized.TestCase):
  @parameterized.parameters(*INVALID)
  def test_rejects_invalid_values(self, name, value, others):
    message = rf'^{re.escape(f"{name} is {value}")}; expected [^\n]*[^.\n]\.$'
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
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
