"""Tests of what is refused, in one sentence that names the field.

A row is a call and the words that its sentence must have.
"""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import baselines
from ssnn_jax import checks
from ssnn_jax import layers
from ssnn_jax import neuron
from ssnn_jax import reference
from ssnn_jax.neuron import firing
from tests.testing import networks

SIZES, KEY = (6, 4, 3), jax.random.key(0)
CLIP, MEAN = firing.CLIP, neuron.MEMBRANES['mean']
CONV, DENSE = layers.Conv(2, 2), layers.Dense(3)
# Fields of NetworkConfig, and words of the sentence.
FIELDS = (
  (dict(layer_sizes=(5,)), 'layer_sizes .*at least two sizes'),
  (dict(layer_sizes=(5, 0, 3)), 'layer_sizes is .*expected'),
  (dict(layer_sizes=(5, 2.5, 3)), 'layer_sizes is .*expected'),
  (dict(layer_sizes=(5, 10**10, 3)), 'layer_sizes is .*expected'),
  (dict(input_shape=(6,)), 'input_shape is .*none, without layers'),
  (dict(num_steps=0), 'num_steps is 0; expected'),
  (dict(num_steps=64.0), 'num_steps is 64.0; expected'),
  (dict(window=0), 'window is 0; expected num_steps = 64, or'),
  (dict(window=65), 'window is 65; expected num_steps = 64, or'),
  (dict(window=16), 'window is 16; expected .*multiple of 32'),
  (dict(num_steps=16, window=8), 'window is 8; expected num_steps = 16'),
  (dict(timing='realtime', window=32), 'window is 32; expected 1 tick'),
  (dict(timing='realtime', num_steps=3), 'num_steps is 3; .*more than 3 ticks'),
  (dict(timing='realtime', settle=64), 'settle is 64; expected None, or 0 to'),
  (dict(settle=8), 'settle is 8; expected None'),
  (dict(timing='phased'), 'timing is phased; expected one of'),
  (dict(gain=0.0), 'gain is 0.0; expected positive'),
  (dict(gain=float('inf')), 'gain is inf; expected'),
  (dict(gain=(1.0, 1.0)), 'gain is .*one for each of the 1 hidden'),
  (dict(input_gain=-1.0), 'input_gain is -1.0; expected'),
  (dict(dropout=1.0), 'dropout is 1.0; expected'),
  (dict(rates='forward'), 'rates is forward; expected a tuple'),
  (dict(rates=('error',)), 'rates is .*expected a tuple'),
  (dict(winner='argmax'), 'winner is argmax; expected one of'),
  (dict(kernels='no'), 'kernels is no; expected'),
  (dict(read_noise=-0.1), 'read_noise is -0.1; expected'),
  (dict(sampler='lfsr'), 'sampler is lfsr; expected one of'),
  (
    dict(sampler=ssnn_jax.spikes.Sampler(lambda s, w: jnp.ones((32, 3)))),
    r'sampler is .*expected thresholds .*\[32, N\] uint16',
  ),
  (dict(firing_function='relu'), 'firing_function is relu; expected one of'),
  (dict(firing_function=jnp.tanh), 'firing_function is .*expected one of'),
  (dict(firing_function=CLIP._replace(probability=jnp.tanh)), 'probability in'),
  (
    dict(firing_function=CLIP._replace(derivative=lambda v: v / 0)),
    'firing_function is .*finite derivative',
  ),
  (dict(integration='leaky'), 'integration is leaky; expected one of'),
  (
    dict(integration=MEAN._replace(read=lambda v, w: v[:1])),
    'integration is .*a potential of each neuron',
  ),
  (
    dict(integration=MEAN._replace(integrate=lambda v, d, w: v[:1])),
    'integration is .*form of a state',
  ),
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
PARAMS = networks.make_params(CONFIG)
# Wrong arguments of `learn`, and words. Values are seen where arrays are
# concrete, shapes and types also under jit.
SHAPES = (
  ({'images': GOOD.astype(np.complex64)}, 'dtype complex64'),
  ({'images': GOOD.ravel()}, 'add a leading axis'),
  ({'images': GOOD[:, :, :2]}, '4 pixels, but layer_sizes starts with 6'),
  ({'images': np.zeros((2, 1, 5), np.uint32)}, '5 trains, but layer_sizes'),
  ({'images': np.zeros((2, 2, 6), np.uint32)}, r'expected \[B, 1, I\]'),
  ({'labels': np.float32([0, 2])}, 'float32'),
  ({'labels': np.array([1])}, 'each of the 2 inputs'),
  ({'params': networks.zeros((6, 5, 3))}, '^params have weights'),
  (
    {'params': tuple(own._replace(biases=own.biases[:1]) for own in PARAMS)},
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
CALLS = (
  (lambda: ssnn_jax.ssnn(SIZES), 'config is of type tuple; expected a Network'),
  (lambda: reference.ssnn(CONFIG), 'dropout is 0.1; expected 0.0, as the ref'),
  (lambda: ssnn_jax.ssnn(CONFIG, feedback=PARAMS[:1]), 'params have weights'),
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
    for call, words in CALLS:
      self.assert_refuses(call, words)

  @parameterized.parameters('ssnn', 'ann', 'rpu', 'bp_stdp')
  def test_arguments_of_learn(self, name):
    build = getattr(ssnn_jax, name, None)
    build = build or getattr(baselines, name).make_network
    learn = build(CONFIG).learn
    good = {'params': PARAMS, 'key': KEY, 'images': GOOD, 'labels': LABELS}
    for changes, words in (*SHAPES, *VALUES):
      arguments = tuple((good | changes).values())
      self.assert_refuses(lambda own=arguments: learn(*own), words)
    if name == 'ssnn':
      for changes, words in SHAPES:
        arguments = tuple((good | changes).values())
        self.assert_refuses(lambda own=arguments: jax.jit(learn)(*own), words)

  def test_weights_larger_than_the_memory(self):
    most = checks.memory_size() // 8
    checks.check_weights([(most - 1, 1), (1, 1)])
    too_many = lambda: checks.check_weights([(most, 1), (1, 1)])
    self.assert_refuses(too_many, 'fewer neurons')
    config = ssnn_jax.NetworkConfig((64, 2**31 - 1, 10))
    for make in (ssnn_jax.ssnn, ssnn_jax.ann):
      init = make(config).init
      self.assert_refuses(lambda own=init: jax.eval_shape(own, KEY), 'weights')
