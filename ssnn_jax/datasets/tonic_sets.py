"""Event sets of tonic, and folders of recordings.

The name `tonic:<name>` stands for one of

- the recordings `<data_dir>/<name>/{train,test}/<class>/*`, if there are these
  folders: files `.npy` of structured arrays as tonic returns them, with the
  fields `t` in microseconds, `x`, and `y` and `p` of sensors with several rows
  or polarities; or files `.bin` in the format of N-MNIST;
- otherwise the class `tonic.datasets.<name>`, which reads the files that it has
  unpacked in `<data_dir>/<name>/`, if its argument `train` or `split` chooses
  between training and test recordings.
"""

from collections.abc import Mapping
import contextlib
import inspect
import math
import pathlib
import re
import sys

import numpy as np

# tonic uses this module of NumPy without importing it.
import numpy.lib.recfunctions  # noqa: F401

from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import cache
from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import downloads
from ssnn_jax.datasets import files
from ssnn_jax.datasets import recordings

_PARTS = 'train', 'test'
_BIN_EVENTS = np.dtype([(name, np.int64) for name in 'xytp'])


def load(
  name: str, data_dir: pathlib.Path, download: bool = False
) -> tuple[dict[str, recordings.Recordings], tuple[str, ...]]:
  """Loads recordings, memory-mapped from a cache.

  Args:
    name: `tonic:` and the name of a folder, or of a class of tonic.
    data_dir: folder of all datasets.
    download: whether tonic downloads missing files.

  Returns:
    The splits 'train' and 'test', and the names of the classes.

  Raises:
    DatasetError: if files are missing or invalid, or the event set is not
      divided into training and test recordings.
  """
  folder = data_dir / name.removeprefix(catalog.TONIC)
  with _explain_errors(name, folder):
    sources = _open(name, folder, download)
    if not all(map(len, sources.values())):
      raise FileNotFoundError('a split has no recordings')
    location = pathlib.Path(sources['train'].location_on_system)
    paths = [path for path in location.rglob('*') if path.is_file()]
    cached = cache.load_or_build(name, paths, lambda: _decode(name, sources))
  splits, sensor_shape = {}, tuple(map(int, cached['sensor_shape']))
  for part in _PARTS:
    packed = {key: cached[f'{part}_{key}'] for key in recordings.PACKED}
    labels = cached[f'{part}_labels']
    splits[part] = recordings.unpack(packed, labels, sensor_shape)
  return splits, tuple(map(str, cached['class_names']))


def _open(name, folder, download):
  """Returns the source of each split.

  As a dataset of tonic, a source has `len(source)`, `source[index]`, which is
  (events, label), `location_on_system`, `sensor_size` and, not always,
  `classes`.
  """
  import tonic.datasets

  kind = getattr(tonic.datasets, folder.name, None)
  expected = ' and '.join(f'{folder}/{part}/<class>/' for part in _PARTS)
  if not re.fullmatch(r'\w[\w.-]*', name.removeprefix(catalog.TONIC)):
    kind = None
  elif files.list_names(folder).issuperset(_PARTS):
    classes = _list_classes(folder / 'train')
    size = getattr(kind, 'sensor_size', None)
    return {part: _Folder(folder, part, classes, size) for part in _PARTS}
  if not isinstance(kind, type):
    raise files.DatasetError(
      f'There is no event set {name!r}; choose a class of tonic.datasets, as '
      f'{catalog.TONIC}SHD, or put recordings into {expected}.'
    )

  class Reader(kind):
    """Reads the files that are there, and downloads on request only.

    On request tonic downloads whatever it regards as incomplete; the files that
    are there may be a subset without archives.
    """

    def _check_exists(self):
      return super()._check_exists() if download else True

    def download(self):
      url = getattr(self, 'url', None)
      if url:  # tonic would retry for minutes
        downloads.check_available(url, pathlib.Path(self.location_on_system))
      super().download()

  Reader.__name__ = kind.__name__  # the name of its folder
  parameters = inspect.signature(kind).parameters
  if 'train' in parameters:
    options = {'train': {'train': True}, 'test': {'train': False}}
  elif 'split' in parameters:
    options = {part: {'split': part} for part in _PARTS}
  else:
    raise files.DatasetError(
      f'tonic does not divide {kind.__name__} into training and test '
      f'recordings; put the recordings of each into {expected}.'
    )
  with contextlib.redirect_stdout(sys.stderr):
    return {
      part: Reader(str(folder.parent), **options[part]) for part in _PARTS
    }


