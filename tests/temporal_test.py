"""Tests of traces: values, derivatives, a play, and answers in time."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import temporal
from tests.testing import mutations
from tests.testing import networks

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
  weigh = lambda rates, **own: jnp.sum(
    weights[None] * module.trace(rates, DECAYS, **own)
  )

  @jax.jit
  def run(rates):
    split = module.Memory(DECAYS, 1, False, None)
    first, carry = module.advance(
      rates[:, :3], split, module.rest(rates, split)
    )
    later, _ = module.advance(rates[:, 3:], split, carry)
    return (
      jnp.concatenate([first, later], axis=1),
      module.trace(rates, DECAYS, bits=6),
      jax.grad(weigh)(rates),
      jax.grad(functools.partial(weigh, bptt=True))(rates),
    )

  return run(rates)


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

  @parameterized.parameters(None, 8)
  def test_moments_on_any_axis_at_once_or_one_by_one(self, bits):
    memory = temporal.Memory(DECAYS, 2, False, bits)
    trace = functools.partial(temporal.trace, decays=DECAYS, bits=bits)

    @jax.jit
    def run(rates):
      carry, steps = temporal.rest(rates, memory), []
      for moment in range(5):
        now = rates[:, :, moment : moment + 1]
        own, carry = temporal.advance(now, memory, carry)
        steps.append(own)
      first = trace(rates.swapaxes(0, 2), axis=0)
      others = jax.vmap(trace)(rates), first.swapaxes(0, 2)
      return trace(rates, axis=2), jnp.concatenate(steps, axis=2), *others

    whole, *others = run(draw((3, 2, 5, 4)))
    for other in others:
      np.testing.assert_allclose(other, whole, atol=1e-6)
      if bits:  # integers
        np.testing.assert_array_equal(other, whole)

  def test_one_layer_is_exact_and_stacked_layers_leave_out_the_past(self):
    # Two layers of one neuron, of weights 1: the second learns its trace times
    # the error; the first only what it sends now, as N. Zucchet et al.
    rates = jnp.array([[[1.0], [0.0]]])

    @functools.partial(jax.jit, static_argnums=1)
    def learn(weights, bptt):
      def answer(weights):
        trace = functools.partial(temporal.trace, decays=(0.5,), bptt=bptt)
        return trace(weights[0] * trace(rates))[0, 1, 0] * weights[1]

      return jax.grad(answer)(weights)

    # z = .5, .25; y_1 = .25, y_2 = .125 + .125.
    for bptt, expected in ((False, (0.125, 0.25)), (True, (0.25, 0.25))):
      np.testing.assert_array_equal(learn(np.ones(2, 'f4'), bptt), expected)


class Cell(nn.Module):
  """Neurons that receive traces of their own spikes, a step of a scan."""

  @nn.compact
  def __call__(self, carry, x):
    memory = temporal.Memory((0.5,), 1, False, None)
    past = carry.reshape(len(x), -1)
    sent = nn.relu(nn.Dense(5)(x) + nn.Dense(5)(past))
    _, carry = temporal.advance(sent[:, None], memory, carry)
    return carry, sent


class Recurrent(nn.Module):
  """A layer that hears itself a moment later."""

  @nn.compact
  def __call__(self, x):
    shared = dict.fromkeys(['params'], nn.broadcast)
    axes = {'variable_broadcast': [*shared], 'split_rngs': {'params': False}}
    run = nn.scan(Cell, in_axes=1, out_axes=1, **axes)
    _, sent = run()(jnp.zeros((len(x), 1, 5)), x)
    return nn.Dense(3)(ssnn_jax.trace(sent, (0.5, 0.75)))


RATES = draw((4, 3, 4), seed=2)


class RecurrentTest(absltest.TestCase):
  def test_play_learns_traces_times_present_errors(self):
    model, rng = Recurrent(), np.random.default_rng(1)
    params = jax.eval_shape(model.init, KEY, RATES)
    params = jax.tree.map(
      lambda own: np.float32(rng.integers(-8, 12, own.shape) / 16), params
    )
    spike = ssnn_jax.spike(model.apply)
    loss = lambda logits: jnp.sum(logits[:, 2] ** 2)
    learn = jax.jit(jax.grad(lambda params: loss(spike(params, RATES))))
    played = ssnn_jax.spiking.play(spike, params, RATES, loss, KEY)
    networks.assert_same(played.update, learn(params))
    first, second, last = played.neurons[1:]
    self.assertFalse(np.any(first.error) or np.any(second.error))
    past = np.asarray(first.value) / 4 + np.asarray(second.value) / 2
    update = past.T @ np.asarray(last.error)
    (cell,) = (
      x for name, x in played.update['params'].items() if 'Cell' in name
    )
    self.assertGreater(np.count_nonzero(update), 9)
    np.testing.assert_array_equal(cell['Dense_1']['kernel'], update)

  def test_traces_of_both_derivatives_are_explained_alike(self):
    local, through = (
      ssnn_jax.explain(
        lambda w, x, own=own: ssnn_jax.trace(x, (0, 0.5), bptt=own) @ w,
        np.ones((8, 3), np.float32),
        RATES,
      ).rows
      for own in (False, True)
    )
    find = lambda rows: [own[6:9] for own in rows if own.kind == 'synapses']
    self.assertEqual(find(local), find(through))
    self.assertGreater(find(local)[0][0], 0)  # forward


# A layer that answers for signals; it has no memory.
LAYER = ssnn_jax.as_function(
  (lambda key: jax.random.normal(key, (4, 3)), lambda w, x: jax.nn.relu(x) @ w),
  RATES,
)
score = jax.jit(ssnn_jax.training.metrics.score, static_argnums=2)


class AnswersTest(parameterized.TestCase):
  def test_weights_of_moments(self):
    labels = jnp.array([[4, -1, 4, -1], [-1, -1, -1, -1], [1, 1, 1, 1]])
    weigh = jax.jit(temporal.weigh, static_argnums=1)
    of_loss, of_answer = weigh(labels, 'last')
    np.testing.assert_allclose(
      of_loss, [[1 / 3, 0, 2 / 3, 0], [0] * 4, [0.1, 0.2, 0.3, 0.4]], rtol=1e-6
    )
    np.testing.assert_array_equal(
      of_answer, [[0, 0, 1, 0], [0] * 4, [0, 0, 0, 1]]
    )
    for own in weigh(labels, 'each'):
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
      found = score(answers, labels, name)
      np.testing.assert_allclose(
        found[0], np.sum(weights * losses, axis=1), rtol=1e-5
      )
      np.testing.assert_allclose(found[1], correct, rtol=1e-6)
      np.testing.assert_array_equal(found[2], 1)

  def test_signals_without_a_label_do_not_count(self):
    logits = np.float32(np.random.default_rng(0).standard_normal((2, 3, 4)))
    labels = np.int32([[-1, -1, -1], [1, -1, 1]])
    found = score(ssnn_jax.Inference(logits, logits), labels, 'last')
    np.testing.assert_array_equal(found[2], [0, 1])
    self.assertEqual((float(found[0][0]), float(found[1][0])), (0, 0))
    network, one = ssnn_jax.ann(LAYER), np.int32([[-1] * 3] * 3 + [[2] * 3])
    result = ssnn_jax.training.fit(
      network,
      optax.sgd(0.0),
      (RATES, one),
      num_epochs=1,
      batch_size=2,
      evaluate=(RATES, one),
      progress=False,
    )
    learn, params = networks.learner(network), result.state.params
    learned = learn(params, KEY, RATES, one)
    loss = np.sum(score(learned[1], one, 'last')[0])
    np.testing.assert_allclose(result.history.loss, loss, rtol=1e-5)
    self.assertIn(float(result.history.eval_accuracy[0]), (0, 1))
    far = np.where(one < 0, -100, one)
    networks.assert_same(learn(params, KEY, RATES, far), learned)

  def test_refuses_labels_that_would_be_others(self):
    one_hot, each = np.eye(4, dtype=int), np.int32([[0, 1, 2]] * 4)
    fit = functools.partial(ssnn_jax.training.fit, num_epochs=1, batch_size=2)
    for words, function, *args in (
      ('each of 3 moments', temporal.spread, each[:, :2], 3),
      ('floats', ssnn_jax.trace, np.uint8(RATES), DECAYS),
      ('one-hot', ssnn_jax.datasets.from_arrays, *2 * (RATES, one_hot)),
      ("answers='each'", fit, ssnn_jax.ssnn(LAYER), 0.1, (RATES, each)),
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, words):
        function(*args)
