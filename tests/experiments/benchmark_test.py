"""Tests of the benchmark."""

import json

from absl.testing import absltest
import jax
import numpy as np

from experiments.measurements import steps
import ssnn_jax
from tests.testing import commands
from tests.testing import networks

SIZES = (6, 5, 3)


def measure(*arguments):
  """Returns the lines of the command for few, small samples."""
  few = '--rounds=1', '--num_images=8', '--batch_size=2'
  done = commands.run('benchmark', *few, *arguments)
  assert done.returncode == 0, done.stderr
  header, *lines = map(json.loads, done.stdout.splitlines())
  assert (
    header['event'] == 'header'
    and 'experiments.benchmark' in (header['command'])
  )
  return lines


class BenchmarkTest(absltest.TestCase):
  def test_line_of_each_setting_names_what_concerns_its_method(self):
    methods = 'ssnn', 'naive', 'rpu'
    lines = measure(
      '--names=learn,epoch',
      '--layer_sizes=6,5,3',
      '--num_steps=40',
      f'--methods={",".join(methods)}',
    )
    expected = [('bp', None, None), ('ssnn', 40, 32), ('naive', 40, 32)]
    expected += [('rpu', 40, None)]
    found = [(x['method'], x['num_steps'], x['window']) for x in lines]
    self.assertEqual(found, expected * 2)
    for line in lines:
      self.assertGreater(line['median_ms'], 0)
      self.assertGreater(line['peak_mib'], 0)
      has_bits = line['name'] == 'epoch' and line['method'] != 'naive'
      self.assertEqual('bits_to_bp' in line, has_bits)
      if line['method'] == 'bp':
        self.assertEqual(line['ratio_to_bp'], 1)

  def test_devices_learn_from_images_with_seeds_together(self):
    lines = measure(
      '--names=learn',
      '--layer_sizes=64,3,10',
      '--num_steps=4',
      '--num_seeds=2',
      '--devices=ideal,reram',
      '--dataset=digits',
    )
    found = [(x['method'], x['device'], x['num_seeds']) for x in lines]
    expected = [('bp', 'ideal', 2), ('ssnn', 'ideal', 2), ('ssnn', 'reram', 2)]
    self.assertEqual(found, expected)
    self.assertEqual({line['dataset'] for line in lines}, {'digits'})

  def test_convolutions_have_no_naive_simulation(self):
    lines = measure(
      '--layers=conv2k3,3',
      '--input_shape=5,4',
      '--names=infer',
      '--num_steps=4',
      '--methods=ssnn,naive',
    )
    self.assertEqual([line['method'] for line in lines], ['bp', 'ssnn'])
    self.assertEqual({line['layers'] for line in lines}, {'conv2k3,3'})

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
