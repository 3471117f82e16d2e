"""Tests of Tiki-Taka: transfer, pulse counts and the symmetry point."""

import math

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.hardware import devices
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware import tiki_taka
from ssnn_jax.hardware.device_config import DeviceConfig
from tests.testing import statistics

STEP = 2.0**-6
EXACT = DeviceConfig(dw_min=STEP)
SOFT = dict(
  dw_min=0.01, w_max=1.0, w_min=-1.0, gamma_up=1.0, gamma_down=1.0, up_down=0.3
)


def layer(weights, biases):
  return (types.LayerParams(jnp.asarray(weights), jnp.asarray(biases)),)


class Pair:
  """A fast and a slow array of one layer, with one pulse per coincidence."""

  def __init__(
    self, config, num_lines, transfer_lines=1, transfer_rate=1.0, num_columns=3
  ):
    self.shape = num_lines, num_columns
    transfer = tiki_taka.TransferConfig(transfer_lines, transfer_rate)
    device = tiki_taka.make_tiki_taka(config, transfer, learning_rate=1.0)
    zeros = layer(jnp.zeros(self.shape), jnp.zeros(num_columns))
    self.params, self.state = jax.jit(device.init)(jax.random.key(0), zeros)
    self.pulse_gradient = device.pulse_gradient(self.state)
    self._update = jax.jit(device.update)
    self._unit = layer(jnp.float32(config.dw_min), jnp.float32(config.dw_min))

  def update(self, up, down, bias_up=None, bias_down=None):
    """Applies pulses to the fast array; returns the changes of slow weights."""
    before = jax.tree.map(np.asarray, self.params[0])
    bias_up = up[0] if bias_up is None else bias_up
    bias_down = down[0] if bias_down is None else bias_down
    update = types.Update(
      positive=layer(down, bias_down),
      negative=layer(up, bias_up),
      unit=self._unit,
    )
    num_updates = self.state.fast_state.num_updates
    key = jax.random.fold_in(jax.random.key(1), num_updates)
    self.params, self.state = self._update(key, update, self.state, self.params)
    return jax.tree.map(np.subtract, self.params[0], before)

  @property
  def fast(self):
    return np.asarray(self.state.fast[0].weights)


class TransferConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ('transfer_lines', 1.5),
    ('transfer_lines', 0),
    ('transfer_rate', math.nan),
  )
  def test_rejects_invalid_values(self, name, value):
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{name} is'):
      tiki_taka.TransferConfig(**{name: value})

  def test_rejects_devices_without_steps(self):
    transfer = tiki_taka.TransferConfig()
    with self.assertRaisesRegex(ssnn_jax.UserError, '^dw_min is'):
      tiki_taka.make_tiki_taka(DeviceConfig(), transfer, learning_rate=1.0)


