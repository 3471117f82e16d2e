"""Tests of the benchmark."""

import json

from absl.testing import parameterized
import jax
import numpy as np

from experiments.measurements import steps
import ssnn_jax
from tests.testing import commands
from tests.testing import networks
from tests.testing import oracle

SIZES = (6, 5, 3)


def measure(*arguments):
  """Returns the lines of the command for few, small samples."""
  few = '--rounds=1', '--num_images=8', '--batch_size=2'
  done = commands.run('benchmark', *few, *arguments)
  assert done.returncode == 0, done.stderr
  header, *lines = map(json.loads, done.stdout.splitlines())
  assert header['event'] == 'header'
  assert 'experiments.benchmark' in header['command']
  return lines


class BenchmarkTest(parameterized.TestCase):
  @parameterized.parameters(
    ('bipolar', ('bipolar', 'regular', None)),
    ('stochastic', ('stochastic', 'sobol', 40)),
  )
  def test_line_of_each_setting_names_what_concerns_its_method(
    self, neuron, own
  ):
    lines = measure(
      '--names=epoch',
      '--layer_sizes=6,5,3',
      '--num_steps=40',
      '--methods=ssnn,bp_stdp',
      f'--neuron={neuron}',
    )
    columns = 'method', 'num_steps', 'neuron', 'sampler', 'window'
    self.assertEqual(
      [tuple(line[name] for name in columns) for line in lines],
      [
        ('bp', None, None, None, None),
        ('ssnn', 40, *own),
        ('bp_stdp', 40, None, 'sobol', None),
      ],
    )
    for line in lines:
      self.assertGreater(line['median_ms'], 0)
      self.assertGreater(line['peak_mib'], 0)
      self.assertGreater(line['bits_to_bp'], 0)
    self.assertEqual(lines[0]['ratio_to_bp'], 1)

  def test_devices_learn_from_images_with_seeds_together(self):
    lines = measure(
      '--names=learn',
      '--layers=conv2k3s2,10',
      '--input_shape=8,8',
      '--num_steps=4',
      '--num_seeds=2',
      '--neuron=stochastic',
      '--devices=reram',
      '--dataset=digits',
    )
    found = [(x['method'], x['device'], x['num_seeds']) for x in lines]
    self.assertEqual(found, [('bp', 'ideal', 2), ('ssnn', 'reram', 2)])
    self.assertEqual({line['dataset'] for line in lines}, {'digits'})
    self.assertEqual({line['layers'] for line in lines}, {'conv2k3s2,10'})

  def test_devices_need_coincidences(self):
    done = commands.run('benchmark', '--devices=reram')
    self.assertEqual(done.returncode, 1)
    self.assertEqual(
      done.stderr,
      'error: --devices is reram; expected ideal, or --neuron=stochastic, '
      'whose coincidences are pulses.\n',
    )

  def test_step_of_the_ann_is_gradient_descent(self):
    config = ssnn_jax.NetworkConfig(SIZES)
    network = ssnn_jax.ann(config)
    params = network.init(jax.random.key(0))
    batch = jax.random.key(2), *networks.batch(4, SIZES)
    stepped = jax.jit(steps.learn_step(network))(params, *batch)
    gradient = oracle.bp_gradient(config, params, *batch)
    leaves = map(jax.tree.leaves, (stepped, params, gradient))
    for new, old, slope in zip(*leaves):
      np.testing.assert_allclose(new, old - 0.1 * slope, rtol=1e-5, atol=1e-7)
