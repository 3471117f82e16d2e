"""Recordings of events: folders, classes of tonic, and spike trains of them.

The events of any sensor are decoded once, and then memory-mapped from a cache.
Binning makes spike trains of T ticks of them, or signals in time.
"""

import contextlib
import dataclasses
import functools
import inspect
import itertools
import math
import pathlib
import sys

import numpy as np
import tqdm

from ssnn_jax import checks
from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import files

_SPLITS = {'train': (True, False), 'split': ('train', 'test')}  # of tonic
# Rates of a moment with 0 to 4 events, or more.
_COUNTED = np.rint(255 * np.arange(5) / 4).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Binning:
  """Conversion of recorded events to spike trains of T ticks."""

  num_steps: int = 64  #: T
  event_window: float = 300.0  #: milliseconds from the start that T ticks cover

  def __post_init__(self):
    is_count = checks.is_count(self.num_steps)
    checks.check_field(self, 'num_steps', is_count, checks.COUNT)
    is_window = 1e-3 <= self.event_window <= 4e6  # times are below 2**32 us
    expected = '0.001 to 4,000,000 milliseconds'
    checks.check_field(self, 'event_window', is_window, expected)


def bin_events(
  times: np.ndarray, addresses: np.ndarray, num_inputs: int, binning: Binning
) -> np.ndarray:
  """Bins the events of a recording into `[K, I]` uint32 words of 32 ticks.

  The events have times `[E]`, microseconds since the start of the recording,
  and addresses `[E]`, from 0 to I - 1. An event at time t makes its input spike
  in tick floor(t T / event_window); later events are dropped.
  """
  ticks = np.asarray(times, np.int64) * binning.num_steps
  ticks //= round(binning.event_window * 1000)
  is_used = ticks < binning.num_steps
  words, bits = np.divmod(ticks[is_used], trains.TICKS_PER_WORD)
  num_words = trains.count_words(binning.num_steps)
  train = np.zeros(num_words * num_inputs, np.uint32)
  positions = words * num_inputs + np.asarray(addresses)[is_used]
  np.bitwise_or.at(train, positions, np.uint32(1) << bits.astype(np.uint32))
  return train.reshape(num_words, num_inputs)


def count_events(
  times: np.ndarray,
  addresses: np.ndarray,
  num_inputs: int,
  event_window: float,
  moment: float,
) -> np.ndarray:
  """Counts the events of a recording in moments, as `[L, I]` uint8 rates.

  Four events or more are the rate 1 of an input. L moments of so many
  milliseconds cover the event window, of which the last may be shorter; later
  events are dropped.
  """
  num_moments = math.ceil(event_window / moment)
  is_used = times < round(event_window * 1000)
  moments = times[is_used].astype(np.int64) // round(moment * 1000)
  positions = moments * num_inputs + addresses[is_used]
  counts = np.bincount(positions, minlength=num_moments * num_inputs)
  return _COUNTED[np.minimum(counts, 4)].reshape(num_moments, num_inputs)


def load_tonic(
  name: str,
  folder: pathlib.Path,
  download: bool,
  binning: Binning,
  moment: float | None = None,
) -> arrays.Dataset:
  """Returns the spike trains of an event set, named by its folder.

  Given the milliseconds of a moment, the events are signals in time instead.

  It has recordings `{train,test}/<class>/*`, or else what the class of tonic of
  this name reads, if its argument `train` or `split` chooses between training
  and test recordings. Events are structured arrays with the integer fields `t`
  in microseconds, `x`, and `y` and `p` of several rows or polarities.
  """
  remedy = (
    f'expected {folder}/{{train,test}}/<class>/*.npy, or files of tonic: set '
    '<data_dir> with --data_dir or TFDS_DATA_DIR, or download them with '
    '--download'
  )
  with checks.explain(name, remedy):
    splits, sensor_size, classes = _open(folder, download)
    if not all(splits):
      raise FileNotFoundError('a split has no recordings')

    def read(decode):
      return [_read(name, recordings, decode) for recordings in splits]

    def decode():
      if sensor_size:
        shape = tuple(map(int, sensor_size[::-1]))
      else:
        shape = 1, 1, 1  # the smallest sensor that contains all events
        for (_, *axes), _ in itertools.chain(*read(_columns)):
          last = [axis.max(initial=0) for axis in axes]
          shape = tuple(np.maximum(shape, np.add(last, 1)).tolist())
      return _pack(read(lambda events: _encode(events, shape)), shape, classes)

    paths = [path for path in folder.rglob('*') if path.is_file()]
    decoded = files.load_or_build(name, paths, decode)
    return _bin(name, decoded, binning, moment)