class TransferTest(parameterized.TestCase):
  @parameterized.parameters(
    (8, 1, 1.0),
    (8, np.int64(3), 2.0),  # wraps around within one transfer
    (4, 4, 0.5),
    (4, 9, 1.0),  # more lines than the array has
  )
  def test_lines_are_transferred_in_turn(
    self, num_lines, transfer_lines, transfer_rate
  ):
    pair = Pair(EXACT, num_lines, transfer_lines, transfer_rate)
    rng = np.random.default_rng(0)
    self.assertEqual(float(pair.pulse_gradient), STEP)
    num_read = min(transfer_lines, num_lines)
    fast, fast_biases = np.zeros(pair.shape), np.zeros(pair.shape[1])
    for turn in range(6):
      # Multiples of 16 are transferred as whole numbers of pulses.
      up, down = 16 * rng.integers(0, 5, (2, *pair.shape))
      bias_up, bias_down = 16 * rng.integers(0, 5, (2, pair.shape[1]))
      fast += STEP * (up - down)
      fast_biases += STEP * (bias_up - bias_down)
      change = pair.update(up, down, bias_up, bias_down)
      expected = np.zeros(pair.shape)
      for line in range(turn * num_read, (turn + 1) * num_read):
        expected[line % num_lines] = transfer_rate * fast[line % num_lines]
      np.testing.assert_array_equal(change.weights, expected)
      bias_rate = transfer_rate * num_read / num_lines
      np.testing.assert_array_equal(change.biases, bias_rate * fast_biases)
      # Reads leave the fast array unchanged.
      np.testing.assert_array_equal(pair.fast, fast)
      np.testing.assert_array_equal(pair.state.fast[0].biases, fast_biases)

  def test_fractions_of_pulses_are_rounded_stochastically(self):
    pair = Pair(EXACT, 4, transfer_rate=0.3, num_columns=20_000)
    up = np.full(pair.shape, 5)
    for line in range(2):
      # The fast weight is 5 steps, then 10 steps, of which 0.3 is transferred.
      pulses = pair.update(up, 0 * up).weights[line] / STEP
      np.testing.assert_array_equal(pulses, np.round(pulses))
      statistics.assert_mean_within(pulses, 1.5 * (line + 1))

  def test_pulses_of_both_arrays_are_counted(self):
    config = DeviceConfig(dw_min=STEP, endurance=math.inf)
    pair, transferred = Pair(config, 4, transfer_lines=3), 0
    for turn in range(5):
      up = np.full(pair.shape, 4 * (turn - 2))
      change = pair.update(np.maximum(up, 0), np.maximum(-up, 0))
      transferred += np.abs(change.weights) / STEP
    slow, fast = (
      np.asarray(state.pulse_counts[0].weights)
      for state in (pair.state.slow_state, pair.state.fast_state)
    )
    np.testing.assert_array_equal(slow, transferred)
    np.testing.assert_array_equal(fast, 4 * (2 + 1 + 0 + 1 + 2))
    self.assertGreater(transferred.min(), 0)

  def test_init_programs_the_slow_array(self):
    config = DeviceConfig(**SOFT, dw_min_dtod=0.3, w_max_dtod=0.3)
    device = tiki_taka.make_tiki_taka(config, tiki_taka.TransferConfig(), 1.0)
    weights = jax.random.normal(jax.random.key(0), (40, 50))
    params, state = jax.jit(device.init)(
      jax.random.key(1), layer(weights, jnp.zeros(50))
    )
    slow, fast = (
      arrays.constants[0].weights
      for arrays in (state.slow_state, state.fast_state)
    )
    clipped = jnp.clip(weights, slow.w_min, slow.w_max)
    np.testing.assert_array_equal(params[0].weights, clipped)
    np.testing.assert_array_equal(state.fast[0].weights, 0.0)
    # The devices of the two arrays are independent.
    correlation = np.corrcoef(np.ravel(slow.up), np.ravel(fast.up))[0, 1]
    self.assertLess(abs(correlation), 5 / np.sqrt(weights.size))


class SymmetryTest(parameterized.TestCase):
  @parameterized.parameters(True, False)
  def test_balanced_pulses_drive_fast_weights_to_symmetry_points(self, shift):
    config = DeviceConfig(**SOFT, up_down_dtod=0.1, zero_shifting=shift)
    pair, rng = Pair(config, 40, num_columns=50), np.random.default_rng(0)
    constants = pair.state.fast_state.constants[0].weights
    point = np.asarray(resistive.symmetry_point(constants))
    for _ in range(200):
      pair.update(*rng.integers(0, 5, (2, *pair.shape)))
    distance = pair.fast - point
    error = distance.std(ddof=1) / np.sqrt(distance.size)
    # The response to the number of pulses (mean 2, variance 2) is concave. To
    # first order, this shifts the mean by half of step * variance / mean times
    # the relative difference of the rates, which is below 1.
    self.assertLess(abs(distance.mean()), 5 * error + 0.5 * SOFT['dw_min'])
    self.assertLess(error, 0.003)
    if shift:
      np.testing.assert_allclose(point, 0.0, atol=1e-6)
    else:  # the slow weights drift although the mean gradient is 0
      self.assertGreater(point.mean(), 0.1)
      self.assertGreater(pair.params[0].weights.mean(), 0.1)

  def test_slow_weights_are_stable_where_single_devices_drift(self):
    config = DeviceConfig(**SOFT, zero_shifting=True)
    counts = layer(jnp.full((10, 20), 2), jnp.full(20, 2))
    update = types.Update(
      positive=counts,
      negative=counts,
      unit=layer(jnp.float32(0.01), jnp.float32(0.01)),
    )
    initial = layer(jnp.full((10, 20), 0.5), jnp.full(20, 0.5))
    final = []
    for device in (
      devices.make_resistive(config, 1.0),
      tiki_taka.make_tiki_taka(config, tiki_taka.TransferConfig(), 1.0),
    ):
      params, state = jax.jit(device.init)(jax.random.key(0), initial)
      apply_update = jax.jit(device.update)
      for batch in range(60):
        key = jax.random.key(batch)
        params, state = apply_update(key, update, state, params)
      final.append(params[0].weights)
    np.testing.assert_array_less(np.abs(final[0]), 0.1)
    np.testing.assert_allclose(final[1], 0.5, atol=0.01)
