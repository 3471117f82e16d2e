"""Tests of the parameters of devices: what is refused, what presets hold."""

import dataclasses
import math

from absl.testing import absltest
from absl.testing import parameterized

import ssnn_jax
from ssnn_jax.hardware import device_config
from ssnn_jax.hardware.device_config import DeviceConfig

NUMBERS = [
  field.name
  for field in dataclasses.fields(DeviceConfig)
  if isinstance(field.default, float)
]
# Devices of which each has a limit that a single parameter can break.
BOUNDED = dict(dw_min=0.01, w_max=1.0, w_min=-1.0)
LINEAR = dict(BOUNDED, gamma_up=0.5, gamma_down=0.5)
# What a change of one parameter adds that is impossible.
IMPOSSIBLE = [
  ('dw_min', -0.1, BOUNDED),
  ('dw_min', 1.0, BOUNDED),  # a step to the bound
  ('dw_min', 0.3, dict(w_max=0.2)),
  ('dw_min', 0.3, dict(w_min=-0.2)),
  ('dw_min', 0.0, dict(protocol='fixed_step')),
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
  ('protocol', 'random', BOUNDED),
  ('zero_shifting', True, BOUNDED),
  ('zero_shifting', True, dict(BOUNDED, gamma_up=0.5)),
  ('zero_shifting', True, dict(BOUNDED, gamma_down=0.5)),
  *((name, -0.1, BOUNDED) for name in NUMBERS if name.endswith('_dtod')),
  *(
    (name, -0.1, BOUNDED)
    for name in NUMBERS
    if name.startswith(('gamma', 'corrupt', 'lifetime', 'endurance'))
    and not name.endswith('_dtod')
  ),
]


class DeviceConfigTest(parameterized.TestCase):
  def assert_refused(self, name, value, others):
    """Asserts that one sentence names the parameter and its value."""
    with self.assertRaises(ssnn_jax.UserError) as caught:
      DeviceConfig(**(others | {name: value}))
    message = str(caught.exception)
    self.assertStartsWith(message, f'{name} is {value}; expected ')
    self.assertRegex(message, r'^[^\n]*[^.\n]\.$')

  @parameterized.parameters(*IMPOSSIBLE)
  def test_what_is_impossible_is_refused_by_its_name(self, name, value, others):
    self.assert_refused(name, value, others)

  @parameterized.parameters(*NUMBERS)
  def test_what_is_no_number_is_refused(self, name):
    self.assert_refused(name, math.nan, {})

  @parameterized.parameters(*NUMBERS)
  def test_infinity_is_refused_but_where_it_means_no_limit(self, name):
    for value in (math.inf, -math.inf):
      if (name, value) in (
        ('w_max', math.inf),
        ('w_min', -math.inf),
        ('endurance', math.inf),
      ):
        DeviceConfig(**{name: value})
      else:
        self.assert_refused(name, value, {})

  def test_limits_of_what_is_possible(self):
    DeviceConfig(**BOUNDED, up_down=-0.99, corrupt_devices_prob=1.0)
    DeviceConfig(**LINEAR, zero_shifting=True, protocol='fixed_step')
    DeviceConfig(dw_min=10.0)  # there is no bound that it could pass
    DeviceConfig(gamma_up=1.0, w_max=1.0, lifetime=1.01)
    for field in dataclasses.fields(DeviceConfig):  # the default is perfect
      self.assertIn(field.default, (0, 1, math.inf, -math.inf, 'fixed_rate'))

  def test_properties(self):
    perfect, bounded = DeviceConfig(), DeviceConfig(**BOUNDED)
    self.assertFalse(bounded.is_linear)
    for name in ('gamma_up', 'gamma_down', 'gamma_up_dtod', 'gamma_down_dtod'):
      self.assertTrue(DeviceConfig(**BOUNDED, **{name: 0.1}).is_linear)
    self.assertAlmostEqual(bounded.num_states, 200)
    self.assertEqual(perfect.num_states, math.inf)
    self.assertEqual(DeviceConfig(dw_min=0.1).num_states, math.inf)
    self.assertEqual(DeviceConfig(w_max=1.0, w_min=-1.0).num_states, math.inf)


class PresetsTest(parameterized.TestCase):
  @parameterized.parameters(
    # As aihwkit has them: dw_min, its spreads over devices and pulses, the
    # bounds, and the range in steps.
    ('gokmen_vlasov', 0.0016, 0.3, 0.3, 1.0, -1.0, 1250),
    ('reram', 0.002, 0.3, 3.75, 1.25, -0.75, 1000),
    ('ecram', 0.002, 0.1, 0.3, 1.1724, -0.8276, 1000),
    ('ecram_mo', 2.8214e-4, 0.1, 2.0, 1.1714, -0.8286, 7089),
  )
  def test_they_are_what_their_sources_say(
    self, name, dw_min, dtod, std, w_max, w_min, num_states
  ):
    preset = device_config.PRESETS[name]
    ours = preset.dw_min, preset.dw_min_dtod, preset.dw_min_std
    self.assertEqual(ours, (dw_min, dtod, std))
    self.assertEqual((preset.w_max, preset.w_min), (w_max, w_min))
    self.assertAlmostEqual(preset.num_states, num_states, delta=0.5)
    self.assertEqual((preset.up_down, preset.up_down_dtod), (0.0, 0.01))

  def test_steps_depend_on_weights_as_in_their_sources(self):
    presets = device_config.PRESETS
    self.assertLen(presets, 4)
    gammas = {
      name: (preset.gamma_up, preset.gamma_down)
      for name, preset in presets.items()
    }
    self.assertEqual(
      gammas,
      {
        'gokmen_vlasov': (0.0, 0.0),
        'reram': (1.0, 1.0),  # soft bounds
        'ecram': (0.1153, 0.5085),
        'ecram_mo': (0.4152, 0.7342),
      },
    )
    self.assertFalse(presets['reram'].mult_noise)
    # Spreads of bounds are relative, of reram's 0.3 in the unit of weights.
    reram = presets['reram']
    self.assertAlmostEqual(reram.w_max_dtod * reram.w_max, 0.3)
    self.assertAlmostEqual(reram.w_min_dtod * -reram.w_min, 0.3)

  def test_reram_and_ecram_are_shifted_to_their_symmetry_point(self):
    # Of the mean device: 1 - gamma_up w / w_max = 1 - gamma_down w / w_min has
    # no other solution than 0, where both steps have the size dw_min.
    for name in ('reram', 'ecram', 'ecram_mo'):
      preset = device_config.PRESETS[name]
      slope = preset.gamma_up / preset.w_max - preset.gamma_down / preset.w_min
      self.assertGreater(slope, 0)
      self.assertEqual(preset.up_down, 0)


if __name__ == '__main__':
  absltest.main()
