"""Prepared datasets of TensorFlow Datasets (TFDS), without TensorFlow.

A prepared dataset is a folder `<data_dir>/<name>/<version>/`. Only the format
`array_record` can be read and written without TensorFlow.
"""

import contextlib
import io
import json
import pathlib
import re
import sys
import types as builtin_types

import numpy as np
import tqdm

from ssnn_jax.datasets import files
from ssnn_jax.datasets import types

_FORMAT = 'array_record'
_CHUNK_SIZE = 1024  # items that are read at a time


def find(name: str, data_dir: pathlib.Path) -> pathlib.Path | None:
  """Finds the newest version in `array_record`, if any, without using TFDS."""
  parent = data_dir / name
  versions = [
    tuple(map(int, version.split('.')))
    for version in files.list_names(parent)
    if re.fullmatch(r'\d+\.\d+\.\d+', version)
  ]
  for version in sorted(versions, reverse=True):
    folder = parent / '.'.join(map(str, version))
    if _read_format(folder / 'dataset_info.json') == _FORMAT:
      return folder
  return None


def read(folder: pathlib.Path) -> dict[str, types.Split]:
  """Reads the splits 'train' and 'test' of a prepared image dataset.

  The orientation of the images and the numbers of the labels are unchanged.
  """
  tfds = import_tfds()
  try:
    builder = tfds.builder_from_directory(folder)
    # Decoding the images here takes half the time of decoding by TFDS.
    decoders = {'image': tfds.decode.SkipDecoding()}
    sources = builder.as_data_source(decoders=decoders)
    return {
      part: _read_split(f'{builder.info.name}/{part}', sources[part])
      for part in ('train', 'test')
    }
  except Exception as error:  # TFDS raises various types
    raise _damaged(folder, error) from error


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
      f'{folder} is not a TFDS dataset in the format {_FORMAT}; move it away, '
      'or choose another folder with --data_dir or TFDS_DATA_DIR.'
    )
  examples = {'train': _examples(train), 'test': _examples(test)}
  with files.scratch(folder.parent) as scratch:
    make = _subclass(stock, examples)
    builder = make(data_dir=scratch, config=config or None)
    settings = tfds.download.DownloadConfig(try_download_gcs=False)
    with contextlib.redirect_stdout(io.StringIO()):
      builder.download_and_prepare(
        file_format=_FORMAT, download_config=settings
      )
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


def _read_split(name, source):
  """Reads and decodes all items of one split."""
  import PIL.Image

  images, labels = [], []
  with tqdm.tqdm(
    total=len(source), desc=f'reading {name}', disable=None, unit='images'
  ) as progress:
    for start in range(0, len(source), _CHUNK_SIZE):
      indices = range(len(source))[start : start + _CHUNK_SIZE]
      items = source.__getitems__(indices)
      encoded = [io.BytesIO(item['image']) for item in items]
      images.append(np.stack([PIL.Image.open(file) for file in encoded]))
      labels.append(np.array([item['label'] for item in items], np.int32))
      progress.update(len(items))
  return types.Split(np.concatenate(images), np.concatenate(labels))


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
