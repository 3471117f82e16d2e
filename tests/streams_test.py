"""Tests of streams: moment after moment what a whole signal, or rest, gives.

Weights and traces lie on grids, and all numbers of steps, winners and samples
are powers of two, so that all that is compared is equal in every bit.
"""

import dataclasses
import functools

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
from tests.testing.signals import NUM_CLASSES
from tests.testing.signals import NUM_MOMENTS
from tests.testing.signals import trace

KEY = jax.random.key(7)


def apply_one(w, x, neuron):
  """Returns the logits of a layer of gates between traces, of one sample."""
  gates, values = jnp.split(trace(x, (0.0, 0.5), axis=0) @ w[0], 2, axis=1)
  x = neuron(gates, ceiling=1.0) * neuron(values, floor=-2.0, ceiling=2.0)
  return trace(x, (0.5, 0.75), axis=0) @ w[1]


def apply_three(w, x, neuron):
  """Returns the logits of three layers of traces and neurons."""
  for own in w[:-1]:
    x = neuron(trace(x, (0.0, 0.5)) @ own, ceiling=4.0)
  return x @ w[-1]


SIZES = CHANNELS, 5, 4, 4, NUM_CLASSES
MODELS = {
  'one': ssnn_jax.Model(
    lambda key: (jnp.ones((8, 10)), jnp.ones((10, NUM_CLASSES))),
    apply_one,
    num_steps=4,
    digits=3,
    is_single=True,
    **FIELDS,
  ),
  'three': ssnn_jax.Model(
    lambda key: [jnp.ones(own) for own in ((8, 5), (10, 4), (8, 4), (4, 3))],
    apply_three,
    num_steps=16,
    digits=1,
    answers='each',
    **FIELDS,
  ),
}


@functools.cache
def make_params(name):
  """Draws weights with which most gates are open."""
  shapes = jax.eval_shape(MODELS[name].init, KEY)
  rng = np.random.default_rng(len(name))
  draw = lambda own: rng.normal(0.1, 1.2 / own.shape[0] ** 0.5, own.shape)
  return jax.tree.map(lambda own: np.float32(draw(own)), shapes)


def make_batch(change):
  """Draws two signals that change by at most so many 32nds, and labels."""
  rng = np.random.default_rng(0)
  shape = 2, NUM_MOMENTS, CHANNELS
  walk = np.cumsum(rng.integers(-change, change + 1, shape), axis=1)
  labels = rng.integers(-1, NUM_CLASSES, shape[:2])
  labels[:, 2] = -1  # of neither
  return np.float32(np.clip(16 + walk, 0, 32) / 32), np.int32(labels)


def make_wires(name, is_slow):
  if not is_slow:
    return realtime.Wires()
  layers = {'three': 4, 'one': 3}[name]  # of weights
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
    gradient, (carry, inference) = jax.device_get(
      make_learner(name)(
        *(params, carry, jax.random.fold_in(KEY, t)),
        *(inputs[:, now], labels[:, now]),
      )
    )
    yield gradient, inference
    if learn and np.any(labels[:, t] >= 0):
      params = jax.tree.map(lambda w, g: w - learn * g, params, gradient)


@functools.cache
def find_moments(name, change, learn):
  """Returns gradients and inferences, stacked."""
  moments = present(name, *make_batch(change), learn)
  return jax.tree.map(lambda *own: np.stack(own), *moments)


def play(name, change, is_slow, learn, lib=realtime, **options):
  wires = make_wires(name, is_slow)
  args = MODELS[name], make_params(name), KEY, *make_batch(change)
  return lib.stream(*args, wires, learn=learn, **options)


def compare(streamed, name, change, learn):
  """Asserts that a stream is what `jax.grad` learns at each moment."""
  gradient, found = find_moments(name, change, learn)
  assert_same(streamed.updates, gradient)
  assert_same(streamed.potentials, found.potential[:, :, 0])
  assert_same(streamed.winners, found.winner_counts[:, :, 0])


# Model, largest change of a moment, whether wires are slow, learning rate.
SETTINGS = (
  ('one', 3, False, 0.5),
  ('three', 20, True, 0.25),
  ('one', 0, True, None),
)
# What is exchanged in the source, as of a network that would be reset.
MUTATIONS = (
  ('_remember(circuit, grid, carry, after.arrived)', 'carry'),
  ('received=_start(', 'received=before.received or _start('),
  ('make_train(counts - before[0]', 'make_train(counts'),
  ('before.arrived, before.errors_arrived', 'before.arrived, zeros[1:]'),
  ('now = jax.random.fold_in(key, t)', 'now = key'),
  ('optax.apply_updates(params, change)', 'params'),
)


