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
