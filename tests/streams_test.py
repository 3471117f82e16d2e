"""Tests of streams: moment after moment what a whole signal, or rest, gives.

Weights and traces lie on grids, and all numbers of steps, winners and samples
are powers of two, so that all that is compared is equal in every bit.
"""

import dataclasses
import functools
import itertools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import realtime
from ssnn_jax import streams
from ssnn_jax import synapses
from tests.testing import mutations
from tests.testing import networks
from tests.testing.networks import assert_same
from tests.testing.signals import CHANNELS
from tests.testing.signals import FIELDS
from tests.testing.signals import MODELS
from tests.testing.signals import NUM_CLASSES
from tests.testing.signals import NUM_MOMENTS
from tests.testing.signals import trace

KEY = jax.random.key(7)


@functools.cache
def make_params(name):
  """Draws weights with which most gates are open."""
  shapes = jax.eval_shape(MODELS[name].init, KEY)
  rng = np.random.default_rng(len(name))
  draw = lambda own: rng.normal(0.1, 1.2 / own.shape[0] ** 0.5, own.shape)
  return jax.tree.map(lambda own: np.float32(draw(own)), shapes)


def make_batch(num_samples, change, seed=0):
  """Draws signals that change by at most so many of 32 steps, and labels."""
  rng = np.random.default_rng(seed)
  shape = num_samples, NUM_MOMENTS, CHANNELS
  walk = np.cumsum(rng.integers(-change, change + 1, shape), axis=1)
  labels = rng.integers(-1, NUM_CLASSES, shape[:2])
  return np.float32(np.clip(16 + walk, 0, 32) / 32), np.int32(labels)


def make_wires(name, is_slow):
  if not is_slow:
    return realtime.Wires()
  layers = {'two': 3, 'three': 4, 'nnx': 3, 'equinox': 2}[name]  # of weights
  return realtime.Wires(range(layers), (2, *range(layers - 1)), 1, 1 / 16)


@functools.cache
def make_learner(name):
  return jax.jit(jax.grad(streams.follow(MODELS[name]).loss, has_aux=True))


def present(name, inputs, labels, learn):
  """Yields gradient and inference of each moment, by `jax.grad`."""
  params = make_params(name)
  carry = streams.follow(MODELS[name]).start(len(inputs))
  for t in range(NUM_MOMENTS):
    now = slice(t, t + 1)
    gradient, (carry, inference) = make_learner(name)(
      params, carry, jax.random.fold_in(KEY, t), inputs[:, now], labels[:, now]
    )
    yield jax.device_get((gradient, inference))
    if learn and np.any(labels[:, t] >= 0):
      params = jax.tree.map(lambda w, g: w - learn * g, params, gradient)


def play(name, num_samples, change, is_slow, learn, lib=realtime, **options):
  batch, wires = make_batch(num_samples, change), make_wires(name, is_slow)
  args = MODELS[name], make_params(name), KEY, *batch
  return lib.stream(*args, wires, learn=learn, **options), batch


def compare(name, streamed, batch, learn):
  """Asserts that a stream is what `jax.grad` learns at each moment."""
  moments = present(name, *batch, learn)
  gradient, found = jax.tree.map(lambda *own: np.stack(own), *moments)
  assert_same(streamed.updates, gradient)
  assert_same(streamed.potentials, found.potential[:, :, 0])
  assert_same(streamed.winners, found.winner_counts[:, :, 0])


KINDS = (
  (2, 1, False, None),
  (2, 20, False, 0.5),
  (1, 3, True, 0.25),
  (1, 20, True, None),
  (1, 0, True, 0.5),
)
# What is exchanged in the source, as of a network that would be reset.
MUTATIONS = (
  ('_remember(circuit, grid, carry, after.arrived)', 'carry'),
  ('received=_start(', 'received=before.received or _start('),
  ('make_train(counts - before[0]', 'make_train(counts'),
  ('counts - before[0]', 'np.maximum(counts - before[0], 0)'),
  ('before.arrived, before.errors_arrived', 'before.arrived, zeros[1:]'),
  ('now = jax.random.fold_in(key, t)', 'now = key'),
  ('optax.apply_updates(params, change)', 'params'),
)


def find_synapses(model, params):
  circuit = realtime._make_circuit(model)
  args = circuit.evaluate, circuit.recalls, params
  return synapses.find(*args)


