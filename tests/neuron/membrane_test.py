"""Tests for the membranes."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax.neuron import membrane as membrane_lib

MEMBRANES = (*membrane_lib.MEMBRANES, membrane_lib.leaky(3.0))
# Membranes, and the weight of each tick at the end of several.
WEIGHTS = {
  'mean': ('mean', lambda tick, end: np.ones(end)),
  'leaky': (membrane_lib.leaky(5.0), lambda t, end: np.exp((t - end) / 5.0)),
}


def make_windows(num_steps, window):
  """Returns the windows of a presentation, `[W]`."""
  starts = np.arange(0, num_steps, window, dtype=np.int32)
  ends = np.minimum(starts + window, num_steps).astype(np.int32)
  return spikes.Window(starts, ends - starts, ends)


@functools.partial(jax.jit, static_argnames='integration')
def integrate(drives, windows, integration):
  """Integrates drives `[W, J]`; returns the potentials `[W, J]`."""
  membrane = membrane_lib.find(integration)

  def step(state, drive_and_window):
    drive, window = drive_and_window
    state = membrane.integrate(state, drive, window)
    return state, membrane.read(state, window)

  start = membrane.init(drives.shape[1])
  return jax.lax.scan(step, start, (drives, windows))[1]


class MembraneTest(parameterized.TestCase):
  @parameterized.product(name=list(WEIGHTS), window=(1, 5, 12))
  def test_potential_is_a_weighted_mean_of_the_drives_so_far(
    self, name, window
  ):
    windows = make_windows(12, window)
    rng = np.random.default_rng(0)
    drives = rng.normal(size=(len(windows.length), 4)).astype(np.float32)
    by_tick = np.repeat(drives, windows.length, axis=0)
    integration, weigh = WEIGHTS[name]
    potentials = integrate(drives, windows, integration)
    for potential, end in zip(potentials, windows.elapsed):
      weights = weigh(np.arange(1, end + 1), end)
      expected = weights @ by_tick[:end] / weights.sum()
      np.testing.assert_allclose(potential, expected, rtol=1e-5, atol=1e-6)

  @parameterized.product(integration=MEMBRANES, window=(1, 5, 12))
  def test_constant_drive_reads_as_itself(self, integration, window):
    windows = make_windows(12, window)
    drives = np.full((len(windows.length), 2), 0.37, np.float32)
    potentials = integrate(drives, windows, integration)
    np.testing.assert_allclose(potentials, drives, rtol=1e-6)

  @parameterized.product(integration=MEMBRANES)
  def test_window_without_ticks_keeps_the_state(self, integration):
    empty = spikes.Window(jnp.zeros(1, jnp.uint32), jnp.int32(0), jnp.int32(9))
    state = jnp.array([0.3, -2.0])
    membrane = membrane_lib.find(integration)
    after = membrane.integrate(state, jnp.array([5.0, 5.0]), empty)
    np.testing.assert_array_equal(after, state)
