"""Wrong arguments of the library: one sentence that names the argument."""

import math

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import hardware
from ssnn_jax import training
from ssnn_jax.hardware import device_config
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane
from ssnn_jax.training import raster
from ssnn_jax.training import raster_plot
from tests.testing import networks
from tests.testing.wrong_inputs import WrongInputsTestCase

CONFIG = ssnn_jax.NetworkConfig((4, 3, 2), num_steps=8, dropout=0.1)
PARAMS, OTHERS = map(networks.zeros, ((4, 3, 2), (4, 5, 2)))
IMAGES, LABELS = np.full((5, 4), 0.5, np.float32), np.arange(5) % 2
KEY, RERAM = jax.random.key(1), device_config.PRESETS['reram']
NETWORK, OPTIMIZER = ssnn_jax.ssnn(CONFIG), training.make_optimizer(0.5)
RASTER = raster.Raster(
  (np.zeros((8, 4), np.int8), np.zeros((8, 3), np.int8)),
  (np.zeros((8, 3), np.int8), np.zeros((8, 2), np.int8)),
  8,
)
CLIP, MEAN = firing.clip(), membrane.mean()
CONFIGS = (
  (
    {'layer_sizes': (64, 10**10, 10)},
    'layer_sizes is ...; expected at least '
    'two sizes (inputs and classes), each a whole number from 1 to 2147483647.',
  ),
  ({'gain': math.inf}, 'gain is inf; expected positive 32-bit numbers.'),
  ({'tau': 1e-50}, 'tau is 1e-50; expected a positive 32-bit number.'),
  ({'race': 'race'}, 'race is race; expected a RaceConfig.'),
  ({'reads': None}, 'reads is None; expected a ReadConfig.'),
  ({'kernels': 'yes'}, 'kernels is yes; expected True or False.'),
  (
    {'firing_function': CLIP._replace(probability=None)},
    'firing_function is a FiringFunction; expected functions of potentials '
    "that jax can trace ('NoneType' object is not callable).",
  ),
  (
    {'firing_function': CLIP._replace(derivative=lambda v: v / 0)},
    '...; expected a derivative that is finite everywhere.',
  ),
  (
    {'firing_function': CLIP._replace(derivative=lambda v: v[:1])},
    '...; expected a probability and a derivative of the shape of the '
    'potential, (1025,), not (1025,) and (1,).',
  ),
  (
    {'integration': MEAN._replace(read=lambda v, w: v.nothing)},
    'integration is a Membrane; expected read(state, window) that jax can '
    'trace (...).',
  ),
  (
    {'integration': MEAN._replace(init=lambda n: {}[n])},
    'integration is a Membrane; expected init(num_neurons) that jax can trace '
    '(3).',
  ),
)
CALLS = (
  (
    lambda: ssnn_jax.ssnn((4, 3, 2)),
    'config is of type tuple; expected a NetworkConfig.',
  ),
  (lambda: ssnn_jax.ann(None), 'config is of type NoneType; expected a ...'),
  (
    lambda: ssnn_jax.ssnn(CONFIG, feedback=OTHERS),
    'params have weights of ...',
  ),
  (lambda: NETWORK.init(0), 'key is of type int; expected one key, ...'),
  (
    lambda: ssnn_jax.ann(ssnn_jax.NetworkConfig((10**6, 10**6, 2))).init(KEY),
    'the weights of all layers, ..., need 7,4... GiB of memory, ...; choose '
    'fewer neurons.',
  ),
  (
    lambda: ssnn_jax.rate_encode([0.5]),
    'images are of type list; expected ...',
  ),
  (
    lambda: ssnn_jax.layers.Conv(2, '3'),
    'kernel is 3; expected one or two ...',
  ),
  (lambda: ssnn_jax.layers.Dense(0), 'units is 0; expected a whole number ...'),
  (
    lambda: ssnn_jax.layers.Wiring(4, (2, 1)),
    'input_shape is 4; expected '
    'sizes, each a whole number from 1 to 2147483647.',
  ),
  (
    lambda: ssnn_jax.datasets.Binning(8, event_window=1e300),
    'event_window is 1e+300; expected 0.001 to 4,000,000 milliseconds.',
  ),
  (
    lambda: ssnn_jax.datasets.Binning(8, event_window='long'),
    'event_window is long; expected 0.001 to 4,000,000 milliseconds.',
  ),
  (
    lambda: ssnn_jax.datasets.Binning(8, shuffle_ticks='no'),
    'shuffle_ticks is no; expected True or False.',
  ),
  (lambda: ssnn_jax.RaceConfig(race_rate=math.nan), 'race_rate is nan; ...'),
  (
    lambda: ssnn_jax.ReadConfig(inp_bits=8),
    'inp_bits is 8; expected None, ...',
  ),
  (
    lambda: ssnn_jax.DeviceConfig(dw_min=1e-60),
    'dw_min is 1e-60; expected a finite 32-bit number.',
  ),
  (
    lambda: hardware.make_resistive(RERAM, math.nan),
    'learning_rate is nan; expected a finite number, 0 or more.',
  ),
  (
    lambda: hardware.cost.load_table('nope'),
    'nope cannot be read as a table of energies ...',
  ),
  (lambda: training.make_optimizer('a'), 'learning_rate is a; expected a ...'),
  (
    lambda: training.make_optimizer(1e39),
    'learning_rate is 1e+39; expected ...',
  ),
  (
    lambda: training.make_optimizer(1.0, weight_decay=math.nan),
    'weight_decay is nan; expected a finite number, 0 or more.',
  ),
  (lambda: training.init_state(NETWORK, OPTIMIZER, 2**40), 'seed is ...; ...'),
  (lambda: training.init_state(NETWORK, None, 0), 'optimizer is of type ...'),
  (
    lambda: training.make_train_epoch(NETWORK, OPTIMIZER, 2.5),
    'batch_size is 2.5; expected a whole number from 1 to 2147483647.',
  ),
  (lambda: training.make_evaluate(NETWORK, None, 0), 'batch_size is 0; ...'),
  (lambda: raster.record(CONFIG, PARAMS, KEY, IMAGES[0], 9), 'labels lie ...'),
  (lambda: raster.record(CONFIG, PARAMS, KEY, 'image', 1), 'images have ...'),
  (
    lambda: raster_plot.draw(RASTER, 9),
    'layer is 9; expected 0 (inputs) to 2 (output layer).',
  ),
  (lambda: raster_plot.draw(RASTER, 1, 'all'), 'neurons ...'),
)


class LibraryTest(WrongInputsTestCase):
  @parameterized.parameters(*CONFIGS)
  def test_configuration_refuses(self, fields, sentence):
    fields = {'layer_sizes': (4, 3, 2)} | fields
    self.assert_refused(lambda: ssnn_jax.NetworkConfig(**fields), sentence)

  @parameterized.parameters(*CALLS)
  def test_is_refused(self, call, sentence):
    self.assert_refused(call, sentence)
