"""Tests of traces: values, derivatives, interception, and answers in time."""

import dataclasses
import functools

from absl.testing import parameterized
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import intercept
from ssnn_jax import network as network_lib
from ssnn_jax import realtime
from ssnn_jax import spiking
from ssnn_jax import streams
from ssnn_jax import temporal
from tests.testing import models
from tests.testing import mutations
from tests.testing import networks
from tests.testing import signals

DECAYS = 0.0, 0.5, 0.75
KEY = jax.random.key(3)
MUTANTS = (
  ('ages > 0', 'ages > 1'),
  ('np.maximum(ages, 0)', 'np.maximum(ages - 1, 0)'),
  ('np.arange(1, length + 1)', 'np.arange(length)'),
  ('past = past + jnp.asarray(kept, carry.dtype) * carry[:, None]', 'pass'),
  ('traces = past + received', 'traces = past + 2 * received'),
  ('last = traces[:, -1]', 'last = traces[:, 0]'),
  ('+ 0.5) / scale', ') / scale'),
  ('jnp.sum(gains * traces', 'jnp.sum(traces'),
)


def add_up(rates, decays):
  """Computes traces `[B, L, D, I]` by their sum, in 64 bits."""
  rates = np.float64(rates)
  length = rates.shape[1]
  traces = np.zeros((*rates.shape[:2], len(decays), rates.shape[2]))
  for moment in range(length):
    for number, decay in enumerate(decays):
      for past in range(moment + 1):
        share = (1 - decay) * decay ** (moment - past)
        traces[:, moment, number] += share * rates[:, past]
  return traces


def leak(rates, decays, bits):
  """Computes traces in integers of Python, in units of 2^-bits."""
  traces = np.zeros((*rates.shape[:2], len(decays), rates.shape[2]), object)
  shifts = [round(-np.log2(1 - decay)) for decay in decays]
  for index in np.ndindex(traces.shape):
    sample, moment, number, neuron = index
    shift, now = shifts[number], int(rates[sample, moment, neuron] * 2**bits)
    past = traces[sample, moment - 1, number, neuron] if moment else 0
    leaked = (2 * past + (1 << shift)) >> (shift + 1)
    traces[index] = past - leaked + (now >> shift)
  return traces


def draw(shape, seed=0):
  """Draws rates, multiples of 1 / 8."""
  return jnp.float32(np.random.default_rng(seed).integers(0, 9, shape) / 8)


@functools.cache
def find_values():
  """Returns what a module of traces should compute, by name."""
  rates = draw((2, 130, 2))
  sums = add_up(rates, DECAYS).reshape(2, 130, 6)
  exact = np.float64(leak(np.asarray(rates), DECAYS, 6)) / 64
  weights = np.random.default_rng(1).standard_normal((130, 6))
  # Of a sum of traces with weights: through time, and of the present alone.
  ages = np.arange(130)[:, None] - np.arange(130)
  local, through = np.zeros((2, 130, 2)), np.zeros((2, 130, 2))
  for number, decay in enumerate(DECAYS):
    own = weights[:, 2 * number : 2 * number + 2]
    local += (1 - decay) * own
    powers = np.where(ages >= 0, decay ** np.maximum(ages, 0), 0.0)
    through += (1 - decay) * powers.T @ own
  return rates, weights, (sums, exact.reshape(2, 130, 6), local, through)


def compute(module):
  """Computes the same by a module."""
  rates, weights, _ = find_values()
  trace = module.trace
  split = module.Memory(DECAYS, 1, False, None)
  first, carry = module.advance(rates[:, :3], split, module.rest(rates, split))
  later, _ = module.advance(rates[:, 3:], split, carry)
  weigh = lambda rates, **own: jnp.sum(
    weights[None] * trace(rates, DECAYS, **own)
  )
  return (
    jnp.concatenate([first, later], axis=1),
    trace(rates, DECAYS, bits=6),
    jax.grad(weigh)(rates),
    jax.grad(functools.partial(weigh, bptt=True))(rates),
  )


