"""Tests of what `print` shows."""

from absl.testing import absltest
import jax
import jax.numpy as jnp

import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax import training

CONFIG = ssnn_jax.NetworkConfig(
  layers=(ssnn_jax.layers.Conv(3, kernel=3), ssnn_jax.layers.Dense(10)),
  input_shape=(8, 8),
  timing='realtime',
  dropout=0.1,
  integration=ssnn_jax.neuron.membrane.mean(),
  reads=ssnn_jax.ReadConfig(inp_bits=4, inp_bound=1.0),
)
SUMMARY = """64-108-10 neurons, 1,120 weights and biases
  layer 1: Conv, [8, 8] -> [6, 6, 3] neurons, weights [9, 3]
  layer 2: Dense, [6, 6, 3] -> [10] neurons, weights [108, 10]
  T = 64 ticks, windows of n = 1, realtime, sobol trains
  integration=Membrane of your own, dropout=0.1, reads.inp_bits=4, \
reads.inp_bound=1.0"""


class SummariesTest(absltest.TestCase):
  def test_configuration_has_layers_weights_and_window(self):
    self.assertEqual(str(CONFIG), SUMMARY)

  def test_number_of_weights_is_that_of_the_parameters(self):
    params = ssnn_jax.ssnn(CONFIG).init(jax.random.key(0))
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    self.assertIn(f'{size:,} weights', str(CONFIG))
    config = chip.ChipConfig((64, 32, 10), max_shift=4)
    weights = chip.init_weights(config, jax.random.key(0))
    size = sum(leaf.size for leaf in jax.tree.leaves(weights))
    self.assertIn(f'{size:,} weights\n', str(config))
    self.assertEndsWith(str(config), 'max_shift=4')

  def test_repr_of_a_configuration_makes_it(self):
    config = ssnn_jax.NetworkConfig((4, 3), gain=0.5)
    names = {'inf': float('inf'), **vars(ssnn_jax)}
    self.assertEqual(eval(repr(config), names), config)

  def test_network_has_its_functions_and_configuration(self):
    indented = SUMMARY.replace('\n', '\n  ')
    for make, title in (
      (ssnn_jax.ssnn, 'ssnn: init, infer, learn'),
      (ssnn_jax.ann, 'ann: init, infer, learn'),
    ):
      self.assertEqual(str(make(CONFIG)), f'{title}\n  {indented}')
    made = chip.make_network(chip.ChipConfig((4, 3)))
    self.assertStartsWith(str(made), 'chip: init, infer, learn_online\n')

  def test_dataset_has_shapes_classes_and_splits(self):
    digits = datasets.hold_out(datasets.load('digits'), 0.2)
    self.assertEqual(
      str(digits),
      'digits: images [8, 8], uint8\n'
      '  10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n'
      '  samples of 1,797: 1,150 training, 287 validation, 360 test',
    )

  def test_containers_show_shapes_also_while_traced(self):
    layer = ssnn_jax.LayerParams(jnp.zeros((4, 3)), jnp.zeros(3))
    shown = 'LayerParams(weights=float32[4, 3], biases=float32[3])'
    self.assertEqual(repr(layer), shown)
    traced = []
    jax.eval_shape(lambda own: traced.append(repr(own)), layer)
    self.assertEqual(traced, [shown])
    network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((4, 3)))
    state = training.init_state(network, training.make_optimizer(1.0), 0)
    self.assertStartsWith(repr(state), f'TrainState(params=({shown},), ')
    self.assertNotIn('\n', repr(state))


if __name__ == '__main__':
  absltest.main()
