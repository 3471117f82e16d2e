"""Tests of figures of explanations: bars are sums of lines."""

from absl.testing import absltest
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import figures


class DrawTest(absltest.TestCase):
  def test_bars_and_marks_are_those_of_lines(self):
    def model(w, x):
      x = jax.nn.relu(x @ w)
      return x @ w

    w, x = np.random.default_rng(0).normal(size=(2, 4, 4)).astype(np.float32)
    table = ssnn_jax.explain(model, w, x)
    first, second = figures.explained.draw(table).axes
    total = table.total
    bars = [[bar.get_width() for bar in own] for own in first.containers]
    self.assertEqual(
      [len(own) for own in bars], [3] * 4
    )  # inputs, and two lines
    np.testing.assert_allclose(
      np.sum(bars, axis=1),
      [total.forward, total.back, total.synapses, total.learning_products],
    )
    neurons = [row for row in table.rows if row.kind == 'neurons']
    for marks, name in zip(second.lines, ('silent', 'closed', 'rounded')):
      self.assertIn(getattr(neurons[0], name), marks.get_xdata())
