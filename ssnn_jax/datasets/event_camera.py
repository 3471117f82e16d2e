"""Simulated event camera with parameters fitted to N-MNIST, and its files.

N-MNIST (Orchard et al., 2015) was recorded by an ATIS sensor in front of a
screen: three saccades of the camera moved each image of MNIST over the sensor.
A pixel emits an event when its log intensity differs from the value at its last
event by more than a threshold. The simulation does not model hot pixels, lens
blur, the limited bandwidth of dark pixels, and delays on the readout bus.
"""

from collections.abc import Iterator
import dataclasses
import json
import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tqdm

from ssnn_jax.datasets import files
from ssnn_jax.datasets import recordings
from ssnn_jax.datasets import types

IMAGE_SIZE = 28  # height and width of the images of MNIST, in pixels
SENSOR_SIZE = recordings.SENSOR_SIZE[0]  # height and width, in pixels
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


def draw_thresholds(key: jax.Array, camera: Camera) -> jax.Array:
  """Samples the thresholds of the pixels, `[34, 34]`; consumes the key."""
  deviations = jax.random.normal(key, (SENSOR_SIZE, SENSOR_SIZE))
  return camera.threshold * jnp.exp(camera.threshold_spread * deviations)


def record(
  key: jax.Array, camera: Camera, thresholds: jax.Array, images: np.ndarray
) -> Iterator[np.ndarray]:
  """Yields the events of `[N, 28, 28]` uint8 images; consumes the key.

  A recording depends only on the key, the image and its index in the dataset.
  """
  keys = jax.vmap(jax.random.fold_in, (None, 0))(key, np.arange(len(images)))
  for start in range(0, len(images), _BATCH_SIZE):
    # The last batch is padded, because another size would be compiled again.
    indices = np.arange(start, start + _BATCH_SIZE).clip(max=len(images) - 1)
    batch = _simulate_batch(keys[indices], camera, thresholds, images[indices])
    all_changes, all_phases = map(np.asarray, batch)
    for changes, phases in zip(all_changes, all_phases[: len(images) - start]):
      positions = np.flatnonzero(changes.view(bool))
      steps, pixels = np.divmod(positions, SENSOR_SIZE**2)
      times = (steps + phases.ravel()[pixels]) * (1000.0 * camera.time_step)
      order = np.argsort(times, kind='stable')
      events = np.empty(len(order), recordings.EVENTS)
      events['y'], events['x'] = np.divmod(pixels[order], SENSOR_SIZE)
      # Darkening has polarity 1, as in N-MNIST.
      events['p'] = changes.ravel()[positions[order]] < 0
      events['t'] = times[order]
      yield events


def simulate(
  key: jax.Array, camera: Camera, thresholds: jax.Array, image: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Simulates the recording of one `[28, 28]` uint8 image; consumes the key.

  Args:
    key: PRNG key.
    camera: the camera; static.
    thresholds: `[34, 34]` thresholds of the pixels.
    image: the image.

  Returns:
    `[K, 34, 34]` int8 events of the pixels in each time step, at most one each:
    1 brightens, -1 darkens, 0 is no event; and `[34, 34]` times of the events
    of a pixel within a step, in [0, 1).
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


_simulate_batch = jax.jit(
  jax.vmap(simulate, in_axes=(0, None, None, 0)), static_argnums=1
)


def write(
  folder: pathlib.Path,
  source: str,
  train: types.Split,
  test: types.Split,
  camera: Camera = Camera(),
  seed: int = 0,
) -> None:
  """Records `[N, H, W]` uint8 images and writes them in the layout of N-MNIST.

  A description in `SYNTHETIC.json` names `source`, the dataset of the images.
  """
  if files.list_names(folder):
    raise files.DatasetError(
      f'{folder} exists already; remove it, or choose another folder.'
    )
  camera_key, *keys = jax.random.split(jax.random.key(seed), 3)
  thresholds = draw_thresholds(camera_key, camera)
  with files.scratch(folder.parent) as scratch:
    unfinished = scratch / folder.name
    for part, split, key in zip(('Train', 'Test'), (train, test), keys):
      for label in np.unique(split.labels):
        (unfinished / part / str(label)).mkdir(parents=True)
      recorded = record(key, camera, thresholds, resize(split.inputs))
      progress = tqdm.tqdm(
        recorded, part, total=len(split.labels), unit='recording', disable=None
      )
      for number, (events, label) in enumerate(zip(progress, split.labels), 1):
        path = unfinished / part / str(label) / f'{number:05}.bin'
        path.write_bytes(recordings.encode_bin(events))
    note = (
      'These recordings are synthetic: a simulated event camera recorded the '
      f'images of {source}. They are not the recordings of N-MNIST, whose '
      'layout and file format they share.'
    )
    description = {'note': note, 'source': source, 'seed': seed}
    description['camera'] = dataclasses.asdict(camera)
    text = json.dumps(description, indent=2)
    (unfinished / recordings.SYNTHETIC).write_text(f'{text}\n')
    files.publish(unfinished, folder)


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
