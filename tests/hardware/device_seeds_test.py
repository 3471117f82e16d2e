"""Tests of the devices of a seed: vmapped, independent, restored."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import training
from ssnn_jax.hardware import devices
from ssnn_jax.hardware import variability
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.runs import checkpoints
from tests.testing.devices import assert_same
from tests.testing.devices import make_update

SHAPE = (40, 40)
VARIED = DeviceConfig(  # with every kind of variability
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


def init_varied(seed):
  """Returns the state of a seed: two arrays of varied devices."""
  device, key = devices.make_resistive(VARIED, 1.0), jax.random.key(seed)
  params = (jnp.zeros(SHAPE),) * 2
  params, state = device.init(jax.random.fold_in(key, 1), params)
  return training.TrainState(params, state, key, jnp.int32(0))


def train_varied(state):
  """Applies a few pulses with the keys of one epoch."""
  device = devices.make_resistive(VARIED, 1.0)
  params, opt_state = device.update(
    jax.random.fold_in(state.key, state.epoch),
    make_update(9, 3, SHAPE, unit=0.02, num_arrays=2),
    state.opt_state,
    state.params,
  )
  return state.replace(
    params=params, opt_state=opt_state, epoch=state.epoch + 1
  )


def to_host(state):
  """Returns a state with host arrays, and keys as their data."""
  state = state.replace(key=jax.random.key_data(state.key))
  return jax.tree.map(np.array, state)


class SeedsTest(parameterized.TestCase):
  init = staticmethod(jax.jit(init_varied))
  train = staticmethod(jax.jit(train_varied))

  def test_vmapped_seeds_equal_single_seeds(self):
    states = jax.jit(jax.vmap(init_varied))(jnp.arange(2))
    vmapped = to_host(jax.jit(jax.vmap(train_varied))(states))
    single = [to_host(self.train(self.init(seed))) for seed in (0, 1, 1)]
    assert_same(single[1], single[2])
    for seed in range(2):
      for leaf, own in zip(*map(jax.tree.leaves, (vmapped, single[seed]))):
        np.testing.assert_allclose(leaf[seed], own, rtol=1e-6, atol=1e-7)
    first, second = (state.params[0] for state in single[:2])
    self.assertGreater(np.mean(first != second), 0.9)

  def test_arrays_and_seeds_have_independent_constants(self):
    arrays = [
      constants
      for seed in range(2)
      for constants in self.init(seed).opt_state.constants
    ]
    for field in variability.Constants._fields:
      values = np.array([np.ravel(getattr(array, field)) for array in arrays])
      self.assertEqual(values.shape, (4, 1600))
      correlation = np.corrcoef(values) - np.eye(4)
      self.assertLess(np.abs(correlation).max(), 5 / np.sqrt(1600))

  def test_resumed_run_has_the_same_devices(self):
    first = self.train(self.init(1))
    saved = to_host(first)
    with checkpoints.open_in(self.create_tempdir().full_path) as manager:
      checkpoints.save(manager, saved, {'train': 1.0, 'wall': 2.0}, None)
      restored = checkpoints.restore(manager, like=saved).state
    self.assertEqual(jax.tree.structure(saved), jax.tree.structure(restored))
    assert_same(saved, restored)
    restored = restored.replace(key=jax.random.wrap_key_data(restored.key))
    last = to_host(self.train(first))
    assert_same(last, to_host(self.train(restored)))
    assert_same(last.opt_state.constants, saved.opt_state.constants)
