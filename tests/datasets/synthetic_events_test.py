"""Tests for recordings of a simulated event camera, and for their files."""

import errno
import json
import math
import os
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from ssnn_jax.datasets import event_camera
from ssnn_jax.datasets import synthetic_events
from ssnn_jax.datasets import types
from tests.testing import statistics

CAMERA = event_camera.Camera()
# One ideal saccade in steps so fine that no threshold is passed by much.
IDEAL = {
  'threshold_spread': 0.0,
  'gamma': 1.0,
  'dark_level': 1e-6,
  'noise_rate': 0.0,
  'time_step': 0.25,
  'duration': 100.0,
}


def random_images(num_images):
  """Returns 28 x 28 images, each of another noise."""
  pixels = np.random.RandomState(0).bytes(num_images * 28 * 28)
  return np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28)


def record(camera, images, seed=0):
  """Returns the recordings of images by a camera with drawn thresholds."""
  camera_key, key = jax.random.split(jax.random.key(seed))
  thresholds = event_camera.draw_thresholds(camera_key, camera)
  return list(synthetic_events.record(key, camera, thresholds, images))


def read(path):
  """Returns the events of a file as tonic decodes them."""
  import tonic

  return tonic.io.read_mnist_file(path, dtype=tonic.datasets.NMNIST.dtype)


def split(num_images):
  labels = np.arange(num_images, dtype=np.int32) * 7 % 10
  return types.Split(random_images(num_images), labels)


class SyntheticEventsTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    # Most recordings here are few, and none is simulated to fill a batch.
    batch_size = mock.patch.object(synthetic_events, '_BATCH_SIZE', 4)
    self.enter_context(batch_size)


class CameraTest(SyntheticEventsTestCase):
  @parameterized.parameters(
    (1, 0.0, 1.0, 'columns', 1),
    (4, 0.0, -1.0, 'columns', 4),
    (4, 0.0, 1.0, 'rows', 4),
    (1, 0.0, -1.0, 'rows', 1),
    (4, 50.0, 1.0, 'columns', 1),  # what comes while it is blind is lost
  )
  def test_a_ramp_makes_an_event_for_each_threshold(
    self, num_thresholds, refractory, direction, axis, num_events
  ):
    # Light doubles from each column to the next, so that a saccade by a column
    # changes its logarithm by log 2; half a threshold is left over.
    ramp = np.zeros((28, 28), np.uint8)
    ramp[:, 10:17] = 2 ** np.arange(1, 8)
    moves = {'columns': 0.0, 'rows': 0.0, axis: direction}
    camera = event_camera.Camera(
      refractory=refractory,
      threshold=math.log(2.0) / (num_thresholds + 0.5),
      origin=(3.0, 3.0),
      saccades=(event_camera.Saccade(start=0.0, duration=50.0, **moves),),
      **IDEAL,
    )
    image = ramp.T if axis == 'rows' else ramp
    (events,) = record(camera, image[None])
    along, across = (events.y, events.x)[:: 1 if axis == 'rows' else -1]
    # Sensor pixels 14 to 18 see the ramp both before and after.
    inside = (along >= 14) & (along < 19) & (across >= 4) & (across < 30)
    counts = np.zeros((5, 26), int)
    np.add.at(counts, (along[inside] - 14, across[inside] - 4), 1)
    np.testing.assert_array_equal(counts, num_events)
    # Moved forwards, the ramp leaves each pixel with what was darker.
    np.testing.assert_array_equal(events.p[inside], direction > 0)

  def test_a_still_image_makes_no_event(self):
    camera = event_camera.Camera(saccades=(), noise_rate=0.0)
    (events,) = record(camera, random_images(1))
    self.assertEmpty(events.t)

  def test_noise_has_its_rate_and_its_polarity(self):
    camera = event_camera.Camera(saccades=())
    recordings = record(camera, random_images(64))
    counts = np.zeros((64, 34, 34))
    for count, events in zip(counts, recordings):
      np.add.at(count, (events.y, events.x), 1)
      self.assertTrue(np.all(events.p == 1))
    # 74,000 pixels: sees a bias of 5 % of the rate.
    expected = camera.noise_rate * camera.duration / 1000.0
    statistics.assert_mean_within(counts.ravel(), expected)

  def test_thresholds_spread_over_the_pixels(self):
    drawn = event_camera.draw_thresholds(jax.random.key(0), CAMERA)
    logarithms = np.log(np.asarray(drawn, np.float64)).ravel()
    mean, spread = np.log(CAMERA.threshold), CAMERA.threshold_spread
    error = spread / np.sqrt(logarithms.size)
    sigmas = statistics.NUM_SIGMAS
    self.assertLess(abs(logarithms.mean() - mean), sigmas * error)
    self.assertLess(
      abs(logarithms.std() - spread), sigmas * error / np.sqrt(2.0)
    )

  def test_a_pixel_is_blind_after_an_event(self):
    (events,) = record(event_camera.Camera(refractory=4.0), random_images(1))
    pixels = events.y.astype(int) * 34 + events.x
    order = np.lexsort((events.t, pixels))
    intervals = np.diff(events.t[order].astype(int))[
      np.diff(pixels[order]) == 0
    ]
    # Times are cut to microseconds, and so may be their interval.
    self.assertBetween(intervals.min(), 4999, 5001)


