"""Tests for the winner-take-all and its error streams."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax.neuron import wta
from ssnn_jax.spikes import thresholds
from tests.testing import statistics

POTENTIALS = {
  'even': [0.0, 0.0, 0.0, 0.0],
  'mild': [0.3, -1.0, 2.0, 0.5],
  'certain': [0.0, 1000.0, -1000.0, 0.0],
  'last': [-50.0, -50.0, -50.0, 50.0],
}


def present(potential, num_steps=64, num_samples=1, sampler='bernoulli'):
  """Samples winners `[S, K, C]`; returns them and their window."""
  schedule = spikes.Schedule(num_steps, num_steps)
  block = spikes.block(schedule, 0)
  window = jax.tree.map(lambda leaf: leaf[0], block.windows)

  keys = thresholds.make_keys(jax.random.key(0), 1)
  sampler = thresholds.make_sampler(sampler)

  def sample(position):
    role = thresholds.Role.WINNER
    address = thresholds.Address(role, 0, block.words, position)
    source = sampler(keys, address, 1)
    return wta.winner_take_all(source, jnp.array(potential), window)

  return jax.vmap(sample)(jnp.arange(num_samples)), window


class WinnerTakeAllTest(parameterized.TestCase):
  @parameterized.product(name=list(POTENTIALS), num_steps=(1, 10, 32, 100))
  def test_one_class_wins_each_tick(self, name, num_steps):
    winners, _ = present(POTENTIALS[name], num_steps, num_samples=50)
    ticks = jax.vmap(spikes.unpack)(winners)
    np.testing.assert_array_equal(ticks[:, :num_steps].sum(axis=-1), 1)
    np.testing.assert_array_equal(ticks[:, num_steps:], 0)

  @parameterized.product(name=list(POTENTIALS), sampler=('bernoulli', 'sobol'))
  def test_win_rates_are_softmax(self, name, sampler):
    winners, _ = present(POTENTIALS[name], num_samples=20_000, sampler=sampler)
    statistics.assert_mean_within(
      jax.vmap(spikes.count)(winners) / 64,
      jax.nn.softmax(jnp.array(POTENTIALS[name])),
    )

  @parameterized.product(name=list(POTENTIALS), label=(0, 3))
  def test_errors_are_winner_minus_target(self, name, label):
    winners, window = present(POTENTIALS[name], 40, num_samples=20)
    streams = jax.vmap(wta.output_errors, in_axes=(0, None, None))(
      winners, label, window
    )
    positive, negative, ticks = (
      np.asarray(jax.vmap(spikes.unpack)(x))[:, :40]
      for x in (*streams, winners)
    )
    target = np.arange(4) == label
    np.testing.assert_array_equal(positive - negative, ticks - target)
    # One spike in each stream at a tick with a wrong winner, otherwise none.
    wrong = 1 - ticks[..., label]
    np.testing.assert_array_equal(positive.sum(axis=-1), wrong)
    np.testing.assert_array_equal(negative.sum(axis=-1), wrong)
