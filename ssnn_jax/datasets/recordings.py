"""Event-camera recordings in the file format of N-MNIST.

A recording is a file `{Train,Test}/<label>/<number>.bin`, with 5 bytes per
event. The events are decoded once, by tonic, and then memory-mapped from a
cache.
"""

from collections.abc import Iterator
import pathlib
from typing import NamedTuple

import numpy as np
import tqdm

from ssnn_jax.datasets import cache
from ssnn_jax.datasets import errors

WIDTH, HEIGHT, NUM_POLARITIES = 34, 34, 2
SYNTHETIC = 'SYNTHETIC.json'  # this file marks a folder of synthetic recordings

_BYTES_PER_EVENT = 5
_CHUNK_SIZE = 250  # files that are decoded at a time
_PARALLEL_FROM = 4000  # files; decoding fewer is faster than starting workers


class Recordings(NamedTuple):
  """Events of N recordings, concatenated."""

  times: np.ndarray  # [E] uint32 microseconds since the recording's start
  addresses: np.ndarray  # [E] uint16 (polarity HEIGHT + y) WIDTH + x
  offsets: np.ndarray  # [N + 1] int64 first event of each recording, and E
  labels: np.ndarray  # [N] int32 classes


def sensor_shape(num_trains: int) -> tuple[int, ...]:
  """Returns the shape of the trains of a recording.

  Args:
    num_trains: number of trains.

  Returns:
    `[H, W]`, with both polarities `[2, H, W]`; otherwise `[I]`, for trains that
    are not those of the sensor.
  """
  num_polarities, others = divmod(num_trains, HEIGHT * WIDTH)
  if others or num_polarities not in (1, NUM_POLARITIES):
    return (num_trains,)
  shape = num_polarities, HEIGHT, WIDTH
  return shape if num_polarities > 1 else shape[1:]


def load(
  name: str, folder: pathlib.Path, num_classes: int
) -> dict[str, Recordings]:
  """Loads the memory-mapped splits 'train' and 'test' of recordings.

  The folder contains `Train` and `Test`; labels must be below `num_classes`.
  """
  return {
    split: _load_split(f'{name}/{split}', folder / split.title(), num_classes)
    for split in ('train', 'test')
  }


def decode(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
  """Decodes the times `[E]` and addresses `[E]` of one recording."""
  from tonic import datasets as tonic_datasets
  from tonic import io as tonic_io

  try:
    size = path.stat().st_size
    if size % _BYTES_PER_EVENT:
      problem = f'is truncated: an event has 5 bytes, and {size} were found'
      raise errors.damaged(path, problem)
    events = tonic_io.read_mnist_file(str(path), tonic_datasets.NMNIST.dtype)
  except OSError as error:
    raise errors.unreadable(path, error) from error
  if not len(events):
    raise errors.damaged(path, 'is empty: it has no event')
  outside = (events['x'] >= WIDTH) | (events['y'] >= HEIGHT)
  if outside.any():
    x, y = events[['x', 'y']][outside][0]
    problem = f'has an event at ({x}, {y}), outside {WIDTH} x {HEIGHT} pixels'
    raise errors.damaged(path, problem)
  addresses = (events['p'] * HEIGHT + events['y']) * WIDTH + events['x']
  return events['t'].astype(np.uint32), addresses.astype(np.uint16)


def _load_split(name, folder, num_classes):
  """Loads the recordings of one split through the cache."""
  paths, labels = _find(folder, num_classes)
  pixels = [WIDTH, HEIGHT, NUM_POLARITIES]
  provenance = {'dataset': name, 'pixels': pixels}
  provenance |= cache.fingerprint_files(paths)
  arrays = cache.load_or_build(
    cache.entry_name(name, folder), provenance, lambda: _decode_all(name, paths)
  )
  offsets = np.concatenate([[0], np.cumsum(arrays['sizes'], dtype=np.int64)])
  return Recordings(arrays['times'], arrays['addresses'], offsets, labels)


def _find(folder, num_classes):
  """Finds the recordings of a split; returns their paths and labels."""
  paths, labels = [], []
  try:
    classes = [path for path in folder.iterdir() if path.name.isdecimal()]
    for subfolder in sorted(classes, key=lambda path: int(path.name)):
      label = int(subfolder.name)
      files = sorted(p for p in subfolder.iterdir() if p.suffix == '.bin')
      if files and label >= num_classes:
        raise errors.DatasetError(
          f'{subfolder} has the label {label}, out of range 0 to '
          f'{num_classes - 1}; remove the folder.'
        )
      paths += files
      labels += [label] * len(files)
  except FileNotFoundError:
    pass
  except OSError as error:
    raise errors.unreadable(error.filename, error) from error
  if not paths:
    raise errors.DatasetError(
      f'Cannot find a recording {folder}/<label>/<number>.bin; put the folder '
      f'{folder.name} of the dataset into {folder.parent}.'
    )
  return paths, np.array(labels, np.int32)


def _decode_all(name, paths) -> Iterator[dict[str, np.ndarray]]:
  """Yields decoded chunks in order; many files are decoded on all cores."""
  import joblib
  from joblib.externals import loky

  num_workers = joblib.cpu_count() if len(paths) > _PARALLEL_FROM else 1
  decoded = joblib.Parallel(num_workers, return_as='generator')(
    joblib.delayed(_decode_chunk)(paths[start : start + _CHUNK_SIZE])
    for start in range(0, len(paths), _CHUNK_SIZE)
  )
  with tqdm.tqdm(
    total=len(paths), desc=f'decoding {name}', disable=None, unit='recordings'
  ) as progress:
    for chunk in decoded:
      yield chunk
      progress.update(len(chunk['sizes']))
  if num_workers > 1:  # joblib would keep the workers and their memory
    loky.get_reusable_executor().shutdown()


def _decode_chunk(paths):
  """Decodes and concatenates some recordings."""
  times, addresses = zip(*map(decode, paths))
  return {
    'times': np.concatenate(times),
    'addresses': np.concatenate(addresses),
    'sizes': np.array(list(map(len, times)), np.int32),
  }
