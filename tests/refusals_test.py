"""Tests that wrong inputs are refused in one sentence that names them."""

import math
import os
import pathlib
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import hardware
from ssnn_jax import training
from ssnn_jax.datasets import event_camera
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files
from ssnn_jax.runs import networks
from ssnn_jax.training import raster_plot
from tests.testing import datasets as data_util
from tests.testing.checkpoints import make_state

_BOUNDED = dict(dw_min=0.01, w_max=1.0, w_min=-1.0)
DEVICES = [  # field, value, other fields
  ('dw_min', 1.0, _BOUNDED),  # a step to the bound
  ('dw_min', 1e-60, _BOUNDED),  # 0 as a 32-bit number
  ('dw_min_std', -0.1, _BOUNDED),
  ('dw_min_dtod', math.nan, {}),
  ('up_down', 1.0, _BOUNDED),
  ('up_down', -1.0, _BOUNDED),
  ('w_max', 0.0, {}),
  ('w_max', '1', {}),
  ('w_min', math.inf, {}),
  ('gamma_up', 1.5, _BOUNDED),
  ('gamma_up', 0.5, dict(w_min=-1.0)),
  ('gamma_down_dtod', 0.1, dict(w_max=1.0)),
  ('corrupt_devices_prob', 1.01, {}),
  ('mult_noise', 'false', {}),
]
PARAMS = [  # text, words
  ('dw_mn=0.01', 'dw_mn .* did you mean dw_min'),
  ('dw_min=0.1,dw_min=0.2', 'dw_min is given twice'),
  ('dw_min=small', 'dw_min is small; expected a number'),
  ('dw_min', 'dw_min is missing'),
  ('mult_noise=2', 'mult_noise is 2; expected true or false'),
]
DEVICE_FILES = [  # content, words
  (None, 'No such file'),
  ('', 'is not the file of a device'),
  ('\xff\xfe', 'is not the file of a device'),
  ('[1]', 'is not the file of a device'),
  ('{"dw_min": 0.1}', "'parameters'"),
  ('{"parameters": {"step": 1}}', "'step'"),
  ('{"parameters": {"w_max": -1}}', 'w_max'),
  (f'{{"parameters": {{"dw_min": 1{"0" * 400}}}}}', 'dw_min'),
]
_HEADER, _DIRECTED = 'pulse,conductance\n', 'pulse,conductance,direction\n'
_UP = ''.join(f'{pulse},{pulse}e-6\n' for pulse in range(1, 9))
_DOWN = ''.join(f'{pulse},{9 - pulse}e-6\n' for pulse in range(1, 9))


def _direct(rows, word):
  return rows.replace('\n', f',{word}\n')


CURVES = [  # content of a CSV file, words
  (None, 'No such file'),
  ('', 'No columns'),
  ('pulse;conductance\n1;2,5\n', 'separated by commas'),
  ('pulse,g\n1,2\n', 'columns are pulse, g;'),
  ('pulse,conductance,polarity\n1,2,3\n', 'polarity'),
  (f'{_HEADER}{_UP}9,x\n', 'x. at position 8'),
  (f'{_HEADER}{_UP}9,\n{_DOWN}', 'finite conductances'),
  (f'{_HEADER}{_UP}8,9\n{_DOWN}', 'pulse numbers'),
  (f'{_HEADER}{_UP}8.5,9\n{_DOWN}', 'pulse numbers'),
  (f'{_HEADER}{_UP}1e6,9\n{_DOWN}', 'pulse numbers'),
  (_HEADER, 'no curve'),
  (f'{_HEADER}{_UP}', '0 readings of down pulses'),
  (f'{_HEADER}{_DOWN}{_UP}', 'does not move up'),
  (f'{_HEADER}{_UP}{_DOWN}{_UP}{_DOWN}{_UP}{_UP}', 'column direction'),
  (f'{_DIRECTED}{_direct(_UP, "left")}', 'direction is left'),
  (
    f'{_DIRECTED}{_direct(_UP, "down")}{_direct(_DOWN, "up")}',
    'does not move up during up pulses; check .* up and down are exchanged',
  ),
]


class HardwareTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'own'

  def assert_file_refused(self, read, text, words):
    if text is not None:
      self.path.write_text(text, encoding='latin-1')
    with self.assertRaisesRegex(ssnn_jax.UserError, words) as caught:
      read(self.path)
    self.assertStartsWith(str(caught.exception), str(self.path))
    self.assertNotIn('\n', str(caught.exception))

  @parameterized.parameters(*DEVICES)
  def test_parameter_of_a_device(self, name, value, others):
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{name} is .*expected'):
      DeviceConfig(**(others | {name: value}))

  @parameterized.parameters(*PARAMS)
  def test_text_of_parameters(self, text, words):
    with self.assertRaisesRegex(ssnn_jax.UserError, words):
      hardware.parse_params(text)

  @parameterized.parameters(*DEVICE_FILES)
  def test_file_of_a_device(self, text, words):
    self.assert_file_refused(hardware.read_device, text, words)

  @parameterized.parameters(*CURVES)
  def test_file_of_curves(self, text, words):
    self.assert_file_refused(hardware.read_pulse_csv, text, words)

  def test_kind_of_zero(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, '^zero is top'):
      hardware.fit_pulse_response([], zero='top')

  @parameterized.parameters(hardware.read_device, hardware.read_pulse_csv)
  def test_pipe_at_once(self, read):
    os.mkfifo(self.path)
    self.assert_file_refused(read, None, 'not a regular file')


