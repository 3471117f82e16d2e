"""Small files in the formats of the datasets, and test cases that use them."""

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

from ssnn_jax import datasets
from ssnn_jax.datasets import tfds_sets

REAL_DATA = pathlib.Path(os.environ.get('TFDS_DATA_DIR') or '/nowhere')


def requires_files(pattern):
  """Skips a test if no real files match a pattern in `$TFDS_DATA_DIR`."""
  return unittest.skipUnless(
    any(REAL_DATA.glob(pattern)), f'no files $TFDS_DATA_DIR/{pattern}'
  )


def idx_bytes(array, type_code=0x08, shape=None):
  """Returns an IDX file, with the given type and shape in its header."""
  shape = array.shape if shape is None else shape
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

  Args:
    name: name of the dataset.
    data_dir: folder of all datasets.
    image: feature of the images; None leaves it out.
    label: feature of the labels.
    **splits: images and labels of each split.

  Returns:
    The folder of the version.
  """
  tfds = tfds_sets.import_tfds()
  features = {'label': label, 'id': tfds.features.Text()}
  features |= {'image': image} if image else {}

  def examples(split):
    for index, (pixels, target) in enumerate(zip(*split, strict=True)):
      if not isinstance(pixels, PIL.Image.Image):
        pixels = PIL.Image.fromarray(pixels)
      values = {'image': pixels, 'label': int(target), 'id': f'item {index}'}
      yield index, {key: values[key] for key in features}

  class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
      own = tfds.features.FeaturesDict(features)
      info = tfds.core.DatasetInfo(builder=self, features=own)
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


def random_events(seed, size=300, duration=310_000):
  """Draws events sorted by time."""
  random = np.random.RandomState(seed)
  times = np.sort(random.randint(duration, size=size))
  x, y, p = (random.randint(n, size=size) for n in (34, 34, 2))
  return [tuple(map(int, event)) for event in zip(x, y, p, times)]


def items(*splits):
  """Returns the sorted pairs of an image and its label of all splits."""
  return sorted(
    (image.tobytes(), int(label))
    for split in splits
    for image, label in zip(*split, strict=True)
  )


def is_mapped(array):
  """Returns whether an array is memory-mapped."""
  while isinstance(array, np.ndarray):
    if isinstance(array, np.memmap):
      return True
    array = array.base
  return False


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
      if gzipped:
        self.write(f'mnist/{file}.gz', gzip.compress(content))
      else:
        self.write(f'mnist/{file}', content)

  def list_cached(self):
    """Lists the entries of the cache, and what is left of unfinished ones."""
    return [path.name for path in self.cache_dir.glob('datasets/*')]

  def assert_refused(self, start, detail, function, *args, **kwargs):
    """Asserts that an error is one sentence with this start and this detail."""
    with self.assertRaises(datasets.DatasetError) as caught:
      function(*args, **kwargs)
    message = str(caught.exception)
    self.assertStartsWith(message, start)
    self.assertIn(detail, message)
    self.assertEndsWith(message, '.')
    self.assertNotIn('\n', message)
    return message

  def assert_load_refused(self, name, start, detail=''):
    """Asserts the error of loading a dataset, and that nothing is cached."""
    message = self.assert_refused(
      start, detail, datasets.load, name, self.data_dir
    )
    self.assertEmpty(self.list_cached())
    return message


class RecordingsTestCase(DatasetTestCase):
  """Test case with small recordings."""

  def setUp(self):
    super().setUp()
    self.folder = self.data_dir / 'NMNIST'

  def write_recordings(self, sizes=(7, 3)):
    """Writes recordings; returns their labels and events, in loading order."""
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