class _Folder:
  """Recordings `<class>/*` of one split, in a folder."""

  def __init__(self, folder, part, classes, sensor_size):
    self.location_on_system = str(folder)
    self.classes, self.sensor_size = classes, sensor_size
    self._paths, self._labels = [], []
    for name in _list_classes(folder / part):
      if name not in classes:
        raise files.DatasetError(
          f'{folder / part} has the class {name}, which {folder}/train lacks; '
          'include every class in the training recordings.'
        )
      for path in sorted((folder / part / name).iterdir()):
        if path.name.startswith('.'):
          continue
        if path.suffix not in ('.npy', '.bin'):
          raise files.DatasetError(
            f'{path} is not a recording in a known format; expected .npy or '
            '.bin: save its events with np.save.'
          )
        self._paths.append(path)
        self._labels.append(classes.index(name))

  def __len__(self):
    return len(self._paths)

  def __getitem__(self, index):
    path = self._paths[index]
    if path.suffix == '.npy':
      return np.load(path), self._labels[index]
    import tonic.io

    events = tonic.io.read_mnist_file(path, dtype=_BIN_EVENTS)
    return events, self._labels[index]


def _list_classes(folder):
  """Lists the classes of a folder, in the order of their numbers or names."""
  names = [path.name for path in folder.iterdir() if path.is_dir()]
  names = [name for name in names if not name.startswith('.')]
  return sorted(names, key=int if all(map(str.isdecimal, names)) else None)


def _decode(name, sources):
  """Returns the arrays of both splits for the cache."""
  size = sources['train'].sensor_size or _find_size(sources)
  width, height, polarities = map(int, size)
  sensor_shape = polarities, height, width
  decoded, labels = {}, []
  for part, source in sources.items():
    packed = _decode_split(f'{name}/{part}', source, sensor_shape)
    num_recordings = len(packed['sizes'])
    packed['labels'] = arrays.check_labels(
      part, packed['labels'], num_recordings
    )
    labels.append(packed['labels'])
    decoded |= {f'{part}_{key}': values for key, values in packed.items()}
  class_names = getattr(sources['train'], 'classes', None)
  if isinstance(class_names, Mapping):  # from names to labels
    class_names = sorted(class_names, key=class_names.get)
  if class_names is not None:
    class_names = [
      n.decode() if isinstance(n, bytes) else n for n in class_names
    ]
  names = arrays.name_classes(class_names, *labels)
  return decoded | {
    'sensor_shape': np.array(sensor_shape),
    'class_names': np.array(names),
  }


def _decode_split(name, source, sensor_shape):
  """Returns packed recordings and their labels, in the order of their paths.

  The order in which tonic lists the files of a folder may differ between
  machines.
  """
  indices, paths, labels = range(len(source)), getattr(source, 'data', ()), []
  if len(paths) == len(source) and all(isinstance(p, str) for p in paths):
    indices = sorted(indices, key=paths.__getitem__)

  def decode_all():
    for index in indices:
      events, label = source[index]
      labels.append(label)
      try:
        yield _decode_events(events, sensor_shape)
      except ValueError as error:
        raise ValueError(f'recording {index} has {error}') from None

  packed = recordings.pack(name, decode_all(), len(source))
  return packed | {'labels': labels}


def _decode_events(events, sensor_shape):
  """Returns the times `[E]` and addresses `[E]` of one recording."""
  times, p, y, x = (_integers(events, name) for name in 'tpyx')
  if times.size and not 0 <= times.min() <= times.max() < 2**32:
    raise ValueError(
      f'times from {times.min()} to {times.max()} microseconds, out of range 0 '
      'to 2**32'
    )
  if sensor_shape[0] == 1:  # some sets have a polarity of 1
    p = np.zeros_like(p)
  try:
    addresses = np.ravel_multi_index((p, y, x), sensor_shape)
  except ValueError:
    polarities, height, width = sensor_shape
    raise ValueError(
      f'an event outside of the sensor of {width} x {height} pixels and '
      f'{polarities} polarities'
    ) from None
  # The number of pixels must be representable, too.
  dtype = np.min_scalar_type(math.prod(sensor_shape))
  return times.astype(np.uint32), addresses.astype(dtype)


def _integers(events, name):
  """Returns a field of events as int64; 0 without this field."""
  if name not in (events.dtype.names or ()):
    if name in 'tx':
      raise ValueError(f'events of {events.dtype} without the field {name}')
    return np.zeros(len(events), np.int64)
  values = events[name]
  if values.dtype.kind not in 'iub':
    raise ValueError(f'events with {name} of {values.dtype}, not integers')
  return values.astype(np.int64)


def _find_size(sources):
  """Returns the size of the smallest sensor that contains all events."""
  size = np.ones(3, np.int64)
  for source in sources.values():
    for index in range(len(source)):
      events, _ = source[index]
      for axis, name in enumerate('xyp'):
        last = _integers(events, name).max(initial=0)
        size[axis] = max(size[axis], last + 1)
  return size


@contextlib.contextmanager
def _explain_errors(name, folder):
  """Converts errors of tonic, of many types, to a `DatasetError`."""
  try:
    yield
  except files.DatasetError as error:
    raise files.DatasetError(f'{name}: {error}') from None
  except (Exception, SystemExit) as error:  # tonic may exit
    raise files.DatasetError(
      f'{name} cannot be read ({files.root_cause(error)}); put its unpacked '
      f'files into {folder}, set <data_dir> with --data_dir or TFDS_DATA_DIR, '
      'or download them with --download.'
    ) from error
