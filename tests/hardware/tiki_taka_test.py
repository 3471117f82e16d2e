"""Tests of symmetry points, and of Tiki-Taka, which makes use of them."""

import functools
import math

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.hardware import devices
from ssnn_jax.hardware import tiki_taka
from ssnn_jax.hardware import variability
from ssnn_jax.hardware.device_config import DeviceConfig
from tests import network_test
from tests.testing import statistics

jit = functools.partial(jax.jit, compiler_options=network_test.QUICKLY)
STEP = 2.0**-6
EXACT = DeviceConfig(dw_min=STEP)
SOFT = dict(
  dw_min=0.01, w_max=1.0, w_min=-1.0, gamma_up=1.0, gamma_down=1.0, up_down=0.3
)


def layer(weights, biases):
  return (types.LayerParams(jnp.asarray(weights), jnp.asarray(biases)),)


class Pair:
  """A fast and a slow array of one layer, where a coincidence is a pulse."""

  def __init__(self, config, num_lines, lines=1, rate=1.0, num_columns=3):
    self.shape = num_lines, num_columns
    transfer = tiki_taka.TransferConfig(lines, rate)
    device = tiki_taka.make_tiki_taka(config, transfer, learning_rate=1.0)
    zeros = jnp.zeros(self.shape)
    init = jit(device.init)
    self.params, self.state = init(jax.random.key(0), layer(zeros, zeros[0]))
    self.pulse_gradient = device.pulse_gradient(self.state)
    self._update, self._turn = jit(device.update), 0
    self._unit = layer(jnp.float32(config.dw_min), jnp.float32(config.dw_min))

  def give(self, up, down, bias_up=None, bias_down=None):
    """Gives the fast array pulses; returns what weights have changed by."""
    before = jax.tree.map(np.asarray, self.params[0])
    bias_up = up[0] if bias_up is None else bias_up
    bias_down = down[0] if bias_down is None else bias_down
    update = types.Update(
      layer(down, bias_down), layer(up, bias_up), self._unit
    )
    key = jax.random.fold_in(jax.random.key(1), self._turn)
    self.params, self.state = self._update(key, update, self.state, self.params)
    self._turn += 1
    return jax.tree.map(lambda now, old: now - old, self.params[0], before)


class TransferConfigTest(parameterized.TestCase):
  @parameterized.product(
    name=('transfer_lines', 'transfer_rate'),
    value=(0, -1, math.nan, math.inf),
  )
  def test_what_is_impossible_is_refused_by_its_name(self, name, value):
    self.assert_refused(name, value)

  def test_a_line_is_whole(self):
    self.assert_refused('transfer_lines', 1.5)

  def assert_refused(self, name, value):
    with self.assertRaises(ssnn_jax.UserError) as caught:
      tiki_taka.TransferConfig(**{name: value})
    self.assertRegex(
      str(caught.exception), rf'^{name} is {value}; expected [^\n]*[^.\n]\.$'
    )

  def test_it_needs_pulses(self):
    with self.assertRaisesRegex(
      ssnn_jax.UserError, r'^dw_min is 0\.0; expected a step above 0, .*\.$'
    ):
      tiki_taka.make_tiki_taka(
        DeviceConfig(), tiki_taka.TransferConfig(), learning_rate=1.0
      )


class ExactTest(parameterized.TestCase):
  @parameterized.parameters(
    # Lines, those of a turn, and the rate of transfer.
    (8, 1, 1.0),
    (8, 3, 2.0),  # wraps around within a turn
    (4, 4, 0.5),
    (4, 9, 1.0),  # more than there are
  )
  def test_what_is_held_is_passed_on_line_by_line(self, num_lines, lines, rate):
    pair, rng = Pair(EXACT, num_lines, lines, rate), np.random.default_rng(0)
    self.assertEqual(float(pair.pulse_gradient), STEP)
    taken = min(lines, num_lines)
    held, biases_held = np.zeros(pair.shape), np.zeros(pair.shape[1])
    for turn in range(6):
      # So many that what is passed on of them is a whole number of pulses.
      up, down = 16 * rng.integers(0, 5, (2, *pair.shape))
      bias_up, bias_down = 16 * rng.integers(0, 5, (2, pair.shape[1]))
      held += STEP * (up - down)
      biases_held += STEP * (bias_up - bias_down)
      change = pair.give(up, down, bias_up, bias_down)
      expected = np.zeros(pair.shape)
      for line in range(turn * taken, (turn + 1) * taken):
        expected[line % num_lines] = rate * held[line % num_lines]
      np.testing.assert_array_equal(change.weights, expected)
      share = rate * taken / num_lines
      np.testing.assert_array_equal(change.biases, share * biases_held)
      # Reading has left the fast array as it was.
      np.testing.assert_array_equal(pair.state.fast[0].weights, held)
      np.testing.assert_array_equal(pair.state.fast[0].biases, biases_held)

  def test_parts_of_pulses_are_rounded_at_random(self):
    pair = Pair(EXACT, 4, lines=1, rate=0.3, num_columns=20_000)
    up = np.zeros(pair.shape, int) + 5
    for line in range(2):
      # Held are 5 pulses, and then 10, of which 3 tenths are passed on.
      change = pair.give(up, 0 * up).weights[line] / STEP
      np.testing.assert_array_equal(change, np.round(change))
      statistics.assert_mean_within(change, 1.5 * (line + 1))

  def test_pulses_of_both_arrays_are_counted(self):
    config = DeviceConfig(dw_min=STEP, endurance=math.inf)
    pair, moved = Pair(config, 4, lines=3), 0
    for turn in range(5):
      up = np.full(pair.shape, 4 * (turn - 2))
      change = pair.give(np.maximum(up, 0), np.maximum(-up, 0))
      moved += np.abs(change.weights) / STEP
    np.testing.assert_array_equal(
      pair.state.slow_state.pulses[0].weights, moved
    )
    given = pair.state.fast_state.pulses[0].weights
    np.testing.assert_array_equal(given, 4 * (2 + 1 + 0 + 1 + 2))
    self.assertGreater(moved.min(), 0)

  def test_a_pair_starts_with_the_weights_in_the_slow_array(self):
    config = DeviceConfig(**SOFT, dw_min_dtod=0.3, w_max_dtod=0.3)
    device = tiki_taka.make_tiki_taka(config, tiki_taka.TransferConfig(), 1.0)
    weights = jax.random.normal(jax.random.key(0), (40, 50))
    params, state = jit(device.init)(
      jax.random.key(1), layer(weights, jnp.zeros(50))
    )
    slow, fast = (
      constants[0].weights
      for constants in (state.slow_state.constants, state.fast_state.constants)
    )
    np.testing.assert_array_equal(
      params[0].weights, jnp.clip(weights, slow.w_min, slow.w_max)
    )
    np.testing.assert_array_equal(state.fast[0].weights, 0.0)
    # They are different devices.
    both = np.corrcoef(np.ravel(slow.up), np.ravel(fast.up))[0, 1]
    self.assertLess(abs(both), 5 / np.sqrt(weights.size))


