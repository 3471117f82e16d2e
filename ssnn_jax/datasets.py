"""Images to learn from, each set split into training and test.

`digits` comes with scikit-learn. `mnist` and `fashion_mnist` are read from
their four original IDX files, gzipped or not, in a folder of their name; an IDX
file is

  bytes 0, 1     zero
  byte 2         type of an item; 0x08, unsigned byte, is the only one read here
  byte 3         number of axes A
  4 A bytes      length of each axis, big-endian
  all the rest   the items, last axis fastest.
"""

import math
import os
import pathlib
import struct
from typing import NamedTuple
import zlib

import numpy as np

from ssnn_jax import types

_CLASS_NAMES = {
  'digits': tuple('0123456789'),
  'mnist': tuple('0123456789'),
  'fashion_mnist': (
    *('T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat'),
    *('Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'),
  ),
}
NAMES = tuple(_CLASS_NAMES)

_FILES = (
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
)
_OTHER_TYPES = {
  0x09: 'int8',
  0x0B: 'int16',
  0x0C: 'int32',
  0x0D: 'float32',
  0x0E: 'float64',
}


class DatasetError(types.UserError):
  """Data that cannot be used; the message is one sentence with the remedy."""


class Split(NamedTuple):
  """Images and their classes, item by item."""

  images: np.ndarray  # [N, H, W] uint8 grey values
  labels: np.ndarray  # [N] int32 classes


class Dataset(NamedTuple):
  """A set of images in two disjoint splits."""

  name: str  # one of NAMES
  train: Split  # what a network learns from
  test: Split  # what it is judged on
  class_names: tuple[str, ...]  # [C] a name for each label

  @property
  def num_classes(self) -> int:
    """The number of classes, C."""
    return len(self.class_names)

  @property
  def num_inputs(self) -> int:
    """The number of pixels of an image, H W."""
    return math.prod(self.train.images.shape[1:])


def load(name: str, data_dir: str | os.PathLike | None = None) -> Dataset:
  """Loads a data set by name.

  Args:
    name: one of `NAMES`.
    data_dir: the folder that holds the folder `name` of original files; by
      default `$TFDS_DATA_DIR`, or `~/tensorflow_datasets`. Where a file is
      there both gzipped and plain, the gzipped one is read. `digits` needs no
      file.

  Returns:
    The data set. `digits` is split 1437 to 360, each class in proportion,
    always in the same way (by seed 0); the others come split.

  Raises:
    DatasetError: if the name is unknown, or if the data is missing or unsound.
  """
  if name not in NAMES:
    raise DatasetError(
      f'There is no data set named {name!r}; choose one of {", ".join(NAMES)}.'
    )
  if name == 'digits':
    train, test = _load_digits()
  else:
    train, test = _load_originals(name, data_dir)
  return Dataset(name, train, test, _CLASS_NAMES[name])


def hold_out(dataset: Dataset, fraction: float = 0.1, seed: int = 0) -> Dataset:
  """Puts a validation split in the place of the test split.

  Whatever is tuned on the result has not seen the test images.

  Args:
    dataset: the data set; its test split is left out of the result.
    fraction: the share of the training images to hold out, in (0, 1).
    seed: which images to hold out; each class gives its share.

  Returns:
    The data set whose two splits partition the training split of `dataset`.

  Raises:
    DatasetError: if the fraction leaves one of the two splits empty.
  """
  num_images = len(dataset.train.labels)
  # Compared first: NaN cannot be rounded.
  num_held_out = round(fraction * num_images) if 0.0 < fraction < 1.0 else 0
  if not 0 < num_held_out < num_images:
    raise DatasetError(
      f'A fraction of {fraction} cannot be held out of {num_images} images; '
      'choose one between 0 and 1 that leaves an image on either side.'
    )
  train, validation = _divide(dataset.train, num_held_out, seed)
  return dataset._replace(train=train, test=validation)


def read_idx(
  path: str | os.PathLike, num_axes: int | None = None
) -> np.ndarray:
  """Reads an IDX file of unsigned bytes.

  Args:
    path: the file; gzipped if, and only if, its name ends in `.gz`.
    num_axes: the number of axes that the array must have; left out, 1 to 3.

  Returns:
    The array, uint8 and read-only.

  Raises:
    DatasetError: if the file cannot be read, or is not what it should be.
  """
  path = pathlib.Path(path)
  content, is_whole = _read_content(path)
  shape = _parse_header(path, content, num_axes)
  header_size = 4 + 4 * len(shape)
  # The header may announce anything, so nothing is allocated on its word.
  expected, found = header_size + math.prod(shape), len(content)
  counts = f'its header announces {expected} bytes, and {found} were found'
  end = '' if is_whole else ' before its gzip stream broke off'
  _require(found >= expected and is_whole, path, f'is truncated: {counts}{end}')
  _require(found <= expected, path, f'has trailing bytes: {counts}')
  return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)


