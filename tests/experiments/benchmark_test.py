"""Tests of the benchmark."""

import itertools
import json

from absl.testing import parameterized
import jax
import numpy as np

from experiments.measurements import steps
import ssnn_jax
from tests.testing import commands
from tests.testing import networks

SIZES = (6, 5, 3)
SMALL = '--layer_sizes=6,5,3', '--window=2'
DIGITS = '--layer_sizes=64,3,10', '--dataset=digits'


class BenchmarkTest(parameterized.TestCase):
  @parameterized.parameters(
    # Names and representations are independent of each other. Records rely on
    # the default window of 32 ticks.
    (DIGITS, ('learn', 'epoch'), (4,), (2,), (40,), ('packed',), ()),
    (
      SMALL,
      ('infer',),
      (1, 4),
      (2,),
      (2,),
      ('dense', 'naive'),
      ('rpu', 'bp_stdp'),
    ),
  )
  def test_prints_a_line_for_each_setting(
    self,
    network,
    names,
    batch_sizes,
    seeds,
    all_steps,
    representations,
    baselines,
  ):
    values = {
      'names': names,
      'batch_size': batch_sizes,
      'num_seeds': seeds,
      'num_steps': all_steps,
      'representations': representations,
      'methods': baselines,
    }
    flags = [
      f'--{flag}={",".join(map(str, value))}'
      for flag, value in values.items()
      if value
    ]
    few = '--rounds=1', '--num_images=8'
    done = commands.run('benchmark', *network, *few, *flags)
    self.assertEqual(done.returncode, 0, done.stderr)
    header, *lines = map(json.loads, done.stdout.splitlines())
    self.assertEqual(header['event'], 'header')
    self.assertIn(f' experiments.benchmark {network[0]} ', header['command'])
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
        (
          *(x[name] for name in ('name', 'batch_size', 'num_seeds')),
          tuple(x[field] for field in fields),
        )
        for x in lines
      ],
      list(itertools.product(names, batch_sizes, seeds, timed)),
    )
    is_random = network == SMALL
    for line in lines:
      is_bp = line['method'] == 'bp'
      self.assertEqual(line['num_steps'] is None, is_bp)
      self.assertEqual(line['images'], 'random' if is_random else 'digits')
      if not is_bp:
        self.assertEqual(line['window'], 2 if is_random else 32)
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