class TraceTest(parameterized.TestCase):
  def assert_right(self, found):
    sums, exact, local, through = find_values()[-1]
    np.testing.assert_array_equal(found[1], exact)
    for ours, theirs in zip(found, (sums, exact, local, through)):
      np.testing.assert_allclose(ours, theirs, atol=2e-5)

  def test_equals_written_out_sums_and_their_derivatives(self):
    self.assert_right(compute(temporal))

  @parameterized.parameters(*MUTANTS)
  def test_finds_mutants(self, old, new):
    wrong = compute(mutations.mutate(temporal, old, new))
    with self.assertRaises(AssertionError):
      self.assert_right(wrong)

  def test_derivatives_by_finite_differences(self):
    rates = draw((1, 5, 2)) + 0.05
    weights = jnp.cos(jnp.arange(30.0)).reshape(1, 5, 6)
    value = lambda x: jnp.sum(
      jnp.sin(weights * temporal.trace(x, DECAYS, bptt=True))
    )
    found, step = jax.grad(value)(rates), 1e-2
    for index in np.ndindex(rates.shape):
      change = jnp.zeros_like(rates).at[index].set(step)
      slope = (value(rates + change) - value(rates - change)) / (2 * step)
      self.assertAlmostEqual(float(found[index]), float(slope), delta=1e-3)

  @parameterized.parameters(None, 8)
  def test_moments_on_any_axis_at_once_or_one_by_one(self, bits):
    rates = draw((3, 2, 5, 4))
    whole = temporal.trace(rates, DECAYS, axis=2, bits=bits)
    memory = temporal.Memory(DECAYS, 2, False, bits)
    carry, steps = temporal.rest(rates, memory), []
    for moment in range(5):
      own, carry = temporal.advance(rates[:, :, [moment]], memory, carry)
      steps.append(own)
    stepped = np.concatenate(steps, axis=2)
    mapped = jax.vmap(lambda x: temporal.trace(x, DECAYS, bits=bits))(rates)
    first = temporal.trace(rates.swapaxes(0, 2), DECAYS, axis=0, bits=bits)
    for other in (stepped, mapped, first.swapaxes(0, 2)):
      np.testing.assert_allclose(other, whole, atol=1e-6)
      if bits:  # integers
        np.testing.assert_array_equal(other, whole)

  def test_one_layer_of_traces_is_exact(self):
    rates, labels = draw((4, 6, 4)), np.int32([0, 1, 2, 0])
    gradients = []
    for bptt in (False, True):
      model = ssnn_jax.from_linen(make_layers(1, bptt), (6, 4), num_steps=8)
      params = model.init(jax.random.key(0))
      learn = jax.jit(jax.grad(ssnn_jax.ssnn(model).loss, has_aux=True))
      gradients.append(learn(params, KEY, rates, labels)[0])
    networks.assert_same(*gradients)

  def test_stacked_layers_leave_out_the_past(self):
    # Two layers of weights 1 and one neuron: the second learns its trace times
    # the error; the first only what it sends now, as N. Zucchet et al.
    rates = jnp.array([[[1.0], [0.0]]])

    def answer(weights, bptt):
      trace = functools.partial(temporal.trace, decays=(0.5,), bptt=bptt)
      return trace(weights[0] * trace(rates))[0, 1, 0]

    # z = .5, .25; y_1 = .25, y_2 = .125 + .125.
    for bptt, expected in ((False, 0.125), (True, 0.25)):
      slope = jax.grad(answer)(jnp.ones(1), bptt)
      self.assertAlmostEqual(float(slope[0]), expected)


def make_layers(depth, bptt=False):
  return lambda neuron: signals.Layers(neuron, depth * (5,), DECAYS, None, bptt)


class Cell(nn.Module):
  """Neurons that receive traces of their own spikes, a step of a scan."""

  neuron: object

  @nn.compact
  def __call__(self, carry, x):
    memory = temporal.Memory((0.5,), 1, False, None)
    past = carry.reshape(len(x), -1)
    sent = self.neuron(nn.Dense(5)(x) + nn.Dense(5)(past))
    _, carry = temporal.advance(sent[:, None], memory, carry)
    return carry, sent


class Recurrent(nn.Module):
  """A layer that hears itself a moment later, unrolled over time."""

  neuron: object

  @nn.compact
  def __call__(self, x):
    shared = dict.fromkeys(['params'], nn.broadcast)
    axes = {'variable_broadcast': [*shared], 'split_rngs': {'params': False}}
    run = nn.scan(Cell, in_axes=1, out_axes=1, **axes)
    _, sent = run(self.neuron)(jnp.zeros((len(x), 1, 5)), x)
    return nn.Dense(3)(sent)


# Weights of the moments of LABELS are powers of two, so that sums are exact.
FIELDS = {'input_shape': (4, 4), 'num_steps': 8, 'answers': 'each'}
without_grid = lambda module: functools.partial(module, bits=None)
MODELS = {
  'linen': ssnn_jax.from_linen(make_layers(2), **FIELDS),
  'nnx': ssnn_jax.from_nnx(without_grid(signals.Gated), **FIELDS),
  'equinox': ssnn_jax.from_equinox(without_grid(signals.Single), **FIELDS),
  'recurrent': ssnn_jax.from_linen(Recurrent, **FIELDS),
}


@functools.partial(jax.jit, static_argnums=0)
def settle(model, params, rates, labels):
  """Returns the rates and errors of a settled network."""
  batch = ssnn_jax.samples.prepare(model, params, KEY, rates, labels)
  settled = network_lib.settle(model, params, KEY, batch)
  return settled.rates, settled.errors


