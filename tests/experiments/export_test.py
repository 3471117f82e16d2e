"""Tests of commands that export a run and evaluate it in other libraries."""

import dataclasses
import importlib
import importlib.util
import json
import pathlib
import sys
from unittest import mock

from absl.testing import parameterized
import jax
import nir
import numpy as np

from experiments import export
from experiments.config import experiment
from experiments.measurements import nir_consumer
from experiments.training import trainer
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.hardware import nir as nir_lib
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import networks
from tests.testing import commands
from tests.testing import nir_neurons
from tests.testing import statistics
from tests.testing.checkpoints import make_state
from tests.testing.experiments import call_main
from tests.testing.experiments import record_run
from tests.testing.experiments import small_digits

SMALL = ssnn_jax.NetworkConfig((4, 5, 3))  # of the states of tests
DENSE = ssnn_jax.NetworkConfig((64, 30, 10), num_steps=30)
IMAGE = ssnn_jax.NetworkConfig(
  layers=(
    ssnn_jax.layers.Conv(6, kernel=3, stride=2, padding=1),
    ssnn_jax.layers.Dense(10),
  ),
  input_shape=(8, 8),
  num_steps=30,
)


def read_in_numpy(graph, batch_size, subtracts=True):
  """Reads a network like a library that implements NIR exactly."""
  del batch_size
  return nir_neurons.make_step(graph, subtracts)


def make_graph(config):
  """Returns parameters of a network, and its exported graph."""
  params = ssnn_jax.ssnn(config).init(jax.random.key(4))
  return params, nir_lib.to_graph(config, params)


def params_of(epoch):
  """Returns the parameters of the only seed of a state."""
  return jax.tree.map(lambda leaf: leaf[0], make_state(epoch).params)


class ExportTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.file = self.folder / 'network.nir'

  def make_run(self, *accuracies, network=SMALL, **changes):
    """Returns the folder of a run that is not finished."""
    config = experiment.ExperimentConfig(**changes)
    task = trainer.Task(config, 1, self.folder / 'run')
    record_run(task, 'unfinished')
    networks.write_config(task.folder, network)
    with checkpoints.open_in(task.folder) as manager:
      for epoch, accuracy in enumerate(accuracies, start=1):
        state = make_state(epoch)
        checkpoints.save(manager, state, [config.seed], {}, accuracy)
    return task.folder

  def export(self, run, *flags):
    """Calls the command; returns its output."""
    return call_main(export, f'--workdir={run}', f'--file={self.file}', *flags)

  def assert_refused(self, message, function, *args):
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      function(*args)

  @parameterized.parameters((False, 2), (True, 1))
  def test_exports_the_last_or_the_best_parameters(self, best, epoch):
    network = dataclasses.replace(SMALL, dropout=0.2, input_gain=0.5)
    run = self.make_run(0.9, 0.5, network=network)
    output = self.export(run, f'--best={best}')
    self.assertStartsWith(output, f'{self.file}: 4-5-3, ')
    config, params = nir_neurons.to_network(nir.read(str(self.file)))
    self.assertEqual(config, ssnn_jax.NetworkConfig((4, 5, 3)))
    first, second = params_of(epoch)
    np.testing.assert_array_equal(params[0].weights, 0.5 * first.weights)
    np.testing.assert_array_equal(params[1].weights, second.weights)

  def test_exports_a_saved_network(self):
    ssnn_jax.save(self.folder / 'saved', SMALL, params_of(3))
    self.export(self.folder / 'saved')
    config, params = nir_neurons.to_network(nir.read(str(self.file)))
    self.assertEqual(config.layer_sizes, SMALL.layer_sizes)
    nir_neurons.assert_same(params, params_of(3))

  def test_command_prints_one_line_and_overwrites_nothing(self):
    run = self.make_run(0.9)
    done = commands.run('export', f'--workdir={run}', f'--file={self.file}')
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    self.assertEqual(done.stdout.count('\n'), 1)
    before = self.file.read_bytes()
    self.assert_refused('exists already', self.export, run)
    self.assertEqual(self.file.read_bytes(), before)

  def test_rejects_networks_that_cannot_be_exported(self):
    other = dataclasses.replace(SMALL, firing_function='hard_sigmoid')
    run = self.make_run(0.9, network=other)
    self.assert_refused('^firing_function is hard_', self.export, run)
    run = self.make_run(method='bp_stdp')
    self.assert_refused('holds a run of bp_stdp', self.export, run)
    config, run = chip.ChipConfig((4, 3)), self.folder / 'chip'
    ssnn_jax.save(run, config, chip.init_weights(config, jax.random.key(0)))
    self.assert_refused('holds a chip', self.export, run)
    self.assertFalse(self.file.exists())

  def test_missing_packages_are_named(self):
    with mock.patch.dict(sys.modules, {'nir': None}):
      del sys.modules['ssnn_jax.hardware.nir']
      self.assert_refused('needs the package nir', self.export, 'run')
    with mock.patch.dict(sys.modules, {'sinabs': None}):
      self.assert_refused(
        'sinabs is not installed', call_main, nir_consumer, '--workdir=run'
      )

  @parameterized.parameters((DENSE, (64,)), (IMAGE, (1, 8, 8)))
  def test_compares_a_library_with_the_spiking_network(self, config, shape):
    params, graph = make_graph(config)
    test = small_digits().test
    # 40 images are no multiple of this size.
    with mock.patch.object(nir_consumer, '_BATCH_SIZE', 16):
      current, spikes = nir_consumer.compare(
        read_in_numpy, graph, config, params, test
      )
    self.assertEqual((current['inputs'], spikes['inputs']), nir_consumer.INPUTS)
    exact = ssnn_jax.ann(config).infer(params, jax.random.key(0), test.inputs)
    exact = exact.potential
    right = np.mean(np.argmax(exact, axis=1) == test.labels)
    self.assertAlmostEqual(current['accuracy_rate'], right, delta=5e-5)
    frames = [test.inputs.reshape(40, *shape) / 255] * config.num_steps
    output = np.mean(nir_neurons.present(graph, frames), axis=0)
    error = np.linalg.norm(output - exact) / np.linalg.norm(exact)
    self.assertAlmostEqual(current['output_error'], error, delta=1e-4)
    right = np.mean(np.argmax(output, axis=1) == test.labels)
    self.assertAlmostEqual(current['consumer_accuracy'], right, delta=5e-5)
    self.assertGreater(
      current['accuracy_sd'] + current['accuracy_potential_sd'], 0
    )

  def test_inputs_are_currents_or_spikes_with_the_same_rates(self):
    rates = np.array([[0.0, 0.25, 0.7, 1.0]] * 1200, np.float32)

    def echo(inputs, num_steps):
      read = lambda graph, batch_size: lambda frame: frame
      return nir_consumer.present(read, None, rates, num_steps, inputs)

    np.testing.assert_allclose(echo('current', 3), rates, rtol=1e-6)
    np.testing.assert_array_equal(echo('spikes', 1) % 1, 0)
    statistics.assert_mean_within(echo('spikes', 4), rates[0])

  def test_command_evaluates_a_run(self):
    network = dataclasses.replace(SMALL, num_steps=4)
    run = self.make_run(0.9, network=network, dataset='digits')
    small = small_digits()
    images = small.test.inputs[:, :2, :2], small.test.labels % 3
    small = small._replace(test=ssnn_jax.datasets.Split(*images))
    with (
      mock.patch.dict(nir_consumer.CONSUMERS, sinabs=read_in_numpy),
      mock.patch.dict(sys.modules, sinabs=mock.Mock()),
      mock.patch.object(nir_consumer.metadata, 'version', lambda _: '0'),
      mock.patch.object(ssnn_jax.datasets, 'load', lambda *_, **__: small),
    ):
      output = call_main(nir_consumer, f'--workdir={run}')
    header, *lines = map(json.loads, output.splitlines())
    self.assertEqual(header['event'], 'header')
    self.assertEqual([line['inputs'] for line in lines], ['current', 'spikes'])
    for line in lines:
      self.assertEqual((line['dataset'], line['num_images']), ('digits', 40))
      self.assertEqual((line['num_steps'], line['consumer']), (4, 'sinabs'))
      self.assertEqual(line['layer_sizes'], [4, 5, 3])

  @parameterized.product(
    name=('sinabs', 'snntorch', 'norse'), is_image=(False, True)
  )
  def test_library_implements_the_nodes_of_the_graph(self, name, is_image):
    if not importlib.util.find_spec(name):
      self.skipTest(f'{name} is not installed')
    # A neuron of snntorch may miss a spike where its drive is not constant.
    config, shape = (IMAGE, (1, 8, 8)) if is_image else (DENSE, (64,))
    if name != 'snntorch' and not is_image:
      config = ssnn_jax.NetworkConfig((64, 30, 20, 10))
    nir_lib.write(self.file, make_graph(config)[1])
    graph = nir.read(str(self.file))
    rates = np.float32(small_digits().test.inputs.reshape(40, *shape)) / 255

    def present(read):
      return nir_consumer.present(read, graph, rates, 25, 'current')

    subtracts = name != 'norse'
    ours = present(lambda *args: read_in_numpy(*args, subtracts=subtracts))
    others = present(
      lambda *args: read_in_numpy(*args, subtracts=not subtracts)
    )
    theirs = present(nir_consumer.CONSUMERS[name])
    size = np.linalg.norm(ours)
    self.assertLess(np.linalg.norm(theirs - ours) / size, 1e-3)
    self.assertGreater(np.linalg.norm(theirs - others) / size, 1e-2)