class RecordTest(SyntheticEventsTestCase):
  def assert_same(self, found, expected):
    self.assertLen(found, len(expected))
    for one, other in zip(found, expected):
      for field, wanted in zip(one, other):
        np.testing.assert_array_equal(field, wanted, strict=True)

  def test_recordings_are_drawn_from_the_key(self):
    images = random_images(1)
    self.assert_same(record(CAMERA, images), record(CAMERA, images))
    (found,), (other,) = record(CAMERA, images), record(CAMERA, images, seed=1)
    self.assertNotEqual(found.t.tolist(), other.t.tolist())

  def test_a_recording_depends_on_its_image_and_index_alone(self):
    images = random_images(6)  # more than a batch
    whole = record(CAMERA, images)
    self.assert_same(record(CAMERA, images[:3]), whole[:3])
    others = np.concatenate([images[:5][::-1], images[5:]])
    self.assert_same(record(CAMERA, others)[5:], whole[5:])
    twice = record(CAMERA, np.stack([images[0]] * 2))
    self.assert_same(twice[:1], whole[:1])
    self.assertNotEqual(twice[0].t.tolist(), twice[1].t.tolist())

  def test_events_are_sorted_and_on_the_sensor(self):
    for events in record(CAMERA, random_images(4)):
      self.assertNotEmpty(events.t)
      self.assertTrue(np.all(events.t[1:] >= events.t[:-1]))
      self.assertLess(events.t[-1], CAMERA.duration * 1000.0)
      self.assertLess(max(events.x.max(), events.y.max()), 34)
      self.assertEqual(set(events.p.tolist()), {0, 1})


class ImagesTest(absltest.TestCase):
  def test_images_of_mnist_pass_unchanged(self):
    images = random_images(2)
    np.testing.assert_array_equal(synthetic_events.as_images(images), images)

  def test_smaller_images_are_scaled_and_framed(self):
    images = np.zeros((2, 8, 8), np.uint8)
    images[0] = 255
    images[1, :4, 4:] = 200
    full, corner = synthetic_events.as_images(images)
    framed = np.pad(np.full((20, 20), 255, np.uint8), 4)
    np.testing.assert_array_equal(full, framed, strict=True)
    self.assertEqual((corner[4, 23], corner[23, 4], corner[4, 4]), (200, 0, 0))