LABELS = np.int32([[1, 1, 1, 1], [2, -1, -1, -1], [0, 0, -1, -1], [2, 2, 2, 2]])


LAST = dataclasses.replace(MODELS['linen'], answers='last')


class ModelTest(parameterized.TestCase):
  @parameterized.parameters(*MODELS)
  def test_play_with_delays_equals_the_local_gradient(self, name):
    model, rates = MODELS[name], draw((4, 4, 4), seed=2)
    params = models.to_grid(model.init(jax.random.key(1)))
    network = ssnn_jax.ssnn(model)
    learn = jax.jit(jax.grad(network.loss, has_aux=True))
    gradient, inference = learn(params, KEY, rates, LABELS)
    rng, batch = np.random.default_rng(0), (params, KEY, rates, LABELS)
    circuit = realtime._make_circuit(model)
    wires = realtime.Wires(
      *(
        tuple(rng.integers(0, 4, own) for own in shapes)
        for shapes in (circuit.shapes[:-1], circuit.shapes[1:])
      ),
      wait=0,
    )
    played = realtime.play(model, *batch, wires)
    networks.assert_same(played.update, jax.device_get(gradient))
    np.testing.assert_array_equal(played.potentials[-1], inference.potential)
    self.assertTrue(all(map(np.any, played.sent_errors)))

  def test_errors_stay_in_their_moment(self):
    rates, labels = draw((1, 4, 4)), np.int32([[-1, -1, -1, 1]])
    for name, model in MODELS.items():
      params = model.init(jax.random.key(1))
      _, sent = settle(model, params, rates, labels)
      # Of each call, or of each step of a scan, in the order of the moments.
      flat = [np.reshape(own, (-1, own.shape[-1])) for own in sent[:-1]]
      rows = [row for own in flat for row in own]
      moments = [[*map(np.any, rows[t::4])] for t in range(4)]
      self.assertFalse(any(map(any, moments[:3])), name)
      self.assertTrue(any(moments[3]), name)

  def test_recurrent_weights_learn_a_trace_times_the_present_error(self):
    model, rates = MODELS['recurrent'], draw((1, 4, 4))
    params = model.init(jax.random.key(1))
    found, errors = settle(model, params, rates, LABELS[:1])
    past, update = np.zeros(5), np.zeros((5, 5))
    for sent, error in zip(found[1:], errors[:-1]):
      update += np.outer(past, error)
      past = (past + np.ravel(sent)) / 2
    learn = jax.jit(jax.grad(ssnn_jax.ssnn(model).loss, has_aux=True))
    gradient, _ = learn(params, KEY, rates, LABELS[:1])
    (cell,) = (
      own for name, own in gradient['params'].items() if 'Cell' in name
    )
    found = cell['Dense_1']['kernel']
    self.assertTrue(np.any(update))
    np.testing.assert_allclose(found, update, atol=1e-6)

  def test_a_loop_within_a_moment_is_refused(self):
    # Its length would depend on what has been sent.
    def apply(params, rates, neuron):
      loop = lambda own: neuron(own @ params)
      rates = neuron(rates)
      return jax.lax.while_loop(lambda own: jnp.any(own > 0), loop, rates)

    model = ssnn_jax.Model(lambda key: jnp.eye(3), apply, (3,))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'below while, whose'):
      realtime.play(model, jnp.eye(3), KEY, jnp.ones((1, 3)), np.int32([0]))

  def test_interception_finds_traces_and_answers_for_them(self):
    rates = draw((2, 4, 4))
    for name in ('linen', 'nnx', 'equinox'):
      model = MODELS[name]
      params = model.init(jax.random.key(1))
      run = lambda params, rates, model=model: model.respond(
        params, rates, model.fire
      )
      traced = intercept.trace(run, params, rates)
      self.assertLen(traced.recalls, 2)
      calls = traced.calls
      respond = lambda number, v, calls=calls: spiking.respond(
        v, calls[number].neurons
      )
      found = traced.evaluate(respond, params, rates)
      np.testing.assert_array_equal(found, run(params, rates))
      silent = lambda number, own: (
        0
        * temporal.recall(
          own,
          traced.recalls[number].memory,  # noqa: B023
        )
      )
      found = traced.evaluate(respond, params, rates, remember=silent)
      self.assertFalse(np.array_equal(found, run(params, rates)))


