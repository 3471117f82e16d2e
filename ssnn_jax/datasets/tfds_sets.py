"""Prepared datasets of TensorFlow Datasets (TFDS), without TensorFlow.

A prepared dataset is a folder `<data_dir>/<name>/<version>/`. Only the format
`array_record` can be read and written without TensorFlow.
"""

from collections.abc import Sequence
import contextlib
import io
import json
import pathlib
import re
import sys
import types as builtin_types

import numpy as np
import tqdm

from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import files
from ssnn_jax.datasets import types

FORMAT = 'array_record'
_CHUNK_SIZE = 1024  # items that are read at a time
_NAME = re.compile(r'\w+(/[\w.+-]*\w[\w.+-]*)?')  # <name> or <name>/<config>
_MODES = {1: 'L', 3: 'RGB', 4: 'RGBA'}  # of Pillow, by the number of channels
_TEST_SPLITS = 'test', 'validation'  # the first that a dataset has


def find(name: str, data_dir: pathlib.Path) -> pathlib.Path | None:
  """Finds the newest version in `array_record`, if any, without using TFDS."""
  if not _NAME.fullmatch(name):
    return None
  parent = data_dir / name
  versions = [
    tuple(map(int, version.split('.')))
    for version in files.list_names(parent)
    if re.fullmatch(r'\d+\.\d+\.\d+', version)
  ]
  for version in sorted(versions, reverse=True):
    folder = parent / '.'.join(map(str, version))
    if _read_format(folder / 'dataset_info.json') == FORMAT:
      return folder
  return None


def read(folder: pathlib.Path) -> types.Dataset:
  """Reads a prepared image dataset, with 'validation' if it has no test split.

  The orientation of the images and the numbers of the labels are unchanged.

  Args:
    folder: folder of a version.

  Returns:
    The dataset.

  Raises:
    DatasetError: if the images have several sizes or the labels are no classes,
      or if a file is damaged.
  """
  tfds = import_tfds()
  try:
    builder = tfds.builder_from_directory(folder)
    name, features = builder.info.full_name, builder.info.features
    parts = _find_splits(builder.info.splits)
    mode, class_names = _read_features(tfds, features)
    # Decoding the images here takes half the time of decoding by TFDS.
    decoders = {'image': tfds.decode.SkipDecoding()}
    sources = builder.as_data_source(decoders=decoders)
    train, test = (
      _read_split(f'{name}/{part}', sources[part], mode) for part in parts
    )
    return arrays.from_arrays(*train, *test, name=name, class_names=class_names)
  except files.DatasetError as error:
    raise files.DatasetError(f'{folder}: {error}') from None
  except Exception as error:  # TFDS raises various types
    raise _damaged(folder, error) from error


def _find_splits(names: Sequence[str]) -> tuple[str, str]:
  """Returns the names of the training split and of the test split."""
  test = next((name for name in _TEST_SPLITS if name in names), None)
  if 'train' not in names or test is None:
    raise files.DatasetError(
      f'the splits are {", ".join(names)}; expected train, and test or '
      'validation: save splits of your own in an .npz file.'
    )
  return 'train', test


def _read_features(tfds, features):
  """Returns the mode of the images in Pillow, and the names of the classes."""
  image, label = (
    features[name] if name in features else None for name in ('image', 'label')
  )
  is_image = isinstance(image, tfds.features.Image)
  if not is_image or not isinstance(label, tfds.features.ClassLabel):
    raise files.DatasetError(
      f'the features are {", ".join(features)}; expected image, and label with '
      'its class: save images and classes in an .npz file.'
    )
  channels, dtype = image.shape[-1], np.dtype(image.np_dtype)
  if dtype != np.uint8 or channels not in _MODES:
    raise files.DatasetError(
      f'the images have {channels} channels of {dtype}; '
      'expected 1, 3 or 4 channels of uint8: save rates in [0, 1] in an .npz '
      'file.'
    )
  return _MODES[channels], label.names


