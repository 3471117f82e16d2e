"""Tests of figures of signals: they show what the network computes."""

import functools

from absl.testing import absltest
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import figures
from tests.testing import networks

KEY, SHOWN = jax.random.key(3), 4
INPUTS = np.random.default_rng(0).random((6, 4), np.float32)
LABELS = np.int32([-1, 2, 2, 2, -1, -1])


@functools.cache
def present(answers):
  """Returns a presented signal, and the logits of its moments."""
  apply = lambda weights, x: ssnn_jax.trace(x, (0, 0.5)) @ weights
  pair = lambda key: 4 * jax.random.normal(key, (8, 3)), apply
  function = ssnn_jax.as_function(pair, INPUTS[None], answers=answers)
  network, params = ssnn_jax.ssnn(function), pair[0](jax.random.key(0))
  args = network, params, KEY, INPUTS, LABELS
  logits = ssnn_jax.spike(apply)(params, INPUTS[None])[0]
  return figures.signal.present(*args), logits


def read(axes):
  """Returns the values of the image of axes, NaN where none is drawn."""
  return np.ma.filled(axes.images[0].get_array(), np.nan)


class SignalTest(absltest.TestCase):
  def test_panels_are_inputs_and_answers_until_the_last_label(self):
    presented, logits = present('last')
    inputs, answers = (
      read(axes).T for axes in figures.signal.draw(presented).axes[:2]
    )
    np.testing.assert_array_equal(inputs, INPUTS[:SHOWN])
    expected = np.asarray(jax.nn.softmax(logits[:SHOWN]))
    np.testing.assert_allclose(answers, expected, rtol=1e-5)
    best = expected.argmax(axis=1)
    first = max((1 + t for t in range(SHOWN) if best[t] != best[-1]), default=0)
    words = f'class 2, classified as {best[-1]} from moment {first} of 4 on'
    self.assertStartsWith(presented.title, words)
    right = np.sum(best == LABELS[:SHOWN])
    words = f'{right} of 4 answers are right'
    self.assertEqual(present('each')[0].title, words)

  def test_names_with_dollars_are_no_formulas(self):
    signal = present('last')[0]._replace(class_names=('a$b^$',) * 3)
    self.assertStartsWith(signal.title, 'class a$b^$, classified as a$b^$ from')
    figures.signal.draw(signal).draw_without_rendering()

  def test_a_network_without_answers_in_time_is_refused(self):
    network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((24, 3)))
    params = networks.make_params(network.config)
    inputs = np.zeros((6, 4), np.float32)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'at each moment'):
      figures.signal.present(network, params, KEY, inputs)
