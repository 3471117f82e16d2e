"""Image datasets, from prepared TFDS datasets or original files."""

import functools
import pathlib
import zipfile

import numpy as np

from ssnn_jax.datasets import cache
from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import errors
from ssnn_jax.datasets import image_files
from ssnn_jax.datasets import splits
from ssnn_jax.datasets import tfds_sets
from ssnn_jax.datasets import types

_CHUNK_SIZE = 8192  # images that are transposed at a time


def load(
  name: str, data_dir: pathlib.Path, download: bool = False
) -> tuple[types.Split, types.Split]:
  """Loads the splits of an image dataset.

  A prepared TFDS dataset takes precedence over the original files. The files of
  EMNIST store transposed images, and number letters from 1; the loaded images
  are upright, and the labels start at 0.

  Args:
    name: one of `catalog.IMAGES`.
    data_dir: folder of all datasets.
    download: whether to download missing original files.

  Returns:
    The training and the test split; `digits` has no official split, and is
    split into 1437 and 360 images, stratified by class, with seed 0.

  Raises:
    DatasetError: if a file is missing or has invalid content.
  """
  if name == 'digits':
    return _load_digits()
  prepared = None
  if name != 'emnist/letters':  # TFDS omits some images of the letters
    prepared = tfds_sets.find(name, data_dir)
  if prepared is not None:
    files = sorted(prepared.iterdir())
    read = functools.partial(tfds_sets.read, prepared)
  else:
    paths = image_files.find(name, data_dir, download)
    files = sorted({_on_disk(path) for path in paths})
    read = functools.partial(image_files.read, name, paths)
  arrays = cache.load_or_build(
    cache.entry_name(name, files[0].parent),
    {'dataset': name, **cache.fingerprint_files(files)},
    lambda: _chunks(name, read()),
  )
  return (
    types.Split(arrays['train_inputs'], arrays['train_labels']),
    types.Split(arrays['test_inputs'], arrays['test_labels']),
  )


def _on_disk(path):
  """Returns the file of a path, or the archive of a path within an archive."""
  if isinstance(path, zipfile.Path):
    return pathlib.Path(path.root.filename)
  return path


def _chunks(name, splits_by_part):
  """Yields chunks of the splits, with upright images and labels from 0."""
  first_label = np.int32(catalog.first_label(name))
  for part, split in splits_by_part.items():
    yield {f'{part}_labels': split.labels - first_label}
    for start in range(0, len(split.inputs), _CHUNK_SIZE):
      images = split.inputs[start : start + _CHUNK_SIZE]
      if name.startswith('emnist/'):
        images = images.transpose(0, 2, 1)
      yield {f'{part}_inputs': images}


def _load_digits():
  try:
    from sklearn import datasets as sklearn_datasets
  except ImportError as error:
    purpose = 'The dataset digits'
    raise errors.not_importable(purpose, 'scikit-learn', error) from error
  digits = sklearn_datasets.load_digits()
  images = np.rint(digits.images * (255.0 / 16.0)).astype(np.uint8)
  whole = types.Split(images, digits.target.astype(np.int32))
  return splits.split_stratified(whole, num_drawn=360, seed=0)