def _read_content(path):
  """Returns the bytes of a file, unzipped, and whether they are all there."""
  try:
    content = path.read_bytes()
  except OSError as error:
    raise _unreadable(path, error) from error
  if path.suffix != '.gz':
    return content, True
  # A file cut within gzip's two magic bytes is truncated, not of another kind.
  if not b'\x1f\x8b'.startswith(content[:2]):
    raise DatasetError(
      f'{path} is named .gz but is not gzipped; drop .gz from its name if it '
      'has been unpacked, or else replace it with the original file.'
    )
  members = []
  while content:
    # Unlike the gzip module, zlib hands out what precedes a break.
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
      members.append(inflater.decompress(content))
    except zlib.error as error:
      raise _damaged(path, f'is a damaged gzip file ({error})') from error
    if not inflater.eof:
      return b''.join(members), False
    content = inflater.unused_data.lstrip(b'\0')  # gzip allows padding
  return b''.join(members), True


def _parse_header(path, content, num_axes):
  """Returns the shape that an IDX file announces."""
  found = len(content)
  too_short = 'is truncated: its header takes {} bytes, and {} were found'
  _require(found >= 4, path, too_short.format('at least 4', found))
  start, type_code, axes = content[:2], content[2], content[3]
  problem = f'is no IDX file: it begins with {start.hex(" ")}, not two zeros'
  _require(start == b'\0\0', path, problem)
  type_name = f'{_OTHER_TYPES.get(type_code, "unknown")} (0x{type_code:02x})'
  problem = f'has items of type {type_name}, not uint8 (0x08)'
  _require(type_code == 0x08, path, problem)
  problem = f'has the number of axes {axes}, not {num_axes or "1 to 3"}'
  _require(axes in ((num_axes,) if num_axes else (1, 2, 3)), path, problem)
  header_size = 4 + 4 * axes
  _require(found >= header_size, path, too_short.format(header_size, found))
  shape = struct.unpack(f'>{axes}I', content[4:header_size])
  _require(0 not in shape, path, f'is empty: its header announces {shape}')
  return shape


def _load_originals(name, data_dir):
  if not data_dir:
    data_dir = os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets'
  data_dir = os.path.abspath(os.path.expanduser(data_dir))
  paths = _find_originals(name, pathlib.Path(data_dir, name))
  num_classes = len(_CLASS_NAMES[name])
  train = _read_split(paths[0], paths[1], num_classes)
  return train, _read_split(paths[2], paths[3], num_classes)


def _find_originals(name, folder):
  """Returns the paths of the original files, in the order of `_FILES`."""
  try:
    present = set(os.listdir(folder))
  except FileNotFoundError:
    present = set()
  except OSError as error:
    raise _unreadable(folder, error) from error
  missing = [f for f in _FILES if present.isdisjoint((f, f'{f}.gz'))]
  if missing:
    raise DatasetError(
      f'Cannot find {", ".join(str(folder / f) for f in missing)} (with .gz '
      f'or without); put the original files of {name} into '
      f'<data_dir>/{name}/ and name <data_dir> by --data_dir or '
      'TFDS_DATA_DIR, or choose digits, which needs no file.'
    )
  return [folder / (f'{f}.gz' if f'{f}.gz' in present else f) for f in _FILES]


def _read_split(images_path, labels_path, num_classes):
  images = read_idx(images_path, num_axes=3)
  labels = read_idx(labels_path, num_axes=1)
  size, label = images.shape[1:], labels.max()
  problem = f'has images of size {size}, not (28, 28)'
  _require(size == (28, 28), images_path, problem)
  problem = f'has the label {label}, out of range 0 to {num_classes - 1}'
  _require(label < num_classes, labels_path, problem)
  if len(images) != len(labels):
    raise DatasetError(
      f'{images_path} holds {len(images)} images but {labels_path} holds '
      f'{len(labels)} labels; replace both with the original files.'
    )
  return Split(images, labels.astype(np.int32))


def _load_digits():
  try:
    from sklearn import datasets as sklearn_datasets
  except ImportError as error:
    raise DatasetError(
      'The data set digits comes with scikit-learn, which cannot be imported '
      f'({error}); install it with: pip install scikit-learn.'
    ) from error
  digits = sklearn_datasets.load_digits()
  images = np.rint(digits.images * (255.0 / 16.0)).astype(np.uint8)
  everything = Split(images, digits.target.astype(np.int32))
  return _divide(everything, num_drawn=360, seed=0)


def _divide(split, num_drawn, seed):
  """Returns what is left of a split, and what was drawn class by class."""
  # The stream of RandomState is frozen; that of NumPy's newer generators may
  # change with a release, and the splits with it.
  shuffled = np.random.RandomState(seed).permutation(len(split.labels))
  by_class = shuffled[np.argsort(split.labels[shuffled], kind='stable')]
  # Even steps through the sorted classes give each its share, within one image.
  steps = np.arange(num_drawn) * len(by_class) // num_drawn
  is_drawn = np.zeros(len(by_class), bool)
  is_drawn[by_class[steps]] = True
  left = Split(split.images[~is_drawn], split.labels[~is_drawn])
  return left, Split(split.images[is_drawn], split.labels[is_drawn])


def _require(condition, path, problem):
  if not condition:
    raise _damaged(path, problem)


def _damaged(path, problem):
  return DatasetError(f'{path} {problem}; replace it with the original file.')


def _unreadable(path, error):
  return DatasetError(
    f'{path} cannot be read ({error.strerror}); check what it is and its '
    'permissions.'
  )
