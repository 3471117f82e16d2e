"""Tests for the number of synapses that spikes reach."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import realtime
from ssnn_jax import synapses

ONES = functools.partial(np.ones, dtype=np.float32)
MASK = np.tril(np.ones((4, 4), np.float32))
# A model of 4 inputs, and for each layer of neurons the synapses of all below,
# those whose weight is learned, and those whose error is sent back.
MODELS = {
  'dense': (
    {'w': ONES((4, 3)), 'b': ONES(3), 'v': ONES((3, 2))},
    lambda p, x, neuron: neuron(x @ p['w'] + p['b'][None]) @ p['v'],
    ((12, 12, 0), (6, 6, 6)),
  ),
  'masked sum of both signs': (
    {'w': ONES((4, 4)), 'v': ONES((4, 2))},
    lambda p, x, neuron: neuron(x @ (p['w'] * MASK) - 0.5 * x) @ p['v'],
    ((10 + 4, 10, 0), (8, 8, 8)),
  ),
  'residual': (
    {'w': ONES((4, 4)), 'u': ONES((4, 4)), 'v': ONES((4, 2))},
    lambda p, x, neuron: (
      (h := neuron(x @ p['w'])) is not None and neuron(h + h @ p['u']) @ p['v']
    ),
    ((16, 16, 0), (16 + 4, 16, 16 + 4), (8, 8, 8)),
  ),
  'average pool': (
    {'w': ONES((2, 3)), 'v': ONES((3, 2))},
    lambda p, x, neuron: (
      neuron(jnp.mean(x.reshape(-1, 2, 2), axis=2) @ p['w']) @ p['v']
    ),
    ((12, 12, 0), (6, 6, 6)),
  ),
  'standardized': (
    {'w': ONES((4, 3)), 'g': ONES(3), 'v': ONES((3, 2))},
    lambda p, x, neuron: (
      neuron(x @ (jax.nn.standardize(p['w'], 0) * p['g'][None])) @ p['v']
    ),
    ((12, 12, 0), (6, 6, 6)),
  ),
}


def make_circuit(params, apply):
  model = ssnn_jax.Model(lambda key: params, apply, (4,))
  return realtime.make_circuit(model)


def pooled(p, x, neuron):
  """Pairs of inputs are averaged before a layer, and then gated."""
  pairs = jnp.mean(x.reshape(-1, 2, 2), axis=2)
  gate, value = (neuron(own) for own in jnp.split(pairs @ p['w'], 2, axis=1))
  return neuron(gate * value) @ p['v']


class ProductsTest(parameterized.TestCase):
  @parameterized.parameters(
    ('masked sum of both signs', 18, 8, 18),
    ('residual', 40, 24, 40),
    ('standardized', 18, 6, 18),
  )
  def test_products_are_those_of_learned_weights(self, name, *expected):
    params, apply, _ = MODELS[name]
    model = ssnn_jax.Model(lambda key: params, apply, (4,))
    found = realtime.count_products(model, params)
    self.assertEqual(found, expected)

  def test_neurons_that_are_added_have_one_product_and_a_gate_three(self):
    params = {'w': ONES((2, 4)), 'v': ONES((2, 3))}
    model = ssnn_jax.Model(lambda key: params, pooled, (4,))
    found = realtime.count_products(model, params)
    self.assertEqual(found, (8 + 2 + 6, 2 * 2 + 6, 8 + 6))


class SynapsesTest(parameterized.TestCase):
  @parameterized.parameters(*MODELS)
  def test_a_spike_of_all_reaches_every_synapse(self, name):
    params, apply, expected = MODELS[name]
    circuit = make_circuit(params, apply)
    found = synapses.find(circuit.evaluate, circuit.recalls, params)
    spikes, errors = (
      [np.ones((1, 1, *own)) for own in ends]
      for ends in (circuit.shapes[:-1], circuit.shapes[1:])
    )
    layers = synapses.count(found, spikes, errors)
    for own, numbers in zip(layers, expected, strict=True):
      found = own.forward, own.changes, own.backward
      np.testing.assert_array_equal(np.ravel(found), numbers)

  def test_a_factor_that_is_0_receives_nothing(self):
    params = {'w': ONES((4, 2)), 'v': ONES((2, 3))}

    def apply(p, x, neuron):
      gate, value = (neuron(own) for own in jnp.split(x @ p['w'], 2, axis=1))
      return neuron(gate * value) @ ONES((1, 3))

    circuit = make_circuit(params, apply)
    found = synapses.find(circuit.evaluate, circuit.recalls, params)
    zeros = [np.zeros((2, 1, *own)) for own in circuit.shapes]
    spikes, errors = zeros[:-1], zeros[1:]
    spikes[1][0] = spikes[2][1] = 1  # one factor, then the other
    errors[2][0] = 1
    product = synapses.count(found, spikes, errors)[2]
    np.testing.assert_array_equal(product.forward[:, 0], [0, 1])
    np.testing.assert_array_equal(product.backward[:, 0], [0, 0])
    self.assertFalse(np.any(product.changes))  # no weight is learned

  def test_traces_are_counted_as_a_stream(self):
    apply = lambda p, x, neuron: neuron(ssnn_jax.trace(x, (0, 0.5))) @ p
    model = ssnn_jax.Model(lambda key: ONES((4, 3)), apply, (5, 2))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'of realtime.stream'):
      realtime.count(model, ONES((4, 3)), None)


if __name__ == '__main__':
  absltest.main()
