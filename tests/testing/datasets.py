"""Small files in the formats of the datasets, and a test case for them."""

import contextlib
import gzip
import io
import os
import pathlib
import struct
import unittest
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np
import PIL.Image
import tensorflow_datasets as tfds

from ssnn_jax import datasets
from ssnn_jax import types

REAL_DATA = pathlib.Path(os.environ.get('TFDS_DATA_DIR') or '/nowhere')


def requires_files(pattern):
  """Skips a test if no real files match a pattern in `$TFDS_DATA_DIR`."""
  return unittest.skipUnless(
    any(REAL_DATA.glob(pattern)), f'no files $TFDS_DATA_DIR/{pattern}'
  )


def idx_bytes(array, type_code=0x08):
  """Returns an IDX file, with the given type in its header."""
  shape = array.shape
  header = struct.pack(f'>2x2B{len(shape)}I', type_code, len(shape), *shape)
  return header + array.tobytes()


def fake_originals():
  """Returns the four files of a small MNIST, with 20 and 10 images."""
  files = {}
  for prefix, size in (('train', 20), ('t10k', 10)):
    files[f'{prefix}-images-idx3-ubyte'] = random_images(size, seed=size)
    files[f'{prefix}-labels-idx1-ubyte'] = np.arange(size, dtype=np.uint8) % 10
  return files


def random_images(num_images, seed=0):
  """Returns 28 x 28 images of uniform noise."""
  pixels = np.random.RandomState(seed).bytes(num_images * 28 * 28)
  return np.frombuffer(pixels, np.uint8).reshape(num_images, 28, 28)


def random_split(size, seed=0):
  """Returns 28 x 28 images of uniform noise, with labels 0, 7, 4, 1, ..."""
  labels = np.arange(size, dtype=np.int32) * 7 % 10
  return datasets.Split(random_images(size, seed), labels)


def random_colors(size, shape=(32, 32, 3), num_classes=10, seed=0):
  """Returns noisy colored images, by default of the shape of CIFAR-10.

  Three rows have one of the colors, which depend on the label.
  """
  random = np.random.default_rng(seed)
  images = random.integers(64, size=(size, *shape), dtype=np.uint8)
  labels = np.arange(size, dtype=np.int32) % num_classes
  for image, label in zip(images, labels):
    image[3 * label : 3 * label + 3, :, label % shape[2]] += 191
  return datasets.Split(images, labels)


def prepare_tfds(name, data_dir, image, label, **splits):
  """Prepares a TFDS dataset in `array_record`, as a script of a user does.

  Takes the features of images, or of sounds, and labels, and images and labels
  of each split; returns the folder of the version.
  """
  is_image = isinstance(image, tfds.features.Image)
  kind = 'image' if is_image else 'audio'

  def examples(split):
    for index, (own, target) in enumerate(zip(*split, strict=True)):
      if is_image and not isinstance(own, PIL.Image.Image):
        own = PIL.Image.fromarray(own)
      yield index, {kind: own, 'label': int(target)}

  class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
      features = tfds.features.FeaturesDict({kind: image, 'label': label})
      info = tfds.core.DatasetInfo(builder=self, features=features)
      info.as_proto.disable_shuffling = True
      info.initialize_from_bucket = lambda: None  # no network
      return info

    def _split_generators(self, dl_manager):
      del dl_manager
      return {part: examples(split) for part, split in splits.items()}

    def _generate_examples(self):
      raise NotImplementedError

  Builder.name = name.rpartition('/')[2]
  builder = Builder(data_dir=data_dir / name.rpartition('/')[0])
  settings = tfds.download.DownloadConfig(try_download_gcs=False)
  with contextlib.redirect_stdout(io.StringIO()):
    builder.download_and_prepare(
      file_format='array_record', download_config=settings
    )
  return pathlib.Path(builder.data_dir)


def event_bytes(events):
  """Returns the N-MNIST file of events (x, y, polarity, microseconds)."""
  return b''.join(
    bytes((x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255))
    for x, y, p, t in events
  )


def items(*splits):
  """Returns the sorted pairs of an image and its label of all splits."""
  return sorted(
    (image.tobytes(), int(label))
    for split in splits
    for image, label in zip(*split, strict=True)
  )


def is_mapped(array):
  """Returns whether an array is memory-mapped."""
  while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
    array = array.base
  return isinstance(array, np.memmap)


def assert_arrays_equal(found, expected):
  """Asserts that trees have equal arrays, including shapes and dtypes."""
  for one, other in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
    np.testing.assert_array_equal(one, other, strict=True)


class DatasetTestCase(parameterized.TestCase):
  """Test case with temporary folders for data and for the cache."""

  def setUp(self):
    super().setUp()
    self.data_dir = self.make_folder()
    self.cache_dir = self.make_folder()
    variables = {'SSNN_JAX_CACHE_DIR': str(self.cache_dir)}
    self.enterContext(mock.patch.dict(os.environ, variables))

  def make_folder(self):
    return pathlib.Path(self.create_tempdir().full_path)

  def write(self, name, content):
    path = self.data_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path

  def write_mnist(self, files, gzipped=False):
    for file, array in files.items():
      content = idx_bytes(array)
      name = f'mnist/{file}.gz' if gzipped else f'mnist/{file}'
      self.write(name, gzip.compress(content) if gzipped else content)

  def assert_refused(self, words, function, *args, **kwargs):
    """Asserts that an error is one sentence with words; caches nothing."""
    with self.assertRaisesRegex(types.UserError, rf'\A[^\n]*{words}[^\n]*\.\Z'):
      function(*args, **kwargs)
    self.assertEmpty([p.name for p in self.cache_dir.rglob('*.npy')])