class StreamTest(parameterized.TestCase):
  @parameterized.parameters(*SETTINGS)
  def test_is_each_moment_a_fresh_presentation(self, name, change, *others):
    setting = name, change, *others
    streamed, reset = play(*setting), play(*setting, reset=True)
    assert_same(streamed[:-1], reset[:-1])  # without costs
    compare(streamed, name, change, others[-1])
    for own in (*streamed.counts, *streamed.errors):
      self.assertTrue(np.any(own))
    if change < 4:
      spikes = (np.sum(own.costs.spikes[1:]) for own in (streamed, reset))
      self.assertLess(*spikes)

  @parameterized.parameters(*MUTATIONS)
  def test_wrong_stream_is_seen(self, old, new):
    wrong = mutations.mutate(realtime, old, new)
    with self.assertRaises(AssertionError):
      compare(play('one', 3, False, 0.5, lib=wrong), 'one', 3, 0.5)

  def test_silence_while_nothing_changes(self):
    model, params = MODELS['one'], make_params('one')
    inputs = np.float32(np.full((2, 40, CHANNELS), 0.25))
    streamed = realtime.stream(model, params, KEY, inputs)
    self.assertGreater(np.min(streamed.costs.spikes[0]), CHANNELS - 1)
    for own in streamed.costs:
      self.assertFalse(np.any(own[-5:]))
    self.assertFalse(any(map(np.any, streamed.errors)))

  def test_a_spike_reaches_a_synapse_for_each_decay(self):
    circuit = realtime.make_circuit(streams.at_moments(MODELS['three'], 1))
    params = make_params('three')
    found = synapses.find(circuit.evaluate, circuit.recalls, params)
    spikes, errors = (
      [np.ones((1, 2, own)) for own in ends] for ends in (SIZES[:-1], SIZES[1:])
    )
    layers = synapses.count(found, spikes, errors)
    into = [2 * 4 * 5, 2 * 5 * 4, 2 * 4 * 4, 4 * 3]
    for own, expected, below in zip(layers, into, [0, *into[1:]], strict=True):
      np.testing.assert_array_equal(own.forward, expected)
      np.testing.assert_array_equal(own.changes, expected)
      np.testing.assert_array_equal(own.backward, below)


class GradientTest(parameterized.TestCase):
  @parameterized.parameters(
    ('three', 'each', [[0, -1, 2, 1, -1, 2], [-1, -1, 1, -1, -1, 0]], 1, 3),
    ('one', 'last', [1, 2], 3),
  )
  def test_sum_over_moments_is_the_gradient(
    self, name, answers, labels, *moments
  ):
    model = dataclasses.replace(MODELS[name], answers=answers)
    if name == 'three':
      model = dataclasses.replace(model, sampler='sobol', num_winners=1)
    args = make_params(name), KEY, make_batch(9)[0], np.int32(labels)
    learn = jax.grad(ssnn_jax.ssnn(model).loss, has_aux=True)
    functions = learn, *(streams.make_gradient(model, n) for n in moments)
    run = jax.jit(lambda *args: [own(*args) for own in functions])
    expected, *found = jax.device_get(run(*args))
    for own in found:  # of weights of moments that are powers of two, or not
      is_exact = answers == 'each'
      (assert_same if is_exact else networks.assert_close)(own, expected)
    self.assertTrue(all(map(np.any, jax.tree.leaves(expected))))

  def test_scan_over_moments_is_the_whole_signal(self):
    model, params = MODELS['one'], make_params('one')
    stream, (inputs, _) = streams.follow(model), make_batch(9)

    def step(carry, now):
      loss, (carry, inference) = stream.loss(params, carry, KEY, now[:, None])
      assert loss is None
      return carry, inference.potential[:, 0]

    moments = inputs.swapaxes(0, 1)
    found = jax.lax.scan(step, stream.start(2), moments)[1]
    whole = jax.jit(ssnn_jax.ssnn(model).infer)(params, KEY, inputs).potential
    assert_same(found, whole.swapaxes(0, 1))

  def test_no_label_teaches_nothing(self):
    inputs, labels = make_batch(9)
    for gradient, _ in present('one', inputs, 0 * labels - 1, None):
      self.assertFalse(any(map(np.any, jax.tree.leaves(gradient))))


def attend(w, x, neuron):
  return neuron(jnp.einsum('bid,bjd->bij', x, x) @ x) @ w


ORDER = jnp.arange(4.0 * NUM_MOMENTS).reshape(1, NUM_MOMENTS, CHANNELS)
REFUSED = (
  (attend, 'are others when moments come one by one; leave the past to'),
  (lambda w, x, neuron: neuron(x + ORDER) @ w, 'cannot be streamed .*; leave'),
  (lambda w, x, neuron: jnp.sum(neuron(x @ w), axis=1), r'shape \(2, 3\), are'),
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
    params, (inputs, labels) = make_params('one'), make_batch(3)
    learn = streams.make_gradient(MODELS['one'], moments=4)
    with self.assertRaisesRegex(ssnn_jax.UserError, '6 moments; .* the 4'):
      learn(params, KEY, inputs, labels)
    stream, grey = streams.follow(MODELS['one']), np.uint8(inputs)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'uint8; .* / 255'):
      stream.loss(params, stream.start(1), KEY, grey)
