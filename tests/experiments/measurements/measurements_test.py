"""Tests of measurements, and their JSON lines."""

import contextlib
import dataclasses
import functools
import json
import pathlib
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments.measurements import economy
from experiments.measurements import faults as faults_lib
from experiments.measurements import images as images_lib
from experiments.measurements import signals
from experiments.models import signals as signals_model
from experiments.runs import train
from experiments.runs.config import ExperimentConfig
from experiments.studies import frames
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import realtime
from tests.testing import commands
from tests.testing.experiments import make_task
from tests.testing.experiments import small_digits

FEW = '--layers=5,10'


def measure(name, *arguments):
  done = commands.run(f'measurements.{name}', FEW, *arguments)
  assert done.returncode == 0, done.stderr
  header, *lines = map(json.loads, done.stdout.splitlines())
  words = ['python', '-m', f'experiments.measurements.{name}', FEW]
  assert header['command'].split()[:4] == words
  return lines


@functools.cache
def train_few():
  """Trains a small network on some digits; returns all three."""
  fields = {'layers': '5,10', 'num_steps': 8, 'weight_bits': 16}
  config = ExperimentConfig(num_epochs=2, learning_rate=0.3, **fields)
  dataset = datasets.load('digits')
  few = datasets.Split(*(array[:96] for array in dataset.train))
  trained = economy.train_network(config, dataset._replace(train=few), 64)
  return config, trained, few


def make_network(noise):
  """Makes a network whose update is (3, 4), plus normal noise of the key."""

  def loss(params, key, inputs, labels):
    del inputs, labels
    slopes = jnp.array([[3.0, 4.0]])
    if noise:
      slopes += noise * jax.random.normal(key, (1, 2))
    (layer,) = params
    return jnp.sum(slopes * layer.weights) + 100.0 * layer.biases[0], None

  return ssnn_jax.Network(None, None, loss)


class MeasurementsTest(parameterized.TestCase):
  def test_events_are_those_of_the_spikes(self):
    _, trained, _ = train_few()
    batch = trained.params, jax.random.key(0), *trained.batches[0]
    played = realtime.play(trained.network, *batch)
    found = realtime.count(trained.network, trained.params, played)
    weights = [np.ones_like(layer.weights) for layer in trained.params]
    for layer, (x, e) in enumerate(zip(played.spikes, played.errors)):
      sent, errors = np.int64(x != 0), np.int64(e != 0)
      ones, own = weights[layer], found[layer]
      reads = np.sum(sent @ ones, axis=2)
      np.testing.assert_array_equal(own.forward, reads)
      back = np.sum(errors @ ones.T, axis=2) * (layer > 0)
      np.testing.assert_array_equal(own.backward, back)
      met = 0
      for tick in range(len(x)):
        before = np.sum(x[:tick].sum(axis=0) != 0, axis=1)
        after = np.sum(e[: tick + 1].sum(axis=0) != 0, axis=1)
        met += np.sum(sent[tick].sum(axis=1) * after)
        met += np.sum(before * errors[tick].sum(axis=1))
      self.assertEqual(np.sum(own.changes), met)

  def test_update_error_is_the_root_mean_square_of_the_noise_of_weights(self):
    key = jax.random.key(0)
    networks = make_network(2.0), make_network(0.0)
    params = (ssnn_jax.LayerParams(jnp.zeros((1, 2)), jnp.zeros(1)),)

    @jax.jit
    def measure(key):
      keys = [jax.random.fold_in(key, draw) for draw in range(3)]
      noise = [2.0 * jax.random.normal(own, (1, 2)) for own in keys]
      key = jax.random.clone(key)
      return noise, train.update_error(*networks, params, key, None, None, 3)

    noise, error = measure(key)
    expected = np.sqrt(np.sum(np.square(noise)) / 3) / 5.0
    np.testing.assert_allclose(error, expected, rtol=1e-6)

  def test_fidelity_has_a_line_for_each_network(self):
    grid = '--grid=neuron=bipolar,stochastic'
    few = '--train_steps=3', '--draws=2', '--num_steps=8'
    lines = measure('fidelity', *few, grid)
    columns = 'layers', 'neuron', 'sampler', 'digits', 'num_steps'
    self.assertEqual(
      [tuple(line[name] for name in columns) for line in lines],
      [
        ('5,10', 'bipolar', 'regular', 2, 8),
        ('5,10', 'stochastic', 'sobol', None, 8),
      ],
    )
    bipolar, stochastic = lines
    self.assertNotIn('quantisation_error', bipolar)
    errors = [stochastic['update_error'], stochastic['quantisation_error']]
    self.assertGreater(errors[0], max(errors[1], bipolar['update_error']))

  def test_economy_has_the_counts_of_any_wires_and_all_ticks(self):
    config, trained, _ = train_few()
    folder = self.create_tempdir().full_path
    ssnn_jax.save(folder, trained.network, trained.params)
    config = dataclasses.replace(config, init_from=folder)
    again = economy.train_network(config, datasets.load('digits'), 64)
    jax.tree.map(np.testing.assert_array_equal, again.params, trained.params)
    lines = list(economy.measure(trained, ('', 'unit')))
    whole, unit = (x for x in lines if 'tick' not in x)
    for name in ('median_silence', 'answer', 'forward_spikes', 'coincidences'):
      self.assertGreater(unit[name], whole[name])
    lines = [line for line in lines if line['wires'] == '']
    ticks = [line for line in lines if 'tick' in line]
    events = 'forward_events', 'error_events', 'coincidences'
    learning = sum(whole[name] for name in events)
    self.assertAlmostEqual(whole['learning_events'], learning, delta=0.1)
    # Products of 64,5,10, each way: biases and errors of inputs have none.
    ratios = whole['forward_ratio'], whole['learning_ratio']
    expected = whole[events[0]] / 370, learning / (370 + 50 + 370)
    np.testing.assert_allclose(ratios, expected, atol=1e-4)
    products = 0  # of 64,5,10, whose factors are not 0
    for batch in trained.batches:
      played = realtime.play(
        trained.network, trained.params, jax.random.key(0), *batch
      )
      count = lambda own: np.count_nonzero(own, axis=1)
      inputs, hidden = map(count, played.counts)
      errors, outputs = map(count, played.sent_errors)
      products += np.sum(5 * inputs + inputs * errors)
      products += np.sum(10 * hidden + 5 * outputs + hidden * outputs)
    products /= sum(len(own) for _, own in trained.batches)
    self.assertAlmostEqual(whole['nonzero_products'], products, delta=0.1)
    additions = [line['forward_events'] for line in ticks]
    self.assertEqual(additions, sorted(additions))
    self.assertAlmostEqual(additions[-1], whole['forward_events'], delta=0.1)
    # The last answer is that of the settled network.
    infer = jax.jit(ssnn_jax.ssnn(trained.network).infer)
    key, right = jax.random.key(0), []
    for inputs, labels in trained.batches:
      potential = infer(trained.params, key, inputs).potential
      right.append(np.argmax(potential, axis=1) == labels)
    self.assertEqual(ticks[-1]['test_accuracy'], np.mean(right))
    self.assertEqual(
      [line['tick'] for line in ticks], [*range(1, 1 + len(ticks))]
    )
    self.assertEqual((ticks[0]['silent'], ticks[-1]['silent']), (0, 1))

  def test_faults_cost_accuracy_and_delays_nothing(self):
    config, trained, few = train_few()
    faults = '', 'delay=3', 'loss=1.0', 'stuck=1.0'
    lines = list(faults_lib.measure(config, trained, faults, few))
    self.assertEqual([line['fault'] for line in lines], [*faults])
    names = 'test_accuracy', 'test_accuracy_learned', 'update_error'
    whole, late, lost, stuck = ([line[x] for x in names] for line in lines)
    self.assertEqual(late, whole)
    self.assertGreater(lines[1]['median_silence'], lines[0]['median_silence'])
    self.assertEqual((whole[2], lost[2]), (0, 1))
    self.assertLess(max(lost[:2] + stuck[:2]), min(whole[:2]))


