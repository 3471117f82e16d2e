"""Tests of configurations: fields, methods, layers, devices and defaults."""

import dataclasses
import functools

from absl.testing import parameterized
import jax
import numpy as np

from experiments.runs import config as config_lib
from experiments.runs.config import ExperimentConfig
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import stochastic
from ssnn_jax.stochastic.layers import Conv
from ssnn_jax.stochastic.layers import Dense
from tests.testing import statistics
from tests.testing.experiments import blank_dataset

# Each changed field changes the update of the spiking network.
BASES = {
  'bipolar': ExperimentConfig(num_steps=0),
  'stochastic': ExperimentConfig(
    neuron='stochastic', sampler='bernoulli', num_steps=32
  ),
}
CHANGED = {
  'bipolar': dict(num_steps=24, digits=1, error_digits=1),
  'stochastic': dict(
    num_steps=24,
    exact=('forward',),
    sampler='sobol',
    winner='race',
    read_noise=0.1,
  ),
}
SIZES = (6, 5, 3)
IMAGES = np.linspace(0, 1, 4 * SIZES[0], dtype='f4').reshape(4, SIZES[0])
LABELS = np.arange(4, dtype=np.int32) % SIZES[-1]


def tiny_dataset(shape=(1, 1, SIZES[0]), sensor_shape=None):
  """Returns an empty data set of images of a shape."""
  inputs = np.zeros(shape, np.uint32 if sensor_shape else np.uint8)
  split = datasets.Split(inputs, np.zeros(len(inputs), int))
  names = ('name',) * (SIZES[-1] if shape[-1] == SIZES[0] else 10)
  return datasets.Dataset(
    'blank', split, split, names, sensor_shape=sensor_shape
  )


@functools.cache
def update_of(method, neuron, *fields, **values):
  """Returns the update of a method as a vector, with changed fields."""
  values |= {name: CHANGED[neuron][name] for name in fields}
  values |= {'method': method, 'layers': '5,3'}
  config = dataclasses.replace(BASES[neuron], **values)
  network = config_lib.network_config(config, tiny_dataset())
  params = jax.jit(ssnn_jax.ann(network).init)(jax.random.key(0))
  params = jax.device_get(params)
  built = config_lib.METHODS[config.method].make(network)
  learn = jax.jit(jax.grad(built.loss, has_aux=True))
  update, _ = learn(params, jax.random.key(2), IMAGES, LABELS)
  return statistics.flat(update)


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(*datasets.NAMES)
  def test_each_dataset_has_a_default_that_fits(self, name):
    config = config_lib.default(name)
    self.assertEqual(config.dataset, name)
    config_lib.network_config(config, blank_dataset(name))  # which fits
    is_recorded, is_signal = name == 'n_mnist', config.model == 'gru'
    self.assertEqual(config.num_steps, 64 * is_recorded)
    self.assertEqual(config.batch_size == 16, is_recorded or is_signal)

  def test_rates_fall_with_the_brightness_of_own_images(self):
    labels = np.arange(4)
    for values, expected in ((0.01, 0.5), (1.0, 0.03), (255, 0.03)):
      path = f'{self.create_tempdir().full_path}/own.npz'
      dtype = np.uint8 if values == 255 else float
      images = np.full((4, 25, 40), values, dtype)  # 30 / 1000
      arrays = {f'x_{part}': images for part in ('train', 'test')}
      arrays |= {f'y_{part}': labels for part in ('train', 'test')}
      np.savez(path, **arrays)
      self.assertEqual(config_lib.default(path).learning_rate, expected)
    config = config_lib.default('mnist', optimizer='adam')
    self.assertEqual((config.optimizer, config.learning_rate), ('adam', 0.001))

  def test_lists_may_be_texts(self):
    config = ExperimentConfig(
      layers='20, 30,10', neuron='stochastic', exact='forward, winners'
    )
    expected = ExperimentConfig(
      layers='20,30,10', neuron='stochastic', exact=('forward', 'winners')
    )
    self.assertEqual(config, expected)
    network = config_lib.network_config(config, blank_dataset('digits'))
    self.assertEqual(network.layer_sizes, (64, 20, 30, 10))
    chip = ExperimentConfig(
      method='chip', layers='16,10', weight_bits=9, fraction_bits='8,7'
    )
    network = config_lib.network_config(chip, blank_dataset('digits'))
    self.assertEqual(network.fraction_bits, (8, 7))

  def test_records_are_read_back(self):
    config = ExperimentConfig(
      neuron='stochastic', exact=('forward', 'backward')
    )
    recorded = config_lib.to_json(config)
    self.assertEqual(ExperimentConfig(**recorded), config)
    del recorded['hold_out']  # has its default
    self.assertEqual(ExperimentConfig(**recorded), config)


