"""Sets of images: what they are called, and where they are read from."""

import functools
import pathlib
import zipfile

import numpy as np

from ssnn_jax.datasets import cache
from ssnn_jax.datasets import downloads
from ssnn_jax.datasets import folders
from ssnn_jax.datasets import idx
from ssnn_jax.datasets import splits
from ssnn_jax.datasets import tfds_sets
from ssnn_jax.datasets import types

_DIGITS = tuple('0123456789')
_UPPER = tuple('ABCDEFGHIJKLMNOPQRSTUVWXYZ')
_LOWER = tuple('abcdefghijklmnopqrstuvwxyz')
# Letters whose two cases look alike are one class: in EMNIST's words, merged.
_MERGED = (*_DIGITS, *_UPPER, *'abdefghnqrt')

CLASS_NAMES = {
  'digits': _DIGITS,
  'mnist': _DIGITS,
  'fashion_mnist': (
    *('T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat'),
    *('Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'),
  ),
  'emnist/balanced': _MERGED,
  'emnist/letters': _UPPER,
  'emnist/digits': _DIGITS,
  'emnist/mnist': _DIGITS,
  'emnist/byclass': (*_DIGITS, *_UPPER, *_LOWER),
  'emnist/bymerge': _MERGED,
}
FULL_SIZES = {
  'digits': 1_797,
  'mnist': 70_000,
  'fashion_mnist': 70_000,
  'emnist/balanced': 131_600,
  'emnist/letters': 145_600,
  'emnist/digits': 280_000,
  'emnist/mnist': 70_000,
  'emnist/byclass': 814_255,
  'emnist/bymerge': 814_255,
}
_IMAGE_SIZE = 28, 28
_PART_SIZE = 8192  # images that are worked on at once


def load(
  name: str, data_dir: pathlib.Path, download: bool = False
) -> types.Dataset:
  """Loads a set of images by name.

  The first of these that is there is read: a set prepared by TensorFlow
  Datasets, the original files, what can be downloaded. Of EMNIST, whose images
  are stored transposed and whose letters are counted from 1, images come
  upright and labels from 0.

  Args:
    name: a key of `CLASS_NAMES`.
    data_dir: the folder of data sets.
    download: whether what is missing may be downloaded.

  Returns:
    The data set; `digits` is split 1437 to 360, each class in proportion,
    always in the same way (by seed 0), the others come split.

  Raises:
    DatasetError: if the data is missing or unsound.
  """
  if name == 'digits':
    train, test = _load_digits()
  else:
    train, test = _load_files(name, data_dir, download)
  return types.Dataset(
    name, train, test, CLASS_NAMES[name], full_size=FULL_SIZES[name]
  )


def read_originals(
  name: str, data_dir: pathlib.Path, download: bool = False
) -> dict[str, types.Split]:
  """Reads the original files of a set as they are: neither turned nor counted.

  Args:
    name: the data set, other than `digits`.
    data_dir: the folder of data sets.
    download: whether what is missing may be downloaded.

  Returns:
    The splits 'train' and 'test'.

  Raises:
    DatasetError: if a file is missing or unsound.
  """
  return _read_originals(name, _originals(name, data_dir, download))


def _load_files(name, data_dir, download):
  """Loads a set from the first source that is there, through the cache."""
  # That of TensorFlow Datasets leaves out the last letters.
  prepared = (
    tfds_sets.find(name, data_dir) if name != 'emnist/letters' else None
  )
  if prepared is not None:
    files = sorted(prepared.iterdir())
    read = functools.partial(tfds_sets.read, prepared)
  else:
    paths = _originals(name, data_dir, download)
    files = sorted({_on_disk(path) for path in paths})
    read = functools.partial(_read_originals, name, paths)
  made_from = {'dataset': name, **cache.describe_files(files)}
  arrays = cache.load_or_make(
    cache.place(name, files[0].parent),
    made_from,
    lambda: _parts(name, read()),
  )
  return [
    types.Split(arrays[f'{part}_inputs'], arrays[f'{part}_labels'])
    for part in ('train', 'test')
  ]