class ImagesTest(parameterized.TestCase):
  def test_intervals_are_those_of_means(self):
    draw = np.random.default_rng(0).normal
    of_images = draw(size=(1, 4000)) + np.zeros((6, 1))
    of_seeds = draw(size=(40, 1)) + np.zeros((1, 50))
    # Of 2,000 draws, a quantile is off by 5 % with a standard error of 2 %.
    images, both = images_lib.find_widths(of_images)
    np.testing.assert_allclose([images, both], 1.96 / 4000**0.5, rtol=0.1)
    images, both = images_lib.find_widths(of_seeds)
    self.assertLess(images, 1e-9)
    expected = 1.96 * np.std(of_seeds) / 40**0.5
    np.testing.assert_allclose(both, expected, rtol=0.1)

  def test_networks_are_compared_with_their_ann(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    few = {'layers': '10', 'num_steps': 4, 'num_epochs': 1}
    tasks = [
      make_task(workdir / method, num_seeds=2, method=method, **few)
      for method in ('bp', 'ssnn')
    ]
    with contextlib.redirect_stdout(None):
      for task in tasks:
        train.train(task, small_digits())
    (line,) = images_lib.measure(tasks, small_digits())
    runs = frames.read(workdir).set_index(['method', 'seed'])['test_accuracy']
    points = 100 * (runs['ssnn'] - runs['bp']).mean()
    self.assertAlmostEqual(line['points'], points, delta=1e-3)


class SignalsTest(parameterized.TestCase):
  def test_memory_of_local_errors_does_not_grow(self):
    with mock.patch.multiple(signals, _WIDTH=6, _BATCH_SIZE=2):
      local, errors = signals.ERRORS
      found = [signals.count_bytes(local, length) for length in (8, 80)]
      through_time = signals.count_bytes(errors, 80)
    self.assertEqual(found[0], found[1])
    # At least a number of each neuron, moment and signal of one layer.
    self.assertGreater(through_time, max(found[1], 4 * 6 * 80 * 2))

  def test_answers_count_after_each_tenth_of_a_signal(self):
    labels = np.full((2, 20), -1)
    labels[0, :10], labels[1] = 2, 3
    classes = np.zeros((2, 20), int)
    classes[0, 4:], classes[1, 18:] = 2, 3  # right from then on
    found = signals.find_accuracies(classes, labels)
    expected = [0] * 4 + [0.5] * 5 + [1]
    self.assertEqual([*found.values()], expected)
    self.assertEqual([*found][0], '10 %')

  def test_what_does_not_change_costs_nothing_without_a_reset(self):
    model = signals_model.make((6, 3), 2, width=4, num_layers=1)
    inputs = np.zeros((1, 6, 3), np.float32)
    inputs[:, 3:, 1] = 0.5
    params = jax.jit(model.init)(jax.random.key(0))
    labels = np.ones((1, 6), np.int32)
    stream, reset = (
      economy.measure_moments(model, params, (inputs, labels), reset=is_reset)
      for is_reset in (False, True)
    )
    self.assertGreater(stream['forward_spikes'], 0)
    for name in ('forward_spikes', 'forward_events', 'error_events'):
      self.assertLessEqual(stream[name], reset[name])
    # Traces of five decays of 3 inputs to 4 neurons, and these to 2.
    products = stream['forward_events'] / stream['forward_ratio']
    self.assertAlmostEqual(products, 5 * 3 * 4 + 4 * 2, delta=0.1)