class AnswersTest(parameterized.TestCase):
  def test_weights_of_moments(self):
    labels = jnp.array([[4, -1, 4, -1], [-1, -1, -1, -1], [1, 1, 1, 1]])
    of_loss, of_answer = temporal.weigh(labels, 'last')
    np.testing.assert_allclose(
      of_loss, [[1 / 3, 0, 2 / 3, 0], [0] * 4, [0.1, 0.2, 0.3, 0.4]], rtol=1e-6
    )
    np.testing.assert_array_equal(
      of_answer, [[0, 0, 1, 0], [0] * 4, [0, 0, 0, 1]]
    )
    for own in temporal.weigh(labels, 'each'):
      np.testing.assert_array_equal(own[0], [0.5, 0, 0.5, 0])
      np.testing.assert_array_equal(own[2], [0.25] * 4)

  def test_loss_and_accuracy_are_those_of_labelled_moments(self):
    logits = np.random.default_rng(0).standard_normal((2, 3, 4))
    labels = np.int32([[1, 1, -1], [2, 2, 2]])
    logits[0, 1, 1] = logits[1, 1, 2] = 9  # right in the middle alone
    logits[1, 2, 3] = 9
    losses = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(
      logits, np.maximum(labels, 0)[..., None], -1
    ).squeeze(-1)
    answers = ssnn_jax.Inference(jnp.float32(logits), jnp.float32(logits))
    first = np.argmax(logits[:, 0], axis=1) == labels[:, 0]
    for name, weights, correct in (
      ('last', [[1 / 3, 2 / 3, 0], [1 / 6, 1 / 3, 1 / 2]], [1, 0]),
      ('each', [[1 / 2, 1 / 2, 0], [1 / 3] * 3], (first + 1) / [2, 3]),
    ):
      found = ssnn_jax.training.metrics.score(answers, labels, name)
      np.testing.assert_allclose(
        found[0], np.sum(weights * losses, axis=1), rtol=1e-5
      )
      np.testing.assert_allclose(found[1], correct, rtol=1e-6)
      np.testing.assert_array_equal(found[2], 1)

  def test_signals_without_a_label_do_not_count(self):
    logits = jnp.float32(np.random.default_rng(0).standard_normal((2, 3, 4)))
    answers = ssnn_jax.Inference(logits, logits)
    labels = jnp.array([[-1, -1, -1], [1, -1, 1]])
    found = ssnn_jax.training.metrics.score(answers, labels, 'last')
    np.testing.assert_array_equal(found[2], [0, 1])
    self.assertEqual((float(found[0][0]), float(found[1][0])), (0, 0))
    model, rates = LAST, draw((4, 4, 4))
    one = np.int32([[-1] * 4] * 3 + [[2] * 4])
    optimizer = optax.sgd(0.0)
    result = ssnn_jax.training.fit(
      ssnn_jax.ann(model),
      optimizer,
      (rates, one),
      num_epochs=1,
      batch_size=2,
      evaluate=(rates, one),
      confusion=True,
      progress=False,
    )
    loss, _ = ssnn_jax.ann(model).loss(result.state.params, KEY, rates, one)
    np.testing.assert_allclose(result.history.loss, loss, rtol=1e-5)
    self.assertIn(float(result.history.eval_accuracy[0]), (0, 1))
    self.assertEqual(result.confusion.sum(), 1)  # of the last moment
    far = np.where(one < 0, -100, one)
    self.assertEqual(
      float(ssnn_jax.ann(model).loss(result.state.params, KEY, rates, far)[0]),
      float(loss),
    )

  def test_refuses_labels_that_would_be_others(self):
    model, rates = LAST, draw((2, 4, 4))
    params = model.init(jax.random.key(1))
    one_hot = np.eye(4, dtype=int)[[1, 2]]
    arrays = ssnn_jax.datasets.from_arrays
    gradient = streams.make_gradient(model)
    played = model, params, KEY, rates, np.int32([7, 0])
    for words, function, args in (
      (
        'within .0, 7.',
        realtime.play,
        played,
      ),
      ('each of 4 moments', gradient, (params, KEY, rates, LABELS[:2, :3])),
      ('floats', ssnn_jax.trace, (np.uint8(rates), DECAYS)),
      ('one-hot', arrays, (rates, one_hot, rates, one_hot)),
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, words):
        function(*args)

  def test_labels_that_change_need_answers_of_each_moment(self):
    model, rates = LAST, draw((4, 4, 4))
    labels = np.int32([[0, 1, 2, -1]] * 4)
    fit = functools.partial(
      ssnn_jax.training.fit,
      optimizer=0.1,
      dataset=(rates, labels),
      num_epochs=1,
      batch_size=2,
      progress=False,
    )
    with self.assertRaisesRegex(ssnn_jax.UserError, "answers='each'"):
      fit(ssnn_jax.ssnn(model))
    each = ssnn_jax.ssnn(MODELS['linen'])
    self.assertTrue(np.isfinite(fit(each).history.loss[0]))
