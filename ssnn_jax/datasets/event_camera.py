"""A simulated event camera, fitted to the one that recorded N-MNIST.

N-MNIST (Orchard et al., 2015) was recorded by an ATIS sensor that looked at the
images of MNIST on a screen and was turned in three saccades, so that the image
moved over it. A pixel of an event camera knows the logarithm of the light that
falls on it, and tells of nothing but its changes: it fires where the logarithm
has left the value at its last event by more than a threshold.

The camera here does the same with an image that is moved before it. What it
leaves out: hot pixels, blur of the lens, the finite speed of a pixel in the
dark, and events that wait in a queue for a common bus.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.datasets import recordings

IMAGE_SIZE = 28  # pixels on either side, of MNIST
SENSOR_SIZE = recordings.WIDTH  # pixels on either side, of N-MNIST


class Saccade(NamedTuple):
  """A turn of the camera, which moves the image over the sensor.

  Its speed rises and falls as half a period of a sine.
  """

  start: float  # milliseconds
  duration: float  # milliseconds
  columns: float  # pixels to the right
  rows: float  # pixels downwards


@dataclasses.dataclass(frozen=True)
class Camera:
  """An event camera and how it is turned; fitted to N-MNIST, in round values.

  Attributes:
    threshold: change of log intensity that makes a pixel fire.
    threshold_spread: standard deviation over the pixels of the logarithm of
      their thresholds, which differ as transistors do.
    gamma: exponent by which the screen turns grey values into light.
    dark_level: light that falls on a pixel from elsewhere; white is 1.
    noise_rate: events per pixel and second that no light makes. The reference
      leaks from a pixel's capacitor, always towards darkening, so that they are
      all of polarity 1 and come at even intervals.
    refractory: milliseconds for which a pixel is blind after an event.
    time_step: milliseconds of a step of the simulation.
    duration: milliseconds of a recording.
    origin: the column and the row of the sensor that the corner of the image
      first falls on.
    saccades: turns of the camera; those that overlap add up. The three of
      N-MNIST are five, as two motors turn it, neither at the other's times.
  """

  threshold: float = 0.15
  threshold_spread: float = 0.1
  gamma: float = 2.2
  dark_level: float = 0.25
  noise_rate: float = 0.35
  refractory: float = 1.0
  time_step: float = 1.0
  duration: float = 310.0
  origin: tuple[float, float] = (1.0, 2.0)
  saccades: tuple[Saccade, ...] = (
    Saccade(start=5.0, duration=70.0, columns=0.0, rows=5.0),
    Saccade(start=40.0, duration=40.0, columns=1.5, rows=0.0),
    Saccade(start=95.0, duration=105.0, columns=3.5, rows=0.0),
    Saccade(start=115.0, duration=65.0, columns=0.0, rows=-5.0),
    Saccade(start=220.0, duration=75.0, columns=-5.0, rows=0.0),
  )

  @property
  def num_steps(self) -> int:
    """The number of steps of a recording, K."""
    return round(self.duration / self.time_step)


class Film(NamedTuple):
  """What the pixels of the sensor do in each step of a recording."""

  changes: jax.Array  # [K, 34, 34] int8; 1 brightens, -1 darkens, 0 is silent
  phases: jax.Array  # [34, 34] when a pixel fires within a step, in [0, 1)


class _State(NamedTuple):
  reference: jax.Array  # [34, 34] log intensity that a change is measured from
  blind_steps: jax.Array  # [34, 34] int32 steps until a pixel sees again


def draw_thresholds(key: jax.Array, camera: Camera) -> jax.Array:
  """Draws the thresholds of a camera's pixels, `[34, 34]`; consumes the key."""
  deviations = jax.random.normal(key, (SENSOR_SIZE, SENSOR_SIZE))
  return camera.threshold * jnp.exp(camera.threshold_spread * deviations)


def simulate(
  key: jax.Array, camera: Camera, thresholds: jax.Array, image: jax.Array
) -> Film:
  """Shows one image to the camera; `vmap` shows many.

  Args:
    key: PRNG key; consumed.
    camera: the camera; static.
    thresholds: `[34, 34]` the thresholds of its pixels.
    image: `[28, 28]` uint8 grey values.

  Returns:
    What the pixels do. A pixel fires at most once in a step.
  """
  phase_key, leak_key = jax.random.split(key)
  screen = (image.astype(jnp.float32) / 255.0) ** camera.gamma
  positions = _positions(camera)
  # An image at rest leaves a pixel anywhere between two events of its leak,
  # and where nothing leaks, at the level of the image.
  leaked = jax.random.uniform(
    leak_key, thresholds.shape, maxval=float(camera.noise_rate > 0.0)
  )
  start = _State(
    reference=_log_intensity(camera, screen, positions[0])
    + leaked * thresholds,
    blind_steps=jnp.zeros(thresholds.shape, jnp.int32),
  )
  _, changes = jax.lax.scan(
    lambda state, position: _step(camera, thresholds, screen, state, position),
    start,
    positions,
  )
  return Film(changes, jax.random.uniform(phase_key, thresholds.shape))


def _positions(camera):
  """Returns where the corner of the image is at each step, `[K, 2]`."""
  times = camera.time_step * np.arange(camera.num_steps)[:, None]
  starts, durations, *moves = np.array(camera.saccades).reshape(-1, 4).T
  done = np.clip((times - starts) / durations, 0.0, 1.0)
  moved = (1.0 - np.cos(np.pi * done)) / 2.0 @ np.transpose(moves)
  return jnp.asarray(camera.origin + moved, jnp.float32)


def _log_intensity(camera, screen, position):
  """Returns the logarithm of the light on the sensor, `[34, 34]`."""
  columns, rows = map(_interpolation, position)
  return jnp.log(rows @ screen @ columns.T + camera.dark_level)


def _interpolation(position):
  """Returns how pixels of the sensor mix those of the image, `[34, 28]`."""
  pixels = np.arange(SENSOR_SIZE, dtype=np.float32)
  distances = np.subtract.outer(pixels, pixels[:IMAGE_SIZE])
  # Tents interpolate linearly, and leave it dark beyond the image.
  return jax.nn.relu(1.0 - jnp.abs(distances - position))


def _step(camera, thresholds, screen, state, position):
  """Advances the sensor by a step; returns its state and `[34, 34]` changes."""
  level = _log_intensity(camera, screen, position)
  leak = camera.noise_rate * camera.time_step / 1000.0
  reference = state.reference + leak * thresholds
  change = level - reference
  sees = state.blind_steps == 0
  fires = sees & (jnp.abs(change) >= thresholds)
  blind_steps = jnp.where(
    fires,
    round(camera.refractory / camera.time_step),
    jnp.maximum(state.blind_steps - 1, 0),
  )
  # A pixel is held at the level that it sees until it is blind no more.
  reference = jnp.where(fires | ~sees, level, reference)
  changes = jnp.where(fires, jnp.sign(change), 0.0).astype(jnp.int8)
  return _State(reference, blind_steps), changes
