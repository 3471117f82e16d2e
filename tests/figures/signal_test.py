"""Tests of figures of signals: they show what the network computes."""

import functools

from absl.testing import absltest
import jax
import numpy as np

from experiments.models import transformer
import ssnn_jax
from ssnn_jax import figures
from ssnn_jax import samples
from tests.testing import signals

KEY, LENGTH = jax.random.key(3), 16
TEXT = ssnn_jax.datasets.from_text('to be, or not to be; ' * 12, LENGTH)


@functools.cache
def present(is_text):
  """Returns a presented signal, and its network when it has settled."""
  model = signals.MODELS['two']
  inputs = np.random.default_rng(0).random((1, *model.input_shape), np.float32)
  labels, dataset = np.int32([[-1, 2, 2, 2, -1, -1]]), None
  if is_text:
    (inputs, labels), dataset = (own[:1] for own in TEXT.test), TEXT
    shape = inputs.shape[1:]
    model = transformer.make(shape, shape[1], width=8, num_layers=2)
  network = ssnn_jax.ssnn(model)
  rng = np.random.default_rng(1)
  move = lambda own: np.float32(own + rng.normal(scale=0.2, size=own.shape))
  params = jax.tree.map(move, jax.device_get(network.init(KEY)))
  args = network, params, KEY, inputs[0], labels[0], dataset
  batch = samples.prepare(model, params, KEY, inputs, labels)
  settle = functools.partial(ssnn_jax.network.settle, model)
  run = jax.jit(lambda *own: settle(*own)._replace(calls=()))
  settled = jax.device_get(run(params, KEY, batch))
  return figures.signal.present(*args), settled, model


def read(axes):
  """Returns the values of the image of axes, NaN where none is drawn."""
  return np.ma.filled(np.ma.asarray(axes.images[0].get_array(), float), np.nan)


class SignalTest(absltest.TestCase):
  def test_panels_are_inputs_counts_and_answers_until_the_last_label(self):
    presented, settled, model = present(False)
    inputs, *hidden = (own[0].reshape(6, -1)[:4] for own in settled.rates)
    expected = jax.nn.softmax(settled.potential[0, :4])
    panels = figures.signal.draw(presented).axes
    shown = [read(axes).T for axes in panels[: 2 + len(hidden)]]
    np.testing.assert_allclose(shown[0], inputs, atol=1 / 32)  # not encoded
    np.testing.assert_allclose(shown[-1], expected, rtol=1e-6)
    for own, rates in zip(shown[1:-1], hidden, strict=True):
      self.assertTrue(np.any(rates))
      columns = lambda own: sorted(tuple(x) for x in own.T if x.any())
      self.assertEqual(columns(own), columns(model.num_steps * rates))
    answer = np.argmax(expected, axis=1)
    first = 1 + max((t for t in range(4) if answer[t] != answer[3]), default=-1)
    words = f'class 2, classified as {answer[3]} from moment {first} of 4 on'
    self.assertStartsWith(presented.title, words)

  def test_maps_are_the_counts_of_scores_that_the_past_sends(self):
    presented, settled, model = present(True)
    is_score = lambda own: own.shape[1:] == (4, LENGTH, LENGTH)
    scores = [np.asarray(own[0]) for own in settled.rates if is_score(own)]
    self.assertLen(scores, 2)
    self.assertLen(presented.counts, len(settled.rates) - 3)
    ages = np.arange(LENGTH)[:, None] - np.arange(LENGTH)
    panels = figures.signal.draw_attention(presented, layer=2).axes
    for axes, own, window in zip(panels, scores[1], (16, 4, 2, 2)):
      seen = (ages >= 0) & (ages < window)
      expected = np.where(seen, model.num_steps * own, np.nan)
      np.testing.assert_array_equal(read(axes), expected)
      names = [TEXT.class_names[own] for own in presented.answers]
      drawn = [own.get_text().replace('·', ' ') for own in axes.texts]
      self.assertEqual(drawn, names)
    self.assertTrue(np.any(scores[1]))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'layer is 3, and 2'):
      figures.signal.draw_attention(presented, layer=3)

  def test_frames_hide_what_is_later(self):
    for is_text, layer, num_panels in ((False, None, 4), (True, 1, 4)):
      presented, *_ = present(is_text)
      film = figures.signal.animate(presented, layer)
      whole = [read(axes) for axes in film._fig.axes[:num_panels]]
      film._init_draw()
      film._func(3)
      for axes, expected in zip(film._fig.axes, whole):
        own, expected = (x if is_text else x.T for x in (read(axes), expected))
        np.testing.assert_array_equal(own[:3], expected[:3])
        self.assertTrue(np.isnan(own[3:]).all())
    seen = [own.get_visible() for own in film._fig.axes[0].texts]
    self.assertEqual(seen, [True] * 3 + [False] * (LENGTH - 3))

  def test_signals_need_no_label_but_an_answer_at_each_moment(self):
    model = signals.MODELS['equinox']
    args = model.init(KEY), KEY, np.eye(*model.input_shape, dtype=np.float32)
    presented = figures.signal.present(ssnn_jax.ann(model), *args)
    self.assertStartsWith(presented.title, 'classified as')
    network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((24, 3)))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'at each moment'):
      figures.signal.present(network, network.init(KEY), KEY, args[2])


if __name__ == '__main__':
  absltest.main()
