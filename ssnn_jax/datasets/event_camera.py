"""Simulated event camera with parameters fitted to N-MNIST.

N-MNIST (Orchard et al., 2015) was recorded by an ATIS sensor in front of a
screen: three saccades of the camera moved each image of MNIST over the sensor.
A pixel emits an event when its log intensity differs from the value at its last
event by more than a threshold. The simulation does not model hot pixels, lens
blur, the limited bandwidth of dark pixels, and delays on the readout bus.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.datasets import recordings

IMAGE_SIZE = 28  # height and width of the images of MNIST, in pixels
SENSOR_SIZE = recordings.WIDTH  # height and width of the sensor, in pixels


class Saccade(NamedTuple):
  """A shift of the image over the sensor; its speed is half a sine period."""

  start: float  # milliseconds
  duration: float  # milliseconds
  columns: float  # pixels to the right
  rows: float  # pixels downwards


@dataclasses.dataclass(frozen=True)
class Camera:
  """Parameters of an event camera and its movement, fitted to N-MNIST.

  Attributes:
    threshold: change of log intensity that triggers an event.
    threshold_spread: standard deviation over pixels of the log threshold, from
      transistor mismatch.
    gamma: exponent of the screen, from image intensity to light.
    dark_level: background light on every pixel, relative to white.
    noise_rate: leak events per pixel and second. The reference level of a pixel
      rises as its capacitor leaks, so leak events signal darkening (polarity
      1), at regular intervals.
    refractory: refractory period of a pixel after an event, in milliseconds.
    time_step: simulation time step, in milliseconds.
    duration: duration of a recording, in milliseconds.
    origin: sensor column and row of the image's top left corner at the start.
    saccades: camera movements; overlapping ones add up. The three saccades of
      N-MNIST are modeled by five, because its two motors start and stop at
      different times.
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
    """Number of time steps of a recording, K."""
    return round(self.duration / self.time_step)


class PixelEvents(NamedTuple):
  """Events of the pixels in each time step of a recording."""

  changes: jax.Array  # [K, 34, 34] int8; 1 brightens, -1 darkens, 0 no event
  phases: jax.Array  # [34, 34] event time of a pixel within a step, in [0, 1)


def draw_thresholds(key: jax.Array, camera: Camera) -> jax.Array:
  """Samples the thresholds of the pixels, `[34, 34]`; consumes the key."""
  deviations = jax.random.normal(key, (SENSOR_SIZE, SENSOR_SIZE))
  return camera.threshold * jnp.exp(camera.threshold_spread * deviations)


def simulate(
  key: jax.Array, camera: Camera, thresholds: jax.Array, image: jax.Array
) -> PixelEvents:
  """Simulates the recording of one `[28, 28]` uint8 image; consumes the key.

  A pixel has at most one event in each time step; the camera is static.
  """
  phase_key, leak_key = jax.random.split(key)
  screen = (image.astype(jnp.float32) / 255.0) ** camera.gamma
  positions = _positions(camera)
  # The start is uniform between two leak events of a still image; without a
  # leak, the reference level starts at the image.
  leaked = jax.random.uniform(
    leak_key, thresholds.shape, maxval=float(camera.noise_rate > 0.0)
  )
  reference = _log_intensity(camera, screen, positions[0]) + leaked * thresholds
  _, changes = jax.lax.scan(
    lambda state, position: _step(camera, thresholds, screen, state, position),
    (reference, jnp.zeros(thresholds.shape, jnp.int32)),
    positions,
  )
  return PixelEvents(changes, jax.random.uniform(phase_key, thresholds.shape))


def _positions(camera):
  """Returns the column and row of the image's corner at each step, `[K, 2]`."""
  times = camera.time_step * np.arange(camera.num_steps)[:, None]
  starts, durations, *moves = np.array(camera.saccades).reshape(-1, 4).T
  progress = np.clip((times - starts) / durations, 0.0, 1.0)
  moved = (1.0 - np.cos(np.pi * progress)) / 2.0 @ np.transpose(moves)
  return jnp.asarray(camera.origin + moved, jnp.float32)


def _log_intensity(camera, screen, position):
  """Returns the log intensity on the sensor, `[34, 34]`."""
  columns, rows = map(_interpolation, position)
  return jnp.log(rows @ screen @ columns.T + camera.dark_level)


def _interpolation(position):
  """Returns the linear interpolation weights along one axis, `[34, 28]`."""
  pixels = np.arange(SENSOR_SIZE, dtype=np.float32)
  distances = np.subtract.outer(pixels, pixels[:IMAGE_SIZE])
  # Pixels outside the image are black.
  return jax.nn.relu(1.0 - jnp.abs(distances - position))


def _step(camera, thresholds, screen, state, position):
  """Advances the sensor by one time step; returns its state and changes.

  The state of a pixel is the log intensity at its last event, and its number of
  remaining refractory steps.
  """
  reference, refractory_steps = state
  level = _log_intensity(camera, screen, position)
  leak = camera.noise_rate * camera.time_step / 1000.0
  reference = reference + leak * thresholds
  change = level - reference
  is_active = refractory_steps == 0
  fires = is_active & (jnp.abs(change) >= thresholds)
  refractory_steps = jnp.where(
    fires,
    round(camera.refractory / camera.time_step),
    jnp.maximum(refractory_steps - 1, 0),
  )
  # The reference follows the light during the refractory period.
  reference = jnp.where(fires | ~is_active, level, reference)
  changes = jnp.where(fires, jnp.sign(change), 0.0).astype(jnp.int8)
  return (reference, refractory_steps), changes
