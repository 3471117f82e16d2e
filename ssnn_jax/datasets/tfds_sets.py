"""Prepared datasets of TensorFlow Datasets (TFDS), without TensorFlow.

A prepared dataset is a folder `<data_dir>/<name>/<version>/`. Only the format
`array_record` can be read without TensorFlow.
"""

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
    path = folder / 'dataset_info.json'
    described = json.loads(path.read_bytes()) if path.exists() else {}
    if described.get('fileFormat') == FORMAT:
      return folder
  return None


def read(folder: pathlib.Path) -> types.Dataset:
  """Reads a version of an image dataset, with images and labels unchanged.

  Raises `DatasetError` if it is no set of images and classes, or is damaged.
  """
  try:
    import array_record.python  # noqa: F401
  except ImportError:
    raise files.DatasetError(
      f'{folder} is read by the package array_record, which is not installed; '
      'pip install array_record.'
    ) from None
  tfds = import_tfds()
  try:
    builder = tfds.builder_from_directory(folder)
    name, features = builder.info.full_name, dict(builder.info.features)
    test = 'test' if 'test' in builder.info.splits else 'validation'
    if not {'train', test} <= set(builder.info.splits):
      raise files.DatasetError(
        f'the splits are {", ".join(builder.info.splits)}; expected train, and '
        'test or validation: save splits of your own in an .npz file.'
      )
    image, label = features.get('image'), features.get('label')
    is_image = isinstance(image, tfds.features.Image)
    if (
      not is_image
      or not isinstance(label, tfds.features.ClassLabel)
      or np.dtype(image.np_dtype) != np.uint8
      or image.shape[-1] not in _MODES
    ):
      raise files.DatasetError(
        f'the features are {features}; expected image, with 1, 3 or 4 channels '
        'of uint8, and label with its class: save others in an .npz file.'
      )
    # Decoding the images here takes half the time of decoding by TFDS.
    decoders = {'image': tfds.decode.SkipDecoding()}
    sources = builder.as_data_source(decoders=decoders)
    splits = [
      _read_split(f'{name}/{part}', sources[part], _MODES[image.shape[-1]])
      for part in ('train', test)
    ]
    return arrays.from_arrays(
      *splits[0], *splits[1], name=name, class_names=label.names
    )
  except files.DatasetError as error:
    raise files.DatasetError(f'{folder}: {error}') from None
  except Exception as error:  # TFDS raises various types
    raise files.DatasetError(
      f'{folder} cannot be read as a prepared TFDS dataset '
      f'({files.root_cause(error)}); remove it and prepare the dataset again.'
    ) from error


def import_tfds() -> builtin_types.ModuleType:
  """Imports TFDS and the packages that it needs to read images."""
  # TFDS imports these packages lazily, and does not declare all of them.
  import importlib_resources  # noqa: F401
  import PIL.Image  # noqa: F401
  import tensorflow_datasets as tfds

  tfds.display_progress_bar(sys.stderr.isatty())
  return tfds


def _read_split(name, source, mode):
  """Reads and decodes all items of one split, a chunk at a time."""
  import PIL.Image

  images, labels = None, np.empty(len(source), np.int32)
  with tqdm.tqdm(
    total=len(source), desc=f'reading {name}', disable=None, unit='images'
  ) as progress:
    for start in range(0, len(source), _CHUNK_SIZE):
      indices = range(len(source))[start : start + _CHUNK_SIZE]
      for index, item in zip(indices, source.__getitems__(indices)):
        image = PIL.Image.open(io.BytesIO(item['image']))
        # A file may have fewer channels, or a palette.
        image = np.asarray(image if image.mode == mode else image.convert(mode))
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