def _bin(name, decoded, binning, moment):
  """Returns the spike trains of decoded events, or their signals in time."""
  times, addresses = decoded['times'], decoded['addresses']
  labels, offsets = decoded['labels'], decoded['offsets']
  num_train = int(decoded['num_train'])
  shape = tuple(decoded['sensor_shape'].tolist())
  size, window = math.prod(shape), binning.event_window
  recordings = [
    (times[own], addresses[own])
    for own in map(slice, offsets[:-1], offsets[1:])
  ]
  if moment is None:
    num_words = trains.count_words(binning.num_steps)
    inputs = np.empty((len(labels), num_words, size), np.uint32)
    for binned, recording in zip(inputs, recordings):
      binned[:] = bin_events(*recording, size, binning)
  else:
    num_moments = math.ceil(window / moment)
    inputs = np.empty((len(labels), num_moments, size), np.uint8)
    for binned, recording in zip(inputs, recordings):
      binned[:] = count_events(*recording, size, window, moment)
    # A recording ends with its last event.
    ends = [own.max(initial=0) // round(moment * 1000) for own, _ in recordings]
    labels = arrays.label_moments(labels, np.add(ends, 1), num_moments)
  is_late = times[: offsets[num_train]] >= round(window * 1000)
  while len(shape) > 1 and shape[0] == 1:  # no polarities, or a single row
    shape = shape[1:]
  return arrays.Dataset(
    name,
    arrays.Split(inputs[:num_train], labels[:num_train]),
    arrays.Split(inputs[num_train:], labels[num_train:]),
    tuple(map(str, decoded['class_names'])),
    sensor_shape=shape if moment is None else None,
    late_fraction=float(np.mean(is_late)) if len(is_late) else 0.0,
  )


def _open(folder, download):
  """Lists the recordings of both splits; finds sensor size and classes.

  A recording is its place, and a function that returns its events and label.
  """
  # tonic uses this module of NumPy without importing it.
  import numpy.lib.recfunctions  # noqa: F401

  with checks.extra('data'):
    import tonic.datasets

  if all((folder / part).is_dir() for part in arrays.PARTS):
    names = [path.name for path in (folder / 'train').glob('[!.]*/')]
    names.sort(key=int if all(map(str.isdecimal, names)) else None)
    splits = [_list_folder(folder / part, names) for part in arrays.PARTS]
    kind = getattr(tonic.datasets, folder.name, None)
    return splits, getattr(kind, 'sensor_size', None), names
  kind = getattr(tonic.datasets, folder.name)
  arguments = _SPLITS.keys() & inspect.signature(kind).parameters
  if not arguments:
    raise ValueError('tonic does not divide it into training and test')

  # Only on request tonic downloads whatever it regards as incomplete: the files
  # that are there may be a subset without archives.
  changes = {} if download else {'_check_exists': lambda self: True}
  reader = type(kind.__name__, (kind,), changes)  # has the name of its folder
  (argument,), root = arguments, str(folder.parent)
  with contextlib.redirect_stdout(sys.stderr):
    sources = [reader(root, **{argument: value}) for value in _SPLITS[argument]]
  classes = getattr(sources[0], 'classes', None)
  if classes is not None:
    classes = [n.decode() if isinstance(n, bytes) else n for n in classes]
  return list(map(_list_source, sources)), sources[0].sensor_size, classes


def _list_folder(folder, classes):
  """Lists the recordings of a folder in the order of their classes."""
  import tonic

  def read(path, label):
    if path.suffix == '.bin':
      dtype = tonic.datasets.NMNIST.dtype
      return tonic.io.read_mnist_file(path, dtype), label
    return np.load(path), label

  paths = sorted(folder.glob('[!.]*/[!.]*'))
  unknown = {path.parent.name for path in paths}.difference(classes)
  if unknown:
    raise types.UserError(
      f'{folder} has the class {min(unknown)}, expected '
      f'{", ".join(classes)}; include every class in the training recordings.'
    )
  labels = [classes.index(path.parent.name) for path in paths]
  return [
    (path, functools.partial(read, path, label))
    for label, path in sorted(zip(labels, paths))
  ]


def _list_source(source):
  """Lists the recordings of a class of tonic in the order of their paths."""
  order = places = range(len(source))
  if isinstance(source.data, list) and source.data:
    places = source.data
  # tonic may list the files of a folder in another order on other machines.
  if all(isinstance(path, str) for path in places):
    order = sorted(order, key=places.__getitem__)
  return [
    (places[index], functools.partial(source.__getitem__, index))
    for index in order
  ]


def _read(name, recordings, decode):
  """Yields the decoded events and the label of each recording."""
  for place, read in tqdm.tqdm(recordings, f'decoding {name}', disable=None):
    with checks.explain(place, 'replace or remove it'):
      events, label = read()
      decoded = decode(events)
    yield decoded, label


def _columns(events, shape=3 * (2**16,)):
  """Returns t, p, y and x of events as int64, without p or y as 0."""
  columns = []
  for name, limit in zip('tpyx', (2**32, *shape)):
    is_missing = name in 'py' and name not in events.dtype.names
    if is_missing or (name == 'p' and limit == 1):  # some sets have 1 for all
      values = np.zeros(len(events), np.int64)
    else:
      values = events[name].astype(np.int64, casting='same_kind')
    low, high = values.min(initial=0), values.max(initial=0)
    if low < 0 or high >= limit:
      raise ValueError(f'{name} from {low} to {high}, not 0 to {limit - 1}')
    columns.append(values)
  return columns


def _encode(events, shape):
  """Returns times `[E]` and addresses `[E]`, (p H + y) W + x, of events."""
  times, *axes = _columns(events, shape)
  # The number of pixels must be representable, too.
  dtype = np.min_scalar_type(math.prod(shape))
  addresses = np.ravel_multi_index(axes, shape)
  return times.astype(np.uint32), addresses.astype(dtype)


def _pack(splits, shape, class_names):
  """Returns the arrays of the cache, of encoded events and labels."""
  train, test = map(list, splits)
  encoded, labels = zip(*train, *test)
  times, addresses = zip(*encoded)
  sizes = len(train), len(test)
  labels = labels[: sizes[0]], labels[sizes[0] :]
  shapes = [(size,) for size in sizes]
  labels, names = arrays.check_labels(labels, shapes, class_names)
  return {
    'times': np.concatenate(times),
    'addresses': np.concatenate(addresses),
    'offsets': np.cumsum([0, *map(len, times)]),
    'labels': np.concatenate(labels),
    'num_train': np.array(sizes[0]),
    'sensor_shape': np.array(shape),
    'class_names': np.array(names),
  }