_IMAGES = np.arange(36, dtype=np.uint8).reshape(6, 3, 2)
_LABELS = np.array([0, 1, 2, 0, 1, 2])
ARRAYS = [  # argument of from_arrays, value, words
  ('x_train', _IMAGES[0, 0], r'the shape \(2,\)'),
  ('x_train', np.zeros((6, 1, 8, 8)), 'transpose.0, 2, 3, 1'),
  ('x_train', _IMAGES.astype(np.uint16) * 100, r'values in \[0, 3500\]'),
  ('x_train', np.full((6, 3, 2), np.nan), r'values in \[nan, nan\]'),
  ('x_train', np.full((6, 2), -0.5), r'values in \[-0.5, -0.5\]'),
  ('x_train', (_IMAGES > 5).astype(int), 'bool instead of 0 and 1'),
  ('x_test', _IMAGES.transpose(0, 2, 1), r'of shape \(2, 3\)'),
  ('x_test', _IMAGES / 255.0, 'dtype float32'),
  ('y_train', _LABELS[:5], 'each of the 6 samples'),
  ('y_train', _LABELS / 1, 'the dtype float64'),
  ('y_train', np.eye(6, dtype=int), r'the shape \(6, 6\)'),
  ('y_train', _LABELS - 1, 'from -1'),
  ('y_test', _LABELS + 1, 'the label 3, out of range 0 to 2'),
  ('class_names', ['a', 'b'], 'the label 2, out of range 0 to 1'),
]
NAMES = [  # of a data set, words
  ('cifar10', 'digits, mnist, .*emnist/balanced.*tonic:<name>, path/to/own'),
  ('../mnist', 'no dataset named'),
  ('mnist', 'Cannot find .*train-images-idx3-ubyte.*TFDS_DATA_DIR'),
  ('emnist/letters', 'Cannot find .*the official archive gzip.zip'),
  ('n_mnist', 'Cannot find the folder .*put the folders Train and Test'),
  ('synthetic_events/digits', 'Cannot find the folder .*--download'),
  ('tonic:', 'no event set'),
  ('tonic:__name__', 'no event set'),
  ('tonic:CIFAR10DVS', 'does not divide CIFAR10DVS into training and test'),
  ('missing.npz', 'missing.npz cannot be read'),
]
FILES = [  # path, content, name of the data set, words
  ('own.npz', b'text', '{0}/own.npz', 'own.npz cannot be read'),
  ('emnist/gzip.zip', b'PK of something', 'emnist/digits', 'damaged archive'),
  ('NMNIST/Train/0/1.bin', b'', 'n_mnist', 'Test'),
  ('NMNIST/Train/10/1.bin', b'12345', 'n_mnist', 'has the class 10'),
  ('NMNIST/SYNTHETIC.json', b'', 'n_mnist', 'instead of N-MNIST'),
]
_DIGITS = datasets.load('digits')
_CONFIG = ssnn_jax.NetworkConfig((6, 3), num_steps=8)
_NETWORK, _OPTIMIZER = ssnn_jax.ann(_CONFIG), training.make_optimizer(0.5)
_DEVICE = ssnn_jax.hardware.make_resistive(ssnn_jax.DeviceConfig(), 1.0)
_INPUTS = np.random.default_rng(0).random((12, 6), np.float32)
_CLASSES = np.arange(12) % 3
CALLS = [  # function of a folder, words
  (lambda folder: datasets.Binning(num_steps=0), 'num_steps is 0'),
  (lambda folder: datasets.Binning(event_window=0.0), 'event_window is 0.0'),
  (lambda folder: datasets.Binning(event_window=np.nan), 'event_window is nan'),
  (lambda folder: datasets.hold_out(_DIGITS, 0.0001), 'fraction of 0.0001'),
  (lambda folder: datasets.hold_out(_DIGITS, np.nan), 'fraction of nan'),
  (lambda folder: datasets.fold(_DIGITS, 1, 0), 'of 1 folds'),
  (lambda folder: datasets.fold(_DIGITS, 4, 4), 'no fold 4'),
  (
    lambda folder: event_camera.write(folder, 'digits', *_DIGITS[1:3]),
    'exists already',
  ),
  (lambda folder: files.write_new(folder / 'file', b''), 'exists already'),
  (lambda folder: files.write_atomically(folder / 'a' / 'b', ''), 'No such'),
  (lambda folder: ssnn_jax.load(folder), 'holds no network'),
  (lambda folder: ssnn_jax.load(folder / 'bad'), 'network.json is damaged'),
  (lambda folder: ssnn_jax.load(folder / 'new'), "'Other'.*use version 9.0"),
  (lambda folder: ssnn_jax.load(folder / 'run', seed=9), 'no seed 9;.* 7, 8'),
  (lambda folder: ssnn_jax.load(folder / 'saved', seed=9), 'out seed and best'),
  (lambda folder: checkpoints.load_params(folder), 'holds no checkpoint'),
  (lambda folder: _save(folder / 'run'), 'is the folder of a run'),
  (
    lambda folder: _save(folder, convert=lambda w: w[1:]),
    'params have weights of shapes',
  ),
  (
    lambda folder: _save(folder, convert=lambda w: w.astype('bfloat16')),
    'weights_0 are bfloat16',
  ),
  (
    lambda folder: _save(
      folder, integration=ssnn_jax.neuron.membrane.leaky(3.0)
    ),
    'integration has a Membrane of your own',
  ),
]
FITS = [  # training data, options, words
  ((_INPUTS - 1, _CLASSES), {}, 'training data: images lie within'),
  ((_INPUTS * np.nan, _CLASSES), {}, 'training data: .*NaN'),
  ((_INPUTS, _CLASSES + 1), {}, 'training data: .*classes from 0 to 2'),
  ((_INPUTS, _CLASSES[1:]), {}, 'training data: .*each of the 12 inputs'),
  ((_INPUTS, _CLASSES / 1), {}, 'training data: labels are float64'),
  (None, {'evaluate': (_INPUTS, _CLASSES - 1)}, 'evaluation data: labels'),
  (None, {'batch_size': 13}, 'batch_size=13 is larger .* 12 samples'),
  (None, {'seed': 2**40}, 'seed is 1099511627776'),
  (None, {'optimizer': _DEVICE}, r'ssnn\(config, separate_signs=True\)'),
]
COMPARISONS = [  # options, words
  ({'seeds': (1, 1)}, 'seeds are'),
  ({'evaluate': False}, 'no samples to evaluate on'),
]
RASTERS = [  # layer, neurons, words
  (2, None, 'layer is 2; expected 0'),
  (1, slice(9, 12), r'neurons is slice\(9, 12, None\)'),
]


