"""Tests for the benchmark and the yardstick in it."""

import itertools
import json

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments import benchmark_steps
from experiments import naive
import ssnn_jax
from tests.testing import commands
from tests.testing import oracle
from tests.testing import statistics

SMALL = ('--layer_sizes=6,5,3', '--rounds=1', '--num_images=8')


class BenchmarkTest(parameterized.TestCase):
  @parameterized.parameters(
    # The names and the representations take no notice of each other.
    (('learn', 'epoch'), (4,), (4,), ('packed', 'naive'), ()),
    (('infer',), (1, 4), (2, 4), ('dense', 'naive'), ('rpu', 'bp_stdp')),
  )
  def test_a_line_for_all_that_is_asked(
    self, names, batch_sizes, steps, representations, rivals
  ):
    asked = {
      'names': names,
      'batch_size': batch_sizes,
      'num_steps': steps,
      'representations': representations,
      'methods': rivals,
    }
    done = commands.run(
      *('benchmark', *SMALL, '--window=2'),
      *(
        f'--{flag}={",".join(map(str, of))}' for flag, of in asked.items() if of
      ),
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    # What counts no coincidences has no representation, and naive is ours.
    counted = {'rpu': 'dense', 'bp_stdp': None}
    timed = [
      ('bp', None, None),
      *itertools.product(('ssnn',), steps, representations),
      *((name, number, counted[name]) for number in steps for name in rivals),
    ]
    told = 'method', 'num_steps', 'representation'
    self.assertEqual(
      [
        (x['name'], x['batch_size'], tuple(x[name] for name in told))
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

  @parameterized.parameters(
    (('--names=learn,sleep',), '--names=learn,sleep is not a list of learn'),
    (('--representations=',), '--representations= is not a list of packed'),
    (('--methods=ssnn',), '--methods=ssnn is not a list of surrogate_gradient'),
    (('--num_steps=0',), '--num_steps is 0; expected 1 tick or more'),
    (('--batch_size=0',), '--batch_size is 0; expected 1 or more'),
    (('--layer_sizes=3',), '--layer_sizes is .* at least two'),
    # naive: 2 does not divide 3
    (
      (*SMALL, '--representations=naive', '--num_steps=3', '--window=2'),
      '.*window is 2.*divides num_steps',
    ),
  )
  def test_mistakes_are_told(self, flags, message):
    done = commands.run('benchmark', *flags)
    self.assertEqual(done.returncode, 1)
    self.assertRegex(done.stderr, f'^error: {message}')
    self.assertNotIn('Traceback', done.stderr)

  def test_steps_of_bp_descend(self):
    config = ssnn_jax.NetworkConfig((6, 5, 3))
    ann = ssnn_jax.ann(config)
    params, key = ann.init(jax.random.key(0)), jax.random.key(1)
    images = jax.random.uniform(jax.random.key(2), (4, 6))
    labels = jnp.arange(4) % 3
    batch = params, key, images, labels
    ours = jax.jit(benchmark_steps.learn_step(ann, is_spiking=False))(*batch)
    gradient = ssnn_jax.as_gradient(jax.jit(ann.learn)(*batch)[0])
    for new, old, slope in zip(*map(jax.tree.leaves, (ours, params, gradient))):
      np.testing.assert_allclose(new, old - 0.1 * slope, rtol=1e-5, atol=1e-7)


class NaiveTest(absltest.TestCase):
  def test_its_mean_is_that_of_all_spike_patterns(self):
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
    learn = naive.ssnn(config).learn
    batch = jnp.float32(image)[None], jnp.array([label])
    sample = jax.vmap(lambda key: learn(params, key, *batch)[0].positive)
    samples = jax.jit(sample)(jax.random.split(jax.random.key(1), 50_000))
    expected = oracle.expected_counts(config, params, image, label)
    jax.tree.map(statistics.assert_mean_within, samples, expected)

  def test_learn_and_infer_see_the_same(self):
    config = ssnn_jax.NetworkConfig((6, 5, 3), num_steps=8, window=4)
    network = naive.ssnn(config)
    params = network.init(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(2), (4, 6))
    key, labels = jax.random.key(1), jnp.arange(4) % 3
    _, seen = jax.jit(network.learn)(params, key, images, labels)
    again = jax.jit(network.infer)(params, jax.random.key(1), images)
    jax.tree.map(np.testing.assert_array_equal, seen, again)


if __name__ == '__main__':
  absltest.main()
