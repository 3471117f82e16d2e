"""Tests of responses of devices to pulses against closed forms."""

import json
import subprocess
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments.measurements import aihwkit_response
from experiments.measurements import device_response
from ssnn_jax.hardware import resistive
from tests.testing import statistics

CASES = aihwkit_response.CASES
NUM_DEVICES = 4000
STEP, NOISE = 0.01, 0.3  # of all cases that are not presets
# Each of the 400 pulses rounds a weight within 1 by up to 2**-25.
ROUNDING = 400 * 2.0**-25


def respond(name):
  weights = device_response.respond(jax.random.key(0), name, NUM_DEVICES)
  return np.asarray(weights, np.float64)


def assert_sd_within(weights, expected):
  """Asserts the standard deviations of normal numbers `[reads, devices]`."""
  error = expected / np.sqrt(2 * weights.shape[1])
  distance = np.abs(weights.std(axis=1) - expected)
  ratio = np.max(distance / error)
  assert ratio <= statistics.NUM_SIGMAS, f'off by {ratio:.1f} standard errors'


class ClosedFormTest(parameterized.TestCase):
  @parameterized.parameters(
    'constant', 'larger_up', 'larger_down', 'linear', 'soft', 'decay'
  )
  def test_equal_devices_follow_the_closed_form(self, name):
    weights = device_response.respond(jax.random.key(0), name, 2)
    expected = device_response.closed_form(CASES[name])
    for device in weights.T:
      np.testing.assert_allclose(device, expected, 0, ROUNDING)

  @parameterized.parameters('constant', 'linear', 'soft')
  def test_many_pulses_at_once_equal_single_pulses(self, name):
    config = device_response.make_config(CASES[name])
    constants = resistive.sample_constants(jax.random.key(0), config, ())
    expected = device_response.closed_form(CASES[name])
    weight = jnp.float32(0.0)
    for up, down, total in ((60, 0, 60), (140, 0, 200), (0, 150, 350)):
      pulses = resistive.Pulses(jnp.float32(up), jnp.float32(down))
      weight = resistive.move_weights(
        config, constants, weight, pulses, config.dw_min, None
      )
      self.assertAlmostEqual(float(weight), expected[total - 1], delta=1e-6)

  def test_only_equal_devices_have_a_closed_form(self):
    found = {
      name for name, case in CASES.items() if device_response.closed_form(case)
    }
    self.assertEqual(
      found,
      {
        'constant',
        'larger_up',
        'larger_down',
        'linear',
        'decay',
        'soft',
        'soft_mult_noise',
        'soft_add_noise',
      },
    )

  @parameterized.parameters('soft_mult_noise', 'soft_add_noise')
  def test_noise_under_soft_bounds_has_known_variance(self, name):
    weights = respond(name)
    expected = device_response.closed_form(CASES[name])
    statistics.assert_mean_within(weights.T, expected)
    # A pulse of step s multiplies the distance to the bound by
    # 1 - s (1 + noise), or by 1 - s and adds noise.
    pulses = np.arange(1, 201)
    decay = (1 - STEP) ** (2 * pulses)
    if name == 'soft_mult_noise':
      square = ((1 - STEP) ** 2 + (STEP * NOISE) ** 2) ** pulses
      variance = square - decay
    else:
      variance = (STEP * NOISE) ** 2 * (1 - decay) / (1 - (1 - STEP) ** 2)
    assert_sd_within(weights[:200], np.sqrt(variance))


class SpreadTest(parameterized.TestCase):
  def test_constant_steps_deviate_like_sums(self):
    pulses = np.arange(1, 61)
    noisy, unequal = (respond(n)[:60] for n in ('step_noise', 'step_dtod'))
    for weights in (noisy, unequal):
      statistics.assert_mean_within(weights.T, STEP * pulses)
    assert_sd_within(noisy, NOISE * STEP * np.sqrt(pulses))
    # Deviations of devices are permanent; few have reached their bound.
    assert_sd_within(unequal[:30], 0.3 * STEP * pulses[:30])

  def test_asymmetry_differs_from_device_to_device(self):
    weights = respond('up_down_dtod')[[29, 229]]
    statistics.assert_mean_within(weights[0], 30 * STEP)
    assert_sd_within(weights[:1], 30 * STEP * 0.1)
    # All have reached their upper bound before; down steps are as much smaller
    # as up steps are larger.
    statistics.assert_mean_within(weights[1], 1 - 30 * STEP)
    correlation = np.corrcoef(weights)[0, 1]
    self.assertAlmostEqual(correlation, 1.0, places=4)

  def test_corrupt_devices_keep_their_weights(self):
    weights = respond('corrupt')
    is_stuck = np.ptp(weights, axis=0) == 0.0
    statistics.assert_mean_within(is_stuck, 0.2)
    stuck = weights[0, is_stuck]
    self.assertLessEqual(np.abs(stuck).max(), 0.5)
    statistics.assert_mean_within(stuck, 0.0)
    statistics.assert_mean_within(stuck**2, 0.5**2 / 3)
    working = weights[:, ~is_stuck].T
    expected = device_response.closed_form(CASES['constant'])
    distance = np.abs(working - np.array(expected))
    self.assertLess(distance.max(), ROUNDING)


class CommandsTest(absltest.TestCase):
  def test_lines_describe_the_weights(self):
    weights = np.array([[0.0, 1.0, 2.0, 5.0], [1.0, 1.0, 1.0, 1.0]])
    line = aihwkit_response.make_line('soft', weights, {}, source='here')
    self.assertEqual(line['num_devices'], 4)
    self.assertEqual(line['pulses'], CASES['soft'].schedule)
    self.assertEqual(line['mean'], [2.0, 1.0])
    self.assertSequenceAlmostEqual(line['sd'], [3.5**0.5, 0.0], places=5)
    # The fourth moment is (2**4 + 1 + 0 + 3**4) / 4 = 24.5.
    error = ((24.5 - 3.5**2) / 4) ** 0.5 / (2 * 3.5**0.5)
    self.assertSequenceAlmostEqual(line['sd_error'], [error, 0.0], places=5)

  def test_measured_lines_are_json(self):
    line = next(device_response.measure(jax.random.key(0), 2))
    self.assertEqual(json.loads(json.dumps(line))['case'], 'constant')

  def test_missing_aihwkit_is_an_error(self):
    with (
      mock.patch.dict(sys.modules, {'torch': None}),
      mock.patch.object(sys, 'argv', ['aihwkit_response']),
      self.assertRaisesRegex(SystemExit, '^error: torch is not installed; run'),
    ):
      aihwkit_response.main()

  def test_aihwkit_response_imports_no_jax(self):
    code = (
      'import sys; sys.modules.update(jax=None, ssnn_jax=None, absl=None); '
      'from experiments.measurements import aihwkit_response'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