class StreamTest(parameterized.TestCase):
  @parameterized.parameters(*itertools.product(MODELS, KINDS))
  def test_is_each_moment_a_fresh_presentation(self, name, kind):
    setting = name, *kind
    streamed, batch = play(*setting)
    reset, _ = play(*setting, reset=True)
    assert_same(streamed[:-1], reset[:-1])  # without costs
    compare(name, streamed, batch, kind[-1])
    for own in (*streamed.counts, *streamed.errors):
      self.assertTrue(np.any(own))
    if kind[1] < 4:
      spikes = (np.sum(own.costs.spikes[1:]) for own in (streamed, reset))
      self.assertLess(*spikes)

  @parameterized.parameters(*MUTATIONS)
  def test_wrong_stream_is_seen(self, old, new):
    wrong = mutations.mutate(realtime, old, new)
    setting = 'equinox', 1, 3, False, 0.5
    with self.assertRaises(AssertionError):
      streamed, batch = play(*setting, lib=wrong)
      compare('equinox', streamed, batch, 0.5)

  def test_silence_while_nothing_changes(self):
    model, params = MODELS['two'], make_params('two')
    inputs = np.float32(np.full((1, 40, CHANNELS), 0.25))
    streamed = realtime.stream(model, params, KEY, inputs)
    self.assertGreater(streamed.costs.spikes[0], CHANNELS - 1)
    for own in streamed.costs:
      self.assertFalse(np.any(own[-5:]))
    self.assertFalse(any(map(np.any, streamed.errors)))

  def test_a_spike_reaches_a_synapse_for_each_decay(self):
    model = streams.at_moments(MODELS['three'], 1)
    found = find_synapses(model, make_params('three'))
    sizes = (4, 5, 4, 4, 3)
    spikes = [np.ones((1, 1, own)) for own in sizes[:-1]]
    errors = [np.ones((1, 1, own)) for own in sizes[1:]]
    layers = synapses.count(found, spikes, errors)
    into = [2 * 4 * 5, 2 * 5 * 4, 2 * 4 * 4, 4 * 3]
    for own, expected in zip(layers, into, strict=True):
      self.assertEqual(own.forward, expected)
      self.assertEqual(own.changes, expected)
    below = [own.backward for own in layers]
    np.testing.assert_array_equal(np.ravel(below), [0, *into[1:]])


class GradientTest(parameterized.TestCase):
  @parameterized.product(name=('two', 'three', 'equinox'), of_moments=(0, 1))
  def test_sum_over_moments_is_the_gradient(self, name, of_moments):
    model = dataclasses.replace(MODELS[name], answers='each')
    if name == 'three':
      model = dataclasses.replace(model, sampler='sobol', num_winners=1)
    labels = [[0, -1, 2, 1, -1, 2], [-1, -1, 1, -1, -1, 0]]
    labels = np.int32(labels if of_moments else [1, -1])
    args = make_params(name), KEY, make_batch(2, 9)[0], labels
    learn = jax.grad(ssnn_jax.ssnn(model).loss, has_aux=True)
    functions = learn, *(streams.make_gradient(model, n) for n in (1, 3))
    run = jax.jit(lambda *args: [own(*args) for own in functions])
    expected, *found = jax.device_get(run(*args))
    for own in found:
      (assert_same if of_moments else networks.assert_close)(own, expected)
    self.assertTrue(all(map(np.any, jax.tree.leaves(expected))))

  def test_scan_over_moments_is_the_whole_signal(self):
    model, params = MODELS['two'], make_params('two')
    stream, (inputs, _) = streams.follow(model), make_batch(2, 9)

    def step(carry, now):
      loss, (carry, inference) = stream.loss(params, carry, KEY, now[:, None])
      assert loss is None
      return carry, inference.potential[:, 0]

    moments = inputs.swapaxes(0, 1)
    found = jax.lax.scan(step, stream.start(2), moments)[1]
    whole = jax.jit(ssnn_jax.ssnn(model).infer)(params, KEY, inputs).potential
    assert_same(found, whole.swapaxes(0, 1))

  def test_no_label_teaches_nothing(self):
    inputs, labels = make_batch(2, 9)
    for gradient, _ in present('two', inputs, 0 * labels - 1, None):
      self.assertFalse(any(map(np.any, jax.tree.leaves(gradient))))


def attend(w, x, neuron):
  return neuron(jnp.einsum('bid,bjd->bij', x, x) @ x) @ w


ORDER = jnp.arange(4.0 * NUM_MOMENTS).reshape(1, NUM_MOMENTS, CHANNELS)
OTHERS = 'are others when moments come one by one; leave the past to'
REFUSED = (
  (attend, OTHERS),
  (lambda w, x, neuron: neuron(x + ORDER[:, : x.shape[1]]) @ w, OTHERS),
  (lambda w, x, neuron: neuron(x + ORDER) @ w, 'cannot be streamed .*; leave'),
  (lambda w, x, neuron: jnp.cumsum(neuron(x @ w), axis=1), OTHERS),
  (lambda w, x, neuron: jnp.sum(neuron(x @ w), axis=1), r'shape \(2, 3\), are'),
  (lambda w, x, neuron: neuron(x @ w)[:, ::2], OTHERS),
  (
    lambda w, x, neuron: neuron(trace(x, (0.5,), bptt=True)) @ w,
    'bptt=True, w',
  ),
)


class RefusalTest(parameterized.TestCase):
  @parameterized.parameters(*REFUSED)
  def test_models_that_need_the_past(self, apply, words):
    init = lambda key: jax.random.normal(key, (CHANNELS, NUM_CLASSES))
    model = ssnn_jax.Model(init, apply, **FIELDS)
    with self.assertRaisesRegex(ssnn_jax.UserError, words):
      streams.follow(model)

  def test_inputs_that_are_no_rates_and_blocks_that_do_not_fit(self):
    params, (inputs, labels) = make_params('two'), make_batch(1, 3)
    learn = streams.make_gradient(MODELS['two'], moments=4)
    with self.assertRaisesRegex(ssnn_jax.UserError, '6 moments; .* the 4'):
      learn(params, KEY, inputs, labels)
    stream, grey = streams.follow(MODELS['two']), np.uint8(inputs)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'uint8; .* / 255'):
      stream.loss(params, stream.start(1), KEY, grey)
