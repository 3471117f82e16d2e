"""Tests that figures are readable at half the width of a page."""

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
from tests.testing.sweeps import make_length_sweep

MAX_HEIGHT = 11  # inches
ONLY_TABLES = {'nir_consumers', 'random_words'}
RECORDS = {path.name for path in tables.FOLDER.iterdir()} - ONLY_TABLES
ENERGIES = {name for name in RECORDS if name.startswith('energy-')}


def draw_lengths(accuracies_of=None, **changes):
  runs = make_length_sweep(accuracies_of, **changes)
  comparison = summary.compare(summary.group(runs), 'here')
  return figures.draw_spike_train_length(comparison)


def axes_of(sheet):
  """Returns each axis of each panel with the name of its direction."""
  return [
    (axes, direction, getattr(axes, f'{direction}axis'))
    for axes in sheet.findobj(Axes)
    for direction in 'xy'
  ]


def visible_texts(sheet):
  """Returns the visible texts of a sheet that is laid out."""
  hidden = set()
  for _, _, axis in axes_of(sheet):
    low, high = sorted(axis.get_view_interval())
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
      if not low <= tick.get_loc() <= high:
        hidden |= {tick.label1, tick.label2}
  return [
    label
    for label in sheet.findobj(text.Text)
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


class FiguresTest(parameterized.TestCase):
  def assert_readable(self, sheet):
    """Asserts sizes of sheet and letters, labels, and no text over another."""
    sheet.draw_without_rendering()
    width, height = sheet.get_size_inches()
    self.assertLessEqual(height, MAX_HEIGHT)
    texts = visible_texts(sheet)
    for label in texts:
      points = label.get_fontsize() * sheets.COLUMN / width
      self.assertGreaterEqual(points, sheets.LEAST, label)
      # Formulas have smaller letters.
      self.assertNotIn('$', label.get_text().replace(r'\$', ''))
    boxes = {label: label.get_window_extent() for label in texts}
    for label, box in boxes.items():
      self.assertGreater(min(box.x0, box.y0), -1, label)
      self.assertLess(box.x1, sheet.bbox.x1 + 1, label)
      self.assertLess(box.y1, sheet.bbox.y1 + 1, label)
    straight = [label for label in texts if label.get_rotation() % 90 == 0]
    for one, other in itertools.combinations(straight, 2):
      self.assertFalse(overlap(boxes[one], boxes[other]), (one, other))
    for axes, direction, axis in axes_of(sheet):
      if axis.get_visible() and axis.get_ticklocs().size:
        self.assertNotEmpty(axis_label(axes, direction))

  @parameterized.parameters(*sorted(RECORDS))
  def test_figures_of_records_are_readable(self, record):
    _, sheet, _ = plot.read_record(tables.folder(record))
    self.assert_readable(sheet)

  @parameterized.parameters(*sorted(ENERGIES))
  def test_figures_of_energy_are_readable(self, record):
    for energies in ('crossbar', 'loihi'):
      self.assert_readable(energy.draw(tables.folder(record), energies))

  def test_figure_of_a_run_is_readable(self):
    run = next(records.find(tables.folder('energy-digits')))
    _, sheet, _ = plot.read_record(run.folder)
    self.assert_readable(sheet)

  def test_single_length_is_inside_its_panels(self):
    sheet = draw_lengths({'bp': [0.9, 0.92], 16: [0.8, 0.83]})
    self.assert_readable(sheet)
    for axes in sheet.axes:
      low, high = axes.get_ylim()
      (_, _, (bars,)) = axes.containers[0].lines
      (segment,) = bars.get_segments()
      self.assertBetween(np.min(segment[:, 1]), low, high)
      self.assertBetween(np.max(segment[:, 1]), low, high)
      legend = axes.get_legend().get_window_extent()
      points = axes.transData.transform(segment)
      self.assertLess(points[:, 0].max(), legend.x0)

  @parameterized.parameters(
    ('digits', 'digits'),
    ('synthetic_events/digits', 'synthetic_events/digits'),
    ('own.npz', 'own'),
    ('/home/a$b/own$c.npz', r'own\$c'),
    (r'D:\data\own.npz', 'own'),
  )
  def test_title_and_label_name_the_data(self, dataset, expected):
    self.assertEqual(sheets.name(dataset), expected)
    sheet = draw_lengths(dataset=dataset, test_dataset=dataset)
    self.assertStartsWith(sheet.get_suptitle(), f'{expected}: ')
    self.assertEndsWith(sheet.axes[0].get_ylabel(), f'\non {expected} (%)')

  def test_shifted_curves_keep_their_values(self):
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
      for artist in (line, bars):
        places.append(artist.get_transform().transform((1, 3))[0])
    left, middle, right = places[::2]
    self.assertEqual(places[1::2], [left, middle, right])
    self.assertAlmostEqual(middle, axes.transData.transform((1, 3))[0])
    points = sheet.dpi / 72
    np.testing.assert_allclose(np.diff([left, middle, right]), 4 * points)


class SheetsTest(absltest.TestCase):
  def test_letters_fit_the_width(self):
    for num_columns, letters in ((1, sheets.SMALL), (2, sheets.LETTERS)):
      sheet, panels = sheets.make(3, num_columns)
      self.assertLen(panels, 3)
      self.assertEqual(sheet.axes, panels)
      points = letters * sheets.COLUMN / sheet.get_size_inches()[0]
      self.assertGreaterEqual(points, sheets.LEAST)

  def test_long_titles_and_labels_are_wrapped(self):
    sheet, (axes,) = sheets.make(1)
    sheets.set_title(sheet, 'one two three ' * 10, 'a line')
    self.assertEndsWith(sheet.get_suptitle(), '\na line')
    for label in ('short', 'four five six ' * 10):
      axes.plot([1], [1], label=label)
    before = sheet.get_size_inches()
    sheets.explain_below(sheet, [axes])
    self.assertGreater(sheet.get_size_inches()[1], before[1])
    sheet.draw_without_rendering()
    for artist in (sheet._suptitle, *sheet.legends):
      box = artist.get_window_extent()
      self.assertGreater(box.x0, 0)
      self.assertLess(box.x1, sheet.bbox.x1)
    first, second = sheet.legends[0].get_texts()
    self.assertEqual(first.get_text(), 'short')
    self.assertEqual(second.get_text().split(), ['four', 'five', 'six'] * 10)