def _save(folder, convert=lambda weights: weights, **changes):
  config = ssnn_jax.NetworkConfig((6, 5, 3), **changes)
  params = ssnn_jax.ssnn(config).init(jax.random.key(0))
  params = jax.tree.map(convert, params)
  ssnn_jax.save(folder, config, params)


class DataTest(data_util.DatasetTestCase):
  def refuse(self, words):
    return self.assertRaisesRegex(
      ssnn_jax.UserError, rf'(?s)\A(?=[^\n]*\.\Z).*{words}'
    )

  @parameterized.parameters(*ARRAYS)
  def test_arrays(self, name, value, words):
    arrays = {'x_train': _IMAGES, 'y_train': _LABELS}
    arrays |= {'x_test': _IMAGES, 'y_test': _LABELS, name: value}
    with self.refuse(words):
      datasets.from_arrays(**arrays)

  @parameterized.parameters(*NAMES)
  def test_names(self, name, words):
    with self.refuse(words):
      datasets.load(name, self.data_dir)

  @parameterized.parameters(*FILES)
  def test_files(self, path, content, name, words):
    self.write(path, content)
    with self.refuse(words):
      datasets.load(name.format(self.data_dir), self.data_dir)

  @parameterized.parameters('x_train', 'y_train', 'x_test', 'y_test')
  def test_missing_arrays(self, name):
    arrays = dict.fromkeys(('x_train', 'y_train', 'x_test', 'y_test'), _LABELS)
    del arrays[name]
    np.savez(self.data_dir / 'own.npz', **arrays)
    with self.refuse(f'own.npz lacks {name}; create it with'):
      datasets.load(str(self.data_dir / 'own.npz'))

  @parameterized.parameters(*CALLS)
  def test_calls(self, call, words):
    self.write('file', b'')
    self.write('bad/network.json', b'{}')
    unknown = b'{"version": "9.0", "params": null, "config": {"type": "Other"}}'
    self.write('new/network.json', unknown)
    _save(self.data_dir / 'saved')
    (self.data_dir / 'run').mkdir()
    networks.write_config(self.data_dir / 'run', _CONFIG)
    with checkpoints.open_in(self.data_dir / 'run') as manager:
      state = make_state(1, num_seeds=2)
      checkpoints.save(manager, state, [7, 8], {}, None)
    with self.refuse(words):
      call(self.data_dir)

  @parameterized.parameters(*FITS)
  def test_fits(self, data, options, words):
    options = {'network': _NETWORK, 'optimizer': _OPTIMIZER} | options
    if options['optimizer'] is _DEVICE:
      options['network'] = ssnn_jax.ssnn(_CONFIG)
    options |= {'dataset': data or (_INPUTS, _CLASSES), 'progress': False}
    with self.refuse(words):
      training.fit(num_epochs=1, **{'batch_size': 4} | options)

  @parameterized.parameters(*COMPARISONS)
  def test_comparisons(self, options, words):
    with self.refuse(words):
      training.compare(_CONFIG, (_INPUTS, _CLASSES), **options)

  @parameterized.parameters(*RASTERS)
  def test_rasters(self, layer, neurons, words):
    hidden = np.zeros((8, 3), np.int8)
    recorded = training.raster.Raster((hidden,), (hidden,), hidden, 1)
    with self.refuse(words):
      raster_plot.draw(recorded, layer, neurons)

  def test_batches_that_devices_cannot_share(self):
    with self.refuse('batch_size=5 .* 2 devices'):
      training.sharding.make_mesh(5, jax.devices()[:1] * 2)

  def test_folder_of_the_cache(self):
    self.write_mnist(data_util.fake_originals())
    path = str(self.write('file', b''))
    with mock.patch.dict(os.environ, SSNN_JAX_CACHE_DIR=path):
      with self.refuse(f'The cache {path}.*SSNN_JAX_CACHE_DIR'):
        datasets.load('mnist', pathlib.Path(self.data_dir))
