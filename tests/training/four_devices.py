"""Tests of batches shared by four simulated devices; run by `sharding_test`.

JAX simulates devices only if asked to at the start of the process.
"""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import stochastic
from ssnn_jax import training
from ssnn_jax import types
from ssnn_jax.training import loop
from tests.testing import networks
from tests.testing import statistics

BATCH_SIZE = 32
DIGITS = tuple(array[:128] for array in datasets.load('digits').train)
SIZES, SEEDS = (64, 12, 10), jnp.zeros(1, int)
# T and the batch are powers of two, so that sums are exact.
NUM_STEPS = 8


def to_grid(weights):
  steps = jnp.round(2.0**6 * weights) / 2.0**6
  return weights + jax.lax.stop_gradient(steps - weights)


def apply(params, signals):
  """Returns logits, whose sums are exact."""
  first, last = jax.tree.map(to_grid, params)
  signals = jnp.round(2.0**4 * signals).reshape(-1, 64) / 2.0**4
  return jax.nn.relu(signals @ first) @ last


FUNCTION = ssnn_jax.as_function(
  (
    lambda key: [
      jax.random.normal(jax.random.fold_in(key, own[0]), own) / 8
      for own in zip(SIZES, SIZES[1:])
    ],
    apply,
  ),
  DIGITS[0],
  num_steps=NUM_STEPS,
  loss=lambda logits, labels: jnp.mean(
    jnp.sum((logits - jax.nn.one_hot(labels, 10)) ** 2, axis=1)
  ),
)


def make_mesh(num_devices, batch_size=BATCH_SIZE):
  return loop.make_mesh(batch_size, jax.devices()[:num_devices])


class FourDevicesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.assertEqual(jax.device_count(), 4)

  @parameterized.parameters(
    # Integers, of which presynaptic spikes are dropped at the synapses.
    (
      ssnn_jax.NetworkConfig(
        SIZES, NUM_STEPS, dropout=0.5, sampler='bernoulli'
      ),
      stochastic.make_resistive(ssnn_jax.DeviceConfig(dw_min=0.01), 1.0),
    ),
    (FUNCTION, training.make_optimizer(0.125)),
  )
  def test_learned_weights_do_not_depend_on_number_of_devices(
    self, config, optimizer
  ):
    learned, sizes = [], []
    built = ssnn_jax.ssnn(config, axis_name=loop.AXIS)

    def present(function):
      def call(params, key, inputs, labels, *pulse_gradient):
        sizes.append(len(inputs))
        return function(params, key, inputs, labels, *pulse_gradient)

      return call if function else None

    network = built._replace(
      loss=present(built.loss), count_pulses=present(built.count_pulses)
    )
    make_programs = functools.partial(
      loop.make_programs, network, optimizer, BATCH_SIZE
    )
    start = make_programs(mesh=make_mesh(1)).start
    for number in (1, 4):
      mesh = make_mesh(number)
      state = loop.replicate(mesh, start(SEEDS))
      sizes.clear()
      state, *_ = make_programs(mesh=mesh).train_epoch(state, DIGITS)
      # Each device processes only its own shard.
      self.assertEqual({*sizes}, {BATCH_SIZE // number})
      learned.append(statistics.flat(state.params))
    np.testing.assert_array_equal(*learned)

  def test_update_of_the_ann_is_the_mean_over_devices(self):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=10, dropout=0.1)
    built = ssnn_jax.ann(config, axis_name=loop.AXIS)

    def learn(params, inputs, labels):
      shard = loop.own_positions(BATCH_SIZE, loop.AXIS)
      loss, key = jax.grad(built.loss, has_aux=True), jax.random.key(1)
      return loss(params, key, inputs[shard], labels[shard])[0]

    params = jax.tree.map(lambda x: x[None], networks.make_params(config))
    learned = [
      jax.device_get(
        loop.over_seeds(learn, (0, None, None), mesh=mesh)(params, *DIGITS)
      )
      for mesh in map(make_mesh, (1, 4))
    ]
    networks.assert_close(learned[1], learned[0])

  def test_evaluates_each_sample_once_at_its_position(self):
    num_samples, num_devices, batch_size = 40, 3, 25
    hits = np.random.default_rng(0).random(num_samples) < 0.5
    hits[-1] = True  # the last batch is padded with the last sample

    def infer(params, key, inputs):
      # The class is 1 where a sample is at its position in the full batch.
      del params, key
      first = jax.lax.axis_index(loop.AXIS) * len(inputs)
      positions = first + jnp.arange(len(inputs))
      is_correct = positions == inputs % batch_size
      potential = jax.nn.one_hot(is_correct.astype(jnp.int32), 2)
      return types.Inference(potential, potential)

    network = types.Network(init=None, infer=infer, loss=None)
    evaluate = training.make_evaluate(network, network, batch_size, loop.AXIS)
    mesh = make_mesh(num_devices, num_devices)
    run = loop.over_seeds(
      functools.partial(evaluate, ()), (0, None, None), mesh=mesh
    )
    keys = jax.vmap(jax.random.key)(SEEDS)
    accuracy = run(keys, jnp.arange(num_samples), jnp.int32(hits))
    expected = np.float32(hits.sum() / num_samples)
    fractions = jax.device_get(accuracy)._asdict()
    # Of potentials 0 and 1: log(1 + e) - 1 of the right class.
    loss = np.log1p(np.e) - expected
    np.testing.assert_allclose(fractions.pop('loss'), loss, rtol=1e-6)
    self.assertEqual(tuple(fractions.values()), (expected,) * 4)


if __name__ == '__main__':
  absltest.main()