def _parts(name, split_by_part):
  """Yields splits part by part, images upright and labels from 0."""
  first_label, _ = _label_range(name)
  for part, split in split_by_part.items():
    yield {f'{part}_labels': split.labels - np.int32(first_label)}
    for start in range(0, len(split.inputs), _PART_SIZE):
      images = split.inputs[start : start + _PART_SIZE]
      if name.startswith('emnist/'):
        images = images.transpose(0, 2, 1)
      yield {f'{part}_inputs': images}


def _originals(name, data_dir, download):
  """Returns the paths of all original files of a set, which must be there."""
  paths, missing = _find_originals(name, data_dir)
  if missing and download:
    downloads.download(name, data_dir)
    paths, missing = _find_originals(name, data_dir)
  if not missing:
    return paths
  family, _, split = name.partition('/')
  what = f'the original files of {name}'
  if split:
    what = f'the official archive gzip.zip, or {what},'
  raise types.DatasetError(
    f'Cannot find {", ".join(map(str, missing))} (with .gz or without); put '
    f'{what} into <data_dir>/{family}/ and name <data_dir> by --data_dir or '
    'TFDS_DATA_DIR, have them fetched by --download, or choose digits, which '
    'needs no file.'
  )


def _find_originals(name, data_dir):
  """Finds the original files of a set, where most of them are.

  Returns their paths, images and labels to train and then to test, and what is
  missing among them.
  """
  family, _, split = name.partition('/')
  names = [
    f'{part}-{kind}-ubyte'
    for part in (('train', 'test') if split else ('train', 't10k'))
    for kind in ('images-idx3', 'labels-idx1')
  ]
  if split:
    names = [f'{family}-{split}-{name}' for name in names]
  candidates = []
  for folder in _places(data_dir / family, data_dir / name):
    there = folders.names(folder)
    missing = [n for n in names if there.isdisjoint((n, f'{n}.gz'))]
    paths = [folder / (f'{n}.gz' if f'{n}.gz' in there else n) for n in names]
    candidates.append((paths, [folder / n for n in missing]))
  return min(candidates, key=lambda candidate: len(candidate[1]))


def _places(family_folder, folder):
  """Lists where original files may lie; EMNIST's come in an archive."""
  archive = family_folder / 'gzip.zip'
  places = [family_folder, folder, family_folder / 'gzip']
  try:
    if archive.exists():
      places.append(zipfile.Path(archive, 'gzip/'))
  except OSError as error:
    raise types.unreadable(archive, error) from error
  except zipfile.BadZipFile as error:
    raise types.damaged(archive, f'is a damaged archive ({error})') from error
  return places


def _on_disk(path):
  """The file that a path leads to, or the archive that it leads into."""
  if isinstance(path, zipfile.Path):
    return pathlib.Path(path.root.filename)
  return path


def _read_originals(name, paths):
  return {
    'train': _read_split(name, *paths[:2]),
    'test': _read_split(name, *paths[2:]),
  }


def _read_split(name, images_path, labels_path):
  """Reads and checks one split's files."""
  images = idx.read_idx(images_path, num_axes=3)
  labels = idx.read_idx(labels_path, num_axes=1)
  first, last = _label_range(name)
  if images.shape[1:] != _IMAGE_SIZE:
    problem = f'has images of size {images.shape[1:]}, not {_IMAGE_SIZE}'
    raise types.damaged(images_path, problem)
  for label in (labels.min(), labels.max()):
    if not first <= label <= last:
      problem = f'has the label {label}, out of range {first} to {last}'
      raise types.damaged(labels_path, problem)
  if len(images) != len(labels):
    raise types.DatasetError(
      f'{images_path} holds {len(images)} images but {labels_path} holds '
      f'{len(labels)} labels; replace both with the original files.'
    )
  return types.Split(images, labels.astype(np.int32))


def _label_range(name):
  """The first and the last label in the original files of a set."""
  first = 1 if name == 'emnist/letters' else 0
  return first, first + len(CLASS_NAMES[name]) - 1


def _load_digits():
  try:
    from sklearn import datasets as sklearn_datasets
  except ImportError as error:
    raise types.DatasetError(
      'The data set digits comes with scikit-learn, which cannot be imported '
      f'({error}); install it with: pip install scikit-learn.'
    ) from error
  digits = sklearn_datasets.load_digits()
  images = np.rint(digits.images * (255.0 / 16.0)).astype(np.uint8)
  everything = types.Split(images, digits.target.astype(np.int32))
  return splits.divide(everything, num_drawn=360, seed=0)
