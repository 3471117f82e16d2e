"""Tests that figures can be read at half the width of a page."""

import itertools

from absl.testing import absltest
from absl.testing import parameterized
from matplotlib import text
from matplotlib.axes import Axes
import numpy as np

from experiments import energy
from experiments import figures
from experiments import plot
from experiments import sheets
from experiments import summary
from experiments import tables
from ssnn_jax.runs import records
from tests.experiments import summary_test

_MOST_HEIGHT = 11  # inches
_UNDRAWN = {'nir_consumers', 'random_words'}  # tables alone
_RECORDS = {path.name for path in tables.FOLDER.iterdir()} - _UNDRAWN
_ENERGIES = {name for name in _RECORDS if name.startswith('energy-')}


def axes_of(sheet):
  """Lists each axis of each panel, and the name of its direction."""
  return [
    (axes, direction, getattr(axes, f'{direction}axis'))
    for axes in sheet.findobj(Axes)
    for direction in 'xy'
  ]


def written(sheet):
  """Lists what is written on a sheet that is laid out."""
  beyond = set()
  for _, _, axis in axes_of(sheet):
    low, high = sorted(axis.get_view_interval())
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
      if not low <= tick.get_loc() <= high:
        beyond |= {tick.label1, tick.label2}
  return [
    words
    for words in sheet.findobj(text.Text)
    if words.get_visible() and words.get_text().strip() and words not in beyond
  ]


def name_of(axes, direction):
  """Tells the name of an axis, which panels that share it may have."""
  sharing = getattr(axes, f'get_shared_{direction}_axes')()
  names = [
    getattr(panel, f'get_{direction}label')()
    for panel in sharing.get_siblings(axes)
  ]
  return max(names, key=len)


def overlap(one, other):
  """Tells whether two boxes have more than an edge in common."""
  width = min(one.x1, other.x1) - max(one.x0, other.x0)
  height = min(one.y1, other.y1) - max(one.y0, other.y0)
  return min(width, height) > 1


