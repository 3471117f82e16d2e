"""Tests of pages and animations of a sample: they show its spikes."""

import functools
from unittest import mock

from absl.testing import absltest
import jax
from matplotlib import colors
from matplotlib import image as image_lib
from matplotlib import lines
from matplotlib import patches
from matplotlib import text
import numpy as np
from PIL import Image
from scipy.special import softmax

import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import figures
from tests.testing import networks

KEY, T = jax.random.key(3), 8
CONFIG = ssnn_jax.NetworkConfig((16, 9, 3), num_steps=T)
IMAGES = np.random.default_rng(0).integers(0, 256, (1, 4, 4), np.uint8)
DATASET = datasets.from_arrays(
  np.tile(IMAGES, (3, 1, 1)),
  [0, 1, 2],
  IMAGES,
  [2],
  class_names=['ant', 'bee', 'c$o^$w'],
)


@functools.cache
def present(network, label=2, is_named=True):
  params, dataset = networks.make_params(network.config), DATASET
  return figures.sample.present(
    network, params, KEY, IMAGES[0], label, dataset if is_named else None
  )


def infer(network):
  params = networks.make_params(network.config)
  inference = jax.jit(network.infer)(params, KEY, IMAGES)
  return softmax(np.asarray(inference.potential[0]))


def widths(axes):
  return [bar.get_width() for bar in axes.findobj(patches.Rectangle)[:3]]


def arrays(axes):
  return [
    np.ma.filled(x.get_array()) for x in axes.findobj(image_lib.AxesImage)
  ]


class PageTest(absltest.TestCase):
  def test_page_has_the_image_the_answer_and_the_counts(self):
    network = ssnn_jax.ssnn(CONFIG)
    presented = present(network)
    fig = figures.sample.draw(presented)
    left, right, inputs, hidden = fig.axes[:4]
    np.testing.assert_array_equal(*arrays(left), IMAGES[0])
    (points,) = right.findobj(lines.Line2D)[:1]
    wins = presented.recorded.winners.sum(axis=0)
    np.testing.assert_array_equal(points.get_xdata(), wins / T)
    np.testing.assert_array_equal(widths(right), wins / T)
    spikes = presented.recorded.spikes
    np.testing.assert_array_equal(*arrays(inputs), spikes[0].sum(axis=0))
    counts = spikes[1].sum(axis=0).reshape(3, 3)
    np.testing.assert_array_equal(*arrays(hidden), counts)
    words = f'layer 1: {spikes[1].sum()} spikes'
    self.assertEqual(hidden.get_title(), words)

  def test_without_spikes_image_and_probabilities_are_left(self):
    network = ssnn_jax.ann(CONFIG)
    presented = present(network)
    fig, expected = figures.sample.draw(presented), infer(network)
    self.assertLen(fig.axes, 2)
    np.testing.assert_allclose(widths(fig.axes[1]), expected, rtol=1e-6)
    name = DATASET.class_names[np.argmax(expected)]
    words = f'classified as {name}, probability {max(expected):.2f}'
    self.assertEqual(fig.get_suptitle(), f'class c$o^$w, {words}')
    unlabeled = figures.sample.draw(presented._replace(label=None))
    self.assertEqual(unlabeled.get_suptitle(), words)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'no spikes'):
      figures.sample.animate(presented)
    exact = ssnn_jax.NetworkConfig((16, 9, 3), num_steps=T, exact=('forward',))
    self.assertIsNone(present(ssnn_jax.ssnn(exact)).recorded)

  def test_names_with_dollars_are_no_formulas(self):
    presented = present(ssnn_jax.ssnn(CONFIG))
    for names in (3 * ['a$b^$'], 3 * ['$$']):
      own = presented._replace(class_names=names)
      film = figures.sample.animate(own)
      film._init_draw()
      film._func(len(own.recorded.winners))
      for fig in (figures.sample.draw(own), film._fig):
        fig.draw_without_rendering()
        texts = [x for x in fig.findobj(text.Text) if '$' in x.get_text()]
        self.assertGreater(len(texts), 3)
        self.assertFalse(any(x.get_parse_math() for x in texts))

  def test_maps_of_features_are_next_to_each_other(self):
    counts = np.arange(2 * 3 * 5).reshape(2, 3, 5)
    tiled = figures.sample._tile(counts)
    self.assertEqual(tiled.shape, (5, 11))  # two rows of three maps
    for feature in range(5):
      row, column = divmod(feature, 3)
      place = np.s_[3 * row : 3 * row + 2, 4 * column : 4 * column + 3]
      np.testing.assert_array_equal(tiled[place], counts[..., feature])
    self.assertEqual(np.isfinite(tiled).sum(), counts.size)

  def test_a_page_of_many_classes_has_the_true_one(self):
    config = ssnn_jax.NetworkConfig((16, 40), num_steps=T)
    network = ssnn_jax.ann(config)
    presented = present(network, label=0, is_named=False)
    ranking = presented.ranking
    label = int(ranking[-1])
    page = figures.sample.draw(presented._replace(label=label))
    names = [x.get_text() for x in page.axes[1].get_yticklabels()]
    expected = sorted([*ranking[:9], label])
    self.assertEqual(names, list(map(str, expected)))


