"""Tests for loading datasets by name."""

import os
from unittest import mock

from absl.testing import parameterized

from ssnn_jax import datasets
from ssnn_jax.datasets import downloads
from ssnn_jax.datasets import event_camera
from ssnn_jax.datasets import loading
from tests.testing import datasets as data_util


class LoadTest(data_util.RecordingsTestCase):
  def test_data_dir_is_argument_then_variable_then_default(self):
    variables = {'HOME': '/home/me', 'TFDS_DATA_DIR': '/variable'}
    with mock.patch.dict(os.environ, variables):
      for given, folder in (
        ('/argument', '/argument'),
        ('~/a', '/home/me/a'),
        (None, '/variable'),
        ('', '/variable'),
      ):
        self.assertEqual(str(loading.find_data_dir(given)), folder)
      del os.environ['TFDS_DATA_DIR']
      default = '/home/me/tensorflow_datasets'
      self.assertEqual(str(loading.find_data_dir(None)), default)

  @parameterized.parameters('mnist', 'n_mnist')
  def test_downloads_missing_files_only_on_request(self, name):
    def download(requested, data_dir):
      self.assertEqual((requested, data_dir), (name, self.data_dir))
      self.write_recordings()
      self.write_mnist(data_util.fake_originals())

    with mock.patch.object(downloads, 'download', download):
      self.assert_load_refused(name, 'Cannot find ', 'with --download')
      dataset = datasets.load(name, self.data_dir, download=True)
    size = {'mnist': 20, 'n_mnist': 7}[name]
    self.assertLen(dataset.train.labels, size)

  def test_loads_recordings_as_spike_trains(self):
    written = self.write_recordings()
    n_mnist = datasets.load('n_mnist', self.data_dir)
    self.assertEqual(n_mnist.train.inputs.shape, (7, 2, 2312))
    self.assertEqual((n_mnist.num_inputs, n_mnist.num_classes), (2312, 10))
    self.assertEqual(n_mnist.full_size, 70_000)
    for split, events in zip((n_mnist.train, n_mnist.test), written):
      self.assertEqual(split.labels.tolist(), [label for label, _ in events])
    longer = datasets.Binning(num_steps=100)
    n_mnist = datasets.load('n_mnist', self.data_dir, binning=longer)
    self.assertEqual(n_mnist.test.inputs.shape, (3, 4, 2312))

  def test_distinguishes_synthetic_recordings_from_n_mnist(self):
    self.write_recordings()
    folder = self.data_dir / 'synthetic_events' / 'digits'
    folder.mkdir(parents=True)
    self.folder.rename(folder / 'NMNIST')
    (folder / 'NMNIST' / 'SYNTHETIC.json').write_text('{}')
    synthetic = datasets.load('synthetic_events/digits', self.data_dir)
    self.assertEqual(synthetic.name, 'synthetic_events/digits')
    self.assertIsNone(synthetic.full_size)
    self.assertLen(synthetic.train.labels, 7)

  def test_simulates_recordings_on_request(self):
    name, calls = 'synthetic_events/digits', []

    def write(folder, source, train, test):
      calls.append((source, len(train.labels), len(test.labels)))
      self.write_recordings()
      folder.parent.mkdir(parents=True)
      self.folder.rename(folder)

    self.assert_load_refused(name, 'Cannot find the folder ', '--download')
    with mock.patch.object(event_camera, 'write', write):
      for _ in range(2):
        dataset = datasets.load(name, self.data_dir, download=True)
    self.assertEqual(calls, [('digits', 1437, 360)])
    self.assertLen(dataset.train.labels, 7)
