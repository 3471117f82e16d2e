"""Simulated event camera with parameters fitted to N-MNIST, and its files.

N-MNIST (Orchard et al., 2015) was recorded by an ATIS sensor in front of a
screen: three saccades of the camera moved each image of MNIST over the sensor.
A pixel emits an event when its log intensity differs from the value at its last
event by more than a threshold. Hot pixels, lens blur, the limited bandwidth of
dark pixels, and delays on the readout bus are not modeled.
"""

from collections.abc import Iterator
import dataclasses
import functools
from typing import NamedTuple
import zlib

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import events
from ssnn_jax.progress import show_progress

IMAGE_SIZE = 28  # height and width of the images of MNIST, in pixels
SENSOR_SIZE = 34  # height and width, in pixels
EVENTS = np.dtype([(name, np.int64) for name in 'xypt'])  # t: microseconds
_DIGIT_SIZE = 20  # height and width of MNIST's digits, without their margin
_BATCH_SIZE = 64


class Saccade(NamedTuple):
  """A shift of the image over the sensor; its speed is half a sine period."""

  start: float  #: milliseconds
  duration: float  #: milliseconds
  columns: float  #: pixels to the right
  rows: float  #: pixels downwards


@dataclasses.dataclass(frozen=True)
class Camera:
  """Parameters of an event camera and its movement, fitted to N-MNIST.

  A capacitor of each pixel leaks, which raises its reference level, so events
  of noise signal darkening (polarity 1), at regular intervals. The three
  saccades of N-MNIST are modeled by five, because its two motors start and stop
  at different times; overlapping ones add up.
  """

  threshold: float = 0.15  #: change of log intensity that triggers an event
  threshold_spread: float = 0.1  #: std over pixels of the log threshold
  gamma: float = 2.2  #: exponent of the screen, from image intensity to light
  dark_level: float = 0.25  #: light on every pixel, relative to white
  noise_rate: float = 0.35  #: leak events per pixel and second
  refractory: float = 1.0  #: milliseconds after an event of a pixel
  time_step: float = 1.0  #: of the simulation, in milliseconds
  duration: float = 310.0  #: of a recording, in milliseconds
  origin: tuple[float, float] = (1.0, 2.0)  #: column and row of the corner
  saccades: tuple[Saccade, ...] = (
    Saccade(start=5.0, duration=70.0, columns=0.0, rows=5.0),
    Saccade(start=40.0, duration=40.0, columns=1.5, rows=0.0),
    Saccade(start=95.0, duration=105.0, columns=3.5, rows=0.0),
    Saccade(start=115.0, duration=65.0, columns=0.0, rows=-5.0),
    Saccade(start=220.0, duration=75.0, columns=-5.0, rows=0.0),
  )


def draw_thresholds(key: jax.Array, camera: Camera) -> jax.Array:
  """Samples the thresholds of the pixels, `[34, 34]`; consumes the key."""
  deviations = jax.random.normal(key, (SENSOR_SIZE, SENSOR_SIZE))
  return camera.threshold * jnp.exp(camera.threshold_spread * deviations)


def record(
  key: jax.Array, camera: Camera, thresholds: jax.Array, images: np.ndarray
) -> Iterator[np.ndarray]:
  """Yields the events of `[N, 28, 28]` uint8 images; consumes the key.

  A recording depends only on the key, the image and its index.
  """
  size = len(images)
  keys = jax.vmap(jax.random.fold_in, (None, 0))(key, np.arange(size))
  for start in range(0, size, _BATCH_SIZE):
    # The last batch is padded, because another size would be compiled again.
    batch = np.arange(start, start + _BATCH_SIZE).clip(max=size - 1)
    all_changes, all_phases = jax.device_get(
      _simulate(keys[batch], camera, thresholds, images[batch])
    )
    for changes, phases in zip(all_changes, all_phases[: size - start]):
      positions = np.flatnonzero(changes.view(bool))
      steps, pixels = np.divmod(positions, SENSOR_SIZE**2)
      times = (steps + phases.ravel()[pixels]) * (1000.0 * camera.time_step)
      by_time = np.argsort(times, kind='stable')
      recorded = np.empty(len(by_time), EVENTS)
      recorded['y'], recorded['x'] = np.divmod(pixels[by_time], SENSOR_SIZE)
      # Darkening has polarity 1, as in N-MNIST.
      recorded['p'] = changes.ravel()[positions[by_time]] < 0
      recorded['t'] = times[by_time]
      yield recorded


