"""Images: digits, sets prepared by TFDS, also of sounds, and IDX files.

The digits are in the package: the test set of E. Alpaydin and C. Kaynak,
Optical Recognition of Handwritten Digits, 1998, https://doi.org/10.24432/C50P49
(CC BY 4.0), in the file of scikit-learn.

The original files of MNIST, Fashion-MNIST and EMNIST are IDX files. Bytes 0 and
1 are zero, byte 2 is the type of the items, byte 3 the number of axes; the
length of each axis follows in four bytes, big-endian, and then the items.
"""

import contextlib
import gzip
import io
import json
import pathlib
import struct
import sys
import types as types_lib
import zipfile

import numpy as np
import tqdm

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import files
from ssnn_jax.datasets import signals

FORMAT = 'array_record'  # of TFDS, the only one read without TensorFlow
_CHUNK_SIZE = 1024  # items that are read at a time
_SAMPLE_RATE = 16_000  # of sounds, unless their set has another
#: Modes of Pillow, by the number of channels
_MODES = {1: 'L', 3: 'RGB', 4: 'RGBA'}
#: Formats of Pillow that are pixels; another, as EPS, is a program to be run.
_FORMATS = 'PNG', 'JPEG', 'WEBP', 'BMP', 'TIFF', 'GIF'


def load_digits(class_names: tuple[str, ...]) -> arrays.Dataset:
  """Loads the digits, which have no official test split."""
  path = pathlib.Path(__file__).with_name('digits.csv.gz')
  table = np.loadtxt(path, delimiter=',')  # 64 pixels, 0 to 16, and the class
  images = np.rint(table[:, :-1] * (255.0 / 16.0)).astype(np.uint8)
  labels = table[:, -1].astype(np.int32)
  whole = arrays.Split(images.reshape(-1, 8, 8), labels)
  digits = arrays.Dataset('digits', whole, whole, class_names)
  digits = arrays.hold_out(digits, 360 / len(labels))
  return digits._replace(test=digits.validation, validation=None)


def load(
  name: str,
  data_dir: pathlib.Path,
  download: bool,
  class_names: tuple[str, ...] | None,
) -> arrays.Dataset | None:
  """Loads a set of images, upright and with labels from 0, or of sounds.

  A set that TFDS has prepared takes precedence over original files, which only
  a set with given class names has; returns None if there is neither.
  """
  is_letters = name == 'emnist/letters'  # labels count from 1; TFDS omits some
  prepared = None if is_letters else _find_prepared(name, data_dir)
  if prepared is not None:
    sources = list(prepared.iterdir())
  elif class_names is not None:
    originals, sources = _find_originals(name, data_dir, download)
  else:
    return None

  def decode():
    with checks.explain(sources[0].parent, 'replace its files'):
      lengths = {}
      if prepared is not None:
        *splits, names, lengths = _read_prepared(prepared)
      else:
        *splits, names = *map(read_idx, originals), class_names
      x_train, y_train, x_test, y_test = splits
      if name.startswith('emnist/'):  # stored transposed
        x_train, x_test = (x.transpose(0, 2, 1) for x in (x_train, x_test))
      if is_letters:
        y_train, y_test = y_train - np.int32(1), y_test - np.int32(1)
      _, train, test, names, *_ = arrays.from_arrays(
        x_train,
        y_train,
        x_test,
        y_test,
        class_names=class_names or names,
        **lengths,
      )
    decoded = {'x_train': train.inputs, 'y_train': train.labels}
    decoded |= {'x_test': test.inputs, 'y_test': test.labels}
    return decoded | {'class_names': np.array(names)}

  cached = files.load_or_build(name, sources, decode)
  splits = (
    arrays.Split(cached[f'x_{part}'], cached[f'y_{part}'])
    for part in arrays.PARTS
  )
  return arrays.Dataset(name, *splits, tuple(map(str, cached['class_names'])))


def read_idx(path: pathlib.Path | zipfile.Path) -> np.ndarray:
  """Reads an IDX file of unsigned bytes, as uint8 and read-only.

  The file may be in a zip archive; it must be gzipped if and only if its name
  ends in `.gz`.
  """
  with checks.explain(path, 'replace it with the original IDX file'):
    content = path.read_bytes()
    if path.suffix == '.gz':
      content = gzip.decompress(content)
    if content[:3] != b'\0\0\x08':
      raise ValueError('it does not start as a file of unsigned bytes')
    shape = struct.unpack_from(f'>{content[3]}I', content, 4)
    items = np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape))
    return items.reshape(shape)