class LayersTest(parameterized.TestCase):
  @parameterized.parameters(
    ('10', Dense(10)),
    ('conv16k5', Conv(16, 5)),
    ('conv16k5x3s2x1p0x1', Conv(16, (5, 3), (2, 1), (0, 1))),
  )
  def test_texts_describe_layers(self, text, expected):
    self.assertEqual(config_lib.parse_layers(text), (expected,))

  # Recordings have an axis of polarities first, images of colors last.
  @parameterized.parameters(
    ((0, 8, 8), None, -1, 9),
    ((0, 2, 2312), (2, 34, 34), 0, 18),
    ((0, 2, 1156), (34, 34), 0, 9),
    ((0, 32, 24, 3), None, -1, 27),
  )
  def test_network_has_the_shape_of_the_data(self, shape, sensor, axis, rows):
    dataset = tiny_dataset(shape, sensor)
    config = ExperimentConfig(layers='conv4k3s2,10', neuron='stochastic')
    network = config_lib.network_config(config, dataset)
    self.assertEqual(network.input_shape, dataset.input_shape)
    self.assertEqual(network.layers[0].channel_axis, axis)
    self.assertEqual(network.wirings[0].weights_shape, (rows, 4))

  def test_events_drive_both_neurons_alike(self):
    dataset, potentials = tiny_dataset((0, 2, 1156), (34, 34)), []
    words = np.random.default_rng(0).integers(2**32, size=(3, 2, 1156))
    for neuron in ('bipolar', 'stochastic'):
      config = ExperimentConfig(layers='10', neuron=neuron)
      network = ssnn_jax.ann(config_lib.network_config(config, dataset))
      key = jax.random.key(0)
      params = network.init(jax.random.clone(key))
      infer = jax.jit(network.infer)
      inference = infer(params, key, words.astype(np.uint32))
      potentials.append(inference.potential)
    np.testing.assert_allclose(*potentials, rtol=1e-5)


class DevicesTest(parameterized.TestCase):
  def test_parameters_override_those_of_the_device(self):
    params = 'dw_min=0.1, mult_noise=1'
    config = ExperimentConfig(
      neuron='stochastic', device='reram', device_params=params
    )
    preset = stochastic.PRESETS['reram']
    expected = dataclasses.replace(preset, dw_min=0.1, mult_noise=True)
    self.assertEqual(config_lib.device(config), expected)
    self.assertIsNone(config_lib.device(ExperimentConfig()))

  def test_record_holds_the_values_of_the_file_of_a_device(self):
    file = self.create_tempfile('own.json', '{"parameters": {"dw_min": 0.03}}')
    config = ExperimentConfig(
      neuron='stochastic', device=file.full_path, device_params='w_max=0.5'
    )
    recorded = config_lib.to_json(config)
    file.write_text('')
    device = config_lib.device(ExperimentConfig(**recorded))
    self.assertEqual((device.dw_min, device.w_max), (0.03, 0.5))


class MethodsTest(parameterized.TestCase):
  @parameterized.parameters(
    ('ssnn', 'bipolar'),
    ('ssnn', 'stochastic'),
    ('bp', 'bipolar'),
  )
  def test_updates_depend_on_the_fields_of_a_method(self, method, neuron):
    update = update_of(method, neuron)
    self.assertTrue(np.any(update))
    used = [x for x in CHANGED[neuron] if config_lib.concerns(method, x)]
    ignored = CHANGED[neuron].keys() - {*used}
    found = update_of(method, neuron, *sorted(ignored))
    np.testing.assert_array_equal(found, update)
    for field in used:
      found = update_of(method, neuron, field)
      self.assertFalse(np.array_equal(found, update), field)