@functools.partial(jax.jit, static_argnums=1)
@functools.partial(jax.vmap, in_axes=(0, None, None, 0))
def _simulate(key, camera, thresholds, image):
  """Simulates the recording of one `[28, 28]` uint8 image; consumes the key.

  Returns `[K, 34, 34]` int8 events of the pixels in each time step, at most one
  each: 1 brightens, -1 darkens, 0 is no event; and `[34, 34]` times of the
  events of a pixel within a step, in [0, 1).
  """
  phase_key, leak_key = jax.random.split(key)
  screen = (image.astype(jnp.float32) / 255.0) ** camera.gamma

  def interpolate(position):
    """Returns the linear interpolation weights along one axis, `[34, 28]`."""
    pixels = np.arange(SENSOR_SIZE, dtype=np.float32)
    distances = np.subtract.outer(pixels, pixels[:IMAGE_SIZE])
    # Pixels outside the image are black.
    return jax.nn.relu(1.0 - jnp.abs(distances - position))

  def log_intensity(position):
    columns, rows = map(interpolate, position)
    return jnp.log(rows @ screen @ columns.T + camera.dark_level)

  # Column and row of the image's corner at each step, `[K, 2]`.
  num_steps = round(camera.duration / camera.time_step)
  times = camera.time_step * np.arange(num_steps)[:, None]
  starts, durations, *moves = np.array(camera.saccades).reshape(-1, 4).T
  progress = np.clip((times - starts) / durations, 0.0, 1.0)
  moved = (1.0 - np.cos(np.pi * progress)) / 2.0 @ np.transpose(moves)
  positions = jnp.asarray(camera.origin + moved, jnp.float32)
  leak = camera.noise_rate * camera.time_step / 1000.0

  def step(state, position):
    # The log intensity at the last event, and remaining refractory steps.
    reference, refractory_steps = state
    level = log_intensity(position)
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

  # The start is uniform between two leak events of a still image; without a
  # leak, the reference level starts at the image.
  leaked = jax.random.uniform(
    leak_key, thresholds.shape, maxval=float(camera.noise_rate > 0.0)
  )
  start = log_intensity(positions[0]) + leaked * thresholds
  state = start, jnp.zeros(thresholds.shape, jnp.int32)
  _, changes = jax.lax.scan(step, state, positions)
  return changes, jax.random.uniform(phase_key, thresholds.shape)


def load(
  name: str, images: arrays.Dataset, binning: events.Binning
) -> arrays.Dataset:
  """Returns the spike trains of recordings of a set of `[N, H, W]` images.

  The images are recorded once; the events come from the cache afterwards.
  """

  def simulate_all():
    camera = Camera()
    camera_key, *keys = jax.random.split(jax.random.key(0), 3)
    thresholds = draw_thresholds(camera_key, camera)
    shape, splits = (2, SENSOR_SIZE, SENSOR_SIZE), []
    for (pixels, labels), key in zip((images.train, images.test), keys):
      recorded = record(key, camera, thresholds, resize(pixels))
      recorded = show_progress(recorded, name, total=len(labels))
      encoded = [events.encode(own, shape) for own in recorded]
      order = np.argsort(labels, kind='stable')
      splits.append([(encoded[index], labels[index]) for index in order])
    return events.pack(splits, shape, images.class_names)

  digest = 0
  for array in (*images.train, *images.test):
    digest = zlib.crc32(np.ascontiguousarray(array), digest)
  key = f'{name}-{digest:08x}'
  return events.load(key, [], simulate_all, binning)._replace(name=name)


def resize(images: np.ndarray) -> np.ndarray:
  """Resizes images `[N, H, W]` to `[N, 28, 28]`, unless they have this size.

  As the digits of MNIST, they are scaled to 20 x 20 pixels with a black margin.
  """
  if images.shape[1:] == (IMAGE_SIZE, IMAGE_SIZE):
    return images
  shape = (len(images), _DIGIT_SIZE, _DIGIT_SIZE)
  scaled = jax.image.resize(images.astype(np.float32), shape, 'bilinear')
  margin = (IMAGE_SIZE - _DIGIT_SIZE) // 2
  padding = ((0, 0), (margin, margin), (margin, margin))
  return np.pad(np.rint(scaled).astype(np.uint8), padding)
