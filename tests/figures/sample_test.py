"""Tests of pages of a sample: they show its spikes."""

import functools

from absl.testing import absltest
import jax
from matplotlib import image as image_lib
from matplotlib import lines
from matplotlib import patches
from matplotlib import text
import numpy as np
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
    unlabeled = present(network, label=None, is_named=False)
    self.assertFalse(np.any(unlabeled.recorded.errors[0]))

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
    exact = ssnn_jax.NetworkConfig((16, 9, 3), num_steps=T, exact=('forward',))
    self.assertIsNone(present(ssnn_jax.ssnn(exact)).recorded)

  def test_names_with_dollars_are_no_formulas(self):
    presented = present(ssnn_jax.ssnn(CONFIG))
    for names in (3 * ['a$b^$'], 3 * ['$$']):
      own = presented._replace(class_names=names)
      fig = figures.sample.draw(own)
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