def prepare(
  name: str, data_dir: pathlib.Path, train: types.Split, test: types.Split
) -> pathlib.Path:
  """Prepares a dataset from splits with the orientation and labels of TFDS.

  Returns its folder; keeps the order of the items, and a prepared dataset.
  """
  if name == 'emnist/letters':
    raise files.DatasetError(
      'emnist/letters cannot be prepared, because TFDS declares 37 classes and '
      'too few images; load it from its original files.'
    )
  found = find(name, data_dir)
  if found is not None:
    return found
  tfds = import_tfds()
  family, _, config = name.partition('/')
  stock = tfds.builder_cls(family)
  folder = data_dir / name / str(stock.VERSION)
  if folder.exists():
    raise files.DatasetError(
      f'{folder} is not a TFDS dataset in the format {FORMAT}; move it away, '
      'or choose another folder with --data_dir or TFDS_DATA_DIR.'
    )
  examples = {'train': _examples(train), 'test': _examples(test)}
  with files.scratch(folder.parent) as scratch:
    make = _subclass(stock, examples)
    builder = make(data_dir=scratch, config=config or None)
    settings = tfds.download.DownloadConfig(try_download_gcs=False)
    with contextlib.redirect_stdout(io.StringIO()):
      builder.download_and_prepare(file_format=FORMAT, download_config=settings)
    files.publish(pathlib.Path(builder.data_dir), folder)
  return folder


def import_tfds() -> builtin_types.ModuleType:
  """Imports TFDS and the packages it needs to read and write images."""
  # TFDS imports these packages lazily, and does not declare all of them.
  import array_record.python  # noqa: F401
  import importlib_resources  # noqa: F401
  import PIL.Image  # noqa: F401
  import tensorflow_datasets as tfds

  tfds.display_progress_bar(sys.stderr.isatty())
  return tfds


def _read_format(path):
  """Reads the file format from a dataset's description, or returns None."""
  try:
    return json.loads(path.read_bytes()).get('fileFormat')
  except (FileNotFoundError, NotADirectoryError):
    return None
  except (OSError, ValueError, AttributeError, RecursionError) as error:
    raise _damaged(path.parent, error) from error


def _damaged(folder, error):
  """Returns the error for a folder that does not hold a prepared dataset."""
  return files.DatasetError(
    f'{folder} cannot be read as a prepared TFDS dataset '
    f'({files.root_cause(error)}); remove it and prepare the dataset again.'
  )


def _read_split(name, source, mode):
  """Reads and decodes all items of one split."""
  images, labels = None, np.empty(len(source), np.int32)
  with tqdm.tqdm(
    total=len(source), desc=f'reading {name}', disable=None, unit='images'
  ) as progress:
    for start in range(0, len(source), _CHUNK_SIZE):
      indices = range(len(source))[start : start + _CHUNK_SIZE]
      for index, item in zip(indices, source.__getitems__(indices)):
        image = _decode(item['image'], mode)
        if images is None:
          images = np.empty((len(source), *image.shape), np.uint8)
        if image.shape != images.shape[1:]:
          raise files.DatasetError(
            f'the images have several sizes, as {images.shape[1:3]} and '
            f'{image.shape[:2]}; resize them, and save them in an .npz file.'
          )
        images[index], labels[index] = image, item['label']
      progress.update(len(indices))
  return types.Split(images, labels)


def _decode(encoded, mode):
  """Decodes an image to `[H, W]`, or `[H, W, C]` with several channels."""
  import PIL.Image

  image = PIL.Image.open(io.BytesIO(encoded))
  # A file may have fewer channels, or a palette.
  return np.asarray(image if image.mode == mode else image.convert(mode))


def _examples(split):
  """Yields the items of a split, with their indices as keys."""
  import PIL.Image

  for index, (image, label) in enumerate(zip(*split, strict=True)):
    yield index, {'image': PIL.Image.fromarray(image), 'label': int(label)}


def _subclass(stock, examples):
  """Returns a subclass of a TFDS builder that builds from examples."""

  class Builder(stock, skip_registration=True):
    name = stock.name

    def _info(self):
      info = super()._info()
      info.as_proto.disable_shuffling = True
      # Disabled, because it accesses the network and leaves a folder behind.
      info.initialize_from_bucket = lambda: None
      return info

    def _split_generators(self, dl_manager):
      del dl_manager  # nothing is downloaded
      return examples

  return Builder
