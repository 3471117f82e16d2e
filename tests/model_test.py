"""Tests of models that anyone writes: one model is four things."""

import dataclasses
import functools

from absl.testing import parameterized
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import network as network_lib
from ssnn_jax import observe
from ssnn_jax import realtime
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import training
from tests.testing import models
from tests.testing import networks
from tests.testing.models import MODELS

KEY, MOMENTUM = jax.random.key(5), optax.sgd(0.05, momentum=0.9)


@functools.cache
def make_params(name):
  """Returns parameters on the grid, whose biases are not 0."""
  params = jax.device_get(jax.jit(MODELS[name].init)(jax.random.key(1)))
  rng = np.random.default_rng(0)
  move = lambda own: np.round(16 * own + rng.integers(-4, 5, own.shape)) / 16
  return jax.tree.map(lambda own: np.float32(move(own)), params)


@functools.partial(jax.jit, static_argnums=0)
def learn(model, params, key, images, labels):
  """Returns the gradient without dropout, the potential, and all neurons."""
  batch = samples.prepare(model, params, key, images, labels)
  rates = model.encode(key, batch.inputs, batch.position)

  def loss(params):
    potential = model.respond(model.grid(params), rates, model.fire)
    return spiking.cross_entropy(key, potential, labels), potential

  gradient, potential = jax.grad(loss, has_aux=True)(params)
  settled = network_lib.settle(model, params, key, batch)
  return gradient, potential, settled._replace(calls=())


class FourThingsTest(parameterized.TestCase):
  @parameterized.parameters(*MODELS)
  def test_play_equals_the_gradient_in_every_bit(self, name):
    model, params, batch = MODELS[name], make_params(name), models.batch()
    gradient, potential, settled = learn(model, params, KEY, *batch)
    wires = realtime.Wires(forward=(2, *range(len(settled.rates) - 1)), wait=0)
    played = realtime.play(model, params, KEY, *batch, wires)
    networks.assert_same(played.update, jax.device_get(gradient))
    np.testing.assert_array_equal(played.potentials[-1], potential)
    same = lambda ours, theirs: np.testing.assert_array_equal(
      np.ravel(ours), np.ravel(theirs)
    )
    steps = model.steps_of_inputs, *[model.num_steps] * len(played.counts)
    for counts, rates, num_steps in zip(played.counts, settled.rates, steps):
      same(counts, num_steps * rates)
      self.assertTrue(np.any(counts))
    for ours, theirs in zip(played.sent_errors, settled.errors, strict=True):
      same(ours, theirs)

  @parameterized.parameters('linen', 'equinox', 'shared')
  def test_ann_has_the_same_dropout_and_is_the_limit(self, name):
    fine = dataclasses.replace(
      MODELS[name],
      grid=None,
      exact=('inputs', 'forward', 'backward', 'winners'),
    )
    batch, params = models.batch(), make_params(name)
    found, expected = (
      networks.learner(build(fine))(params, KEY, *batch)
      for build in (ssnn_jax.ssnn, ssnn_jax.ann)
    )
    networks.assert_close(found[0], expected[0])
    networks.assert_close(found[1].potential, expected[1].potential)
    key, learn = jax.random.key(6), networks.learner(ssnn_jax.ann(fine))
    other = learn(params, key, *batch)[1].potential
    self.assertFalse(np.allclose(other, expected[1].potential))
    infer = jax.jit(ssnn_jax.ann(fine).infer)
    inferred = infer(params, KEY, batch[0]).potential
    self.assertFalse(np.allclose(inferred, other))

  def test_neurons_are_observed(self):
    model, params = MODELS['shared'], make_params('shared')
    batch = models.batch()
    settled = learn(model, params, KEY, *batch)[2]
    measure = jax.jit(observe.make_observe(model))
    activity = measure(params, KEY, *batch)
    for own, rates in zip(activity.firing_rates, settled.rates, strict=True):
      np.testing.assert_allclose(own, np.mean(rates), rtol=1e-5)
    found = observe.diagnose(ssnn_jax.ssnn(model), params, *batch)
    self.assertEqual([own.shape for own in found], [(8, 8)] * 5)
    self.assertGreater(found[0].levels, 2)

  def test_spikes_of_a_sample_are_recorded(self):
    model, params, batch = MODELS['pair'], make_params('pair'), models.batch()
    rates = learn(model, params, KEY, *batch)[2].rates
    recorded = observe.record(model, params, KEY, batch[0][0], 0)
    for train, own in zip(recorded.spikes[1:], rates[1:], strict=True):
      np.testing.assert_array_equal(train.sum(axis=0), 4 * own[0])
    self.assertLen(recorded.errors, 3)


