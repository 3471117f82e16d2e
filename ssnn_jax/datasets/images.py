"""Image datasets, from prepared TFDS datasets or original files."""

import functools
import importlib.util
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
  """Loads the training and the test split of an image dataset.

  A prepared TFDS dataset takes precedence over the original files.
  """
  if name == 'digits':
    return _load_digits()
  prepared = None
  if name != 'emnist/letters':  # TFDS omits some images of the letters
    prepared = tfds_sets.find(name, data_dir)
  if prepared is not None:
    files = list(prepared.iterdir())
    read = functools.partial(tfds_sets.read, prepared)
  else:
    files = paths = image_files.find(name, data_dir, download)
    if isinstance(paths[0], zipfile.Path):  # all files are in one archive
      files = [pathlib.Path(paths[0].root.filename)]
    read = functools.partial(image_files.read, name, paths)
  arrays = cache.load_or_build(
    cache.entry_name(name, files[0].parent),
    {'dataset': name, **cache.fingerprint_files(sorted(files))},
    lambda: _chunks(name, read()),
  )
  return (
    types.Split(arrays['train_inputs'], arrays['train_labels']),
    types.Split(arrays['test_inputs'], arrays['test_labels']),
  )


def _chunks(name, splits_by_part):
  """Yields chunks of the splits, with upright images and labels from 0."""
  first_label = np.int32(catalog.first_label(name))
  for part, split in splits_by_part.items():
    yield {f'{part}_labels': split.labels - first_label}
    for start in range(0, len(split.inputs), _CHUNK_SIZE):
      images = split.inputs[start : start + _CHUNK_SIZE]
      if name.startswith('emnist/'):  # stored transposed
        images = images.transpose(0, 2, 1)
      yield {f'{part}_inputs': images}


def _load_digits():
  """Loads the digits of scikit-learn, which have no official test split."""
  table = _read_digits()
  images = np.rint(table[:, :-1] * (255.0 / 16.0)).astype(np.uint8)
  whole = types.Split(images.reshape(-1, 8, 8), table[:, -1].astype(np.int32))
  return splits.split_stratified(whole, num_drawn=360, seed=0)


def _read_digits():
  """Reads the digits, `[1797, 65]`: 64 pixels from 0 to 16, and the class."""
  package = importlib.util.find_spec('sklearn')
  if package is not None:
    (folder,) = package.submodule_search_locations
    path = pathlib.Path(folder, 'datasets', 'data', 'digits.csv.gz')
    if path.exists():  # importing scikit-learn takes a second
      return np.loadtxt(path, delimiter=',')
  with errors.explain_import('The dataset digits', 'scikit-learn'):
    from sklearn import datasets as sklearn_datasets
  digits = sklearn_datasets.load_digits()
  return np.column_stack([digits.data, digits.target])
