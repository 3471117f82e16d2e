"""Tests of what `explain` counts, against counts by hand."""

import math
import pathlib

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spiking
from ssnn_jax.spiking import additions
from tests.testing import unchanged

make_key = jax.random.key
WEIGHTS = np.float32(np.random.default_rng(0).normal(size=(4, 4)))
SIGNALS = np.float32(np.random.default_rng(1).normal(size=(3, 4)))
SENT = np.asarray(spiking.leading_digits(SIGNALS, 3))


def count_digits(values, most=24):
  """Counts signed digits of numbers, one by one, in doubles."""

  def count(rest):
    number = 0
    while rest and number < most:
      mantissa, exponent = math.frexp(abs(rest))  # from 1/2 to 1
      power = 2.0 ** (exponent - (mantissa < 0.75))
      rest -= math.copysign(power, rest)
      number += 1
    return number

  return np.vectorize(count)(np.float64(values))


def find(explanation, **names):
  """Returns the only row of some kind, code or line."""
  (row,) = (
    row
    for row in explanation.rows
    if all(getattr(row, name) == own for name, own in names.items())
  )
  return row


def find_row(function, kind, params=WEIGHTS, signals=SIGNALS, **choices):
  """Explains a function of one line; returns the row of a kind."""
  return find(ssnn_jax.explain(function, params, signals, **choices), kind=kind)


