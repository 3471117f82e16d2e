"""Tests of traces: values, derivatives, a play, and answers in time."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import temporal
from tests.testing import mutations
from tests.testing import networks

DECAYS = 0.0, 0.5, 0.75
MUTANTS = (
  ('ours * before', 'before'),
  ('(1 - ours) * received', 'received'),
  ('return after, after', 'return after, before'),
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


def draw(shape, seed=0):
  """Draws rates, multiples of 1 / 8."""
  return jnp.float32(np.random.default_rng(seed).integers(0, 9, shape) / 8)


class TraceTest(parameterized.TestCase):
  def assert_right(self, module):
    rates = draw((2, 30, 3))
    found = jax.jit(module.trace, static_argnums=1)(rates, DECAYS)
    expected = add_up(rates, DECAYS).reshape(2, 30, 9)
    np.testing.assert_allclose(found, expected, atol=2e-6)

  def test_equals_written_out_sums(self):
    self.assert_right(temporal)

  @parameterized.parameters(*MUTANTS)
  def test_finds_mutants(self, old, new):
    wrong = mutations.mutate(temporal, old, new)
    with self.assertRaises(AssertionError):
      self.assert_right(wrong)

  def test_moments_on_any_axis(self):
    rates, trace = (
      draw((3, 2, 5, 4)),
      jax.jit(temporal.trace, static_argnums=(1, 2)),
    )
    whole = trace(rates, DECAYS, 2)
    for axis in (0, 1):
      other = trace(jnp.moveaxis(rates, 2, axis), DECAYS, axis)
      np.testing.assert_array_equal(jnp.moveaxis(other, axis, 2), whole)

  def test_errors_through_time_and_of_the_moment(self):
    # Two layers of one neuron, of weights 1: the second learns its trace times
    # the error; the first only what it sends now, as N. Zucchet et al.
    def answer(weights, x):
      trace = lambda x: temporal.trace(x, (0.5,))
      return trace(weights[0] * trace(x))[0, 1, 0] * weights[1]

    # z = .5, .25; y_1 = .25, y_2 = .125 + .125.
    x, weights = jnp.array([[[1.0], [0.0]]]), jnp.ones(2)
    for bptt, expected in ((False, (0.125, 0.25)), (True, (0.25, 0.25))):
      learn = jax.jit(jax.grad(ssnn_jax.spike(answer, bptt=bptt)))
      np.testing.assert_array_equal(learn(weights, x), expected)


KEY, RATES = jax.random.key(3), draw((4, 3, 4), seed=2)
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
