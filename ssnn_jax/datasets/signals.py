"""Signals in time: spoken digits, touch, rows of images, and text.

A signal is `[L, I]` rates of L moments, and its labels are the class of each
moment. All sets but text and rows of images are decoded once, and cached.
"""

import functools
import pathlib

import numpy as np

from ssnn_jax import checks
from ssnn_jax import temporal
from ssnn_jax import types
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import files

# Sounds.
NUM_MOMENTS = 64  # of a recording of speech; later ones are cut
NUM_BANDS = 32  # of sounds, above the mean, and again below
SOUNDS = 'spoken_digits', 'speech_commands'
_HOP, _WINDOW = 0.016, 0.032  # seconds
# Mean levels of a moment that are the rates 0 and 1, in dB of a sine of the
# full scale of 16 bits; and dB of a band above or below it that are a rate 1.
_LOWEST, _HIGHEST, _SPAN = -75.0, -15.0, 25.0
_FULL_SCALE = 2.0**15
_DIGITS_RATE = 8_000  # samples per second of the spoken digits
_NUM_TEST = 5  # test recordings of each digit and speaker: the first ones

_TOUCH_GAIN = 16  # a change of 16 of 255 between two moments has rate 1
TEXT_MOMENTS = 64  # characters of a window
_TEST_SHARE = 10  # the last tenth of a text


def is_text_path(name: object) -> bool:
  """Returns whether a dataset name is the path of a text."""
  return isinstance(name, str) and name.endswith('.txt')


def log_mel(samples: np.ndarray, sample_rate: int) -> np.ndarray:
  """Computes the log mel spectrum of a recording, as `[L, 65]` uint8 rates.

  A moment is a window of 32 ms, 16 ms after the last one. Its channels are how
  much each of 32 bands is above the mean of their levels, a rate of 1 for 25
  dB; how much each is below; and the mean, of -75 to -15 dB of a full-scale
  sine. A moment depends on nothing but its window, and all channels but the
  last not on the volume.

  Args:
    samples: `[S]` samples of 16 bits.
    sample_rate: samples per second.

  Raises:
    UserError: if the samples are no integers of one channel.
  """
  samples = np.asarray(samples)
  if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.integer):
    raise types.UserError(
      f'samples are {samples.dtype} of shape {samples.shape}; expected '
      'integers of 16 bits of one channel.'
    )
  hop, window = (round(t * sample_rate) for t in (_HOP, _WINDOW))
  samples = np.pad(samples, (0, max(window - len(samples), 0))) / _FULL_SCALE
  frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
  taper = np.hanning(window + 1)[:-1]
  amplitudes = np.abs(np.fft.rfft(frames * taper)) * (2 / np.sum(taper))
  powers = amplitudes**2 @ _mel_filters(sample_rate, window)
  levels = 10 * np.log10(np.maximum(powers, 1e-10))
  mean = np.mean(levels, axis=1, keepdims=True)
  above = (levels - mean) / _SPAN
  volume = (mean - _LOWEST) / (_HIGHEST - _LOWEST)
  rates = np.concatenate([above, -above, volume], axis=1)
  return np.rint(255 * np.clip(rates, 0, 1)).astype(np.uint8)


@functools.cache
def _mel_filters(sample_rate, window):
  """Returns the `[F, 32]` triangular filters, with a gain of 1 at the center.

  F is the number of frequencies of a window.
  """
  with checks.extra('data'):
    import librosa  # slow

  filters = librosa.filters.mel(
    sr=sample_rate, n_fft=window, n_mels=NUM_BANDS, norm=None
  )
  return filters.T.astype(np.float64)


def pad(
  recordings: list[np.ndarray], num_moments: int = NUM_MOMENTS
) -> tuple[np.ndarray, np.ndarray]:
  """Pads `[L, I]` signals to equal lengths, and cuts longer ones.

  Returns:
    Signals `[N, num_moments, I]`, zero after their end, and lengths `[N]`.
  """
  lengths = np.minimum([len(own) for own in recordings], num_moments)
  shape = len(recordings), num_moments, recordings[0].shape[1]
  padded = np.zeros(shape, recordings[0].dtype)
  for own, recording, length in zip(padded, recordings, lengths):
    own[:length] = recording[:length]
  return padded, lengths


def load(
  name: str, data_dir: pathlib.Path, class_names: tuple[str, ...]
) -> arrays.Dataset:
  """Loads a set of signals of `FAMILIES` from its files.

  The test split of `spoken_digits/speakers` is the last two speakers; that of
  other sets is decoded with them.
  """
  family, _, split = name.partition('/')
  *patterns, decode = _SETS[family]
  found = ([*data_dir.glob(pattern)] for pattern in patterns)
  sources = next(filter(None, found), None)
  if sources is None:
    raise types.UserError(
      f'Cannot find {" or ".join(patterns)} in {data_dir}; put files there, '
      'and set <data_dir> with --data_dir or TFDS_DATA_DIR.'
    )

  def build():
    with checks.explain(name, 'replace its files, as docs/data.md says'):
      return decode(sources)

  decoded = files.load_or_build(family, sources, build)
  rates, labels = decoded['rates'], decoded['labels']
  is_test = decoded['is_test']
  if split == 'speakers':
    is_test = np.isin(decoded['speaker'], np.unique(decoded['speaker'])[-2:])
  if is_test.all() or not is_test.any():
    raise types.UserError(
      f'{name} has {np.sum(is_test)} test recordings of {len(is_test)}; add '
      'recordings of indices below and above 4, and of three speakers.'
    )
  train, test = (arrays.Split(rates[m], labels[m]) for m in (~is_test, is_test))
  return arrays.Dataset(name, train, test, class_names)


