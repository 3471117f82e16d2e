"""Lays out sheets of panels that can be read at half the width of a page.

A sheet is scaled to `COLUMN` there. Letters are 10 points high (matplotlib's
default) and no less than `SMALL`, so sheets must not be wider than they are
here, and many panels go below one another.
"""

from collections.abc import Sequence
import math
import textwrap
from typing import Any

from matplotlib import artist
from matplotlib import axis
from matplotlib import figure
from matplotlib import ticker
from matplotlib import transforms
from matplotlib.axes import Axes

COLUMN = 4.1  # inches: half the width of a page
LEAST = 6.5  # points, of letters at that width
# Points; the small ones are of legends where panels are in one column.
SMALL, LETTERS, TITLE = 9, 10, 11
_WIDTHS = {1: 5.2, 2: 6.2}  # inches, by columns of panels
_OF_TITLE = 0.7  # inches
# Of titles and legends an inch, less than there is room for.
_TITLE_LETTERS, _LEGEND_LETTERS = 11.5, 14
_OF_HANDLE = 8  # letters beside each label of a legend
_MOST_COLUMNS = 4  # of a legend
# The numbers in a decade, by the most decades that there are.
_SUBS = {1: (1, 1.5, 2, 3, 4, 5, 6, 8), 2: (1, 2, 5), 4: (1, 3), math.inf: (1,)}
_APART, _MOST_APART = 4, 28  # points, of curves side by side
_POINTS_PER_INCH = 72
_HANDLE = 2.5  # of a legend, in the height of its letters


def make(
  num_panels: int, num_columns: int = 1, height: float = 2.9, **shared: Any
) -> tuple[figure.Figure, list[Axes]]:
  """Makes a sheet of empty panels.

  Args:
    num_panels: how many.
    num_columns: of panels side by side, 1 or 2.
    height: of a panel with its labels, in inches.
    **shared: `sharex` and `sharey`, as for `figure.Figure.subplots`.

  Returns:
    The sheet, and its panels row by row.
  """
  num_rows = -(-num_panels // num_columns)
  size = _WIDTHS[num_columns], _OF_TITLE + height * num_rows
  sheet = figure.Figure(figsize=size, layout='constrained')
  panels = sheet.subplots(num_rows, num_columns, squeeze=False, **shared)
  for axes in panels.flat[num_panels:]:
    axes.remove()
  return sheet, list(panels.flat[:num_panels])


def set_title(sheet: figure.Figure, *lines: str) -> None:
  """Sets the title, in lines that are broken where the sheet ends.

  Args:
    sheet: the sheet.
    *lines: each starts on a line of its own.
  """
  width = round(_TITLE_LETTERS * sheet.get_size_inches()[0])
  broken = [
    textwrap.fill(line, width, break_on_hyphens=False) for line in lines
  ]
  sheet.suptitle('\n'.join(broken), fontsize=TITLE)


def explain_below(sheet: figure.Figure, panels: Sequence[Axes]) -> None:
  """Puts one legend for all panels below them, where it hides nothing.

  Args:
    sheet: the sheet, which grows by the legend.
    panels: those whose curves are told, each label once.
  """
  entries = {}
  for axes in panels:
    handles, labels = axes.get_legend_handles_labels()
    for handle, label in zip(handles, labels):
      entries.setdefault(label, handle)
  width, height = sheet.get_size_inches()
  size = SMALL if width <= _WIDTHS[1] else LETTERS
  letters = round(_LEGEND_LETTERS * width * SMALL / size) - _OF_HANDLE
  labels = [
    textwrap.fill(label, letters, break_on_hyphens=False) for label in entries
  ]
  longest = max(map(len, entries)) + _OF_HANDLE
  num_columns = max(1, min(_MOST_COLUMNS, (letters + _OF_HANDLE) // longest))
  num_lines = sum(label.count('\n') + 1 for label in labels) / num_columns
  sheet.set_figheight(
    height + (1 + math.ceil(num_lines)) * 1.4 * size / _POINTS_PER_INCH
  )
  sheet.legend(
    list(entries.values()),
    labels,
    loc='outside lower center',
    ncols=num_columns,
    fontsize=size,
    handlelength=_HANDLE,
  )


def set_log(axis_: axis.Axis) -> None:
  """Numbers a logarithmic axis as numbers are read.

  Args:
    axis_: the axis, on a logarithmic scale and with its limits already.
  """
  low, high = getattr(axis_.axes, f'get_{axis_.axis_name}lim')()
  decades = math.log10(high / low)
  subs = next(subs for most, subs in _SUBS.items() if decades <= most)
  axis_.set_major_locator(ticker.LogLocator(subs=subs))
  axis_.set_major_formatter(ticker.FuncFormatter(_number))
  axis_.set_minor_formatter(ticker.NullFormatter())


def move_beside(curve: artist.Artist, index: int, number: int) -> None:
  """Moves a curve sideways, so that none hides the error bars of another.

  Args:
    curve: what was plotted; its numbers, and the limits, stay what they are.
    index: of the curve.
    number: of curves in the panel.
  """
  apart = min(_APART, _MOST_APART / number)
  shift = apart * (index - (number - 1) / 2) / _POINTS_PER_INCH
  for part in curve.get_children() or [curve]:
    scale = part.get_figure().dpi_scale_trans
    moved = transforms.ScaledTranslation(shift, 0, scale)
    part.set_transform(part.axes.transData + moved)


def _number(value, place):
  del place
  return f'{value:,.10g}'


def name(dataset: str) -> str:
  """Names a set of data in a figure; of a path that is the file's name.

  Args:
    dataset: its name in a configuration.

  Returns:
    The name, as text that is drawn as it is.
  """
  if dataset.endswith('.npz'):
    dataset = dataset.replace('\\', '/').rpartition('/')[2].removesuffix('.npz')
  return as_it_is(dataset)


def as_it_is(text: str) -> str:
  """Keeps what users have named from being read as mathematics.

  Args:
    text: any text.

  Returns:
    The text with its dollar signs escaped, as matplotlib wants them.
  """
  return text.replace('$', r'\$')
