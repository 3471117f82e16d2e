"""Tests of figures of signals: they show what the network computes."""

import functools

from absl.testing import absltest
import jax
import numpy as np

from experiments.models import transformer
import ssnn_jax
from ssnn_jax import figures
from ssnn_jax import samples
from tests.testing import networks
from tests.testing import signals

KEY, LENGTH, SHOWN = jax.random.key(3), 16, 4
TEXT = ssnn_jax.datasets.from_text('to be, or not to be; ' * 12, LENGTH)


@functools.cache
def present(is_text):
  """Returns a presented signal, and its rates in counts and potentials."""
  model, dataset = signals.MODELS['two'], None
  inputs = np.random.default_rng(0).random((1, *model.input_shape), np.float32)
  labels = np.int32([[-1, 2, 2, 2, -1, -1]])
  if is_text:
    (inputs, labels), dataset = (own[:1] for own in TEXT.test), TEXT
    shape = inputs.shape[1:]
    model = transformer.make(shape, shape[1], width=8, num_layers=1)
  network, rng = ssnn_jax.ssnn(model), np.random.default_rng(1)
  draw = lambda own: np.float32(rng.normal(scale=0.5, size=own.shape))
  params = jax.tree.map(draw, jax.eval_shape(network.init, KEY))
  batch = samples.prepare(model, params, KEY, inputs, labels)
  settle = functools.partial(ssnn_jax.network.settle, model)
  run = jax.jit(lambda *own: settle(*own)._replace(calls=()))
  settled = jax.device_get(run(params, KEY, batch))
  args = network, params, KEY, inputs[0], labels[0], dataset
  counts = [model.num_steps * own[0] for own in settled.rates[1:]]
  return figures.signal.present(*args), counts, settled.potential[0]


def read(axes):
  """Returns the values of the image of axes, NaN where none is drawn."""
  return np.ma.filled(axes.images[0].get_array(), np.nan)


class SignalTest(absltest.TestCase):
  def test_panels_are_inputs_counts_and_answers_until_the_last_label(self):
    presented, counts, potential = present(False)
    inputs, *hidden, answers = [
      read(axes).T for axes in figures.signal.draw(presented).axes[:4]
    ]
    np.testing.assert_array_equal(inputs, presented.inputs)
    for own, expected in zip(hidden, counts, strict=True):
      columns = sorted(tuple(x) for x in expected[:SHOWN].T if x.any())
      self.assertNotEmpty(columns)
      self.assertEqual(sorted(map(tuple, own.T)), columns)
    expected = jax.nn.softmax(potential[:SHOWN])
    np.testing.assert_allclose(answers, expected, rtol=1e-6)
    best = expected.argmax(axis=1)
    first = max((1 + t for t in range(SHOWN) if best[t] != best[-1]), default=0)
    words = f'class 2, classified as {best[-1]} from moment {first} of 4 on'
    self.assertStartsWith(presented.title, words)

  def test_maps_are_the_counts_of_scores_that_matter(self):
    presented, counts, potential = present(True)
    (scores,) = (own for own in counts if own.shape == (4, LENGTH, LENGTH))
    self.assertTrue(np.any(scores))
    ages = np.arange(LENGTH)[:, None] - np.arange(LENGTH)
    panels = figures.signal.draw_attention(presented, layer=1).axes
    names = [TEXT.class_names[own] for own in potential.argmax(axis=1)]
    for axes, own, window in zip(panels, scores, (16, 4, 2, 2)):
      expected = np.where((ages >= 0) & (ages < window), own, np.nan)
      np.testing.assert_array_equal(read(axes), expected)
      drawn = [own.get_text().replace('·', ' ') for own in axes.texts]
      self.assertEqual(drawn, names)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'layer is 2, and 1'):
      figures.signal.draw_attention(presented, layer=2)

  def test_names_with_dollars_are_no_formulas(self):
    names = ('a$b^$',) * len(TEXT.class_names)
    own = (present(is_text)[0] for is_text in (False, True))
    signal, text = (x._replace(class_names=names) for x in own)
    self.assertStartsWith(signal.title, 'class a$b^$, classified as a$b^$ from')
    figures.signal.draw(signal).draw_without_rendering()
    film = figures.signal.animate(signal)
    film._init_draw()
    film._func(3)
    film._fig.draw_without_rendering()
    figures.signal.draw_attention(text).draw_without_rendering()

  def test_frames_hide_what_is_later(self):
    for is_text, layer in ((False, None), (True, 1)):
      film = figures.signal.animate(present(is_text)[0], layer)
      panels = film._fig.axes[:4]
      turn = (lambda own: own) if is_text else np.transpose
      whole = [turn(read(axes)) for axes in panels]
      film._init_draw()
      film._func(3)
      for axes, expected in zip(panels, whole):
        np.testing.assert_array_equal(turn(read(axes))[:3], expected[:3])
        self.assertTrue(np.isnan(turn(read(axes))[3:]).all())
    self.assertEqual([own.get_visible() for own in axes.texts[2:4]], [1, 0])

  def test_a_network_without_answers_in_time_is_refused(self):
    network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((24, 3)))
    params = networks.make_params(network.config)
    inputs = np.zeros((6, 4), np.float32)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'at each moment'):
      figures.signal.present(network, params, KEY, inputs)
