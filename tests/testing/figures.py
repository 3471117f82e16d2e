"""Readability of figures at half the width of a page."""

import itertools

from matplotlib import text
from matplotlib.axes import Axes

MAX_HEIGHT = 11  # inches
COLUMN = 4.1  # inches: half the width of a page
SMALLEST = 6.5  # points, of letters at that width


def assert_readable(fig):
  """Asserts sizes of fig and letters, labels, and no text over another."""
  fig.draw_without_rendering()
  width, height = fig.get_size_inches()
  assert height <= MAX_HEIGHT
  texts = visible_texts(fig)
  for label in texts:
    points = label.get_fontsize() * COLUMN / width
    assert points >= SMALLEST, label
    # Formulas have smaller letters.
    assert '$' not in label.get_text().replace(r'\$', '')
  boxes = {label: label.get_window_extent() for label in texts}
  for label, box in boxes.items():
    assert min(box.x0, box.y0) > -1, label
    assert box.x1 < fig.bbox.x1 + 1, label
    assert box.y1 < fig.bbox.y1 + 1, label
  straight = [label for label in texts if label.get_rotation() % 90 == 0]
  for one, other in itertools.combinations(straight, 2):
    assert not overlap(boxes[one], boxes[other]), (one, other)
  for axes, direction, axis in axes_of(fig):
    if axis.get_visible() and axis.get_ticklocs().size:
      assert axis_label(axes, direction)


def axes_of(figure):
  """Returns each axis of each panel with the name of its direction."""
  return [
    (axes, direction, getattr(axes, f'{direction}axis'))
    for axes in figure.findobj(Axes)
    for direction in 'xy'
  ]


def visible_texts(figure):
  """Returns the visible texts of a figure that is laid out."""
  hidden = set()
  for _, _, axis in axes_of(figure):
    low, high = sorted(axis.get_view_interval())
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
      if not low <= tick.get_loc() <= high:
        hidden |= {tick.label1, tick.label2}
  return [
    label
    for label in figure.findobj(text.Text)
    if label.get_visible() and label.get_text().strip() and label not in hidden
  ]


def axis_label(axes, direction):
  """Returns the label of an axis, which panels that share it may have."""
  sharing = getattr(axes, f'get_shared_{direction}_axes')()
  labels = [
    getattr(panel, f'get_{direction}label')()
    for panel in sharing.get_siblings(axes)
  ]
  return max(labels, key=len)


def overlap(one, other):
  """Returns whether two boxes overlap by more than a pixel."""
  width = min(one.x1, other.x1) - max(one.x0, other.x0)
  height = min(one.y1, other.y1) - max(one.y0, other.y0)
  return min(width, height) > 1
