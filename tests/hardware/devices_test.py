"""Tests of devices that hold the weights: what they bear, and their seeds."""

import functools
import math

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import training
from ssnn_jax import types
from ssnn_jax.hardware import device_config
from ssnn_jax.hardware import devices
from ssnn_jax.hardware import variability
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.runs import checkpoints
from tests import network_test
from tests.testing import statistics

jit = functools.partial(jax.jit, compiler_options=network_test.QUICKLY)
STEP = 2.0**-8
# Whatever can tell one device from another.
VARIED = DeviceConfig(
  dw_min=0.01,
  dw_min_dtod=0.3,
  dw_min_std=0.3,
  up_down_dtod=0.1,
  w_max=0.4,
  w_max_dtod=0.3,
  w_min=-0.4,
  w_min_dtod=0.3,
  gamma_up=0.5,
  gamma_up_dtod=0.1,
  gamma_down=0.5,
  gamma_down_dtod=0.1,
  lifetime=50.0,
  lifetime_dtod=0.1,
  corrupt_devices_prob=0.1,
  endurance=300.0,
  endurance_dtod=0.3,
)


def array_update(up, down, shape, unit=1.0, num_arrays=1):
  """The same counts at all devices of the arrays."""
  negative, positive = (
    (jnp.full(shape, count),) * num_arrays for count in (up, down)
  )
  return types.Update(positive, negative, (jnp.float32(unit),) * num_arrays)


class Array:
  """An array of devices, at a weight, and pulses for all of them."""

  def __init__(self, config, weight=0.0, shape=(50, 40)):
    device = devices.make_resistive(config, 1.0)
    params = (jnp.full(shape, weight),)
    self.params, self.state = jit(device.init)(jax.random.key(0), params)
    self.shape, self.first, self.turn = shape, self.params, 0
    self._update = jit(device.update)

  def give(self, up, down, unit=1.0):
    """Gives each as many pulses as coincidences ask for; returns weights."""
    key = jax.random.fold_in(jax.random.key(1), self.turn)
    update = array_update(up, down, self.shape, unit)
    self.params, self.state = self._update(key, update, self.state, self.params)
    self.turn += 1
    return np.asarray(self.params[0])


@functools.cache
def make_varied():
  """Makes how a seed gets two arrays of devices, and a few pulses a turn."""
  device = devices.make_resistive(VARIED, 1.0)
  shape = 40, 40
  params = (jnp.zeros(shape),) * 2
  update = array_update(9, 3, shape, 0.02, num_arrays=2)

  def start(seed):
    key = jax.random.key(seed)
    held, state = device.init(jax.random.fold_in(key, 1), params)
    return training.TrainState(held, state, key, jnp.int32(0))

  def train(state):
    key = jax.random.fold_in(state.key, state.epoch)
    params, opt_state = device.update(
      key, update, state.opt_state, state.params
    )
    return state.replace(
      params=params, opt_state=opt_state, epoch=state.epoch + 1
    )

  return start, train


def shelve(state):
  """Turns a state into host arrays, keys into their data."""
  state = state.replace(key=jax.random.key_data(state.key))
  return jax.tree.map(np.array, state)


def assert_same(ours, theirs):
  jax.tree.map(np.testing.assert_array_equal, ours, theirs)