class WriteTest(SyntheticEventsTestCase):
  def setUp(self):
    super().setUp()
    self.data_dir = pathlib.Path(self.create_tempdir().full_path)
    self.folder = self.data_dir / 'digits' / 'NMNIST'

  def write(self, num_train=3):
    synthetic_events.write(
      self.folder, 'digits', split(num_train), split(2), CAMERA, seed=5
    )

  def assert_refused(self, detail):
    with self.assertRaises(types.DatasetError) as caught:
      self.write()
    message = str(caught.exception)
    self.assertStartsWith(message, f'{self.folder} ')
    self.assertIn(detail, message)
    self.assertEndsWith(message, '.')
    self.assertNotIn('\n', message)

  def test_tonic_reads_back_what_was_encoded(self):
    random = np.random.RandomState(0)
    limits = {'x': 2**8, 'y': 240, 'p': 2, 't': 2**23}
    drawn = {
      name: np.append(random.randint(limit, size=1000), (0, limit - 1))
      for name, limit in limits.items()
    }
    events = synthetic_events.Events(
      x=drawn['x'].astype(np.uint8),
      y=drawn['y'].astype(np.uint8),
      p=drawn['p'].astype(np.uint8),
      t=np.sort(drawn['t']).astype(np.uint32),
    )
    path = self.data_dir / 'a.bin'
    path.write_bytes(synthetic_events.encode(events))
    found = read(path)
    self.assertEqual(path.stat().st_size, 5 * 1002)
    for name, wanted in events._asdict().items():
      np.testing.assert_array_equal(found[name], wanted)

  def test_folder_is_laid_out_as_n_mnist(self):
    self.write()
    files = sorted(self.folder.rglob('*.*'))
    self.assertEqual(
      [str(file.relative_to(self.folder)) for file in files],
      [
        'SYNTHETIC.json',
        'Test/0/00001.bin',
        'Test/7/00002.bin',
        'Train/0/00001.bin',
        'Train/4/00003.bin',
        'Train/7/00002.bin',
      ],
    )
    # Nothing else is left beside it.
    self.assertEqual(list(self.folder.parent.iterdir()), [self.folder])
    about = json.loads(files[0].read_text())
    self.assertIn('synthetic', about['note'])
    self.assertEqual((about['source'], about['seed']), ('digits', 5))
    self.assertEqual(about['camera']['threshold'], CAMERA.threshold)
    self.assertEqual(
      about['counts'],
      {
        part: {
          'recordings': len(files),
          'events': sum(file.stat().st_size for file in files) // 5,
        }
        for part, files in (('Train', files[3:]), ('Test', files[1:3]))
      },
    )

  def test_part_of_a_set_gives_the_same_files(self):
    self.write()
    whole = self.folder.rename(self.data_dir / 'whole')
    self.write(num_train=2)
    for file in self.folder.rglob('*.bin'):
      same = whole / file.relative_to(self.folder)
      self.assertEqual(file.read_bytes(), same.read_bytes())

  def test_train_and_test_are_recorded_apart(self):
    self.write()
    train, test = (self.folder / part / '0' for part in ('Train', 'Test'))
    self.assertNotEqual(
      (train / '00001.bin').read_bytes(), (test / '00001.bin').read_bytes()
    )

  def test_an_existing_folder_is_refused(self):
    self.folder.mkdir(parents=True)
    (self.folder / 'file').touch()
    self.assert_refused('exists already; remove it')
    self.assertEqual(os.listdir(self.folder), ['file'])

  def test_of_two_sets_made_at_once_one_wins(self):
    rename = os.rename

    def rename_late(path, target):
      other = self.data_dir / 'other'
      other.mkdir()
      (other / 'first').touch()
      rename(other, target)
      return rename(path, target)

    with mock.patch.object(os, 'rename', rename_late):
      self.write()
    self.assertEqual(os.listdir(self.folder), ['first'])
    self.assertEqual(os.listdir(self.data_dir), ['digits'])

  def test_nothing_is_left_where_the_disk_is_full(self):
    self.assert_nothing_left_after(OSError(errno.ENOSPC, 'No space left'))

  def test_nothing_is_left_after_an_interruption(self):
    self.assert_nothing_left_after(KeyboardInterrupt())

  def assert_nothing_left_after(self, error):
    write_bytes = pathlib.Path.write_bytes

    def fail_at_the_last(path, content):
      if path.parent.parent.name == 'Test' and path.stem == '00002':
        raise error
      return write_bytes(path, content)

    with mock.patch.object(pathlib.Path, 'write_bytes', fail_at_the_last):
      if isinstance(error, OSError):
        self.assert_refused('cannot be written (No space left); make room')
      else:
        self.assertRaises(KeyboardInterrupt, self.write)
    self.assertEmpty(os.listdir(self.data_dir))


if __name__ == '__main__':
  absltest.main()