def _find_originals(name, data_dir, download):
  """Finds, or downloads if requested, the original files of a set.

  Returns the paths of training images, training labels, test images and test
  labels, which may be in an archive, and the files on disk.
  """
  family, _, split = name.partition('/')
  prefix = f'{family}-{split}-' if split else ''
  names = [
    f'{prefix}{part}-{kind}-ubyte'
    for part in ('train', 'test' if split else 't10k')
    for kind in ('images-idx3', 'labels-idx1')
  ]
  folder = data_dir / family
  folders = [folder, folder / 'gzip']
  archive = folder / 'gzip.zip'
  if archive.exists():
    folders.append(zipfile.Path(archive, 'gzip/'))
  paths = []
  for file in names:
    places = [p / n for p in folders for n in (f'{file}.gz', file)]
    paths.append(next((p for p in places if p.exists()), None))
  if all(paths):
    return paths, [p if isinstance(p, pathlib.Path) else archive for p in paths]
  if download:
    files.download(family, folder)
    return _find_originals(name, data_dir, download=False)
  missing = [file for file, path in zip(names, paths) if path is None]
  raise types.UserError(
    f'Cannot find {", ".join(missing)} (with or without .gz) in {folder}; put '
    'the original files there and set <data_dir> with --data_dir or '
    'TFDS_DATA_DIR, or download them with --download.'
  )


def _find_prepared(name, data_dir):
  """Finds the newest version in `array_record`, if any, without using TFDS."""
  versions = {}
  for path in (data_dir / name).glob('*/dataset_info.json'):
    numbers = path.parent.name.split('.')
    is_read = json.loads(path.read_bytes()).get('fileFormat') == FORMAT
    if is_read and all(map(str.isdecimal, numbers)):
      versions[tuple(map(int, numbers))] = path.parent
  return versions[max(versions)] if versions else None


def _read_prepared(folder):
  """Returns inputs and labels of both splits of TFDS, names, and lengths.

  Sounds become their log mel spectra, whose lengths are arguments of
  `arrays.from_arrays`.
  """
  remedy = (
    'expected splits train and test (or validation) of image, with 1, 3 or 4 '
    'channels of uint8, or of audio, with 1 channel, and label: prepare the '
    'set again, install a package that is missing, or save other arrays in an '
    '.npz file'
  )
  with checks.explain('the set of TFDS', remedy):
    with checks.extra('data'):
      import PIL.Image  # noqa: F401
      import tensorflow_datasets as tfds

    tfds.display_progress_bar(sys.stderr.isatty())
    with _sounds_without_tensorflow():
      builder = tfds.builder_from_directory(folder)
    features = builder.info.features
    is_sound = 'audio' in features and 'image' not in features
    kind = 'audio' if is_sound else 'image'
    inputs, label = features[kind], features['label']
    if is_sound:
      rate = getattr(inputs, 'sample_rate', None) or _SAMPLE_RATE
      read = lambda item: signals.log_mel(item, rate)
    elif np.dtype(inputs.np_dtype) != np.uint8:
      raise ValueError(f'the images are {np.dtype(inputs.np_dtype)}')
    else:
      mode = _MODES[inputs.shape[-1]]
      read = lambda item: _read_image(item, mode)
    # Decoding the images here takes half the time of decoding by TFDS.
    decoders = {kind: tfds.decode.SkipDecoding()}
    sources = builder.as_data_source(decoders=decoders)
    test = 'test' if 'test' in sources else 'validation'
    (x_train, y_train), (x_test, y_test) = (
      _read_split(sources[part], kind, read) for part in ('train', test)
    )
    lengths = {}
    if is_sound:
      x_train, lengths['lengths_train'] = signals.pad(x_train)
      x_test, lengths['lengths_test'] = signals.pad(x_test)
    else:
      x_train, x_test = np.stack(x_train), np.stack(x_test)
    return x_train, y_train, x_test, y_test, label.names, lengths


@contextlib.contextmanager
def _sounds_without_tensorflow():
  """Lets TFDS describe sounds without TensorFlow.

  It needs the package to encode sounds, and for a dtype that is not used to
  read them.
  """
  from tensorflow_datasets.core.features import audio_feature

  tensorflow = audio_feature.tf
  dtypes = types_lib.SimpleNamespace(as_dtype=np.dtype)
  audio_feature.tf = types_lib.SimpleNamespace(dtypes=dtypes)
  try:
    yield
  finally:
    audio_feature.tf = tensorflow


def _read_split(source, kind, read):
  """Reads and decodes all items of one split, a chunk at a time."""
  inputs, labels = [], []
  for start in tqdm.trange(0, len(source), _CHUNK_SIZE, disable=None):
    chunk = range(len(source))[start : start + _CHUNK_SIZE]
    for item in source.__getitems__(chunk):
      inputs.append(read(item[kind]))
      labels.append(item['label'])
  return inputs, np.array(labels)


def _read_image(content, mode):
  """Decodes an image; a file may have fewer channels, or a palette."""
  import PIL.Image

  image = PIL.Image.open(io.BytesIO(content), formats=_FORMATS)
  image = image if image.mode == mode else image.convert(mode)
  return np.asarray(image)