class IdealTest(parameterized.TestCase):
  def test_an_optimizer_is_the_ideal_device(self):
    optimizer = optax.sgd(0.1, momentum=0.9)
    device = devices.as_device(optimizer)
    self.assertIs(devices.as_device(device), device)
    self.assertFalse(device.is_separate)
    params = (jnp.ones((3, 2)),)
    ours, state = device.init(jax.random.key(3), params)
    self.assertIsNone(device.pulse_gradient(state))
    theirs, opt_state = params, optimizer.init(params)
    for count in (3, 5):
      update = array_update(count, 1, (3, 2), 0.7)
      ours, state = device.update(jax.random.key(count), update, state, ours)
      steps, opt_state = optimizer.update(
        ssnn_jax.as_gradient(update), opt_state, theirs
      )
      theirs = optax.apply_updates(theirs, steps)
    assert_same((ours, state), (theirs, opt_state))

  def test_the_perfect_device_is_gradient_descent(self):
    # Their rates are in their states: one program serves for all of them.
    schedule = optax.linear_schedule(1.0, 0.5, 1)
    images = jax.random.uniform(jax.random.key(1), (16, 6))

    def make(device):
      separate_signs = devices.as_device(device(1.0)).is_separate
      config = ssnn_jax.NetworkConfig((6, 3), num_steps=8)
      network = ssnn_jax.ssnn(config, separate_signs=separate_signs)
      epoch = training.make_train_epoch(network, device(1.0), batch_size=4)
      train = jax.jit(lambda state: epoch(state, images, jnp.arange(16) % 3)[0])
      return lambda rate: (
        train(training.init_state(network, device(rate), 0)).params
      )

    perfect, ideal = (
      make(functools.partial(kind, schedule=schedule))
      for kind in (
        functools.partial(devices.make_resistive, DeviceConfig()),
        training.make_optimizer,
      )
    )
    # With powers of two throughout it is, bit for bit.
    assert_same(perfect(0.5), ideal(0.5))
    # Else rate, unit and count are multiplied in another order: twice two
    # products and a sum to 1 / 2 of the last place of a weight, in 4 batches.
    for ours, theirs in zip(*map(jax.tree.leaves, (perfect(0.3), ideal(0.3)))):
      distance = np.abs(ours - theirs).max()
      self.assertLessEqual(distance, 4 * 6 * 0.5 * np.spacing(theirs.max()))


class LimitsTest(parameterized.TestCase):
  @parameterized.parameters('gokmen_vlasov', 'ecram_mo')
  def test_bounds_are_never_left(self, name):
    array = Array(device_config.PRESETS[name])
    own = array.state.constants[0]
    self.assertGreater(float(jnp.std(own.w_max)), 0.01)
    for up, down, unit in ((900, 20, 0.1), (0, 20, 0.01), (9, 900, 1.0)):
      weights = array.give(up, down, unit)
      self.assertTrue(np.all((own.w_min <= weights) & (weights <= own.w_max)))
    room = (weights - own.w_min) / (own.w_max - own.w_min)
    self.assertLess(np.median(room), 0.1)  # they have come to their ends

  def test_what_cannot_be_held_is_cut_at_first(self):
    config = DeviceConfig(dw_min=STEP, w_max=0.3, w_min=-0.1)
    for weight, held in ((0.5, 0.3), (0.2, 0.2), (-0.5, -0.1)):
      for weights in jax.tree.leaves(Array(config, weight).params):
        np.testing.assert_array_equal(weights, np.float32(held))

  def test_stuck_devices_never_move(self):
    config = DeviceConfig(
      dw_min=STEP,
      dw_min_std=1.0,
      w_max=0.3,
      w_min=-0.5,
      gamma_up=0.5,
      gamma_down=0.5,
      lifetime=20.0,
      corrupt_devices_prob=0.2,
      corrupt_devices_range=0.4,
    )
    array, moved = Array(config), 0.0
    first = np.asarray(array.first[0])
    for turn in range(3):
      moved += np.abs(array.give(20 * turn, 7, STEP) - first)
    is_stuck = moved == 0
    statistics.assert_mean_within(is_stuck.ravel(), 0.2)
    stuck = first[is_stuck]
    self.assertBetween(stuck.min(), -0.4, -0.39)
    self.assertBetween(stuck.max(), 0.29, 0.3)  # where the bound is nearer
    np.testing.assert_array_equal(first[~is_stuck], 0.0)

  def test_a_device_stops_after_its_endurance(self):
    config = DeviceConfig(dw_min=STEP, endurance=10.0, protocol='fixed_step')
    array = Array(config)
    # The last batch that it takes part in is taken whole.
    for pulses in (4, 8, 12, 12, 12):
      array.give(3, 1)
      for counted in jax.tree.leaves(array.state.pulses):
        np.testing.assert_array_equal(counted, pulses)
      for weights in jax.tree.leaves(array.params):
        np.testing.assert_array_equal(weights, pulses / 2 * STEP)

  @parameterized.parameters(('fixed_rate', 0.7), ('fixed_step', 1.0))
  def test_without_a_limit_pulses_are_counted_exactly(self, protocol, ratio):
    config = DeviceConfig(
      dw_min=STEP, endurance=math.inf, protocol=protocol, w_max=2.0, w_min=-2.0
    )
    array = Array(config)
    for _ in range(3):
      array.give(5, 0, 0.7 * STEP)
    for weights, counted in zip(
      *map(jax.tree.leaves, (array.params, array.state.pulses))
    ):
      self.assertEqual(counted.dtype, jnp.int32)
      np.testing.assert_array_equal(weights / STEP, counted)
    counted = np.ravel(array.state.pulses[0])
    statistics.assert_mean_within(counted, 15 * ratio)

  def test_endurance_differs_from_device_to_device(self):
    config = DeviceConfig(
      dw_min=STEP, endurance=100.0, endurance_dtod=0.2, protocol='fixed_step'
    )
    array = Array(config)
    for _ in range(3):
      array.give(80, 0)
    # Below 80, one standard deviation less than the mean, one batch wears out.
    counts = np.ravel(array.state.pulses[0])
    worn = (1 + math.erf(-1 / math.sqrt(2))) / 2
    statistics.assert_mean_within(counts == 80, worn)
    statistics.assert_mean_within(counts >= 160, 1 - worn)

  def test_weights_decay(self):
    array = Array(DeviceConfig(lifetime=10.0), 0.5)
    for turn in range(1, 4):
      array.give(0, 0)
      for weights in jax.tree.leaves(array.params):
        np.testing.assert_allclose(weights, 0.5 * 0.9**turn, rtol=1e-6)

  def test_lifetimes_differ_and_none_is_below_a_batch(self):
    config = DeviceConfig(lifetime=3.0, lifetime_dtod=0.5)
    kept = variability.draw(jax.random.key(0), config, (10_000,)).kept
    self.assertBetween(float(kept.max()), 0.8, 0.9)
    statistics.assert_mean_within(np.asarray(kept) < 1 - 1 / 3.0, 0.5)
    share = (1 + math.erf((1 / 3 - 1) / 0.5 / math.sqrt(2))) / 2
    statistics.assert_mean_within(np.asarray(kept) == 0, share)


