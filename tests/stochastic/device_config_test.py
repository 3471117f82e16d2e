"""Tests of the fields, presets and files of resistive devices."""

import json
import math
import pathlib

from absl.testing import parameterized

from ssnn_jax import stochastic
from ssnn_jax.stochastic import device_config
from ssnn_jax.stochastic.device_config import DeviceConfig

NUM_STATES = {  # from aihwkit
  'gokmen_vlasov': 1250,
  'reram': 1000,
  'ecram': 1000,
  'ecram_mo': 7089,
}


class DeviceConfigTest(parameterized.TestCase):
  @parameterized.parameters(*stochastic.PRESETS)
  def test_presets_have_published_values_and_are_read_back(self, name):
    preset = stochastic.PRESETS[name]
    self.assertAlmostEqual(preset.num_states, NUM_STATES[name], delta=0.5)
    if name == 'reram':  # variability of 0.3 in units of weights
      self.assertAlmostEqual(preset.w_max_dtod * preset.w_max, 0.3)
      self.assertAlmostEqual(preset.w_min_dtod * -preset.w_min, 0.3)
    # Missing parameters have their defaults.
    parameters = device_config.changed_fields(preset)
    self.assertNotIn('corrupt_devices_prob', parameters)
    path = pathlib.Path(self.create_tempdir().full_path) / 'own.json'
    path.write_text(json.dumps({'parameters': parameters, 'fit': {}}))
    self.assertEqual(stochastic.read_device(path), preset)

  def test_parses_names_and_numbers(self):
    params = stochastic.parse_params(
      ' dw_min=0.01, w_max = inf,mult_noise=0.0,'
    )
    expected = {'dw_min': 0.01, 'w_max': math.inf, 'mult_noise': False}
    self.assertEqual(params, expected)
    self.assertEqual(stochastic.parse_params(''), {})
    self.assertEqual(DeviceConfig(**params).num_states, math.inf)
