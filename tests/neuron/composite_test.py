"""Tests for the rules of the composite neuron."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.neuron import composite
from ssnn_jax.spikes import thresholds
from tests.testing import statistics


def windows(num_steps, window):
  """The windows of a presentation that fits in one block, `[W]`."""
  schedule = spikes.Schedule(num_steps, window)
  assert schedule.num_blocks == 1
  return spikes.block(schedule, 0).windows


def integrated(drives, windows, integration, tau=5.0):
  """Integrates drives `[W, J]` from rest; returns what is read, `[W, J]`."""

  def step(potential, drive_and_window):
    drive, window = drive_and_window
    potential = composite.integrate(potential, drive, window, integration, tau)
    read = composite.read_membrane(potential, window, integration, tau)
    return potential, read

  start = jnp.zeros(drives.shape[1])
  return jax.lax.scan(step, start, (drives, windows))[1]


class CompositeTest(parameterized.TestCase):
  def test_both_drives_read_the_same_crossbar(self):
    keys = [jax.random.key(i) for i in range(4)]
    params = types.LayerParams(
      jax.random.normal(keys[0], (5, 3)), jax.random.normal(keys[1], (3,))
    )
    rates = jax.random.uniform(keys[2], (5,))
    errors = jax.random.normal(keys[3], (3,))
    _, pull = jax.vjp(lambda rates: composite.drive(params, 1.7, rates), rates)
    np.testing.assert_allclose(
      composite.transposed_drive(params, 1.7, errors), pull(errors)[0], 1e-6
    )

  @parameterized.parameters((12, 1), (12, 5), (12, 12))
  def test_mean_is_weighted_by_ticks(self, num_steps, window):
    cut = windows(num_steps, window)
    drives = jax.random.normal(jax.random.key(0), (len(cut.length), 4))
    lengths = np.asarray(cut.length, np.float32)[:, None]
    sums = np.cumsum(lengths * np.asarray(drives), axis=0)
    np.testing.assert_allclose(
      integrated(drives, cut, 'mean'),
      sums / np.cumsum(lengths, axis=0),
      rtol=1e-5,
      atol=1e-6,
    )

  @parameterized.parameters((12, 1), (12, 5), (12, 12))
  def test_leaky_is_the_low_pass_of_its_ticks(self, num_steps, window):
    tau, cut = 5.0, windows(num_steps, window)
    drives = jax.random.normal(jax.random.key(0), (len(cut.length), 4))
    ticks = np.repeat(np.asarray(drives), cut.length, axis=0)
    ages = np.arange(num_steps)[::-1]
    kernel = np.exp(-ages / tau)[:, None]
    np.testing.assert_allclose(
      integrated(drives, cut, 'leaky', tau)[-1],
      np.sum(kernel * ticks, axis=0) / np.sum(kernel),
      rtol=1e-5,
      atol=1e-6,
    )

  @parameterized.product(
    integration=('mean', 'leaky', 'memoryless'), window=(1, 5, 12)
  )
  def test_a_constant_drive_reads_as_itself(self, integration, window):
    cut = windows(12, window)
    drives = jnp.full((len(cut.length), 2), 0.37)
    np.testing.assert_allclose(
      integrated(drives, cut, integration), drives, rtol=1e-6
    )

  @parameterized.parameters('mean', 'leaky', 'memoryless')
  def test_a_window_without_ticks_leaves_the_membrane(self, integration):
    empty = spikes.Window(jnp.zeros(1, jnp.uint32), jnp.int32(0), jnp.int32(9))
    potential = jnp.array([0.3, -2.0])
    after = composite.integrate(
      potential, jnp.array([5.0, 5.0]), empty, integration, 3.0
    )
    np.testing.assert_array_equal(after, potential)

  @parameterized.parameters(-1.5, -1.0, -0.3, 0.0, 0.7, 1.0, 2.0)
  def test_streams_carry_the_clipped_error(self, error):
    num_neurons, cut = 20_000, windows(32, 32)
    window = jax.tree.map(lambda leaf: leaf[0], cut)
    keys = thresholds.make_keys(jax.random.key(0), 1)
    source = thresholds.hashed(
      keys, thresholds.Role.ERROR, 0, jnp.int32(0), jnp.int32(0), num_neurons
    )
    positive, negative = composite.split_streams(
      jax.tree.map(lambda leaf: leaf[None], source),
      jnp.full(num_neurons, error),
      window,
    )
    np.testing.assert_array_equal(positive & negative, 0)
    counts = spikes.count(positive) - spikes.count(negative)
    statistics.assert_mean_within(counts / 32, np.clip(error, -1, 1))


if __name__ == '__main__':
  absltest.main()