class SeedsTest(parameterized.TestCase):
  def test_a_seed_is_the_same_alone_and_beside_others(self):
    start, train = make_varied()
    together = jit(jax.vmap(start))(jnp.arange(2))
    together = shelve(jit(jax.vmap(train))(together))
    start, train = map(jit, (start, train))
    alone = [shelve(train(start(s))) for s in (0, 1, 1)]
    assert_same(alone[1], alone[2])
    for seed in range(2):
      for ours, own in zip(*map(jax.tree.leaves, (together, alone[seed]))):
        np.testing.assert_allclose(ours[seed], own, rtol=1e-6, atol=1e-7)
    first, second = (state.params[0] for state in alone[:2])
    self.assertGreater(np.mean(first != second), 0.9)

  def test_no_two_arrays_are_alike(self):
    start = jit(make_varied()[0])
    drawn = [
      own for seed in range(2) for own in start(seed).opt_state.constants
    ]
    for field in variability.Constants._fields:
      values = np.array([np.ravel(getattr(own, field)) for own in drawn])
      self.assertEqual(values.shape, (4, 1600))
      distance = np.corrcoef(values) - np.eye(4)
      self.assertLess(np.abs(distance).max(), 5 / np.sqrt(1600))

  def test_a_run_that_is_resumed_has_the_same_devices(self):
    start, train = map(jit, make_varied())
    first = train(start(1))
    saved = shelve(first)
    with checkpoints.open_in(self.create_tempdir().full_path) as manager:
      checkpoints.save(manager, saved, {'train': 1.0}, None)
      restored = checkpoints.restore(manager, like=saved).state
    self.assertEqual(jax.tree.structure(saved), jax.tree.structure(restored))
    assert_same(saved, restored)
    restored = restored.replace(key=jax.random.wrap_key_data(restored.key))
    last = shelve(train(first))
    assert_same(last, shelve(train(restored)))
    assert_same(last.opt_state.constants, saved.opt_state.constants)


if __name__ == '__main__':
  absltest.main()
