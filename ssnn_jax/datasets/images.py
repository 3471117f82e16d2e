"""Image datasets, from datasets that TFDS prepared or from original files.

The original files of MNIST, Fashion-MNIST and EMNIST are IDX files, which may
be gzipped:

  bytes 0, 1     zero
  byte 2         item type; only 0x08, unsigned byte, is supported
  byte 3         number of axes A
  4 A bytes      length of each axis, big-endian
  the rest       items, with the last axis varying fastest.
"""

import difflib
import gzip
import importlib.metadata
import os
import pathlib
import struct
import zipfile

import numpy as np

from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import downloads
from ssnn_jax.datasets import files
from ssnn_jax.datasets import splits
from ssnn_jax.datasets import tfds_sets
from ssnn_jax.datasets import types


def load(
  name: str, data_dir: pathlib.Path, download: bool = False
) -> types.Dataset:
  """Loads an image dataset, with upright images and labels from 0.

  A prepared TFDS dataset takes precedence over the original files.
  """
  if name == 'digits':
    return types.Dataset(name, *_load_digits(), catalog.CLASS_NAMES[name])
  # TFDS omits some images of the letters.
  is_complete = name != 'emnist/letters'
  prepared = tfds_sets.find(name, data_dir) if is_complete else None
  if prepared is not None:
    sources = list(prepared.iterdir())
  elif name in catalog.IMAGES:
    sources = paths = _find_originals(name, data_dir, download)
    if isinstance(paths[0], zipfile.Path):  # all files are in one archive
      sources = [pathlib.Path(paths[0].root.filename)]
  else:
    folder, hint = data_dir / name, ''
    if folder.is_dir():
      hint = f'{catalog.TONIC}{name} for the recordings in {folder}, or '
    elif near := difflib.get_close_matches(name, catalog.NAMES, n=1):
      hint = f'{near[0]}, or '
    raise files.DatasetError(
      f'There is no dataset named {name!r}; choose {hint}one of '
      f'{", ".join(catalog.IMAGES)}, n_mnist, synthetic_events/<images>, '
      f'{catalog.TONIC}<name>, path/to/own.npz, or the name of a dataset that '
      f'TFDS has prepared in {data_dir} as {tfds_sets.FORMAT}.'
    )

  def decode():
    class_names = catalog.CLASS_NAMES.get(name)
    if prepared is not None:
      read = tfds_sets.read(prepared)
      parts, class_names = (read.train, read.test), read.class_names
    else:
      parts = _read_split(name, *paths[:2]), _read_split(name, *paths[2:])
    arrays = {'class_names': np.array(class_names)}
    for part, (images, labels) in zip(('train', 'test'), parts):
      if name.startswith('emnist/'):  # stored transposed
        images = images.transpose(0, 2, 1).copy()
      arrays[f'{part}_inputs'] = images
      arrays[f'{part}_labels'] = labels - np.int32(catalog.first_label(name))
    return arrays

  arrays = files.load_or_build(name, sources, decode)
  return types.Dataset(
    name,
    types.Split(arrays['train_inputs'], arrays['train_labels']),
    types.Split(arrays['test_inputs'], arrays['test_labels']),
    catalog.CLASS_NAMES.get(name) or tuple(map(str, arrays['class_names'])),
  )


def _find_originals(name, data_dir, download=False):
  """Finds, or downloads if requested, the original files of an image dataset.

  The files are training images, training labels, test images and test labels.
  """
  family, _, split = name.partition('/')
  prefix = f'{family}-{split}-' if split else ''
  names = [
    f'{prefix}{part}-{kind}-ubyte'
    for part in ('train', 'test' if split else 't10k')
    for kind in ('images-idx3', 'labels-idx1')
  ]
  folder = data_dir / family
  folders = [folder, data_dir / name, folder / 'gzip']
  archive = folder / 'gzip.zip'
  if archive.exists():
    try:
      folders.append(zipfile.Path(archive, 'gzip/'))
    except zipfile.BadZipFile as error:
      raise files.damaged(archive, f'is a damaged archive ({error})') from error
  missing = None  # of the most complete folder
  for folder in folders:
    found = files.list_names(folder)
    lacking = [n for n in names if found.isdisjoint((n, f'{n}.gz'))]
    if not lacking:
      zipped = [f'{n}.gz' if f'{n}.gz' in found else n for n in names]
      return [folder / n for n in zipped]
    if missing is None or len(lacking) < len(missing):
      missing = [str(folder / n) for n in lacking]
  if download:
    downloads.download(name, data_dir)
    return _find_originals(name, data_dir)
  wanted = f'the original files of {name}'
  if split:
    wanted = f'the official archive gzip.zip, or {wanted},'
  raise files.DatasetError(
    f'Cannot find {", ".join(missing)} (with or without .gz); put {wanted} '
    f'into <data_dir>/{family}/ and set <data_dir> with --data_dir or '
    'TFDS_DATA_DIR, download them with --download, or choose digits, which '
    'needs no file.'
  )


def read_idx(
  path: str | os.PathLike | zipfile.Path, num_axes: int | None = None
) -> np.ndarray:
  """Reads an IDX file of unsigned bytes.

  Args:
    path: the file, which may lie within a zip archive; it must be gzipped if
      and only if its name ends in `.gz`.
    num_axes: required number of axes; None for any number.

  Returns:
    The array, uint8 and read-only.

  Raises:
    DatasetError: if the file has invalid content.
  """
  if not isinstance(path, zipfile.Path):
    path = pathlib.Path(path)
  try:
    content = path.read_bytes()
    if path.suffix == '.gz':
      content = gzip.decompress(content)
    if content[:3] != b'\0\0\x08':
      raise ValueError('it does not start as a file of unsigned bytes')
    shape = struct.unpack_from(f'>{content[3]}I', content, 4)
    items = np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape))
    array = items.reshape(shape)
    if num_axes not in (None, len(shape)):
      raise ValueError(f'it is {len(shape)}-dimensional, not {num_axes}-')
  except FileNotFoundError:
    raise
  except Exception as error:  # gzip, zip, zlib and struct raise many types
    reason = files.root_cause(error)
    raise files.damaged(path, f'is no valid IDX file ({reason})') from error
  return array


def _read_split(name, images_path, labels_path):
  """Reads and checks the images and labels of one split."""
  images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
  first = catalog.first_label(name)
  last = first + len(catalog.CLASS_NAMES[name]) - 1
  if images.shape[1:] != (28, 28):
    raise files.damaged(images_path, f'has images of size {images.shape[1:]}')
  problem = None
  if labels.shape != images.shape[:1]:
    problem = f'{len(labels)} labels for {len(images)} images'
  elif labels.min() < first or labels.max() > last:
    problem = (
      f'labels from {labels.min()} to {labels.max()}, out of range {first} to '
      f'{last}'
    )
  if problem:
    raise files.damaged(labels_path, f'has {problem}')
  return types.Split(images, labels.astype(np.int32))


def _load_digits():
  """Loads the digits of scikit-learn, which have no official test split."""
  # Importing scikit-learn takes a second.
  library = importlib.metadata.distribution('scikit-learn')
  path = library.locate_file('sklearn/datasets/data/digits.csv.gz')
  table = np.loadtxt(path, delimiter=',')  # 64 pixels, 0 to 16, and the class
  images = np.rint(table[:, :-1] * (255.0 / 16.0)).astype(np.uint8)
  whole = types.Split(images.reshape(-1, 8, 8), table[:, -1].astype(np.int32))
  return splits.split_stratified(whole, num_drawn=360, seed=0)
