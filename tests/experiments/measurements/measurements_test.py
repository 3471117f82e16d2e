"""Tests of measurements, and their JSON lines."""

import functools
import json
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments.measurements import faults as faults_lib
from experiments.measurements import language
from experiments.measurements import settling
from experiments.measurements import signals
from experiments.models import signals as signals_model
from experiments.models import transformer
from experiments.runs import train
from experiments.runs.config import ExperimentConfig
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import realtime
from tests.testing import commands

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
  config = ExperimentConfig(num_epochs=3, learning_rate=0.3, **fields)
  dataset = datasets.load('digits')
  few = datasets.Split(*(array[:160] for array in dataset.train))
  trained = settling.train_network(config, dataset._replace(train=few), 2)
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
    error = train.update_error(*networks, params, key, None, None, 3)
    keys = [jax.random.fold_in(key, draw) for draw in range(3)]
    noise = [2.0 * jax.random.normal(key, (1, 2)) for key in keys]
    expected = np.sqrt(np.sum(np.square(noise)) / 3) / 5.0
    np.testing.assert_allclose(error, expected, rtol=1e-6)

  def test_fidelity_has_a_line_for_each_network(self):
    grid = '--grid=neuron=bipolar,stochastic'
    few = '--train_steps=3', '--draws=2', '--num_steps=16'
    lines = measure('fidelity', *few, grid)
    columns = 'layers', 'neuron', 'sampler', 'digits', 'num_steps'
    self.assertEqual(
      [tuple(line[name] for name in columns) for line in lines],
      [
        ('5,10', 'bipolar', 'regular', 2, 16),
        ('5,10', 'stochastic', 'sobol', None, 16),
      ],
    )
    bipolar, stochastic = lines
    self.assertNotIn('quantisation_error', bipolar)
    errors = [stochastic['update_error'], stochastic['quantisation_error']]
    self.assertGreater(errors[0], max(errors[1], bipolar['update_error']))

  def test_settling_has_the_counts_of_any_wires_and_all_ticks(self):
    _, trained, _ = train_few()
    wires = '', 'delay=3', 'unit'
    lines = list(settling.measure(trained, wires, True))
    whole, late, unit = (x for x in lines if not {'tick', 'layer'} & x.keys())
    self.assertGreater(late['median_silence'], whole['median_silence'])
    for name in ('median_silence', 'answer', 'forward_spikes', 'coincidences'):
      self.assertGreater(unit[name], whole[name])
    lines = [line for line in lines if line['wires'] == '']
    ticks = [line for line in lines if 'tick' in line]
    hidden, output = (line for line in lines if 'layer' in line)
    for name in ('error_spikes', 'forward_events'):
      self.assertAlmostEqual(hidden[name] + output[name], whole[name], delta=1)
    additions = [line['forward_events'] for line in ticks]
    self.assertEqual(additions, sorted(additions))
    self.assertAlmostEqual(additions[-1], whole['forward_events'], delta=0.1)
    # The last answer is that of the settled network.
    network = ssnn_jax.ssnn(trained.network)
    key, right = jax.random.key(0), []
    for inputs, labels in trained.batches:
      potential = network.infer(trained.params, key, inputs).potential
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
    self.assertEqual((whole[2], lost[2]), (0, 1))
    self.assertLess(max(lost[:2] + stuck[:2]), min(whole[:2]))


class SignalsTest(parameterized.TestCase):
  def test_memory_of_local_errors_does_not_grow(self):
    sizes = {'_WIDTH': 6, '_BATCH_SIZE': 2}
    with mock.patch.multiple(signals, **sizes):
      found = [
        signals.count_bytes(errors, length)
        for errors in signals.ERRORS
        for length in (50, 500)
      ]
    self.assertEqual(found[0], found[1])
    self.assertGreater(found[3], 8 * found[2])

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
    params = model.init(jax.random.key(0))
    labels = np.ones((1, 6), np.int32)
    lines = signals.measure_moments(model, params, inputs, labels)
    stream, reset = lines
    self.assertEqual(stream['presentation'], 'stream')
    self.assertGreater(stream['forward_spikes'], 0)
    for name in ('forward_spikes', 'forward_events', 'error_events'):
      self.assertLessEqual(stream[name], reset[name])


class LanguageTest(parameterized.TestCase):
  def test_spikes_add_to_all_that_they_reach(self):
    make = lambda: transformer.make((2, 3), 3, 4, 1, 2)
    shapes = [(2, 3), *[(2, 4)] * 4, (2, 2, 2), (2, 2, 2), (2, 4)]
    shapes += [(2, 8), (2, 8), (2, 4), (2, 3)]  # gates, their sum, and logits
    spikes, errors = (
      [np.zeros((2, 1, *own), np.float32) for own in ends]
      for ends in (shapes[:-1], shapes[1:])
    )
    spikes[1][0, 0, 1, 2] = 4  # of the first layer
    errors[-1][1, 0, 1, 0] = -8
    played = realtime.Played(
      tuple(spikes), tuple(errors), np.zeros((2, 1, 2, 3)), None, None
    )
    params = make().init(jax.random.key(0))
    found = language.count_additions(make(), params, played)
    # Queries, keys, values, gates and logits; three sums; a weight.
    two = [3 * 4 + 2 * 8 + 3, 3 * 4, 1]  # of two characters
    np.testing.assert_allclose(list(found.values()), np.divide(two, 2))
    self.assertEqual(language.count_products(2, 3, 4, 1, 2), 160 + 8 + 12 + 12)
