"""Tests for signals in time: sounds, touch, rows, counted events and text."""

import io
import os
from unittest import mock

from absl.testing import parameterized
import librosa
import numpy as np
import scipy.io.wavfile
import tensorflow_datasets as tfds

from experiments.runs import config as config_lib
from ssnn_jax import datasets
from ssnn_jax import types
from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import images
from ssnn_jax.datasets import signals
from tests.testing import datasets as data_util

X = 11 * np.arange(4 * 3 * 2, dtype=np.uint8).reshape(4, 3, 2)
Y = np.array([0, 1, 1, 0])
SIGNALS = dict(x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2])
LENGTHS = dict(lengths_train=[3, 1, 2, 3], lengths_test=[2, 3])
MOMENTS = np.array([[0, 0, 0], [1, -1, -1], [1, 1, -1], [0, 0, 0]], np.int32)


def tone(frequency, sample_rate, seconds=0.5, amplitude=0.5):
  """Returns samples of 16 bits of a sine."""
  times = np.arange(round(seconds * sample_rate)) / sample_rate
  sine = amplitude * np.sin(2 * np.pi * frequency * times)
  return np.rint(sine * 2**15).astype(np.int16)


class FromArraysTest(data_util.DatasetTestCase):
  def test_lengths_or_labels_of_moments_make_signals(self):
    moments = SIGNALS | dict(y_train=MOMENTS, y_test=[[0, 0, -1], [1, 1, 1]])
    path = self.data_dir / 'own.npz'
    np.savez(path, **SIGNALS, **LENGTHS)
    for own in (
      datasets.from_arrays(**SIGNALS, **LENGTHS),
      datasets.from_arrays(**moments),
      datasets.from_arrays(**moments, **LENGTHS),
      datasets.load(str(path)),
    ):
      self.assertTrue(own.is_signal)
      self.assertFalse(own.is_recorded)
      self.assertEqual((own.input_shape, own.class_names), ((3, 2), ('0', '1')))
      data_util.assert_arrays_equal(own.train, (X, MOMENTS))
      np.testing.assert_array_equal(own.test.labels, moments['y_test'])
    self.assertFalse(datasets.from_arrays(**SIGNALS).is_signal)

  @parameterized.parameters(
    (LENGTHS | dict(lengths_train=[3, 1, 2, 4]), 'lengths_train .*1 to L'),
    (LENGTHS | dict(lengths_test=[0, 3]), 'lengths_test .*1 to L'),
    (LENGTHS | dict(lengths_test=[1.0, 3.0]), 'lengths_test are float64'),
    (
      LENGTHS | dict(x_train=X[..., 0], x_test=X[:2, :, 0]),
      r'inputs \(4, 1, 3\); .*\[N, L, I\]',
    ),
    (LENGTHS | dict(lengths_test=None), 'one split has labels of moments'),
    (LENGTHS | dict(y_train=Y - 2), 'different labels from -2'),
    (LENGTHS | dict(y_train=Y / 1), 'y_train.*float64'),
    (LENGTHS | dict(y_train=Y * 2**32), 'to 4294967296'),
    (dict(y_train=MOMENTS - 1, y_test=MOMENTS[:2]), 'from -2 to'),
    (dict(y_train=MOMENTS, y_test=MOMENTS[:2] * 0 - 1), 'y_test has no label'),
    (dict(y_train=np.eye(4, dtype=int)), 'one-hot'),
  )
  def test_refuses_what_is_no_signal(self, changes, words):
    arrays = SIGNALS | changes
    self.assert_refused(words, lambda: datasets.from_arrays(**arrays))

  def test_splits_are_stratified_by_the_last_class(self):
    size = 40
    labels = np.tile(np.array([[0, 1, -1], [1, 0, -1]]), (size // 2, 1))
    labels[2::4, 2] = 1
    last = np.where(np.arange(size) % 2 == 0, 1, 0)
    x = np.zeros((size, 3, 2), np.uint8)
    x[:, 0, 0], x[:, 1, 0] = np.arange(size), 255
    own = datasets.from_arrays(x, labels, x[:2] + 40, labels[:2])
    for made in (
      datasets.hold_out(own, 0.25).validation,
      datasets.fold(own, 3, 0).test,
    ):
      found = last[made.inputs[:, 0, 0] % size]
      self.assertLessEqual(abs(np.sum(found == 0) - np.sum(found == 1)), 1)


class SoundTest(data_util.DatasetTestCase):
  def write_wav(self, path, samples, rate=8000):
    content = io.BytesIO()
    scipy.io.wavfile.write(content, rate, samples)
    self.write(path, content.getvalue())

  @parameterized.product(rate=(8000, 16_000), frequency=(300, 1000, 3000))
  def test_tone_peaks_in_its_band(self, rate, frequency):
    rates = signals.log_mel(tone(frequency, rate, amplitude=0.01), rate)
    self.assertEqual(rates.shape, (30, 65))  # windows of 32 ms each 16 ms
    centers = librosa.mel_frequencies(34, fmin=0, fmax=rate / 2)[1:-1]
    band = np.argmin(np.abs(centers - frequency))
    peaks = rates[:, :32] == 255  # 25 dB or more above the mean
    self.assertTrue(np.all(peaks[:, band]))
    self.assertLess(np.max(np.sum(peaks, axis=1)), 8)
    # A band is above the mean, or below it.
    self.assertFalse(np.any((rates[:, :32] > 0) & (rates[:, 32:64] > 0)))

  def test_volume_is_the_last_channel(self):
    samples = np.random.default_rng(0).integers(-999, 999, 2560, np.int16)
    quiet, loud = (
      np.float64(signals.log_mel(own, 8000)) for own in (samples, 8 * samples)
    )
    np.testing.assert_allclose(loud[:, :64], quiet[:, :64], atol=1)
    rise = (loud[:, 64] - quiet[:, 64]) / 255  # 18 dB of 60
    np.testing.assert_allclose(rise, 20 * np.log10(8) / 60, atol=0.01)

  def test_silence_is_0_and_moments_depend_on_their_windows_alone(self):
    samples = np.random.default_rng(0).integers(-9999, 9999, 2560, np.int16)
    whole = signals.log_mel(samples, 8000)
    start = signals.log_mel(samples[:1280], 8000)
    np.testing.assert_array_equal(whole[: len(start)], start)
    self.assertGreater(start[:, 64].min(), 0)
    self.assertEqual(signals.log_mel(0 * samples, 8000).max(), 0)
    self.assertLen(signals.log_mel(samples[:7], 8000), 1)
    for wrong in (samples / 2**15, samples.reshape(-1, 2)):
      self.assert_refused('one channel', signals.log_mel, wrong, 8000)

  def write_digits(self, folder=None):
    """Writes tones as recordings; returns digit, speaker and index of each."""
    names = [
      (digit, speaker, index)
      for digit in (1, 0)
      for speaker in ('eve', 'ada', 'bob')
      for index in (12, 4, 5)
    ]
    own = [
      tone(500 + 40 * number, 8000, 0.1 + 0.1 * number)
      for number in range(len(names))
    ]
    if folder:
      for (digit, speaker, index), samples in zip(names, own):
        self.write_wav(f'{folder}/{digit}_{speaker}_{index}.wav', samples)
    else:
      values = dict(zip(('digit', 'speaker', 'index'), map(list, zip(*names))))
      values |= dict(samples=np.concatenate(own), lengths=list(map(len, own)))
      np.savez(self.data_dir / 'spoken_digits.npz', **values)
    return sorted(zip(names, own), key=lambda pair: pair[0])

  @parameterized.parameters('spoken_digits', 'spoken_digits/recordings', None)
  def test_splits_digits_by_index_or_speaker(self, folder):
    recordings = [
      (names, signals.log_mel(samples, 8000))
      for names, samples in self.write_digits(folder)
    ]
    for _ in range(2):
      for name, is_test in (
        ('spoken_digits', lambda speaker, index: index < 5),
        ('spoken_digits/speakers', lambda speaker, index: speaker != 'ada'),
      ):
        own = datasets.load(name, self.data_dir)
        for split, part in ((own.train, False), (own.test, True)):
          chosen = [
            (digit, rates)
            for (digit, *rest), rates in recordings
            if is_test(*rest) == part
          ]
          self.assertLen(split.inputs, len(chosen))
          for x, y, (digit, rates) in zip(*split, chosen):
            length = min(len(rates), 64)
            np.testing.assert_array_equal(x[:length], rates[:64])
            self.assertFalse(x[length:].any())
            expected = length * [digit] + (64 - length) * [-1]
            self.assertEqual(y.tolist(), expected)
        self.assertEqual((own.name, own.full_size), (name, 3000))
      self.enterContext(mock.patch.object(signals, 'log_mel'))  # is cached

  def test_refuses_missing_and_other_recordings(self):
    load = lambda: datasets.load('spoken_digits', self.data_dir)
    self.assert_refused('Cannot find .*npz in .*--data_dir', load)
    self.write_wav('spoken_digits/0_ada_0.wav', tone(500, 16_000), 16_000)
    self.assert_refused('0_ada_0.wav has 16000 Hz', load)
    self.write_wav('spoken_digits/0_ada_0.wav', tone(500, 8000))
    with self.assertRaisesRegex(types.UserError, '1 test recordings of 1;'):
      load()

  def test_reads_sounds_that_tfds_has_prepared(self):
    names, rate = ('no', 'yes'), 4000
    own = [tone(300 + 100 * n, rate, 0.2 + 0.3 * n) for n in range(4)]
    split = datasets.Split([x.astype(np.int64) for x in own], [0, 1, 1, 0])
    with images._sounds_without_tensorflow():
      audio = tfds.features.Audio(sample_rate=rate)
    label = tfds.features.ClassLabel(names=names)
    splits = dict(train=split, validation=split, test=split)
    # To prepare sounds, TFDS needs a dtype of TensorFlow.
    dtype = mock.patch.object(tfds.features.Audio, 'dtype', np.dtype(np.int64))
    with images._sounds_without_tensorflow(), dtype:
      data_util.prepare_tfds('words', self.data_dir, audio, label, **splits)
    found = datasets.load('words', self.data_dir)
    self.assertEqual((found.class_names, found.input_shape), (names, (64, 65)))
    expected, lengths = signals.pad([signals.log_mel(x, rate) for x in own])
    data_util.assert_arrays_equal(found.test.inputs, expected)
    self.assertEqual(lengths.tolist(), [11, 30, 49, 64])
    self.assertEqual(np.sum(found.train.labels >= 0, 1).tolist(), [*lengths])
    self.assertEqual(found.train.labels[:, 0].tolist(), [0, 1, 1, 0])

  @data_util.requires_files('spoken_digits.npz')
  def test_real_digits_fill_the_range_of_rates(self):
    train = datasets.load('spoken_digits', data_util.REAL_DATA).train
    rates = train.inputs[train.labels >= 0]
    # A band is above the mean or below it, seldom 25 dB.
    self.assertLess(np.mean(rates[:, :64] == 255), 0.05)
    self.assertBetween(np.mean(rates[:, :64] > 0), 0.4, 0.5)
    self.assertLess(np.mean(np.isin(rates[:, 64], (0, 255))), 0.1)


class TouchTest(data_util.DatasetTestCase):
  def test_changes_of_taxels_are_rises_and_falls(self):
    taxels = np.full((10, 4, 12), 200, np.uint8)
    taxels[:, 1, 3], taxels[:, 2:, 3] = 190, 195
    taxels[:, 3, 5] = 255
    letters = np.arange(10) % 2
    path = self.data_dir / 'braille.npz'
    np.savez(path, taxels=taxels, letter=letters.astype(np.uint8))
    own = datasets.load('braille', self.data_dir)
    expected = np.zeros((3, 24), np.uint8)
    expected[0, 12 + 3], expected[1, 3], expected[2, 5] = 160, 80, 255
    for split, size in ((own.train, 8), (own.test, 2)):
      inputs = np.broadcast_to(expected, (size, 3, 24))
      np.testing.assert_array_equal(split.inputs, inputs)
      found = [sorted(moment.tolist()) for moment in split.labels.T]
      half = size // 2
      self.assertEqual(found, 3 * [half * [0] + half * [1]])
    self.assertEqual(
      (own.num_classes, own.class_names[:2]), (27, ('space', 'A'))
    )


class ImagesTest(data_util.DatasetTestCase):
  def test_mnist_1d_has_positive_and_negative_parts(self):
    x = np.array([[1.0, -4.0, 2.0], [0.0, 1.0, -2.0]])
    arrays = dict(x_train=x, y_train=[3, 9], x_test=2 * x, y_test=[0, 1])
    np.savez(self.data_dir / 'mnist1d.npz', **arrays)
    own = datasets.load('mnist_1d', self.data_dir)
    positive = [[0.25, 0.0, 0.5], [0.0, 0.25, 0.0]]
    negative = [[0.0, 1.0, 0.0], [0.0, 0.0, 0.5]]
    expected = np.stack([positive, negative], -1).astype(np.float32)
    data_util.assert_arrays_equal(own.train.inputs, expected)
    self.assertEqual(own.train.labels.tolist(), [3 * [3], 3 * [9]])
    np.testing.assert_array_equal(own.test.inputs, np.minimum(2 * expected, 1))
    self.assertEqual(own.test.labels.tolist(), [3 * [0], 3 * [1]])

  def test_rows_and_permuted_pixels_of_mnist(self):
    self.write_mnist(data_util.fake_originals())
    load = lambda name: datasets.load(name, self.data_dir)
    mnist, rows, permuted = map(load, ('mnist', 'mnist/rows', 'mnist/permuted'))
    labels = np.repeat(mnist.train.labels[:, None], 28, axis=1)
    data_util.assert_arrays_equal(rows.train, (mnist.train.inputs, labels))
    self.assertEqual((rows.name, rows.input_shape), ('mnist/rows', (28, 28)))
    order = np.random.RandomState(0).permutation(784)
    pixels = mnist.test.inputs.reshape(-1, 784)
    for moment in (0, 27):
      own = pixels[:, order[28 * moment : 28 * moment + 28]]
      np.testing.assert_array_equal(permuted.test.inputs[:, moment], own)
    self.assertLen(list((self.cache_dir / 'decoded').iterdir()), 1)


class EventsTest(data_util.DatasetTestCase):
  def test_moments_count_up_to_four_events(self):
    events = [(3, 0, 1, 0), (3, 0, 1, 9_999), (0, 2, 0, 10_000)]
    events += 5 * [(1, 1, 1, 24_999)] + [(1, 1, 1, 25_000)]  # after the window
    for part, own in (('Train', events), ('Test', events[:2])):
      self.write(f'NMNIST/{part}/7/0.bin', data_util.event_bytes(own))
    binning = datasets.Binning(event_window=25.0)
    load = lambda name: datasets.load(name, self.data_dir, binning=binning)
    own = load('n_mnist/10ms')
    expected = np.zeros((1, 3, 2, 34, 34), np.uint8)
    expected[0, 0, 1, 0, 3], expected[0, 1, 0, 2, 0] = 128, 64
    expected[0, 2, 1, 1, 1] = 255
    np.testing.assert_array_equal(own.train.inputs, expected.reshape(1, 3, -1))
    self.assertEqual(own.train.labels.tolist(), [[7, 7, 7]])
    self.assertEqual(own.test.labels.tolist(), [[7, -1, -1]])
    self.assertEqual((own.name, own.num_inputs), ('n_mnist/10ms', 3 * 2312))
    self.assertEqual((own.full_size, own.num_classes), (70_000, 10))
    self.assertEqual(own.late_fraction, 1 / 9)
    load('n_mnist')  # of the same decoded events
    self.assertLen(list((self.cache_dir / 'decoded').iterdir()), 1)

  @parameterized.parameters(
    ('n_mnist', True, False),
    ('n_mnist/10ms', False, True),
    ('tonic:SSC/4ms', False, True),
    ('mnist/rows', False, True),
    ('speech_commands', False, True),
    ('mnist', False, False),
  )
  def test_names_say_what_is_a_signal(self, name, is_recorded, is_signal):
    self.assertEqual(catalog.is_recorded(name), is_recorded)
    self.assertEqual(catalog.is_signal(name), is_signal)


class TextTest(data_util.DatasetTestCase):
  def test_windows_are_one_hot_and_labels_the_next_characters(self):
    text = 'abcab' * 10  # 45 characters to train, 5 to test
    own = datasets.from_text(text, 4)
    self.assertEqual(own.class_names, ('a', 'b', 'c'))
    for split, part, size in (
      (own.train, text[:45], 11),
      (own.test, text[45:], 1),
    ):
      self.assertEqual(split.inputs.shape, (size, 4, 3))
      for index, (x, y) in enumerate(zip(*split)):
        now, following = (part[4 * index + k :][:4] for k in (0, 1))
        self.assertEqual(''.join('abc'[c] for c in np.argmax(x, 1)), now)
        self.assertEqual(''.join('abc'[c] for c in y), following)
      self.assertEqual(np.sort(split.inputs).min(), 0)
      self.assertTrue(np.all(np.sum(split.inputs == 255, axis=2) == 1))

  def test_loads_files_and_refuses_short_ones(self):
    path = self.write('own.txt', ('ab é\n' * 130).encode())
    own = datasets.load(str(path))
    self.assertEqual(own.class_names, ('\n', ' ', 'a', 'b', 'é'))
    self.assertEqual(
      (own.name, own.train.inputs.shape), (str(path), (9, 64, 5))
    )
    datasets.from_text(650 * 'a')
    self.assert_refused('649 .* needs 650', datasets.from_text, 649 * 'a')
    path = self.write('bad.txt', b'\xff\xfe')
    self.assert_refused('UTF-8', datasets.load, str(path))


class DefaultsTest(data_util.DatasetTestCase):
  def test_signals_have_defaults_of_adam(self):
    path = str(self.data_dir / 'own.npz')
    np.savez(path, **SIGNALS, **LENGTHS)
    known = (path, 16, 30), ('braille', 16, 30), ('a/own.txt', 32, 2)
    for name, size, epochs in known:
      own = config_lib.default(name)
      found = own.optimizer, own.learning_rate, own.batch_size, own.num_epochs
      self.assertEqual(found, ('adam', 0.003, size, epochs))
    given = config_lib.default(path, optimizer='sgd', num_epochs=3)
    self.assertEqual((given.optimizer, given.num_epochs), ('sgd', 3))
    self.assertEqual(given.learning_rate, 0.1)

  def test_paths_of_texts_are_absolute_and_shortened(self):
    path = config_lib.absolute('dataset', 'a/own.txt')
    self.assertEqual(path, os.path.abspath('a/own.txt'))
    self.assertEqual(config_lib.slug('dataset', path), 'own')

  def test_signals_are_not_augmented(self):
    own = datasets.from_arrays(**SIGNALS, **LENGTHS)
    config = config_lib.default('braille', augment=True)
    words = 'augment is True; .*no images'
    self.assert_refused(words, config_lib.network_config, config, own)
