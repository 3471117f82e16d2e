"""Tests of batches that four devices share; `sharding_test` runs them.

The devices are simulated, which a process can only be asked for at its start.
"""

import functools
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments import methods
from experiments import programs
from experiments import trainer
import ssnn_jax
from ssnn_jax import network
from ssnn_jax import training
from ssnn_jax import types
from ssnn_jax.runs import records
from ssnn_jax.simulation import inputs as input_lib
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding
from tests.testing import statistics
from tests.testing.experiments import lines
from tests.testing.experiments import make_runs
from tests.testing.experiments import small_digits

BATCH_SIZE = 32


def make_mesh(num_devices, batch_size=BATCH_SIZE):
  return sharding.make_mesh(batch_size, jax.devices()[:num_devices])


class FourDevicesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.assertEqual(jax.device_count(), 4)

  def test_a_network_learns_the_same_on_any_number_of_devices(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    make, recorded = programs.make, []

    def make_without_measures(*args):
      # Every device has the whole of them, so that they are not compared here.
      nothing = dict.fromkeys(('update_error', 'quantisation_error'), [0.0])
      return make(*args)._replace(
        measure=lambda *_: nothing, train_ann=lambda *_: None
      )

    with mock.patch.object(programs, 'make', make_without_measures):
      for number in (1, 4):  # two are those of `multihost_test`
        # Devices count errors of both signs, and drop some at the synapses.
        (run,) = make_runs(
          *(workdir / str(number), 0),
          **{'batch_size': BATCH_SIZE, 'eval_every': 2, 'weight_decay': 0.0},
          device='ecram',
        )
        self.assertGreater(run.config.dropout, 0)
        options = trainer.Options(num_devices=number)
        trainer.train([run], small_digits(), options)
        final = records.read(run.folder).final
        self.assertEqual(final['num_devices'], number)
        recorded.append(
          [line | {'num_devices': None} for line in lines(run.folder)]
        )
    self.assertEqual(*recorded)

  @parameterized.parameters(
    (ssnn_jax.ann, {}), (ssnn_jax.ssnn, {'update': 'rates'})
  )
  def test_sums_of_floats_differ_in_the_last_bits(self, build, options):
    config = ssnn_jax.NetworkConfig(
      (64, 12, 10), num_steps=10, dropout=0.1, **options
    )
    optimizer, learned = training.make_optimizer(1.0), []
    for number in (1, 4):
      built = build(config, axis_name=sharding.AXIS)
      sizes = set()

      def learn(params, key, inputs, labels, built=built, sizes=sizes):
        sizes.update((len(inputs), len(labels)))
        return built.learn(params, key, inputs, labels)

      mesh = make_mesh(number)
      epoch = sharding.run_on(
        mesh,
        training.make_train_epoch(
          built._replace(learn=learn), optimizer, BATCH_SIZE, sharding.AXIS
        ),
      )
      state = training.init_state(built, optimizer, 0)
      state, _ = epoch(state, *sharding.replicate(mesh, small_digits().train))
      # No device treats more than its own part.
      self.assertEqual(sizes, {BATCH_SIZE // number})
      learned.append(statistics.flat(state.params))
    one, four = learned
    bound = 1e-5 * np.max(np.abs(one))
    np.testing.assert_allclose(four, one, rtol=0, atol=bound)

  @parameterized.parameters(
    'rpu', 'feedback_alignment', 'surrogate_gradient', 'bp_stdp'
  )
  def test_rivals_learn_the_same_on_any_number_of_devices(self, method):
    config = ssnn_jax.NetworkConfig((64, 12, 10), num_steps=10, dropout=0.1)
    chosen, key = methods.METHODS[method], jax.random.key(0)
    inputs, labels = small_digits().train
    inputs, labels = inputs[:BATCH_SIZE], labels[:BATCH_SIZE]
    learned = []
    for number in (1, 4):
      built = chosen.make(config, key, axis_name=sharding.AXIS)

      def learn(params, inputs, labels, built=built):
        batch = jnp.arange(BATCH_SIZE)[None]
        (own,) = sharding.own_part(batch, sharding.AXIS)
        present_key = jax.random.key(1)
        return built.learn(params, present_key, inputs[own], labels[own])[0]

      mesh = make_mesh(number)
      given = network.init(config, jax.random.key(2)), inputs, labels
      run = sharding.run_on(mesh, learn)
      update = run(*sharding.replicate(mesh, given))
      learned.append(jax.tree.map(np.asarray, update))
    one, four = learned
    self.assertTrue(all(map(np.any, jax.tree.leaves(one.positive))))
    if chosen.has_pulses:
      jax.tree.map(np.testing.assert_array_equal, four, one)
    for ours, theirs in zip(*map(jax.tree.leaves, (four, one))):
      bound = 1e-5 * np.max(np.abs(theirs))
      np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)

  @parameterized.product(num_devices=(3, 4), batch_size=(24, 25, 41))
  def test_every_sample_is_evaluated_once_at_its_own_place(
    self, num_devices, batch_size
  ):
    num_samples = 40
    hits = np.random.default_rng(0).random(num_samples) < 0.5
    hits[-1] = True  # which a batch with samples too few is padded with

    def infer(params, key, inputs):
      # The class is 1 where the device has the sample that its place is for.
      del params, key
      places = input_lib.batch_positions(len(inputs), sharding.AXIS)
      is_right = places == inputs % batch_size
      potential = jax.nn.one_hot(is_right.astype(jnp.int32), 2)
      return types.Inference(potential, potential)

    def infer_one(params, key, inputs):
      del params, key
      potential = jax.nn.one_hot(jnp.ones_like(inputs), 2)
      return types.Inference(potential, potential)

    networks = [
      types.Network(init=None, infer=each, learn=None)
      for each in (infer, infer_one)
    ]
    mesh = make_mesh(num_devices, num_devices)
    evaluate = sharding.run_on(
      mesh,
      functools.partial(
        training.make_evaluate(*networks, batch_size, sharding.AXIS), ()
      ),
    )
    accuracy = evaluate(
      jax.random.key(0), jnp.arange(num_samples), jnp.int32(hits)
    )
    self.assertEqual(
      jax.device_get(accuracy),
      metrics.Accuracy(*(np.float32(hits.sum() / num_samples),) * 3),
    )

  @parameterized.parameters((1, 8), (2, 8), (4, 8), (3, 8), (4, 6), (4, 5))
  def test_parts_are_in_order_of_the_devices(self, num_devices, batch_size):
    batches = jnp.arange(3 * batch_size).reshape(3, batch_size)
    mesh = make_mesh(num_devices, num_devices)
    size = -(-batch_size // num_devices)
    filled = np.full((3, size * num_devices), -1)
    filled[:, :batch_size] = batches
    own = jax.shard_map(
      lambda batches: sharding.own_part(batches, sharding.AXIS, padding=-1),
      mesh=mesh,
      in_specs=jax.sharding.PartitionSpec(),
      out_specs=jax.sharding.PartitionSpec(None, sharding.AXIS),
      check_vma=False,
    )(batches)
    np.testing.assert_array_equal(own, filled)
    for device, shard in enumerate(own.addressable_shards):
      np.testing.assert_array_equal(
        shard.data, filled[:, device * size : (device + 1) * size]
      )

    def there_and_back(batches):
      part = sharding.own_part(batches, sharding.AXIS, padding=-1)
      return sharding.all_parts({'part': part}, sharding.AXIS)

    joined = sharding.run_on(mesh, there_and_back)(batches)['part']
    self.assertTrue(joined.is_fully_replicated)
    np.testing.assert_array_equal(joined, filled)

  def test_a_batch_that_devices_cannot_share_is_refused(self):
    (run,) = make_runs(
      self.create_tempdir().full_path, 0, batch_size=BATCH_SIZE
    )
    with self.assertRaises(ssnn_jax.UserError) as caught:
      trainer.train([run], small_digits(), trainer.Options(num_devices=3))
    self.assertEqual(
      str(caught.exception),
      '--batch_size=32 cannot be shared evenly by 3 devices; make it a '
      'multiple of their number, or use fewer devices (--num_devices).',
    )
    self.assertFalse(run.folder.exists())

  def test_all_devices_have_what_is_replicated(self):
    arrays = {'a': np.arange(6.0).reshape(2, 3), 'b': np.int32(7)}
    placed = sharding.replicate(make_mesh(4), arrays)
    self.assertEqual(placed.keys(), arrays.keys())
    for name, array in placed.items():
      self.assertLen(array.addressable_shards, 4)
      self.assertEqual(array.devices(), set(jax.devices()))
      for shard in array.addressable_shards:
        np.testing.assert_array_equal(shard.data, arrays[name])


if __name__ == '__main__':
  absltest.main()