class SymmetryTest(parameterized.TestCase):
  def test_zero_shifting_makes_steps_equal_at_0(self):
    config = SOFT | dict(up_down_dtod=0.1, dw_min_dtod=0.1)
    plain, shifted = (
      variability.draw(
        jax.random.key(0), DeviceConfig(**config, zero_shifting=shifts), (1000,)
      )
      for shifts in (False, True)
    )
    point = variability.symmetry_point(plain)
    self.assertGreater(float(point.mean()), 0.1)  # the step up is larger
    np.testing.assert_allclose(shifted.up, shifted.down, rtol=0, atol=1e-6)
    # All else is as it was, seen from there.
    np.testing.assert_array_equal(shifted.rate_up, plain.rate_up)
    np.testing.assert_array_equal(shifted.rate_down, plain.rate_down)
    np.testing.assert_allclose(shifted.w_max, plain.w_max - point, atol=1e-6)
    np.testing.assert_allclose(shifted.w_min, plain.w_min - point, atol=1e-6)
    self.assertTrue(np.all(shifted.w_min <= 0) and np.all(shifted.w_max >= 0))

  @parameterized.parameters(True, False)
  def test_balanced_pulses_take_what_is_held_to_the_symmetry_point(
    self, shifts
  ):
    config = DeviceConfig(**SOFT, up_down_dtod=0.1, zero_shifting=shifts)
    pair, rng = Pair(config, 40, num_columns=50), np.random.default_rng(0)
    own = pair.state.fast_state.constants[0].weights
    point = np.asarray(variability.symmetry_point(own))
    for _ in range(200):
      pair.give(*rng.integers(0, 5, (2, *pair.shape)))
    distance = np.asarray(pair.state.fast[0].weights) - point
    error = distance.std(ddof=1) / np.sqrt(distance.size)
    # A number of pulses that is larger than its mean of 2, of variance 2, does
    # less than proportionally so: to first order that shifts the mean by half
    # of step * variance / mean * the share by which rates differ, so by less.
    self.assertLess(abs(distance.mean()), 5 * error + 0.5 * SOFT['dw_min'])
    self.assertLess(error, 0.003)
    if shifts:
      np.testing.assert_allclose(point, 0.0, atol=1e-6)
    else:  # the slow array is driven though no gradient is
      self.assertGreater(point.mean(), 0.1)
      self.assertGreater(pair.params[0].weights.mean(), 0.1)

  def test_a_device_alone_drifts_where_a_pair_does_not(self):
    # Shifted devices hold a weight in the slow array under balanced pulses; a
    # single array forgets it.
    config = DeviceConfig(**SOFT, zero_shifting=True)
    unit = layer(jnp.float32(0.01), jnp.float32(0.01))
    counts = layer(jnp.full((10, 20), 2), jnp.full(20, 2))
    params = layer(jnp.full((10, 20), 0.5), jnp.full(20, 0.5))
    ends = []
    for device in (
      devices.make_resistive(config, 1.0),
      tiki_taka.make_tiki_taka(config, tiki_taka.TransferConfig(), 1.0),
    ):
      held, state = jit(device.init)(jax.random.key(0), params)
      update = jit(device.update)
      for turn in range(60):
        given = types.Update(counts, counts, unit)
        held, state = update(jax.random.key(turn), given, state, held)
      ends.append(held[0].weights)
    np.testing.assert_array_less(np.abs(ends[0]), 0.1)
    np.testing.assert_allclose(ends[1], 0.5, atol=0.01)


if __name__ == '__main__':
  absltest.main()
