"""Tests of batches shared by four simulated devices; run by `sharding_test`.

JAX simulates devices only if asked to at the start of the process.
"""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import hardware
from ssnn_jax import network as network_lib
from ssnn_jax import spiking
from ssnn_jax import training
from ssnn_jax import types
from ssnn_jax.baselines import rpu
from ssnn_jax.baselines import surrogate_gradient
from ssnn_jax.training import sharding
from tests.testing import networks
from tests.testing import statistics

BATCH_SIZE = 32
DIGITS = tuple(array[:128] for array in datasets.load('digits').train)
SIZES = (64, 12, 10)
# T, the gain and the batch are powers of two, so that sums are exact.
BIPOLAR = ssnn_jax.NetworkConfig(
  SIZES, num_steps=8, sampler='sobol', dropout=0.5, weight_bits=12
)


def make_mesh(num_devices, batch_size=BATCH_SIZE):
  return sharding.make_mesh(batch_size, jax.devices()[:num_devices])


class FourDevicesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.assertEqual(jax.device_count(), 4)

  @parameterized.parameters(
    # Signs are separate, and presynaptic spikes are dropped at the synapses.
    (
      networks.stochastic(SIZES, num_steps=10, sampler='bernoulli'),
      hardware.make_resistive(ssnn_jax.DeviceConfig(dw_min=0.01), 1.0),
    ),
    (BIPOLAR, training.make_optimizer(0.5)),
  )
  def test_learned_weights_do_not_depend_on_number_of_devices(
    self, config, optimizer
  ):
    learned = []
    for number in (1, 4):
      built = ssnn_jax.ssnn(
        config, axis_name=sharding.AXIS, separate_signs=True
      )
      sizes = set()

      def present(function, sizes=sizes):
        def call(params, key, *batch, **pulses):
          sizes.update(map(len, batch))
          return function(params, key, *batch, **pulses)

        return call

      network = built._replace(
        loss=present(built.loss), learn=present(built.learn)
      )
      mesh = make_mesh(number)
      epoch = sharding.run_on(
        mesh,
        training.make_train_epoch(
          network, optimizer, BATCH_SIZE, sharding.AXIS
        ),
      )
      state = training.init_state(built, optimizer, 0)
      state, _ = epoch(state, *sharding.replicate(mesh, DIGITS))
      # Each device processes only its own shard.
      self.assertEqual(sizes, {BATCH_SIZE // number})
      learned.append(statistics.flat(state.params))
    np.testing.assert_array_equal(*learned)

  @parameterized.parameters(
    ssnn_jax.ann,
    rpu.make_network,
    surrogate_gradient.make_network,
  )
  def test_update_does_not_depend_on_number_of_devices(self, make):
    config = networks.stochastic(SIZES, num_steps=10, dropout=0.1)
    inputs, labels = (array[:BATCH_SIZE] for array in DIGITS)
    learned = []
    for number in (1, 4):
      built = make(config, axis_name=sharding.AXIS)

      def learn(params, inputs, labels, built=built):
        batch = jnp.arange(BATCH_SIZE)[None]
        (shard,) = sharding.local_shard(batch, sharding.AXIS)
        present_key = jax.random.key(1)
        return jax.grad(built.loss, has_aux=True)(
          params, present_key, inputs[shard], labels[shard]
        )[0]

      mesh = make_mesh(number)
      arguments = networks.make_params(config), inputs, labels
      run = sharding.run_on(mesh, learn)
      counted = run(*sharding.replicate(mesh, arguments))
      learned.append(jax.tree.map(np.asarray, counted))
    one, four = learned
    self.assertTrue(all(map(np.any, jax.tree.leaves(one))))
    if make is rpu.make_network:  # counts of coincidences are exact
      jax.tree.map(np.testing.assert_array_equal, four, one)
    networks.assert_close(four, one)

  def test_plain_model_learns_the_same_from_a_sharded_batch(self):
    params = network_lib.quantize(BIPOLAR, networks.make_params(BIPOLAR))

    @jax.jit
    @jax.grad
    def learn(params, key, images, labels):
      (first, second), num_steps = params, BIPOLAR.num_steps
      rates = spiking.encode(key, images, num_steps, 'sobol')
      hidden = rates.reshape(-1, 64) @ first.weights + first.biases[None]
      hidden = spiking.fire(hidden, num_steps)
      logits = hidden @ second.weights + second.biases[None]
      return spiking.cross_entropy(key, logits, labels, num_steps)

    batch = [array[:BATCH_SIZE] for array in DIGITS]
    spec = jax.sharding.PartitionSpec(sharding.AXIS)
    placed = jax.sharding.NamedSharding(make_mesh(4), spec)
    shards = jax.device_put(batch, placed)
    self.assertLen(shards[0].addressable_shards, 4)
    learned = [
      learn(params, jax.random.key(1), *own) for own in (batch, shards)
    ]
    self.assertTrue(all(map(np.any, jax.tree.leaves(learned[0]))))
    networks.assert_same(*learned)

  def test_evaluates_each_sample_once_at_its_position(self):
    num_samples, num_devices, batch_size = 40, 3, 25
    hits = np.random.default_rng(0).random(num_samples) < 0.5
    hits[-1] = True  # the last batch is padded with the last sample

    def infer(params, key, inputs):
      # The class is 1 where a sample is at its position in the full batch.
      del params, key
      first = jax.lax.axis_index(sharding.AXIS) * len(inputs)
      positions = first + jnp.arange(len(inputs))
      is_correct = positions == inputs % batch_size
      potential = jax.nn.one_hot(is_correct.astype(jnp.int32), 2)
      return types.Inference(potential, potential, potential)

    network = types.Network(init=None, infer=infer, loss=None)
    evaluate = training.make_evaluate(
      network, network, batch_size, sharding.AXIS
    )
    run = sharding.run_on(
      make_mesh(num_devices, num_devices), functools.partial(evaluate, ())
    )
    accuracy = run(jax.random.key(0), jnp.arange(num_samples), jnp.int32(hits))
    expected = np.float32(hits.sum() / num_samples)
    self.assertEqual(tuple(jax.device_get(accuracy)), (expected,) * 5)

  def test_shards_are_in_order_of_devices(self):
    num_devices, batch_size = 3, 8
    batches = jnp.arange(3 * batch_size).reshape(3, batch_size)
    padded = np.pad(batches, ((0, 0), (0, 1)), constant_values=-1)

    def shard_and_gather(batches):
      shard = sharding.local_shard(batches, sharding.AXIS, padding=-1)
      first = jax.lax.axis_index(sharding.AXIS) * shard.shape[1]
      gathered = sharding.gather_shards(shard, sharding.AXIS)
      own = jax.lax.dynamic_slice_in_dim(gathered, first, shard.shape[1], 1)
      return gathered, jax.lax.psum(jnp.sum(shard != own), sharding.AXIS)

    mesh = make_mesh(num_devices, num_devices)
    gathered, num_wrong = sharding.run_on(mesh, shard_and_gather)(batches)
    self.assertTrue(gathered.is_fully_replicated)
    np.testing.assert_array_equal(gathered, padded)
    self.assertEqual(int(num_wrong), 0)
    placed = sharding.replicate(mesh, {'a': np.arange(6.0)})['a']
    self.assertEqual(placed.devices(), set(jax.devices()[:num_devices]))
    self.assertTrue(placed.is_fully_replicated)
