"""Tests of the presets against their sources."""

from absl.testing import parameterized

from ssnn_jax.hardware.presets import PRESETS

# From aihwkit: dw_min with its device-to-device and cycle-to-cycle variability,
# bounds, gammas, and the number of states.
SOURCES = {
  'gokmen_vlasov': (0.0016, 0.3, 0.3, 1.0, -1.0, 0.0, 0.0, 1250),
  'reram': (0.002, 0.3, 3.75, 1.25, -0.75, 1.0, 1.0, 1000),
  'ecram': (0.002, 0.1, 0.3, 1.1724, -0.8276, 0.1153, 0.5085, 1000),
  'ecram_mo': (2.8214e-4, 0.1, 2.0, 1.1714, -0.8286, 0.4152, 0.7342, 7089),
}


class PresetsTest(parameterized.TestCase):
  def test_all_presets_are_tested(self):
    self.assertEqual(list(PRESETS), list(SOURCES))

  @parameterized.parameters(*SOURCES)
  def test_parameters_equal_source(self, name):
    preset = PRESETS[name]
    *expected, num_states = SOURCES[name]
    steps = [preset.dw_min, preset.dw_min_dtod, preset.dw_min_std]
    bounds = [preset.w_max, preset.w_min, preset.gamma_up, preset.gamma_down]
    self.assertEqual(steps + bounds, expected)
    self.assertAlmostEqual(preset.num_states, num_states, delta=0.5)
    self.assertEqual((preset.up_down, preset.up_down_dtod), (0.0, 0.01))
    self.assertEqual(preset.mult_noise, name != 'reram')

  def test_variability_of_reram_bounds_is_relative(self):
    reram = PRESETS['reram']  # 0.3 in units of weights
    self.assertAlmostEqual(reram.w_max_dtod * reram.w_max, 0.3)
    self.assertAlmostEqual(reram.w_min_dtod * -reram.w_min, 0.3)

  @parameterized.parameters('reram', 'ecram', 'ecram_mo')
  def test_symmetry_point_of_mean_device_is_zero(self, name):
    # The steps 1 - gamma_up w / w_max and 1 - gamma_down w / w_min of the mean
    # device are equal at w = 0 only.
    preset = PRESETS[name]
    slope = preset.gamma_up / preset.w_max - preset.gamma_down / preset.w_min
    self.assertGreater(slope, 0)
