"""Tests that networks equal the reference, bit by bit."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import reference
from ssnn_jax import trains
from ssnn_jax.stochastic import crossbars
from ssnn_jax.stochastic import samples
from ssnn_jax.trains import Role
from tests.testing import mutations
from tests.testing import networks
from tests.testing import sources

TWO, THREE = (12, 9, 4), (12, 9, 8, 3)
# Sampler, number of ticks, layer sizes, batch size and other fields.
SETTINGS = (
  ('sobol', 96, THREE, 2, {'dropout': 0.5}),
  (sources.THREEFRY, 33, TWO, 2, {}),
  ('bernoulli', 70, TWO, 5, {'dropout': 0.25}),
)
MUTATED = SETTINGS[-1]
SEEDS = range(3)  # of the samples, parameters and keys of each setting
EVENTS = 33  # ticks of the setting whose inputs are spike trains


def make_config(sampler, num_steps, sizes, **options):
  return ssnn_jax.NetworkConfig(
    sizes, num_steps=num_steps, sampler=sampler, input_gain=1.25, **options
  )


def make_batch(config, batch_size, seed):
  """Makes parameters, key, inputs and labels.

  Some gates are shut, those of two hidden neurons at potentials of just 0 and
  1; some error streams saturate.
  """
  sizes = config.layer_sizes
  rng, params = np.random.default_rng(seed), []
  for fan_in, fan_out in zip(sizes, sizes[1:]):
    weights = 3.0 / np.sqrt(fan_in) * rng.normal(size=(fan_in, fan_out))
    biases = np.full(fan_out, 0.2)
    if len(params) < len(sizes) - 2:
      weights[:, :2], biases[:2] = 0.0, (0.0, 1.0)
    params.append(ssnn_jax.LayerParams(np.float32(weights), np.float32(biases)))
  inputs = rng.random((batch_size, sizes[0]), np.float32)
  inputs[:, :2] = 0.0, 1.0
  if config.num_steps == EVENTS:
    inputs = rng.integers(0, 2**32, (batch_size, 2, sizes[0]), np.uint32)
  labels = np.int32((seed + np.arange(batch_size)) % sizes[-1])
  return tuple(params), jax.random.key(seed), inputs, labels


prepare = jax.jit(samples.prepare, static_argnums=0)


def by_reference(config, reference=reference):
  """Returns the gradient and the winners of the reference."""

  def learn(params, key, inputs, labels):
    batch = prepare(config, params, key, inputs, labels)

    dropout = crossbars.draw_dropout(config, key, batch.position)

    def present(own, masks):
      draw = reference.make_sample(config, key, own.position, own.inputs.rates)

      def sample(role, layer, rates):
        if role == Role.INPUT and own.inputs.train is not None:
          train = trains.unpack(own.inputs.train)[: config.num_steps]
          return train.astype(jnp.float32)
        # A dropped unit has no spikes, and no error spikes.
        hidden = {Role.FORWARD: layer - 1, Role.ERROR: layer}
        if role in hidden:
          rates *= masks[hidden[role]]
        return draw(role, layer, rates)

      return reference.stochastic(config, params, sample, own.label)

    counts, inference = jax.vmap(present)(batch, dropout)
    # Each count is worth a unit of gradient.
    ticks = len(labels) * config.num_steps
    return tuple(
      ssnn_jax.LayerParams(
        jnp.sum(weights, axis=0) * np.float32(gain / ticks),
        jnp.sum(biases, axis=0) * np.float32(1 / ticks),
      )
      for (weights, biases), gain in zip(counts, config.read_gains)
    ), inference.winner_counts.astype(jnp.int32)

  return learn


def by_network(config):
  """Returns the gradient and the winners of the network."""

  def learn(*batch):
    loss = ssnn_jax.ssnn(config).loss
    gradient, inference = jax.grad(loss, has_aux=True)(*batch)
    return gradient, inference.winner_counts

  return learn


@functools.cache
def compiled(learn, config):
  return jax.jit(learn(config))


def present(learn, config, batch_size, seeds=SEEDS):
  """Presents a batch of each seed."""
  batches = [make_batch(config, batch_size, seed) for seed in seeds]
  return jax.device_get([learn(*batch) for batch in batches])


# What is exchanged in the source of the reference.
MUTATIONS = (
  ('(0.0 < potentials[layer]) & ', '(0.0 <= potentials[layer]) & '),
  ('& (potentials[layer] < 1.0)', '& (potentials[layer] <= 1.0)'),
  ('jnp.minimum(jnp.abs(g), 1.0)', 'jnp.minimum(jnp.abs(g), 0.9)'),
  ('jnp.pad(reached[:, :-1], ((0, 0), (1, 0)))', '0 * reached'),
  ('p[None]))', 'p[None] + 2**-10))'),
  ('s.T @ e', 's[:-1].T @ e[:-1]'),
)


class ReferenceTest(parameterized.TestCase):
  @parameterized.parameters(*SETTINGS)
  def test_spikes_are_equal(self, sampler, num_steps, sizes, size, options):
    config = make_config(sampler, num_steps, sizes, **options)
    found, expected = (
      present(compiled(learn, config), config, size)
      for learn in (by_network, by_reference)
    )
    networks.assert_same(found, expected)
    for _, winners in found:
      np.testing.assert_array_equal(winners.sum(axis=1), num_steps)
    changed = [[np.any(own.weights) for own in layers] for layers, _ in found]
    self.assertTrue(np.any(changed, axis=0).all())

  @parameterized.parameters(*MUTATIONS)
  def test_wrong_rule_is_seen(self, old, new):
    sampler, num_steps, sizes, size, options = MUTATED
    config = make_config(sampler, num_steps, sizes, **options)
    right = present(compiled(by_reference, config), config, size, [2])
    wrong = jax.jit(by_reference(config, mutations.mutate(reference, old, new)))
    found = present(wrong, config, size, [2])
    equal = jax.tree.map(np.array_equal, found, right)
    self.assertFalse(all(jax.tree.leaves(equal)))


# What is exchanged in the source of the reference of bipolar neurons.
MUTATIONS_BIPOLAR = (
  ('v[layer] += spikes @ weights', 'v[layer] = spikes @ weights'),
  ('held[layer] += np.outer(spikes, errors[layer])', 'pass'),
  ('held[layer] += np.outer(values[layer], spikes_back)', 'pass'),
  ('gate = v[layer] > 0', 'gate = v[layer] > -1'),
  ('mantissas < 0.75', 'mantissas <= 0.75'),
  ('received[layer - 1] += weights @ spikes_back', 'pass'),
  ('gate * received[layer], error_digits', 'gate * received[layer], digits'),
)


class BipolarTest(parameterized.TestCase):
  """Spikes of bipolar neurons in any order leave what `spike` computes."""

  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.integers(-64, 65, shape) / 64  # sums are exact
    sizes = 6, 8, 7, 3
    self.params = [(draw(m, n), draw(n)) for m, n in zip(sizes, sizes[1:])]
    self.signals, self.target = np.arange(1, 7) / 7, draw(3)

  def run_reference(self, reference, seed):
    random = np.random.default_rng(seed)
    difference = lambda v: v - self.target
    signals = np.float64(np.float32(self.signals))
    return reference.bipolar(self.params, signals, difference, random)

  def run_spike(self):
    @ssnn_jax.spike
    def model(params, x):
      for layer, (weights, biases) in enumerate(params):
        x = jax.nn.relu(x) if layer else x
        x = jnp.matmul(x, weights, precision='highest') + biases
      return x

    def loss(params):
      outputs = model(params, jnp.float32(self.signals))
      return jnp.sum((outputs - jnp.float32(self.target)) ** 2) / 2, outputs

    params = jax.tree.map(jnp.float32, self.params)
    (_, outputs), update = jax.value_and_grad(loss, has_aux=True)(params)
    return outputs, [weights for weights, _ in update]

  @parameterized.parameters(*range(5))
  def test_synapses_hold_the_gradient_bit_for_bit(self, seed):
    outputs, held, num_spikes = self.run_reference(reference, seed)
    expected, update = self.run_spike()
    np.testing.assert_array_equal(outputs, expected)
    jax.tree.map(np.testing.assert_array_equal, held, update)
    self.assertGreater(num_spikes, 100)

  @parameterized.parameters(*MUTATIONS_BIPOLAR)
  def test_wrong_rule_of_bipolar_neurons_is_seen(self, old, new):
    changed = mutations.mutate(reference, old, new)
    outputs, held, _ = self.run_reference(changed, 0)
    expected, update = self.run_spike()
    found = [np.array_equal(outputs, expected)]
    found += [np.array_equal(*pair) for pair in zip(held, update)]
    self.assertFalse(all(found))
