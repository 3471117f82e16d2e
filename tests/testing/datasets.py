"""What tests of data sets share: small files of their true layouts."""

import gzip
import os
import pathlib
import struct
from unittest import mock

from absl.testing import parameterized
import numpy as np

import ssnn_jax


def idx_bytes(array, type_code=0x08, shape=None):
  """Returns an IDX file, whose header says what it is told to say."""
  shape = array.shape if shape is None else shape
  header = struct.pack(f'>2x2B{len(shape)}I', type_code, len(shape), *shape)
  return header + array.tobytes()


def fake_originals():
  """Returns the four files of a small MNIST: 20 images, and 10 to test."""
  files = {}
  for prefix, size in (('train', 20), ('t10k', 10)):
    pixels = np.random.RandomState(size).bytes(size * 28 * 28)
    images = np.frombuffer(pixels, np.uint8).reshape(size, 28, 28)
    files[f'{prefix}-images-idx3-ubyte'] = images
    files[f'{prefix}-labels-idx1-ubyte'] = np.arange(size, dtype=np.uint8) % 10
  return files


def event_bytes(events):
  """Returns the file of events (x, y, polarity, microseconds)."""
  return b''.join(
    bytes((x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255))
    for x, y, p, t in events
  )


def random_events(seed, size=300, duration=310_000):
  """Draws events in order of time."""
  random = np.random.RandomState(seed)
  times = np.sort(random.randint(duration, size=size))
  x, y, p = (random.randint(n, size=size) for n in (34, 34, 2))
  return [tuple(map(int, event)) for event in zip(x, y, p, times)]


def items(*splits):
  """Returns what the splits hold as sorted pairs of an image and its label."""
  return sorted(
    (image.tobytes(), int(label))
    for split in splits
    for image, label in zip(*split, strict=True)
  )


def is_mapped(array):
  """Tells whether an array is memory-mapped."""
  while isinstance(array, np.ndarray):
    if isinstance(array, np.memmap):
      return True
    array = array.base
  return False


class DatasetTestCase(parameterized.TestCase):
  """A test with a data folder and a cache of its own."""

  def setUp(self):
    super().setUp()
    self.data_dir = pathlib.Path(self.create_tempdir().full_path)
    self.cache_dir = pathlib.Path(self.create_tempdir().full_path)
    variables = {'SSNN_JAX_CACHE_DIR': str(self.cache_dir)}
    self.enterContext(mock.patch.dict(os.environ, variables))

  def write(self, name, content):
    path = self.data_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path

  def write_mnist(self, files, gzipped=False):
    for file, array in files.items():
      content = idx_bytes(array)
      if gzipped:
        self.write(f'mnist/{file}.gz', gzip.compress(content))
      else:
        self.write(f'mnist/{file}', content)

  def assert_refused(self, start, detail, function, *args, **kwargs):
    """Asserts that an error is one sentence, with a start and a detail."""
    with self.assertRaises(ssnn_jax.datasets.DatasetError) as caught:
      function(*args, **kwargs)
    message = str(caught.exception)
    self.assertStartsWith(message, start)
    self.assertIn(detail, message)
    self.assertEndsWith(message, '.')
    self.assertNotIn('\n', message)
    return message


class RecordingsTestCase(DatasetTestCase):
  """A test with small recordings of its own."""

  def setUp(self):
    super().setUp()
    self.folder = self.data_dir / 'NMNIST'

  def write_recordings(self, sizes=(7, 3)):
    """Writes recordings of all digits; returns events in their order."""
    written = []
    for subfolder, size in zip(('Train', 'Test'), sizes):
      by_label = {}
      for number in range(size):
        events = random_events(number, size=1 + 90 * number)
        label = number * 7 % 10
        path = f'NMNIST/{subfolder}/{label}/{number + 1:05d}.bin'
        self.write(path, event_bytes(events))
        by_label.setdefault(label, []).append(events)
      written.append([(k, e) for k in sorted(by_label) for e in by_label[k]])
    return written
