"""Tests for neurons that fire at a threshold, and for what enters them."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import network
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.baselines import integrate_and_fire
from ssnn_jax.simulation import inputs as input_lib

HALF_LIFE = float(1 / np.log(2))  # tau of a membrane that halves in a tick
RESETS = {
  'subtract': lambda potential, spike: potential - spike,
  'to_rest': lambda potential, spike: potential * (1 - spike),
}


def pack(trains):
  """Packs spikes `[B, T, I]` to words `[B, K, I]`."""
  return jax.vmap(spikes.pack)(jnp.asarray(trains))


def quarters(rng, *shape, low=-1.0, high=1.0):
  """Draws multiples of 1/4, whose sums and halves float32 holds exactly."""
  return rng.integers(int(4 * low), int(4 * high) + 1, shape) / 4


def quarter_params(rng, sizes):
  """Draws parameters that are multiples of 1/4, in doubles."""
  return [
    types.LayerParams(
      quarters(rng, *shape), quarters(rng, shape[1], low=0.0, high=0.5)
    )
    for shape in zip(sizes[:-1], sizes[1:])
  ]


def as_float32(params):
  """Makes parameters the library's."""
  return jax.tree.map(jnp.float32, tuple(params))


def fire_by_hand(drives, decay, threshold, reset):
  """Drives neurons `[T, J]` from rest, in doubles; spikes and potentials."""
  potential = np.zeros(drives.shape[1])
  fired, potentials = np.zeros_like(drives), np.zeros_like(drives)
  for tick, drive in enumerate(drives):
    potential = decay * potential + drive
    potentials[tick] = potential
    fired[tick] = potential >= threshold
    potential = RESETS[reset](potential, fired[tick])
  return fired, potentials


def fractions_by_hand(trains):
  """Tells the rate and the silent and saturated shares of `[B, T, N]`."""
  fired = trains.astype(bool)
  return (
    fired.mean(),
    (~fired.any(axis=1)).mean(),
    fired.all(axis=1).mean(),
  )


def assert_observes(observed, layers):
  """Asserts what is observed of the trains `[B, T, N]` of each layer."""
  assert len(observed.firing_rates) == len(layers)
  assert all(0 < share < 1 for share in fractions_by_hand(layers[0]))
  for found, expected in zip(
    zip(*observed[:3]), map(fractions_by_hand, layers)
  ):
    # Means of whole numbers below 2**24, rounded once or twice.
    np.testing.assert_allclose(found, expected, rtol=1e-6)
  assert observed[3:] == (None,) * len(observed[3:])


class IntegrateAndFireTest(parameterized.TestCase):
  @parameterized.product(decay=(1.0, 0.5), reset=tuple(RESETS))
  def test_spikes_and_potentials_are_those_of_a_loop(self, decay, reset):
    drives = quarters(np.random.default_rng(0), 16, 20)
    expected = fire_by_hand(drives, decay, 1.0, reset)
    found = integrate_and_fire.integrate_and_fire(
      jnp.float32(drives),
      decay,
      lambda v: (v >= 1.0).astype(v.dtype),
      RESETS[reset],
    )
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    self.assertTrue(np.any(expected[1] == 1.0))  # the threshold itself fires

  def test_a_drive_is_that_of_each_tick(self):
    rng = np.random.default_rng(0)
    (layer,) = quarter_params(rng, (5, 3))
    train = rng.integers(0, 2, (7, 5))
    drives = integrate_and_fire.drive(
      *as_float32([layer]), 2.0, jnp.float32(train)
    )
    for found, spikes_now in zip(drives, train):
      np.testing.assert_array_equal(
        found, 2 * spikes_now @ layer.weights + layer.biases
      )


class EnterTest(parameterized.TestCase):
  def enter(self, config, inputs, key=None, **options):
    params = jax.tree.map(
      jnp.zeros_like, network.init(config, jax.random.key(0))
    )
    key = jax.random.key(2) if key is None else key
    run = functools.partial(integrate_and_fire.enter, config, params, **options)
    return jax.tree.map(np.asarray, jax.jit(run)(key, inputs))

  @parameterized.parameters('bernoulli', 'sobol')
  def test_spikes_are_those_of_the_spiking_network(self, sampler):
    # A membrane that halves in a tick holds the train of its input in binary.
    num_steps, size = 16, 4
    config = ssnn_jax.NetworkConfig(
      (size, size),
      num_steps=num_steps,
      window=1,
      integration='leaky',
      tau=HALF_LIFE,
      sampler=sampler,
    )
    images = jax.random.uniform(jax.random.key(1), (3, size))
    one_to_one = (types.LayerParams(jnp.eye(size), jnp.zeros(size)),)
    seen = jax.jit(ssnn_jax.ssnn(config).infer)(
      one_to_one, jax.random.key(2), images
    )
    train, _ = self.enter(config, images)
    binary = np.einsum('bti,t->bi', train, 2.0 ** np.arange(num_steps))
    # 16 roundings, of 2**-24 each, do not reach half of the last bit.
    np.testing.assert_array_equal(
      np.round((2**num_steps - 1) * np.float64(seen.potential)), binary
    )

  def test_so_they_are_over_several_words(self):
    config = ssnn_jax.NetworkConfig((4, 4), num_steps=70, window=70)
    images = jax.random.uniform(jax.random.key(1), (3, 4))
    one_to_one = (types.LayerParams(jnp.eye(4), jnp.zeros(4)),)
    seen = jax.jit(ssnn_jax.ssnn(config).infer)(
      one_to_one, jax.random.key(2), images
    )
    train, _ = self.enter(config, images)
    self.assertEqual(train.shape, (3, 70, 4))
    np.testing.assert_array_equal(
      train.sum(axis=1), np.round(70 * np.float64(seen.potential))
    )

  def test_spikes_that_are_given_are_relayed_up_to_the_last_tick(self):
    config = ssnn_jax.NetworkConfig((4, 3), num_steps=40)
    trains = np.random.default_rng(0).integers(0, 2, (2, 64, 4))
    train, _ = self.enter(config, pack(trains))
    self.assertEqual(train.dtype, np.float32)
    np.testing.assert_array_equal(train, trains[:, :40])

  def test_units_are_dropped_as_in_the_spiking_network(self):
    config = ssnn_jax.NetworkConfig((4, 30, 20, 3), num_steps=8, dropout=0.5)
    _, kept = self.enter(config, jnp.zeros((2, 4)))
    masks = jax.jit(functools.partial(input_lib.draw_dropout_masks, config))(
      jax.random.key(2), jnp.arange(2)
    )
    jax.tree.map(np.testing.assert_array_equal, kept, masks)
    self.assertEqual({0.0, 1.0}, set(np.concatenate(kept, axis=1).flat))

  def test_labels_that_are_no_classes_are_refused(self):
    config = ssnn_jax.NetworkConfig((4, 3))
    params = network.init(config, jax.random.key(0))
    with self.assertRaisesRegex(ssnn_jax.UserError, '^labels lie within'):
      integrate_and_fire.enter(
        config, params, jax.random.key(1), jnp.zeros((1, 4)), jnp.array([3])
      )


if __name__ == '__main__':
  absltest.main()
