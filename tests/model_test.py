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
  shapes, rng = jax.eval_shape(MODELS[name].init, KEY), np.random.default_rng(0)
  draw = lambda own: rng.normal(0, 16 / own.shape[0] ** 0.5, own.shape)
  move = lambda own: np.round(draw(own)) + rng.integers(-4, 5, own.shape)
  return jax.tree.map(lambda own: np.float32(move(own) / 16), shapes)


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
  """`temporal_test` plays a module of flax.linen, with a scan."""

  @parameterized.parameters('equinox', 'nnx')
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

  @parameterized.parameters('linen', 'equinox')
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
    model, params = MODELS['equinox'], make_params('equinox')
    batch = models.batch()
    settled = learn(model, params, KEY, *batch)[2]
    activity = jax.jit(observe.make_observe(model))(params, KEY, *batch)
    for own, rates in zip(activity.firing_rates, settled.rates, strict=True):
      np.testing.assert_allclose(own, np.mean(rates), rtol=1e-5)


class DropoutTest(parameterized.TestCase):
  @parameterized.parameters(False, True)
  def test_masks_are_those_of_a_call_and_of_a_position(self, is_single):
    apply = lambda _, x, neuron: jnp.stack(
      [neuron(x, dropout=0.2) for _ in range(2)], axis=-1
    )
    model = ssnn_jax.Model(None, apply, (500,), is_single=is_single)

    @jax.jit
    def run(positions):
      linear, ones = lambda v, *_: v, jnp.ones((len(positions), 500))
      return model.respond(None, ones, linear, KEY, positions)

    whole, shard = run(np.arange(40)), run(np.arange(20, 40))
    # Those that fire are scaled, so that the mean is kept.
    first, second = np.moveaxis(np.asarray(whole), -1, 0)
    self.assertAlmostEqual(np.mean(first), 1.0, delta=5 * 0.5 / 20_000**0.5)
    self.assertFalse(np.array_equal(first, second))
    np.testing.assert_array_equal(whole[20:], shard)
    self.assertFalse(np.array_equal(whole[:20], shard))


class FitTest(parameterized.TestCase):
  def test_learns_and_continues_bit_for_bit(self):
    network = ssnn_jax.ssnn(MODELS['equinox'])
    data = models.batch(60)
    fit = functools.partial(
      training.fit, network, MOMENTUM, data, batch_size=12, progress=False
    )
    whole = fit(num_epochs=6, evaluate=models.batch(60, seed=1))
    self.assertGreater(whole.history.eval_accuracy[-1], 0.6)
    half = fit(num_epochs=2, evaluate=False)
    rest = fit(num_epochs=4, evaluate=False, state=half.state)
    networks.assert_same(rest.state.params, whole.state.params)

  def test_compares_numbers_of_steps_with_one_ann(self):
    model, data = ssnn_jax.NetworkConfig((36, 3)), models.batch(60)
    found = training.compare(
      model,
      data,
      2,
      num_steps=(1, 4),
      num_epochs=1,
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
      jax.eval_shape(model.init, KEY)
