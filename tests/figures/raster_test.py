"""Tests of rasters: their lines are the recorded spikes."""

from absl.testing import parameterized
from matplotlib import collections
from matplotlib import colors
import numpy as np

from ssnn_jax import figures
from ssnn_jax.stochastic import observe


class DrawTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, 4, range(20, 25)),
    (1, None, range(0, 224, 7)),  # the most active
    (2, [5, 0], (5, 0)),
  )
  def test_lines_are_the_recorded_spikes(self, layer, neurons, numbers):
    rng, active = np.random.default_rng(0), range(0, 224, 7)

    def draw(*shape):
      rates = np.where(np.isin(np.arange(np.prod(shape)), active), 0.5, 0.05)
      spikes = rng.uniform(size=(40, rates.size)) < rates
      return np.int32(spikes).reshape(40, *shape)

    spikes, winners = (draw(6, 5), draw(4, 3, 20)), draw(7)
    errors = [
      own * rng.choice([-1, 1], own.shape) for own in (spikes[1], winners)
    ]
    recorded = observe.Raster(spikes, tuple(errors), winners)
    panels = figures.raster.draw(recorded, layer, neurons).axes
    self.assertLen(panels, 1 if layer == 0 else 2)
    # All layers at once have a line of two panels each.
    self.assertLen(figures.raster.draw(recorded).axes, 6)
    train = (*spikes, winners)[layer]
    shown = [(panels[0], train > 0, figures.raster.SPIKE)]
    if layer:
      errors = recorded.errors[layer - 1]
      for sign, color in (
        (1, figures.raster.FIRE_LESS),
        (-1, figures.raster.FIRE_MORE),
      ):
        shown.append((panels[1], errors == sign, color))
    for axes, is_sent, color in shown:
      chosen = is_sent.reshape(40, -1)[:, list(numbers)]
      expected = [list(1 + np.flatnonzero(own)) for own in chosen.T]
      drawn = [
        list(lines.get_positions())
        for lines in axes.findobj(collections.EventCollection)
        if colors.same_color(lines.get_color(), color)
      ]
      self.assertEqual(drawn, expected)
