"""Makes recordings like N-MNIST of any images, with a simulated camera."""

from collections.abc import Iterator
import dataclasses
import json
import pathlib
from typing import NamedTuple

import jax
import numpy as np
import tqdm

from ssnn_jax.datasets import event_camera
from ssnn_jax.datasets import folders
from ssnn_jax.datasets import recordings
from ssnn_jax.datasets import types

_DIGIT_SIZE = 20  # pixels on either side; MNIST frames its digits with zeros
_BATCH_SIZE = 64


class Events(NamedTuple):
  """The events of one recording, sorted by their times."""

  x: np.ndarray  # [E] uint8 column
  y: np.ndarray  # [E] uint8 row
  p: np.ndarray  # [E] uint8 polarity; 1 where it darkens, as in N-MNIST
  t: np.ndarray  # [E] uint32 microseconds


def as_images(images: np.ndarray) -> np.ndarray:
  """Brings images to the size of MNIST's, as MNIST was made.

  Args:
    images: `[N, H, W]` uint8 grey values.

  Returns:
    `[N, 28, 28]` the same images if they have that size; else they are scaled
    to 20 x 20 pixels and framed with zeros.
  """
  if images.shape[1:] == (event_camera.IMAGE_SIZE, event_camera.IMAGE_SIZE):
    return images
  shape = (len(images), _DIGIT_SIZE, _DIGIT_SIZE)
  scaled = jax.image.resize(images.astype(np.float32), shape, 'bilinear')
  margin = (event_camera.IMAGE_SIZE - _DIGIT_SIZE) // 2
  frame = ((0, 0), (margin, margin), (margin, margin))
  return np.pad(np.rint(scaled).astype(np.uint8), frame)


_simulate_many = jax.jit(
  jax.vmap(event_camera.simulate, in_axes=(0, None, None, 0)), static_argnums=1
)


def to_recordings(
  camera: event_camera.Camera, films: event_camera.Film
) -> list[Events]:
  """Lists the events of films, each sorted by time.

  Args:
    camera: the camera that took them.
    films: N films, `[N, K, 34, 34]` and `[N, 34, 34]`.

  Returns:
    N recordings.
  """
  found = []
  for changes, phases in zip(*map(np.asarray, films)):
    places = np.flatnonzero(changes.view(bool))
    steps, pixels = np.divmod(places, event_camera.SENSOR_SIZE**2)
    times = (steps + phases.ravel()[pixels]) * (1000.0 * camera.time_step)
    order = np.argsort(times, kind='stable')
    y, x = np.divmod(pixels[order], event_camera.SENSOR_SIZE)
    found.append(
      Events(
        x=x.astype(np.uint8),
        y=y.astype(np.uint8),
        p=(changes.ravel()[places[order]] < 0).astype(np.uint8),
        t=times[order].astype(np.uint32),
      )
    )
  return found


def record(
  key: jax.Array,
  camera: event_camera.Camera,
  thresholds: jax.Array,
  images: np.ndarray,
) -> Iterator[Events]:
  """Records images one by one, simulating them in batches.

  A recording depends on the key, its image and its index alone, so that the
  first images of a set give the first recordings of the whole.

  Args:
    key: PRNG key; consumed.
    camera: the camera.
    thresholds: `[34, 34]` the thresholds of its pixels.
    images: `[N, 28, 28]` uint8 grey values.

  Yields:
    The recording of each image.
  """
  keys = jax.vmap(jax.random.fold_in, (None, 0))(key, np.arange(len(images)))
  for start in range(0, len(images), _BATCH_SIZE):
    # One size for all batches: another one would be compiled anew.
    indices = np.arange(start, start + _BATCH_SIZE).clip(max=len(images) - 1)
    films = _simulate_many(keys[indices], camera, thresholds, images[indices])
    yield from to_recordings(camera, films)[: len(images) - start]


def encode(events: Events) -> bytes:
  """Encodes a recording as a file of N-MNIST.

  The format has room for rows below 240, which is the mark of an overflow of
  its clock, and for times below 2**23 microseconds.

  Args:
    events: the events.

  Returns:
    5 bytes an event: x, y, (p << 7 | t >> 16), t >> 8 and t.
  """
  t = events.t
  columns = (events.x, events.y, events.p << 7 | t >> 16, t >> 8, t)
  return np.stack(columns, axis=1).astype(np.uint8).tobytes()


def write(
  folder: pathlib.Path,
  source: str,
  train: types.Split,
  test: types.Split,
  camera: event_camera.Camera,
  seed: int = 0,
) -> None:
  """Records a set of images and writes it as N-MNIST is laid out.

  The folder is whole, or it is not there: it gets its name at the end.

  Args:
    folder: where to; it receives `Train` and `Test`, with a folder for each
      label, and `SYNTHETIC.json`, which tells what they are.
    source: name of the set of images.
    train: `[N, H, W]` uint8 images, and their labels.
    test: more of them; the same camera records both.
    camera: the camera.
    seed: what the recordings are drawn from.

  Raises:
    DatasetError: if the folder is there already, or cannot be written.
  """
  if folders.names(folder):
    raise types.DatasetError(
      f'{folder} exists already; remove it, or choose another folder.'
    )
  camera_key, *keys = jax.random.split(jax.random.key(seed), 3)
  thresholds = event_camera.draw_thresholds(camera_key, camera)
  counts = {}
  try:
    with folders.scratch(folder.parent) as scratch:
      unfinished = scratch / folder.name
      for part, split, key in zip(('Train', 'Test'), (train, test), keys):
        recorded = record(key, camera, thresholds, as_images(split.inputs))
        counts[part] = _write_split(unfinished / part, recorded, split.labels)
      about = _describe(source, camera, seed, counts)
      text = json.dumps(about, indent=2) + '\n'
      (unfinished / recordings.SYNTHETIC).write_text(text)
      folders.publish(unfinished, folder)
  except OSError as error:
    raise folders.unwritable(folder, error) from error


def _write_split(folder, recorded, labels):
  """Writes a file for each recording; returns how many, and their events."""
  for label in np.unique(labels):
    (folder / str(label)).mkdir(parents=True)
  num_events = 0
  progress = tqdm.tqdm(
    recorded,
    desc=folder.name,
    total=len(labels),
    unit='recording',
    disable=None,
  )
  for index, (events, label) in enumerate(zip(progress, labels)):
    (folder / str(label) / f'{index + 1:05}.bin').write_bytes(encode(events))
    num_events += len(events.t)
  return {'recordings': len(labels), 'events': num_events}


def _describe(source, camera, seed, counts):
  """Returns what is told of a set of recordings beside them."""
  return {
    'note': (
      f'These recordings are synthetic: a simulated event camera looked at the '
      f'images of {source}. They are not those of N-MNIST, whose layout and '
      'file format they share.'
    ),
    'source': source,
    'seed': seed,
    'camera': dataclasses.asdict(camera),
    'counts': counts,
  }
