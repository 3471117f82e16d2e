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
    lines = measure(
      '--names=epoch',
      '--layer_sizes=6,5,3',
      '--num_steps=40',
      '--methods=ssnn,naive',
    )
    expected = [('bp', None, None), ('ssnn', 40, 32), ('naive', 40, 32)]
    found = [(x['method'], x['num_steps'], x['window']) for x in lines]
    self.assertEqual(found, expected)
    for line in lines:
      self.assertGreater(line['median_ms'], 0)
      self.assertGreater(line['peak_mib'], 0)
      self.assertEqual('bits_to_bp' in line, line['method'] != 'naive')
    self.assertEqual(lines[0]['ratio_to_bp'], 1)

  def test_devices_learn_from_images_with_seeds_together(self):
    lines = measure(
      '--names=learn',
      '--layers=conv2k3s2,10',
      '--input_shape=8,8',
      '--num_steps=4',
      '--num_seeds=2',
      '--devices=reram',
      '--dataset=digits',
    )
    found = [(x['method'], x['device'], x['num_seeds']) for x in lines]
    self.assertEqual(found, [('bp', 'ideal', 2), ('ssnn', 'reram', 2)])
    self.assertEqual({line['dataset'] for line in lines}, {'digits'})
    self.assertEqual({line['layers'] for line in lines}, {'conv2k3s2,10'})

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
