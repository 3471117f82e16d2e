"""Tests of the benchmark and of the naive dense simulation."""

import itertools
import json

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments.measurements import steps
import ssnn_jax
from tests.testing import commands
from tests.testing import networks
from tests.testing import oracle
from tests.testing import statistics

SIZES = (6, 5, 3)
SMALL = ('--layer_sizes=6,5,3', '--rounds=1', '--num_images=8')


class BenchmarkTest(parameterized.TestCase):
  @parameterized.parameters(
    # Names and representations are independent of each other.
    (('learn', 'epoch'), (4,), (4,), ('packed', 'naive'), ()),
    (('infer',), (1, 4), (2, 4), ('dense', 'naive'), ('rpu', 'bp_stdp')),
  )
  def test_prints_a_line_for_each_setting(
    self, names, batch_sizes, all_steps, representations, baselines
  ):
    values = {
      'names': names,
      'batch_size': batch_sizes,
      'num_steps': all_steps,
      'representations': representations,
      'methods': baselines,
    }
    flags = [
      f'--{flag}={",".join(map(str, value))}'
      for flag, value in values.items()
      if value
    ]
    done = commands.run('benchmark', *SMALL, '--window=2', *flags)
    self.assertEqual(done.returncode, 0, done.stderr)
    header, *lines = map(json.loads, done.stdout.splitlines())
    self.assertEqual(header['event'], 'header')
    self.assertIn(
      ' experiments.benchmark --layer_sizes=6,5,3 ', header['command']
    )
    # Methods that count no coincidences have no representation, and only the
    # spiking network has a naive simulation.
    counted = {'rpu': 'dense', 'bp_stdp': None}
    timed = [
      ('bp', None, None),
      *itertools.product(('ssnn',), all_steps, representations),
      *((name, t, counted[name]) for t in all_steps for name in baselines),
    ]
    fields = 'method', 'num_steps', 'representation'
    self.assertEqual(
      [
        (x['name'], x['batch_size'], tuple(x[field] for field in fields))
        for x in lines
      ],
      list(itertools.product(names, batch_sizes, timed)),
    )
    for line in lines:
      is_bp = line['method'] == 'bp'
      self.assertEqual(line['num_steps'] is None, is_bp)
      self.assertGreater(line['median_ms'], 0)
      self.assertGreater(line['peak_mib'], 0)
      if is_bp:
        self.assertEqual(line['ratio_to_bp'], 1)

  def test_times_convolutions_without_a_naive_simulation(self):
    done = commands.run(
      'benchmark',
      *('--layers=conv2k3,3', '--input_shape=5,4', '--names=infer'),
      *('--rounds=1', '--num_steps=4', '--batch_size=4'),
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    _, *lines = map(json.loads, done.stdout.splitlines())
    self.assertEqual(
      [line['representation'] for line in lines], [None, 'packed', 'dense']
    )
    for line in lines:
      self.assertEqual(line['layers'], ['conv2k3', '3'])
      self.assertEqual(line['layer_sizes'], [20, 12, 3])

  @parameterized.parameters(
    (('--names=learn,sleep',), '--names=learn,sleep is not a list of learn'),
    (('--representations=',), '--representations= is not a list of packed'),
    (('--methods=ssnn',), '--methods=ssnn is not a list of surrogate_gradient'),
    (('--num_steps=0',), '--num_steps is 0; expected 1 to 2147483647 ticks'),
    (('--batch_size=0',), '--batch_size is 0; expected sizes, each'),
    (('--layer_sizes=3',), '--layer_sizes is .* at least two'),
    (('--layers=conv4k3',), '--layers is .* the last has one position'),
    (
      ('--layers=conv4k9,3', '--input_shape=8,8'),
      r'--layers: kernel is \(9, 9\), larger than its input of 8 x 8',
    ),
    # The naive simulation has windows of one length.
    (
      (*SMALL, '--representations=naive', '--num_steps=3', '--window=2'),
      '.*window is 2.*divides num_steps',
    ),
  )
  def test_rejects_invalid_flags(self, flags, message):
    done = commands.run('benchmark', *flags)
    self.assertEqual(done.returncode, 1)
    self.assertRegex(done.stderr, f'^error: {message}')
    self.assertEmpty(done.stdout)
    self.assertNotIn('Traceback', done.stderr)

  def test_step_of_the_ann_is_gradient_descent(self):
    network = ssnn_jax.ann(ssnn_jax.NetworkConfig(SIZES))
    params = network.init(jax.random.key(0))
    batch = params, jax.random.key(2), *networks.batch(4, SIZES)
    step = steps.learn_step(network, is_spiking=False)
    stepped = jax.jit(step)(*batch)
    gradient = ssnn_jax.as_gradient(jax.jit(network.learn)(*batch)[0])
    leaves = map(jax.tree.leaves, (stepped, params, gradient))
    for new, old, slope in zip(*leaves):
      np.testing.assert_allclose(new, old - 0.1 * slope, rtol=1e-5, atol=1e-7)


class NaiveTest(absltest.TestCase):
  def test_mean_counts_match_enumeration(self):
    config = ssnn_jax.NetworkConfig((2, 2, 2), num_steps=2, window=1, gain=0.5)
    keys = jax.random.split(jax.random.key(0), (2, 2))
    params = tuple(
      layer._replace(
        weights=0.5 * jax.random.normal(weights_key, (2, 2)),
        biases=jax.random.uniform(bias_key, (2,)),
      )
      for layer, (weights_key, bias_key) in zip(
        ssnn_jax.ssnn(config).init(jax.random.key(0)), keys
      )
    )
    image, label = np.array([0.3, 0.8]), 1
    learn = steps.naive_ssnn(config).learn
    batch = jnp.float32(image)[None], jnp.array([label])
    sample = jax.vmap(lambda key: learn(params, key, *batch)[0].positive)
    samples = jax.jit(sample)(jax.random.split(jax.random.key(1), 50_000))
    expected = oracle.expected_counts(config, params, image, label)
    jax.tree.map(statistics.assert_mean_within, samples, expected)

  def test_learn_and_infer_sample_the_same_spikes(self):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=8, window=4)
    network = steps.naive_ssnn(config)
    params, key = network.init(jax.random.key(0)), jax.random.key(2)
    images, labels = networks.batch(4, SIZES)
    _, expected = jax.jit(network.learn)(params, key, images, labels)
    inference = jax.jit(network.infer)(params, jax.random.key(2), images)
    jax.tree.map(np.testing.assert_array_equal, inference, expected)
