"""Prepared sets of TensorFlow Datasets (TFDS), without TensorFlow.

A prepared set is a folder `<data_dir>/<name>/<version>/`. Of its formats,
`array_record` is the one that is read and written without TensorFlow.
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

from ssnn_jax.datasets import folders
from ssnn_jax.datasets import types

_FORMAT = 'array_record'
_ITEMS_AT_ONCE = 1024


def find(name: str, data_dir: pathlib.Path) -> pathlib.Path | None:
  """Finds the newest version of a prepared set, without importing TFDS.

  Args:
    name: the data set, with its config if it has one: `emnist/balanced`.
    data_dir: the folder of data sets.

  Returns:
    The folder of the set, or None if there is none in `array_record`.

  Raises:
    DatasetError: if a folder cannot be read, or the description of a set.
  """
  parent = data_dir / name
  versions = [
    tuple(map(int, version.split('.')))
    for version in folders.names(parent)
    if re.fullmatch(r'\d+\.\d+\.\d+', version)
  ]
  for version in sorted(versions, reverse=True):
    folder = parent / '.'.join(map(str, version))
    if _read_format(folder / 'dataset_info.json') == _FORMAT:
      return folder
  return None


def read(folder: pathlib.Path) -> dict[str, types.Split]:
  """Reads a prepared set of images as it is: neither turned nor counted.

  Args:
    folder: where the set lies, as `find` returns it.

  Returns:
    The splits 'train' and 'test'.

  Raises:
    DatasetError: if the set is damaged, or if TFDS cannot be imported.
  """
  tfds = import_tfds()
  try:
    builder = tfds.builder_from_directory(folder)
    # Images are decoded here, at half the time that TFDS takes.
    decoders = {'image': tfds.decode.SkipDecoding()}
    sources = builder.as_data_source(decoders=decoders)
    return {
      part: _read_split(f'{builder.info.name}/{part}', sources[part])
      for part in ('train', 'test')
    }
  except Exception as error:  # TFDS and its formats raise anything
    reason = folders.explain(error)
    raise types.DatasetError(
      f'{folder} cannot be read as a prepared TFDS set ({reason}); remove it '
      'to have it made anew.'
    ) from error


def prepare(
  name: str, data_dir: pathlib.Path, train: types.Split, test: types.Split
) -> pathlib.Path:
  """Prepares a set of TFDS from arrays, whose order it keeps.

  Args:
    name: the data set, with its config if it has one: `emnist/balanced`.
    data_dir: the folder of data sets.
    train: the split 'train', turned and counted as TFDS has it.
    test: the split 'test'.

  Returns:
    The folder of the set; if there is one already, it is left as it is.

  Raises:
    DatasetError: if TFDS has no such set, or if it cannot be written.
  """
  if name == 'emnist/letters':
    raise types.DatasetError(
      'emnist/letters cannot be prepared: TFDS declares 37 classes and fewer '
      'images than there are; load it from its original files.'
    )
  found = find(name, data_dir)
  if found is not None:
    return found
  tfds = import_tfds()
  family, _, config = name.partition('/')
  stock = tfds.builder_cls(family)
  folder = data_dir / name / str(stock.VERSION)
  if folder.exists():
    raise types.DatasetError(
      f'{folder} is no TFDS set in the format {_FORMAT}; move it away, or name '
      'another folder by --data_dir or TFDS_DATA_DIR.'
    )
  examples = {'train': _examples(train), 'test': _examples(test)}
  try:
    with folders.scratch(folder.parent) as scratch:
      builder = _subclass(stock, examples)(
        data_dir=scratch, config=config or None
      )
      _build(tfds, builder)
      folders.publish(pathlib.Path(builder.data_dir), folder)
  except (OSError, RuntimeError) as error:  # the latter if array_record fails
    raise folders.unwritable(folder, error) from error
  return folder


def import_tfds() -> builtin_types.ModuleType:
  """Imports TFDS, with what it needs to read and write images."""
  try:
    # TFDS imports these late, and does not declare them all.
    import array_record.python  # noqa: F401
    import importlib_resources  # noqa: F401
    import PIL.Image  # noqa: F401
    import tensorflow_datasets as tfds
  except ImportError as error:
    raise types.DatasetError(
      f'Prepared TFDS sets need packages that cannot be imported ({error}); '
      'install them with: pip install tensorflow-datasets array-record pillow '
      'importlib_resources.'
    ) from error
  tfds.display_progress_bar(sys.stderr.isatty())
  return tfds


def _read_format(path):
  """Reads the format of a set from its description, if there is one."""
  try:
    return json.loads(path.read_bytes()).get('fileFormat')
  except (FileNotFoundError, NotADirectoryError):
    return None
  except OSError as error:
    raise types.unreadable(path, error) from error
  except (ValueError, AttributeError) as error:
    raise types.DatasetError(
      f'{path} does not describe a TFDS set ({folders.explain(error)}); remove '
      f'{path.parent} to have it made anew.'
    ) from error


def _read_split(name, source):
  """Reads all items of one split."""
  images, labels = [], []
  with tqdm.tqdm(
    total=len(source), desc=f'reading {name}', disable=None, unit='images'
  ) as progress:
    for start in range(0, len(source), _ITEMS_AT_ONCE):
      stop = min(start + _ITEMS_AT_ONCE, len(source))
      items = source.__getitems__(range(start, stop))
      images.append(np.stack([_decode(item['image']) for item in items]))
      labels.append(np.array([item['label'] for item in items], np.int32))
      progress.update(len(items))
  return types.Split(np.concatenate(images), np.concatenate(labels))


def _decode(png):
  import PIL.Image

  return np.asarray(PIL.Image.open(io.BytesIO(png)))


def _examples(split):
  """Yields the items of a split, keyed by their order."""
  import PIL.Image

  for index, (image, label) in enumerate(zip(*split, strict=True)):
    yield index, {'image': PIL.Image.fromarray(image), 'label': int(label)}


def _subclass(stock, examples):
  """Makes the builder of a set build it from examples."""

  class Builder(stock, skip_registration=True):
    name = stock.name

    def _info(self):
      info = super()._info()
      info.as_proto.disable_shuffling = True
      # It would look for known sizes online, and leaves a folder behind.
      info.initialize_from_bucket = lambda: None
      return info

    def _split_generators(self, dl_manager):
      del dl_manager  # there is nothing to download
      return examples

  return Builder


def _build(tfds, builder):
  """Lets TFDS write a set, and keeps what it prints to itself."""
  with contextlib.redirect_stdout(io.StringIO()):
    builder.download_and_prepare(
      file_format=_FORMAT,
      download_config=tfds.download.DownloadConfig(try_download_gcs=False),
    )
