"""Recordings of an event camera in the format of N-MNIST, decoded by tonic.

A recording is a file `{Train,Test}/<label>/<number>.bin` of 5 bytes an event.
Decoded once, all events lie in a cache, from which they are cut into ticks
(`binning`).
"""

from collections.abc import Iterator
import pathlib
from typing import NamedTuple

import numpy as np
import tqdm

from ssnn_jax.datasets import cache
from ssnn_jax.datasets import types

WIDTH, HEIGHT, NUM_POLARITIES = 34, 34, 2
SYNTHETIC = 'SYNTHETIC.json'  # says so of the recordings beside it

_BYTES_PER_EVENT = 5
_FILES_PER_PART = 250
_FILES_WORTH_WORKERS = 4000  # that take longer to decode than workers to start
_SPLITS = {'train': 'Train', 'test': 'Test'}


class Recordings(NamedTuple):
  """The events of all recordings, one recording after another."""

  times: np.ndarray  # [E] uint32 microseconds since the recording's start
  addresses: np.ndarray  # [E] uint16 (polarity HEIGHT + y) WIDTH + x
  offsets: np.ndarray  # [N + 1] int64 first event of each recording, and E
  labels: np.ndarray  # [N] int32 classes


def load(
  name: str, folder: pathlib.Path, num_classes: int
) -> dict[str, Recordings]:
  """Loads the recordings in a folder, decoding what has not been.

  Args:
    name: the data set.
    folder: where its folders `Train` and `Test` lie.
    num_classes: C; labels are below it.

  Returns:
    The recordings of the splits 'train' and 'test', memory-mapped.

  Raises:
    DatasetError: if there is none, or if one cannot be decoded.
  """
  return {
    split: _load_split(f'{name}/{split}', folder / subfolder, num_classes)
    for split, subfolder in _SPLITS.items()
  }


def decode(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
  """Decodes one recording.

  Args:
    path: its file.

  Returns:
    The times `[E]` and addresses `[E]` of its events, as `Recordings` has them.

  Raises:
    DatasetError: if the file is not what it should be.
  """
  from tonic import datasets as tonic_datasets
  from tonic import io as tonic_io

  try:
    size = path.stat().st_size
    if size % _BYTES_PER_EVENT:
      problem = f'is truncated: an event has 5 bytes, and {size} were found'
      raise types.damaged(path, problem)
    events = tonic_io.read_mnist_file(str(path), tonic_datasets.NMNIST.dtype)
  except OSError as error:
    raise types.unreadable(path, error) from error
  if not len(events):
    raise types.damaged(path, 'is empty: it holds no event')
  outside = (events['x'] >= WIDTH) | (events['y'] >= HEIGHT)
  if outside.any():
    x, y = events[['x', 'y']][outside][0]
    problem = f'has an event at ({x}, {y}), beyond {WIDTH} x {HEIGHT} pixels'
    raise types.damaged(path, problem)
  addresses = (events['p'] * HEIGHT + events['y']) * WIDTH + events['x']
  return events['t'].astype(np.uint32), addresses.astype(np.uint16)


def _load_split(name, folder, num_classes):
  paths, labels = _find(folder, num_classes)
  made_from = {
    'dataset': name,
    'pixels': [WIDTH, HEIGHT, NUM_POLARITIES],
    **cache.describe_files(paths),
  }
  arrays = cache.load_or_make(
    cache.place(name, folder), made_from, lambda: _decode_all(name, paths)
  )
  offsets = np.concatenate([[0], np.cumsum(arrays['sizes'], dtype=np.int64)])
  return Recordings(arrays['times'], arrays['addresses'], offsets, labels)


def _find(folder, num_classes):
  """Finds the recordings of a split; returns their paths and labels."""
  paths, labels = [], []
  try:
    classes = [path for path in folder.iterdir() if path.name.isdecimal()]
    for place in sorted(classes, key=lambda path: int(path.name)):
      found = sorted(path for path in place.iterdir() if path.suffix == '.bin')
      if found and int(place.name) >= num_classes:
        raise types.DatasetError(
          f'{place} is named after the label {place.name}, out of range 0 to '
          f'{num_classes - 1}; remove what is no recording of the set.'
        )
      paths += found
      labels += [int(place.name)] * len(found)
  except FileNotFoundError:
    pass
  except OSError as error:
    raise types.unreadable(error.filename, error) from error
  if not paths:
    raise types.DatasetError(
      f'Cannot find a recording {folder}/<label>/<number>.bin; put the folder '
      f'{folder.name} of the set into {folder.parent}.'
    )
  return paths, np.array(labels, np.int32)


def _decode_all(name, paths) -> Iterator[dict[str, np.ndarray]]:
  """Decodes recordings in order, part by part; many of them, on all cores."""
  import joblib
  from joblib.externals import loky

  parts = [
    paths[start : start + _FILES_PER_PART]
    for start in range(0, len(paths), _FILES_PER_PART)
  ]
  num_workers = joblib.cpu_count() if len(paths) > _FILES_WORTH_WORKERS else 1
  decoded = joblib.Parallel(num_workers, return_as='generator')(
    joblib.delayed(_decode_part)(part) for part in parts
  )
  with tqdm.tqdm(
    total=len(paths), desc=f'decoding {name}', disable=None, unit='recordings'
  ) as progress:
    for part in decoded:
      yield part
      progress.update(len(part['sizes']))
  if num_workers > 1:  # joblib would keep them for minutes, with their memory
    loky.get_reusable_executor().shutdown()


def _decode_part(paths):
  times, addresses = zip(*map(decode, paths))
  return {
    'times': np.concatenate(times),
    'addresses': np.concatenate(addresses),
    'sizes': np.array(list(map(len, times)), np.int32),
  }
