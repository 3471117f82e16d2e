"""Tests for the membranes."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax.neuron import membrane as membrane_lib

MEMBRANES = (*membrane_lib.MEMBRANES, membrane_lib.leaky(3.0))


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


def random_drives(windows):
  rng = np.random.default_rng(0)
  return rng.normal(size=(len(windows.length), 4)).astype(np.float32)


class MembraneTest(parameterized.TestCase):
  @parameterized.parameters((12, 1), (12, 5), (12, 12))
  def test_mean_weights_windows_by_their_ticks(self, num_steps, window):
    windows = make_windows(num_steps, window)
    drives = random_drives(windows)
    lengths = np.asarray(windows.length, np.float32)[:, None]
    expected = np.cumsum(lengths * np.asarray(drives), axis=0)
    expected /= np.cumsum(lengths, axis=0)
    potentials = integrate(drives, windows, 'mean')
    np.testing.assert_allclose(potentials, expected, rtol=1e-5, atol=1e-6)

  @parameterized.parameters((12, 1), (12, 5), (12, 12))
  def test_ramp_weighs_ticks_by_their_number(self, num_steps, window):
    windows = make_windows(num_steps, window)
    drives = random_drives(windows)
    by_tick = np.repeat(np.asarray(drives), windows.length, axis=0)
    ticks = np.arange(1, num_steps + 1)[:, None]
    expected = np.cumsum(ticks * by_tick, axis=0) / np.cumsum(ticks, axis=0)
    potentials = integrate(drives, windows, 'ramp')
    ends = np.asarray(windows.elapsed) - 1
    np.testing.assert_allclose(potentials, expected[ends], rtol=1e-5, atol=1e-6)

  @parameterized.parameters((12, 1), (12, 5), (12, 12))
  def test_leaky_is_a_normalized_low_pass_filter(self, num_steps, window):
    tau, windows = 5.0, make_windows(num_steps, window)
    drives = random_drives(windows)
    ticks = np.repeat(np.asarray(drives), windows.length, axis=0)
    kernel = np.exp(-np.arange(num_steps)[::-1] / tau)[:, None]
    expected = np.sum(kernel * ticks, axis=0) / np.sum(kernel)
    potentials = integrate(drives, windows, membrane_lib.leaky(tau))
    np.testing.assert_allclose(potentials[-1], expected, rtol=1e-5, atol=1e-6)

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
