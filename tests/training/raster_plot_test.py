"""Tests that figures of rasters show the recorded spikes."""

from absl.testing import parameterized
from matplotlib import collections
from matplotlib import colors
import numpy as np

from ssnn_jax.training import raster
from ssnn_jax.training import raster_plot

NUM_STEPS, WINDOW = 40, 16
ACTIVE = range(0, 7 * 32, 7)
SHAPES = (6, 5), (4, 3, 20), (7,)  # inputs, features at positions, classes


def make_raster():
  """Draws spikes: of 32 neurons in each layer many, of others few."""
  rng = np.random.default_rng(0)

  def draw(shape):
    numbers = np.arange(np.prod(shape))
    rates = np.where(np.isin(numbers, ACTIVE), 0.5, 0.05)
    spikes = rng.uniform(size=(NUM_STEPS, rates.size)) < rates
    signs = rng.choice(np.int8([-1, 1]), spikes.shape)
    return (spikes * signs).reshape(NUM_STEPS, *shape)

  *spikes, winners = (draw(shape) for shape in SHAPES)
  errors = tuple(draw(shape) for shape in SHAPES[1:])
  return raster.Raster(tuple(spikes), errors, winners, WINDOW)


def drawn(axes, color):
  """Returns the ticks of the spikes of a colour, of each neuron in a panel."""
  return [
    list(lines.get_positions())
    for lines in axes.findobj(collections.EventCollection)
    if colors.same_color(lines.get_color(), color)
  ]


class DrawTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, None, range(30)),
    (0, 4, range(20, 25)),
    (1, None, ACTIVE),
    (1, np.s_[..., 3], range(3, 240, 20)),
    (1, np.s_[1, 2, [0, 5]], (100, 105)),
    (2, None, range(7)),
    (2, [5, 0], (5, 0)),
  )
  def test_lines_are_the_recorded_spikes(self, layer, neurons, expected):
    recorded = make_raster()
    panels = raster_plot.draw(recorded, layer, neurons).axes
    shown = []
    trains = *recorded.spikes, recorded.winners
    shown.append((panels[0], trains[layer], 1, raster_plot.SPIKE))
    shown.append((panels[0], trains[layer], -1, raster_plot.TAKEN_BACK))
    if layer > 0:
      errors = recorded.errors[layer - 1]
      shown.append((panels[-1], errors, 1, raster_plot.FIRE_LESS))
      shown.append((panels[-1], errors, -1, raster_plot.FIRE_MORE))
    self.assertLen(panels, 1 if layer == 0 else 2)
    for axes, train, sign, color in shown:
      flat = train.reshape(NUM_STEPS, -1)[:, list(expected)]
      ticks = [list(np.flatnonzero(each == sign)) for each in flat.T]
      self.assertEqual(drawn(axes, color), ticks)

  def test_labels_are_indices_and_lines_the_borders_of_windows(self):
    fig = raster_plot.draw(make_raster(), 1, np.s_[..., 3])
    self.assertEqual(fig.get_suptitle(), 'layer 1: 12 of 240 neurons')
    spikes, errors = fig.axes
    labels = [label.get_text() for label in spikes.get_yticklabels()]
    self.assertEqual(labels[:2], ['0, 0, 3', '0, 2, 3'])
    self.assertIn('windows of 16 ticks', errors.get_xlabel())
    borders = [line.get_xdata()[0] for line in spikes.lines]
    self.assertEqual(borders, [15.5, 31.5])

  def test_windows_of_a_tick_have_no_borders(self):
    recorded = make_raster()._replace(window=1)
    (axes,) = raster_plot.draw(recorded, layer=0).axes
    self.assertEmpty(axes.lines)
    self.assertEqual(axes.get_xlabel(), 'tick')
