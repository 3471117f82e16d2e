"""Synthetic recordings of any images, in the file format of N-MNIST."""

from collections.abc import Iterator
import dataclasses
import json
import pathlib
from typing import NamedTuple

import jax
import numpy as np
import tqdm

from ssnn_jax.datasets import errors
from ssnn_jax.datasets import event_camera
from ssnn_jax.datasets import folders
from ssnn_jax.datasets import recordings
from ssnn_jax.datasets import types

_DIGIT_SIZE = 20  # height and width of MNIST's digits, without their margin
_BATCH_SIZE = 64


class Events(NamedTuple):
  """Events of one recording, sorted by time."""

  x: np.ndarray  # [E] uint8 column
  y: np.ndarray  # [E] uint8 row
  p: np.ndarray  # [E] uint8 polarity; 1 is darkening, as in N-MNIST
  t: np.ndarray  # [E] uint32 microseconds


def write(
  folder: pathlib.Path,
  source: str,
  train: types.Split,
  test: types.Split,
  camera: event_camera.Camera,
  seed: int = 0,
) -> None:
  """Records `[N, H, W]` uint8 images and writes them in the layout of N-MNIST.

  A description in `SYNTHETIC.json` names `source`, the dataset of the images.
  """
  if folders.list_names(folder):
    raise errors.DatasetError(
      f'{folder} exists already; remove it, or choose another folder.'
    )
  camera_key, *keys = jax.random.split(jax.random.key(seed), 3)
  thresholds = event_camera.draw_thresholds(camera_key, camera)
  counts = {}
  try:
    with folders.scratch(folder.parent) as scratch:
      unfinished = scratch / folder.name
      for part, split, key in zip(('Train', 'Test'), (train, test), keys):
        recorded = record(key, camera, thresholds, resize(split.inputs))
        counts[part] = _write_split(unfinished / part, recorded, split.labels)
      description = _describe(source, camera, seed, counts)
      (unfinished / recordings.SYNTHETIC).write_text(description)
      folders.publish(unfinished, folder)
  except OSError as error:
    raise errors.unwritable(folder, error) from error


def resize(images: np.ndarray) -> np.ndarray:
  """Resizes images `[N, H, W]` to `[N, 28, 28]`, unless they have this size.

  As the digits of MNIST, they are scaled to 20 x 20 pixels with a black margin.
  """
  if images.shape[1:] == (event_camera.IMAGE_SIZE, event_camera.IMAGE_SIZE):
    return images
  shape = (len(images), _DIGIT_SIZE, _DIGIT_SIZE)
  scaled = jax.image.resize(images.astype(np.float32), shape, 'bilinear')
  margin = (event_camera.IMAGE_SIZE - _DIGIT_SIZE) // 2
  padding = ((0, 0), (margin, margin), (margin, margin))
  return np.pad(np.rint(scaled).astype(np.uint8), padding)


def record(
  key: jax.Array,
  camera: event_camera.Camera,
  thresholds: jax.Array,
  images: np.ndarray,
) -> Iterator[Events]:
  """Yields the recordings of `[N, 28, 28]` uint8 images; consumes the key.

  A recording depends only on the key, the image and its index in the dataset.
  """
  keys = jax.vmap(jax.random.fold_in, (None, 0))(key, np.arange(len(images)))
  for start in range(0, len(images), _BATCH_SIZE):
    # The last batch is padded, because another size would be compiled again.
    indices = np.arange(start, start + _BATCH_SIZE).clip(max=len(images) - 1)
    batch = _simulate_batch(keys[indices], camera, thresholds, images[indices])
    changes, phases = map(np.asarray, batch)
    for index in range(min(_BATCH_SIZE, len(images) - start)):
      yield _sort_events(camera, changes[index], phases[index])


_simulate_batch = jax.jit(
  jax.vmap(event_camera.simulate, in_axes=(0, None, None, 0)), static_argnums=1
)


def _sort_events(camera, changes, phases):
  """Converts the pixel events of a recording to events sorted by time."""
  positions = np.flatnonzero(changes.view(bool))
  steps, pixels = np.divmod(positions, event_camera.SENSOR_SIZE**2)
  times = (steps + phases.ravel()[pixels]) * (1000.0 * camera.time_step)
  order = np.argsort(times, kind='stable')
  y, x = np.divmod(pixels[order], event_camera.SENSOR_SIZE)
  p = changes.ravel()[positions[order]] < 0
  x, y, p = (values.astype(np.uint8) for values in (x, y, p))
  return Events(x, y, p, times[order].astype(np.uint32))


def _write_split(folder, recorded, labels):
  """Writes one file per recording; counts the recordings and events."""
  for label in np.unique(labels):
    (folder / str(label)).mkdir(parents=True)
  num_events = 0
  progress = tqdm.tqdm(
    recorded, folder.name, total=len(labels), unit='recording', disable=None
  )
  for index, (events, label) in enumerate(zip(progress, labels)):
    (folder / str(label) / f'{index + 1:05}.bin').write_bytes(encode(events))
    num_events += len(events.t)
  return {'recordings': len(labels), 'events': num_events}


def encode(events: Events) -> bytes:
  """Encodes events in the file format of N-MNIST, in 5 bytes each.

  Rows must be below 240, a mark of timer overflow, and times below 2**23 us.
  """
  t = events.t
  columns = (events.x, events.y, events.p << 7 | t >> 16, t >> 8, t)
  return np.stack(columns, axis=1).astype(np.uint8).tobytes()


def _describe(source, camera, seed, counts):
  """Returns the JSON description of a folder of synthetic recordings."""
  note = (
    'These recordings are synthetic: a simulated event camera recorded the '
    f'images of {source}. They are not the recordings of N-MNIST, whose '
    'layout and file format they share.'
  )
  description = {'note': note, 'source': source, 'seed': seed}
  description |= {'camera': dataclasses.asdict(camera), 'counts': counts}
  # NumPy scalars are valid seeds and parameters.
  return json.dumps(description, indent=2, default=np.generic.item) + '\n'