class AnimationTest(absltest.TestCase):
  def test_frames_show_the_spikes_of_their_ticks(self):
    presented = present(ssnn_jax.ssnn(CONFIG))
    recorded = presented.recorded
    film = figures.sample.animate(presented)
    film._init_draw()
    fig = film._fig
    wins = recorded.winners.cumsum(axis=0)
    num_ticks, seen = len(wins), np.zeros(3, int)
    self.assertEqual(list(film.new_frame_seq())[:num_ticks][-1], num_ticks)
    for tick in range(1, num_ticks + 1):
      film._func(tick)
      inputs, hidden, classes, _ = fig.axes
      (dots,) = inputs.collections
      columns, rows = np.asarray(dots.get_offsets(), int).T
      fired = np.zeros((4, 4), int)
      fired[rows, columns] = 1
      np.testing.assert_array_equal(fired, recorded.spikes[0][tick - 1] > 0)
      _, *marks = hidden.collections
      spikes, errors = recorded.spikes[1], recorded.errors[0]
      for number, (mark, train, sign, color) in enumerate(
        zip(
          marks,
          (spikes, errors, errors),
          (1, 1, -1),
          figures.raster.COLORS,
          strict=True,
        )
      ):
        columns, rows = np.asarray(mark.get_offsets(), int).T
        sent = np.flatnonzero(sign * train[tick - 1] > 0)
        np.testing.assert_array_equal(3 * rows + columns, sent)
        for own in mark.get_facecolor():
          self.assertTrue(colors.same_color(own, color))
        seen[number] += len(sent)
      shares = wins[tick - 1] / max(1, wins[tick - 1].sum())
      np.testing.assert_array_equal(widths(classes), shares)
    self.assertGreater(seen.min(), 0)
    name = DATASET.class_names[np.argmax(wins[-1])]
    words = f'tick {num_ticks}: the answer is {name}'
    self.assertEqual(fig.get_suptitle(), words)

  def test_a_sample_without_label_has_no_errors_and_saves_as_gif(self):
    presented = present(ssnn_jax.ssnn(CONFIG), label=None, is_named=False)
    self.assertFalse(np.any(presented.recorded.errors[0]))
    file = self.create_tempfile('play.gif').full_path
    few = {'_MAX_FRAMES': 2, '_STILL': 1}  # of several ticks
    with mock.patch.multiple(figures.sample, **few):
      figures.sample.animate(presented).save(file, 'pillow')
    with Image.open(file) as gif:
      self.assertEqual(gif.n_frames, 2)