class FiguresTest(parameterized.TestCase):
  def assert_can_be_read(self, sheet):
    sheet.draw_without_rendering()
    width, height = sheet.get_size_inches()
    self.assertLessEqual(height, _MOST_HEIGHT)
    parts = written(sheet)
    for part in parts:
      points = part.get_fontsize() * sheets.COLUMN / width
      self.assertGreaterEqual(points, sheets.LEAST, part)
      self.assertNotIn('$', part.get_text().replace(r'\$', ''))  # is smaller
    boxes = {part: part.get_window_extent() for part in parts}
    for part, box in boxes.items():
      self.assertGreater(min(box.x0, box.y0), -1, part)
      self.assertLess(box.x1, sheet.bbox.x1 + 1, part)
      self.assertLess(box.y1, sheet.bbox.y1 + 1, part)
    straight = [part for part in parts if part.get_rotation() % 90 == 0]
    for one, other in itertools.combinations(straight, 2):
      self.assertFalse(overlap(boxes[one], boxes[other]), (one, other))
    for axes, direction, axis in axes_of(sheet):
      if axis.get_visible() and axis.get_ticklocs().size:
        self.assertNotEmpty(name_of(axes, direction))

  @parameterized.parameters(*sorted(_RECORDS))
  def test_figures_of_records_can_be_read(self, record):
    _, sheet, _ = plot.read_record(tables.folder(record))
    self.assert_can_be_read(sheet)

  @parameterized.parameters(*sorted(_ENERGIES))
  def test_figures_of_energy_can_be_read(self, record):
    for energies in ('crossbar', 'loihi'):
      sheet = energy.draw(tables.folder(record), energies)
      self.assert_can_be_read(sheet)

  def test_the_figure_of_a_run_can_be_read(self):
    run = next(records.find(tables.folder('energy-digits')))
    _, sheet, _ = plot.read_record(run.folder)
    self.assert_can_be_read(sheet)

  def test_a_single_length_is_drawn_inside_its_panels(self):
    runs = summary_test.make_runs({'bp': [0.9, 0.92], 16: [0.8, 0.83]})
    comparison = summary.compare(summary.group(runs), 'here')
    sheet = figures.draw_spike_train_length(comparison)
    self.assert_can_be_read(sheet)
    for axes in sheet.axes:
      low, high = axes.get_ylim()
      (_, _, (bars,)) = axes.containers[0].lines
      self.assertBetween(np.min(bars.get_segments()[0][:, 1]), low, high)
      self.assertBetween(np.max(bars.get_segments()[0][:, 1]), low, high)
      legend = axes.get_legend().get_window_extent()
      points = axes.transData.transform(bars.get_segments()[0])
      self.assertLess(points[:, 0].max(), legend.x0)

  @parameterized.parameters(
    ('digits', 'digits'),
    ('synthetic_events/digits', 'synthetic_events/digits'),
    ('own.npz', 'own'),
    ('/home/a$b/own$c.npz', r'own\$c'),
    (r'D:\data\own.npz', 'own'),
  )
  def test_data_are_named(self, dataset, expected):
    self.assertEqual(sheets.name(dataset), expected)
    runs = summary_test.make_runs(dataset=dataset, test_dataset=dataset)
    comparison = summary.compare(summary.group(runs), 'here')
    sheet = figures.draw_spike_train_length(comparison)
    self.assertStartsWith(sheet.get_suptitle(), f'{expected}: ')
    self.assertEndsWith(sheet.axes[0].get_ylabel(), f'\non {expected} (%)')

  def test_curves_are_moved_but_not_their_numbers(self):
    sheet, (axes,) = sheets.make(1)
    curves = [axes.errorbar([1, 2], [3, 4], [1, 1]) for _ in range(3)]
    limits = axes.get_xlim()
    for index, curve in enumerate(curves):
      sheets.move_beside(curve, index, 3)
    sheet.draw_without_rendering()
    self.assertEqual(axes.get_xlim(), limits)
    places = []
    for curve in curves:
      line, _, (bars,) = curve.lines
      np.testing.assert_array_equal(line.get_xdata(), [1, 2])
      for part in (line, bars):
        places.append(part.get_transform().transform((1, 3))[0])
    left, middle, right = places[::2]
    self.assertEqual(places[1::2], [left, middle, right])
    self.assertAlmostEqual(middle, axes.transData.transform((1, 3))[0])
    points = sheet.dpi / 72
    np.testing.assert_allclose(np.diff([left, middle, right]), 4 * points)


class SheetsTest(absltest.TestCase):
  def test_letters_fit_the_widths(self):
    for num_columns, letters in ((1, sheets.SMALL), (2, sheets.LETTERS)):
      sheet, panels = sheets.make(3, num_columns)
      self.assertLen(panels, 3)
      self.assertEqual(sheet.axes, panels)
      points = letters * sheets.COLUMN / sheet.get_size_inches()[0]
      self.assertGreaterEqual(points, sheets.LEAST)

  def test_long_titles_and_labels_are_broken(self):
    sheet, (axes,) = sheets.make(1)
    sheets.set_title(sheet, 'one two three ' * 10, 'a line')
    self.assertEndsWith(sheet.get_suptitle(), '\na line')
    for label in ('short', 'four five six ' * 10):
      axes.plot([1], [1], label=label)
    before = sheet.get_size_inches()
    sheets.explain_below(sheet, [axes])
    self.assertGreater(sheet.get_size_inches()[1], before[1])
    sheet.draw_without_rendering()
    for part in (sheet._suptitle, *sheet.legends):
      box = part.get_window_extent()
      self.assertGreater(box.x0, 0)
      self.assertLess(box.x1, sheet.bbox.x1)
    first, second = sheet.legends[0].get_texts()
    self.assertEqual(first.get_text(), 'short')
    self.assertEqual(second.get_text().split(), ['four', 'five', 'six'] * 10)


if __name__ == '__main__':
  absltest.main()