class DropoutTest(parameterized.TestCase):
  @parameterized.parameters('linen', 'equinox')
  def test_masks_depend_on_the_position_in_the_global_batch(self, name):
    model, params, (images, _) = MODELS[name], make_params(name), models.batch()

    @jax.jit
    def run(images, positions):
      return model.respond(params, images, model.fire, KEY, positions)

    whole = run(images, jnp.arange(8))
    shard = run(images[4:], jnp.arange(4, 8))
    np.testing.assert_array_equal(whole[4:], shard)
    self.assertFalse(np.array_equal(shard, run(images[4:], jnp.arange(4))))

  def test_calls_have_masks_of_their_own_and_keep_the_mean(self):
    neuron = lambda: ssnn_jax.model.Neuron(
      lambda v, *_: v,
      lambda number, shape, dropout: ssnn_jax.model.draw_masks(
        KEY, jnp.arange(shape[0]), number, shape, dropout
      ),
    )
    ones, own = jnp.ones((40, 500)), neuron()
    first, second = (own(ones, dropout=0.2) for _ in range(2))
    self.assertAlmostEqual(np.mean(first), 1.0, delta=5 * 0.5 / 20_000**0.5)
    self.assertFalse(np.array_equal(first, second))
    np.testing.assert_array_equal(neuron()(ones, dropout=0.2), first)


class FitTest(parameterized.TestCase):
  @parameterized.parameters(*MODELS)
  def test_learns_and_continues_bit_for_bit(self, name):
    network = ssnn_jax.ssnn(MODELS[name])
    data = models.batch(60)
    fit = functools.partial(
      training.fit, network, MOMENTUM, data, batch_size=12, progress=False
    )
    whole = fit(num_epochs=6, evaluate=models.batch(60, seed=1))
    self.assertGreater(whole.history.eval_accuracy[-1], 0.6)
    half = fit(num_epochs=2, evaluate=False)
    rest = fit(num_epochs=4, evaluate=False, state=half.state)
    networks.assert_same(rest.state.params, whole.state.params)

  @parameterized.parameters('nnx', 'equinox')
  def test_seeds_learn_side_by_side_what_one_learns_alone(self, name):
    network, data = ssnn_jax.ssnn(MODELS[name]), models.batch(60)
    alone = training.fit(
      network,
      MOMENTUM,
      data,
      num_epochs=1,
      batch_size=12,
      progress=False,
      evaluate=False,
    )
    programs = training.loop.make_programs(network, MOMENTUM, 12)
    state = programs.start(jnp.arange(2))
    epochs = training.loop.run(programs, state, jax.device_put(data), None, 1)
    together = [epoch.state for epoch in epochs][-1]
    first = jax.tree.map(lambda own: own[0], together.params)
    networks.assert_same(first, alone.state.params)

  def test_compares_numbers_of_steps_with_one_ann(self):
    model, data = MODELS['pair'], models.batch(60)
    found = training.compare(
      model,
      data,
      2,
      num_steps=(1, 4),
      num_epochs=2,
      batch_size=12,
      optimizer=MOMENTUM,
      evaluate=models.batch(60, seed=1),
      margin=5,
      progress=False,
    )
    lines = str(found).splitlines()
    self.assertEqual(lines[0], 'accuracy in %, 2 seeds, margin 5')
    self.assertRegex(lines[1], r'^ANN     \d+.\d\d$')
    self.assertRegex(lines[3], r'^N = 4 .*± .*inconclusive \(2 of 5 seeds\)$')
    np.testing.assert_array_equal(found[1].ann, found[4].ann)

  @parameterized.parameters(*MODELS)
  def test_saved_networks_are_loaded(self, name):
    folder = self.create_tempdir().full_path
    model = dataclasses.replace(MODELS[name], num_steps=16)
    params = make_params(name)
    ssnn_jax.save(folder, ssnn_jax.ann(model), params)
    loaded = ssnn_jax.load(folder, MODELS[name])
    self.assertEqual((loaded.config, loaded.kind), (model, 'ann'))
    networks.assert_same(loaded.params, params)


class FromModulesTest(parameterized.TestCase):
  def test_refuses_variables_that_are_no_parameters(self):
    class Normalized(nn.Module):
      neuron: object

      @nn.compact
      def __call__(self, x):
        x = nn.BatchNorm(use_running_average=False)(x)
        return nn.Dense(3)(self.neuron(x))

    model = ssnn_jax.from_linen(Normalized, (4,))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'batch_stats.*dropout'):
      model.init(KEY)

  @parameterized.parameters('linen', 'nnx', 'equinox', 'shared', 'pair')
  def test_refuses_parameters_of_another_model(self, name):
    params = jax.tree.map(lambda own: own[:1], make_params(name))
    infer = ssnn_jax.ssnn(MODELS[name]).infer
    with self.assertRaisesRegex(ssnn_jax.UserError, 'params have the shapes'):
      infer(params, KEY, models.batch()[0])
