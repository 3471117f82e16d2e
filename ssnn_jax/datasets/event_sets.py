"""Event sets: N-MNIST, classes of tonic, and folders of recordings.

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
from collections.abc import Sequence
import contextlib
import inspect
import math
import pathlib
import re
import sys

import numpy as np

# tonic uses this module of NumPy without importing it.
import numpy.lib.recfunctions  # noqa: F401
import tqdm

from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import files
from ssnn_jax.datasets import recordings

_PARTS = 'train', 'test'


def load_tonic(
  name: str, data_dir: pathlib.Path, download: bool = False
) -> tuple[dict[str, recordings.Recordings], tuple[str, ...]]:
  """Loads the splits 'train' and 'test' of an event set, and its class names.

  Raises `DatasetError` if files are missing or invalid, or there is no split.
  """
  folder = data_dir / name.removeprefix(catalog.TONIC)
  with _explain_errors(name, folder):
    return _load(name, _open_tonic(name, folder, download))


def load_folder(
  name: str, folder: pathlib.Path, num_classes: int
) -> dict[str, recordings.Recordings]:
  """Loads `{Train,Test}/<label>/*.bin` of N-MNIST's format; as `load_tonic`."""
  classes = list(map(str, range(num_classes)))
  with _explain_errors(name, folder):
    sources = {
      part: _Folder(folder / part.title(), classes, recordings.SENSOR_SIZE)
      for part in _PARTS
    }
    return _load(name, sources)[0]


def _load(name, sources):
  """Loads the recordings of two sources, and the names of their classes.

  As a dataset of tonic, a source has `len(source)`, `source[index]`, which is
  (events, label), `location_on_system`, `sensor_size` and, not always,
  `classes`.
  """
  if not all(map(len, sources.values())):
    raise FileNotFoundError('a split has no recordings')
  folders = {source.location_on_system for source in sources.values()}
  paths = [p for folder in folders for p in pathlib.Path(folder).rglob('*')]
  paths = [path for path in paths if path.is_file()]
  cached = files.load_or_build(name, paths, lambda: _decode(name, sources))
  sensor_shape = tuple(map(int, cached['sensor_shape']))
  splits = {}
  for part in _PARTS:
    fields = recordings.Recordings._fields[:-1]
    arrays_of_part = (cached[f'{part}_{field}'] for field in fields)
    splits[part] = recordings.Recordings(*arrays_of_part, sensor_shape)
  return splits, tuple(map(str, cached['class_names']))


def _open_tonic(name, folder, download):
  """Returns the source of each split."""
  import tonic.datasets

  kind = getattr(tonic.datasets, folder.name, None)
  expected = ' and '.join(f'{folder}/{part}/<class>/' for part in _PARTS)
  if not re.fullmatch(r'\w[\w.-]*', name.removeprefix(catalog.TONIC)):
    kind = None
  elif files.list_names(folder).issuperset(_PARTS):
    classes = _list_classes(folder / 'train')
    size = getattr(kind, 'sensor_size', None)
    return {part: _Folder(folder / part, classes, size) for part in _PARTS}
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


class _Folder(Sequence):
  """Recordings `<class>/*` of one split, in a folder."""

  def __init__(self, folder, classes, sensor_size):
    self.location_on_system = str(folder)
    self.classes, self.sensor_size = classes, sensor_size
    self._paths, self._labels = [], []
    for name in _list_classes(folder):
      if name not in classes:
        raise files.DatasetError(
          f'{folder} has the class {name}, expected {", ".join(classes)}; '
          'include every class in the training recordings.'
        )
      for path in sorted((folder / name).iterdir()):
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
    read = np.load if path.suffix == '.npy' else recordings.read_bin
    return read(path), self._labels[index]


def _list_classes(folder):
  """Lists the classes of a folder, in the order of their numbers or names."""
  names = [path.name for path in folder.iterdir() if path.is_dir()]
  names = [name for name in names if not name.startswith('.')]
  return sorted(names, key=int if all(map(str.isdecimal, names)) else None)


def _decode(name, sources):
  """Returns the arrays of both splits for the cache."""
  width, height, polarities = sources['train'].sensor_size or _find_size(
    sources.values()
  )
  shape = int(polarities), int(height), int(width)
  decoded = {'sensor_shape': np.array(shape)}
  for part, source in sources.items():
    indices, paths = range(len(source)), getattr(source, 'data', ())
    # tonic may list the files of a folder in another order on other machines.
    if len(paths) == len(source) and all(isinstance(p, str) for p in paths):
      indices = sorted(indices, key=paths.__getitem__)
    found = []
    for index in tqdm.tqdm(
      indices, f'decoding {name}/{part}', disable=None, unit='files'
    ):
      events, label = source[index]
      try:
        found.append((*_decode_events(events, shape), label))
      except ValueError as error:
        raise ValueError(f'recording {index} has {error}') from None
    times, addresses, labels = zip(*found)
    decoded |= {
      f'{part}_times': np.concatenate(times),
      f'{part}_addresses': np.concatenate(addresses),
      f'{part}_offsets': np.cumsum([0, *map(len, times)]),
      f'{part}_labels': arrays.check_labels(part, labels, len(labels)),
    }
  names = getattr(sources['train'], 'classes', None)
  if isinstance(names, Mapping):  # from names to labels
    names = sorted(names, key=names.get)
  if names is not None:
    names = [n.decode() if isinstance(n, bytes) else n for n in names]
  labels = [decoded[f'{part}_labels'] for part in _PARTS]
  decoded['class_names'] = np.array(arrays.name_classes(names, *labels))
  return decoded


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
    raise ValueError(
      'an event outside of the sensor of {2} x {1} pixels and {0} '
      'polarities'.format(*sensor_shape)
    ) from None
  # The number of pixels must be representable, too.
  dtype = np.min_scalar_type(math.prod(sensor_shape))
  return times.astype(np.uint32), addresses.astype(dtype)


def _integers(events, name):
  """Returns a field of events as int64; 0 without y or p."""
  if name not in (events.dtype.names or ()):
    if name in 'tx':
      raise ValueError(f'events of {events.dtype} without the field {name}')
    return np.zeros(len(events), np.int64)
  if events[name].dtype.kind not in 'iub':
    dtype = events[name].dtype
    raise ValueError(f'events with {name} of {dtype}, not integers')
  return events[name].astype(np.int64)


def _find_size(sources):
  """Returns the size of the smallest sensor that contains all events."""
  size = np.ones(3, np.int64)
  for source in sources:
    for index in range(len(source)):
      events, _ = source[index]
      last = [_integers(events, name).max(initial=0) for name in 'xyp']
      size = np.maximum(size, np.add(last, 1))
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
