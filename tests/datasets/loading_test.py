"""Tests for loading datasets by name."""

import os
from unittest import mock

from absl.testing import parameterized

from ssnn_jax import datasets
from ssnn_jax.datasets import downloads
from ssnn_jax.datasets import event_camera
from tests.testing import datasets as data_util


class LoadTest(data_util.RecordingsTestCase):
  def test_data_dir_is_argument_then_variable_then_default(self):
    home, variable = self.data_dir / 'home', self.data_dir / 'variable'
    variables = {'HOME': str(home), 'TFDS_DATA_DIR': str(variable)}
    with mock.patch.dict(os.environ, variables):
      argument = self.data_dir / 'argument'
      self.assert_searched(argument, argument)
      self.assert_searched(home / 'a', '~/a')
      self.assert_searched(variable, None)
      self.assert_searched(variable, '')
      del os.environ['TFDS_DATA_DIR']
      self.assert_searched(home / 'tensorflow_datasets', None)

  def assert_searched(self, folder, data_dir):
    start = f'Cannot find {folder}/mnist/train-images-idx3-ubyte, '
    self.assert_refused(start, '', datasets.load, 'mnist', data_dir)

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
    self.assert_load_refused(
      'n_mnist',
      f'Cannot find the folder {self.folder}; put the folders Train and Test',
    )
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
    self.assert_refused(
      f'{folder}/NMNIST contains synthetic recordings instead of N-MNIST',
      'load synthetic_events/<images>',
      datasets.load,
      'n_mnist',
      folder,
    )
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