class ExplainTest(parameterized.TestCase):
  def test_digits_of_numbers(self):
    # 0.3 is about 1/4 + 1/16 - 1/64, 3/4 is 1 - 1/4.
    x = np.array([[0.3, 0.75, 0.5, 0.0]], np.float32)
    row = find_row(lambda w, x: x @ w, 'inputs', signals=x)
    self.assertEqual((row.spikes, row.silent), (3 + 2 + 1, 0.25))
    np.testing.assert_array_equal(count_digits(x, 3), [[3, 2, 1, 0]])

  def test_dense_layers(self):
    def model(params, x):
      x = jax.nn.relu(x @ params[0])
      return x @ params[1]

    params = WEIGHTS, WEIGHTS[:, :2]
    target = np.float32([[0.3, -1.0], [0.0, 0.75], [0.1, 0.2]])
    table = ssnn_jax.explain(
      model, params, SIGNALS, loss=lambda own: jnp.sum(own * target)
    )
    line = model.__code__.co_firstlineno
    wheres = [f'{pathlib.Path(__file__)}:{line + own}' for own in (1, 2)]
    lines = [row.where for row in table.rows]
    self.assertEqual(lines, ['input', wheres[0], wheres[0], wheres[1], ''])

    v = SENT @ WEIGHTS
    h = np.asarray(spiking.leading_digits(np.maximum(v, 0), 3))
    arrived = spiking.leading_digits(target, 3) @ params[1].T
    error = np.where(v > 0, spiking.leading_digits(arrived, 2), 0)
    x_digits, h_digits, back, output_back = map(
      count_digits, (SENT, h, error, spiking.leading_digits(target, 3))
    )
    both = lambda values, errors: np.sum(values.sum(1) * errors.sum(1)) / 3
    first = find(table, kind='synapses', where=wheres[0])
    self.assertEqual(
      first[6:11],
      (x_digits.sum() * 4 / 3, 0, both(x_digits, back), 16, 2 * 16),
    )
    second = find(table, kind='synapses', where=wheres[1])
    self.assertEqual(
      second[6:11],
      (h_digits.sum() * 2 / 3, output_back.sum() * 4 / 3,
       both(h_digits, output_back), 8, 3 * 8),
    )  # fmt: skip
    neurons = find(table, kind='neurons')
    self.assertEqual(
      (neurons.spikes, neurons.error_spikes),
      (h_digits.sum() / 3, back.sum() / 3),
    )
    self.assertEqual(neurons.silent, np.mean(h == 0))
    self.assertEqual(neurons.closed, np.mean(v <= 0))
    self.assertEqual((neurons.rounded, neurons.code), (0, 'digits 3'))
    np.testing.assert_allclose(
      neurons.error, np.sqrt(np.mean(arrived**2)), rtol=1e-5
    )
    total = table.total
    for name in ('spikes', 'error_spikes', *additions.SUMS):
      parts = [getattr(row, name) for row in table.rows]
      self.assertEqual(getattr(total, name), sum(parts))
    self.assertEqual(table.ratios[0], total.forward / 24)

  def test_bias_is_a_synapse_of_errors_alone(self):
    row = find_row(lambda w, x: x @ w + w[:1], 'wiring')
    self.assertEqual((row.forward, row.back, row.synapses), (4, 4, 4))

  def test_wires_scale_digits(self):
    digits = count_digits(SIGNALS, 3).sum() / 3
    row = find_row(lambda w, x: (0.3 * x) @ w, 'synapses')
    self.assertEqual(row.forward, 4 * digits)
    row = find_row(
      lambda w, x: jnp.concatenate([x, 0.3 * x], 1) @ jnp.concatenate([w, w]),
      'synapses',
    )
    self.assertEqual(row.forward, 8 * digits)

  @parameterized.parameters(lambda v: v * v, jnp.square)
  def test_square_is_a_product(self, square):
    # Of a relay, as inputs are not learned.
    table = ssnn_jax.explain(lambda w, x: square(x * w[:1]), WEIGHTS, SIGNALS,
                             loss=jnp.sum)  # fmt: skip
    digits = count_digits(SENT * WEIGHTS[:1], 3)
    row = find(table, kind='product')
    self.assertEqual(
      row[6:11], (np.sum(digits**2) / 3, np.sum(digits) / 3, 0, 4, 8)
    )

  def test_product_of_signals(self):
    def function(w, x):
      return jnp.sin(x @ w) @ jnp.tanh(x @ w).T

    row = find_row(function, 'product', loss=jnp.sum)
    first, second = (count_digits(own(SENT @ WEIGHTS), 3)
                     for own in (jnp.sin, jnp.tanh))  # fmt: skip
    self.assertEqual(row.forward, (first @ second.T).sum() / 3)
    self.assertEqual(row.back, 3 * (first.sum() + second.sum()) / 3)
    self.assertEqual((row.products, row.learning_products), (12, 36))

  def test_steps_of_a_scan_are_added_up(self):
    def step(h, u, w):
      return jnp.tanh(h @ w + u)

    def looped(w, x):
      h = step(x, x, w)
      for _ in range(3):
        h = step(h, x, w)
      return h

    def scanned(w, x):
      h = step(x, x, w)
      return jax.lax.scan(lambda h, _: (step(h, x, w), None), h, None, 3)[0]

    tables = [
      ssnn_jax.explain(own, WEIGHTS, SIGNALS) for own in (looped, scanned)
    ]
    self.assertEqual(*(own.total for own in tables))
    # Both are steps of the same lines.
    self.assertEqual(find(tables[1], kind='synapses').products, 4 * 16)
    self.assertEqual(*(find(own, kind='neurons') for own in tables))

  def test_winner(self):
    row = find_row(lambda w, x: jnp.max(x @ w, -1), 'winner', loss=jnp.sum)
    self.assertEqual((row.forward, row.back, row.shape), (1, 1, (3,)))

  @parameterized.parameters(8, 10)
  def test_codes_of_steps(self, num_steps):
    def firing(w, x):
      return spiking.fire(x @ w, num_steps, ceiling=4.0) @ w

    def relu(w, x):
      return jax.nn.relu(x @ w) @ w

    v = SENT @ WEIGHTS
    counts = np.floor(num_steps * np.maximum(v, 0) + 0.5)
    for function, ceiling, code, choices in (
      (firing, 4, f'fire N={num_steps}', {}),
      (relu, np.inf, f'N={num_steps}', {'num_steps': num_steps}),
    ):
      own = find_row(function, 'neurons', **choices)
      digits = count_digits(np.minimum(counts, num_steps * ceiling))
      self.assertEqual((own.spikes, own.code), (digits.sum() / 3, code))
      self.assertEqual(own.rounded, np.mean((v > 0) & (counts == 0)))
      self.assertEqual(own.closed, np.mean((v <= 0) | (v >= ceiling)))

  def test_bits(self):
    row = find_row(lambda w, x: jnp.where(x @ w > 0, x, 2 * x) @ w, 'bits')
    self.assertEqual(row.spikes, np.sum(SENT @ WEIGHTS > 0) / 3)

  def test_statistics_of_a_batch_are_named(self):
    def normalize(w, x):
      v = x @ w
      return v - v.mean(0, keepdims=True)

    (note,) = ssnn_jax.explain(normalize, WEIGHTS, SIGNALS).notes
    self.assertRegex(note, r'^explain_test.py:\d+: reduce_sum of different sam')
    apart = lambda w, x: (x @ w).mean(1)
    self.assertEmpty(ssnn_jax.explain(apart, WEIGHTS, SIGNALS).notes)

  @parameterized.named_parameters(
    ('ResNet', unchanged.ResNet(4), 'inputs relay neurons product winner'),
    ('GPT', unchanged.GPT(), 'relay neurons product winner'),
  )
  def test_unchanged_model(self, model, kinds):
    x = jax.random.uniform(make_key(0), (2, 4, 4, 1))
    if isinstance(model, unchanged.GPT):
      x = jax.random.randint(make_key(0), (2, 4), 0, 20)
    params = jax.jit(model.init)(make_key(0), x)
    table = ssnn_jax.explain(model.apply, params, x, num_steps=8)
    self.assertContainsSubset(
      [*kinds.split(), 'wiring', 'synapses', 'outputs'],
      {row.kind for row in table.rows},
    )
    for row in table.rows:
      self.assertTrue(
        row.where in ('input', '') or 'unchanged.py:' in row.where
      )
      self.assertGreaterEqual(min(row[4:11]), 0)
    self.assertContainsSubset(
      {'N=8', 'digits 3'}, {own.code for own in table.rows}
    )
    lines = repr(table).splitlines()
    self.assertLen(lines, len(table.rows) + 4)
    self.assertLessEqual(max(map(len, lines)), 120)
    self.assertBetween(table.ratios[0], 1.0, 9.0)