def _decode_digits(sources):
  """Decodes the Free Spoken Digit Dataset, in the order of its names."""
  recordings = _read_wav(sources)
  if sources[0].suffix == '.npz':
    recordings = _read_npz(sources[0])
  ordered = sorted(recordings, key=lambda own: own[:3])
  digits, speakers, indices, samples = zip(*ordered)
  rates, lengths = pad([log_mel(own, _DIGITS_RATE) for own in samples])
  return {
    'rates': rates,
    'labels': arrays.label_moments(np.array(digits), lengths, NUM_MOMENTS),
    'is_test': np.array(indices) < _NUM_TEST,
    'speaker': np.array(speakers),
  }


def _read_npz(path):
  """Returns digit, speaker, index and samples of the recordings of a file."""
  with np.load(path) as file:
    stored = {key: file[key] for key in file.files}
  samples = np.split(stored['samples'], np.cumsum(stored['lengths'])[:-1])
  names = (stored[key].tolist() for key in ('digit', 'speaker', 'index'))
  return list(zip(*names, samples))


def _read_wav(paths):
  """Yields digit, speaker, index and samples of files `0_name_0.wav`."""
  import scipy.io.wavfile

  for path in paths:
    digit, speaker, index = path.stem.split('_')
    rate, samples = scipy.io.wavfile.read(path)
    found = rate, samples.dtype, samples.ndim
    if found != (_DIGITS_RATE, np.int16, 1):
      raise ValueError(
        f'{path.name} has {rate} Hz and {samples.dtype}{samples.shape}, not '
        f'{_DIGITS_RATE} Hz and one channel of 16 bits'
      )
    yield int(digit), speaker, int(index), samples


def _decode_braille(sources):
  """Decodes rises and falls of taxels; draws a fifth of each letter to test."""
  with np.load(sources[0]) as file:
    taxels, letters = file['taxels'], file['letter'].astype(np.int32)
  changes = _TOUCH_GAIN * np.diff(taxels.astype(np.int32), axis=1)
  both = np.concatenate([changes, -changes], axis=-1)
  return {
    'rates': np.clip(both, 0, 255).astype(np.uint8),
    'labels': temporal.spread(letters, both.shape[1]),
    'is_test': arrays.draw(letters, 0.2),
  }


def _decode_mnist_1d(sources):
  """Decodes positive and negative parts of MNIST-1D."""
  with np.load(sources[0]) as file:
    x_train, x_test = file['x_train'], file['x_test']
    digits = np.concatenate([file['y_train'], file['y_test']], dtype=np.int32)
  samples = np.concatenate([x_train, x_test]) / np.max(np.abs(x_train))
  signed = np.stack([samples, -samples], axis=-1)
  return {
    'rates': np.clip(signed, 0, 1).astype(np.float32),
    'labels': temporal.spread(digits, samples.shape[1]),
    'is_test': np.arange(len(digits)) >= len(x_train),
  }


# Patterns of files of which the first that matches is decoded, and how.
_SETS = {
  'spoken_digits': (
    'spoken_digits/*_*_*.wav',
    'spoken_digits/recordings/*_*_*.wav',
    'spoken_digits.npz',
    _decode_digits,
  ),
  'braille': ('braille.npz', _decode_braille),
  'mnist_1d': ('mnist1d.npz', _decode_mnist_1d),
}
FAMILIES = tuple(_SETS)


def cut_rows(name: str, images: arrays.Dataset) -> arrays.Dataset:
  """Makes signals of images `[N, H, W]`: at each moment, one row of W pixels.

  The pixels of `permuted` are first brought into one fixed random order.
  """
  height, width = images.input_shape

  def cut(split):
    inputs = split.inputs
    if name.endswith('/permuted'):
      # The stream of RandomState is frozen.
      order = np.random.RandomState(0).permutation(height * width)
      inputs = inputs.reshape(len(inputs), -1)[:, order].reshape(inputs.shape)
    return arrays.Split(inputs, temporal.spread(split.labels, height))

  train, test = cut(images.train), cut(images.test)
  return images._replace(name=name, train=train, test=test)


def from_text(
  text: str, length: int = TEXT_MOMENTS, name: str = 'text'
) -> arrays.Dataset:
  """Builds a dataset of windows of a text, of which each character is next.

  The A inputs are one-hot characters of the sorted alphabet of the text, and
  the label of a moment is the next character. Windows do not overlap; those of
  the last tenth of the text are the test split.

  Args:
    text: text of 10 windows or more.
    length: characters of a window.
    name: name of the dataset in messages and titles.

  Raises:
    UserError: if either split is shorter than a window.
  """
  num_train = len(text) - len(text) // _TEST_SHARE
  if len(text) // _TEST_SHARE <= length:
    raise types.UserError(
      f'{name} has {len(text):,} characters; a window of {length} in the last '
      f'tenth needs {_TEST_SHARE * (length + 1):,}.'
    )
  alphabet, codes = np.unique(list(text), return_inverse=True)
  one_hot = 255 * np.eye(len(alphabet), dtype=np.uint8)

  def cut(own):
    shape = (len(own) - 1) // length, length
    now, following = (
      own[start : start + shape[0] * length].reshape(shape) for start in (0, 1)
    )
    return arrays.Split(one_hot[now], following.astype(np.int32))

  names = tuple(map(str, alphabet))
  train, test = cut(codes[:num_train]), cut(codes[num_train:])
  return arrays.Dataset(name, train, test, names)


def load_text(path: str) -> arrays.Dataset:
  """Loads a text in UTF-8 for `from_text`."""
  with checks.explain(path, 'save it as text in UTF-8'):
    text = pathlib.Path(path).expanduser().read_text('utf-8')
  return from_text(text, name=path)
