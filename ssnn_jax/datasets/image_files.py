"""Original files of the image datasets MNIST, Fashion-MNIST and EMNIST."""

import pathlib
import zipfile

import numpy as np

from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import downloads
from ssnn_jax.datasets import errors
from ssnn_jax.datasets import folders
from ssnn_jax.datasets import idx
from ssnn_jax.datasets import types

Paths = list[pathlib.Path | zipfile.Path]

_IMAGE_SIZE = 28, 28


def find(name: str, data_dir: pathlib.Path, download: bool = False) -> Paths:
  """Finds, or downloads if requested, the original files of an image dataset.

  The files are training images, training labels, test images and test labels.
  """
  paths, missing = _search(name, data_dir)
  if missing and download:
    downloads.download(name, data_dir)
    paths, missing = _search(name, data_dir)
  if not missing:
    return paths
  family, _, split = name.partition('/')
  wanted = f'the original files of {name}'
  if split:
    wanted = f'the official archive gzip.zip, or {wanted},'
  raise errors.DatasetError(
    f'Cannot find {", ".join(map(str, missing))} (with or without .gz); put '
    f'{wanted} into <data_dir>/{family}/ and set <data_dir> with --data_dir or '
    'TFDS_DATA_DIR, download them with --download, or choose digits, which '
    'needs no file.'
  )


def read(name: str, paths: Paths) -> dict[str, types.Split]:
  """Reads and checks the files from `find`, to the splits 'train' and 'test'.

  The orientation of the images and the numbers of the labels are unchanged.
  """
  return {
    'train': _read_split(name, *paths[:2]),
    'test': _read_split(name, *paths[2:]),
  }


def _search(name, data_dir):
  """Returns the paths in the most complete folder, and those not found."""
  family, _, split = name.partition('/')
  prefix = f'{family}-{split}-' if split else ''
  names = [
    f'{prefix}{part}-{kind}-ubyte'
    for part in ('train', 'test' if split else 't10k')
    for kind in ('images-idx3', 'labels-idx1')
  ]
  candidates = []
  for folder in _folders(data_dir / family, data_dir / name):
    found = folders.list_names(folder)
    missing = [n for n in names if found.isdisjoint((n, f'{n}.gz'))]
    paths = [folder / (f'{n}.gz' if f'{n}.gz' in found else n) for n in names]
    candidates.append((paths, [folder / n for n in missing]))
  return min(candidates, key=lambda candidate: len(candidate[1]))


def _folders(family_folder, folder):
  """Lists the possible folders of original files, EMNIST's archive included."""
  archive = family_folder / 'gzip.zip'
  candidates = [family_folder, folder, family_folder / 'gzip']
  try:
    if archive.exists():
      candidates.append(zipfile.Path(archive, 'gzip/'))
  except OSError as error:
    raise errors.unreadable(archive, error) from error
  except Exception as error:  # zipfile raises various types
    problem = f'is a damaged archive ({errors.root_cause(error)})'
    raise errors.damaged(archive, problem) from error
  return candidates


def _read_split(name, images_path, labels_path):
  """Reads and checks the images and labels of one split."""
  images = idx.read_idx(images_path, num_axes=3)
  labels = idx.read_idx(labels_path, num_axes=1)
  first = catalog.first_label(name)
  last = first + len(catalog.CLASS_NAMES[name]) - 1
  if images.shape[1:] != _IMAGE_SIZE:
    problem = f'has images of size {images.shape[1:]}, not {_IMAGE_SIZE}'
    raise errors.damaged(images_path, problem)
  for label in (labels.min(), labels.max()):
    if not first <= label <= last:
      problem = f'has the label {label}, out of range {first} to {last}'
      raise errors.damaged(labels_path, problem)
  if len(images) != len(labels):
    raise errors.DatasetError(
      f'{images_path} has {len(images)} images, but {labels_path} has '
      f'{len(labels)} labels; replace both with the original files.'
    )
  return types.Split(images, labels.astype(np.int32))
