"""Style of figures: colours, layout of panels, titles, legends and files.

Figures stay legible when scaled to half the width of a page: letters are at
least 9 points high, so figures are narrow and panels are stacked.
"""

from collections.abc import Sequence
import math
import os
import pathlib
import textwrap
from typing import Any

from matplotlib import artist
from matplotlib import axis
from matplotlib import figure
from matplotlib import ticker
from matplotlib import transforms
from matplotlib.axes import Axes

from experiments.config import titles
from ssnn_jax.runs import files
from ssnn_jax.training import raster_plot

# Points; legends are small where panels are in one column.
SMALL, LETTERS, TITLE = 9, 10, 11
# The palette of Okabe and Ito for colour-blind readers, without yellow, which
# is faint on white. Black is the ANN.
BLUE, VERMILION, PURPLE = raster_plot.COLORS  # of rasters
ORANGE, GREEN, SKY, BLACK = '#E69F00', '#009E73', '#56B4E9', '#000000'
COLORS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
MARKERS = ('o', 's', '^', 'D', 'v', 'P')
_DPI = 120
_WIDTHS = {1: 5.2, 2: 6.2}  # inches, by columns of panels
_OF_TITLE = 0.7  # inches
# Letters per inch of titles and legends, a conservative estimate.
_TITLE_LETTERS, _LEGEND_LETTERS = 11.5, 14
_OF_HANDLE = 8  # letters next to each legend label
_MOST_COLUMNS = 4  # of a legend
# Tick positions in a decade, by the maximum number of decades.
_SUBS = {1: (1, 1.5, 2, 3, 4, 5, 6, 8), 2: (1, 2, 5), 4: (1, 3), math.inf: (1,)}
_SIGNED_TICKS = 0.5, 1, 3, 10, 30
_APART, _MOST_APART = 4, 28  # points between curves, and over all curves
_POINTS_PER_INCH = 72
_HANDLE = 2.5  # length of a legend handle, in font sizes


def make(
  num_panels: int, num_columns: int = 1, height: float = 2.9, **shared: Any
) -> tuple[figure.Figure, list[Axes]]:
  """Makes a figure of empty panels.

  Args:
    num_panels: the number of panels.
    num_columns: the number of panels in a row, 1 or 2.
    height: height of a panel with its labels, in inches.
    **shared: `sharex` and `sharey`, as for `figure.Figure.subplots`.

  Returns:
    The figure, and its panels row by row.
  """
  num_rows = -(-num_panels // num_columns)
  size = _WIDTHS[num_columns], _OF_TITLE + height * num_rows
  fig = figure.Figure(figsize=size, layout='constrained')
  panels = fig.subplots(num_rows, num_columns, squeeze=False, **shared)
  for axes in panels.flat[num_panels:]:
    axes.remove()
  return fig, list(panels.flat[:num_panels])


def set_title(fig: figure.Figure, *lines: str) -> None:
  """Sets the title; lines are wrapped at the width of the figure.

  Args:
    fig: the figure.
    *lines: the paragraphs of the title; empty ones are left out.
  """
  width = round(_TITLE_LETTERS * fig.get_size_inches()[0])
  broken = [
    textwrap.fill(line, width, break_on_hyphens=False) for line in lines if line
  ]
  fig.suptitle('\n'.join(broken), fontsize=TITLE)


def legend_below(fig: figure.Figure, panels: Sequence[Axes]) -> None:
  """Adds one legend of all panels below the panels.

  Args:
    fig: the figure, whose height increases by the legend.
    panels: the panels whose labels the legend lists, each label once.
  """
  entries = {}
  for axes in panels:
    handles, labels = axes.get_legend_handles_labels()
    for handle, label in zip(handles, labels):
      entries.setdefault(label, handle)
  width, height = fig.get_size_inches()
  size = SMALL if width <= _WIDTHS[1] else LETTERS
  letters = round(_LEGEND_LETTERS * width * SMALL / size) - _OF_HANDLE
  labels = [
    textwrap.fill(label, letters, break_on_hyphens=False) for label in entries
  ]
  longest = max(map(len, entries)) + _OF_HANDLE
  num_columns = max(1, min(_MOST_COLUMNS, (letters + _OF_HANDLE) // longest))
  num_lines = sum(label.count('\n') + 1 for label in labels) / num_columns
  fig.set_figheight(
    height + (1 + math.ceil(num_lines)) * 1.4 * size / _POINTS_PER_INCH
  )
  fig.legend(
    list(entries.values()),
    labels,
    loc='outside lower center',
    ncols=num_columns,
    fontsize=size,
    handlelength=_HANDLE,
  )


def set_log(axis_: axis.Axis) -> None:
  """Makes an axis with positive data logarithmic, labelled by plain numbers.

  Args:
    axis_: the axis, with its final data.
  """
  if not math.isfinite(axis_.get_minpos()):
    return
  getattr(axis_.axes, f'set_{axis_.axis_name}scale')('log')
  low, high = getattr(axis_.axes, f'get_{axis_.axis_name}lim')()
  decades = math.log10(high / low)
  subs = next(subs for most, subs in _SUBS.items() if decades <= most)
  axis_.set_major_locator(ticker.LogLocator(subs=subs))
  axis_.set_major_formatter(ticker.FuncFormatter(_number))
  axis_.set_minor_formatter(ticker.NullFormatter())


def set_signed_log(axis_: axis.Axis) -> None:
  """Makes an axis of differences linear from -1 to 1, and logarithmic beyond.

  Args:
    axis_: the axis.
  """
  getattr(axis_.axes, f'set_{axis_.axis_name}scale')('symlog', linthresh=1)
  ticks = [sign * value for value in _SIGNED_TICKS for sign in (-1, 1)]
  axis_.set_major_locator(ticker.FixedLocator([0, *ticks]))
  axis_.set_major_formatter(ticker.FuncFormatter(_number))
  axis_.set_minor_locator(ticker.NullLocator())


def shift_curve(curve: artist.Artist, index: int, number: int) -> None:
  """Shifts a curve sideways, so that error bars do not hide each other.

  Args:
    curve: the curve; its data and the limits of the axes do not change.
    index: index of the curve.
    number: number of curves in the panel.
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


def dataset_name(dataset: str) -> str:
  """Returns the title of a data set for a figure."""
  return escape_mathtext(titles.title(dataset))


def escape_mathtext(text: str) -> str:
  """Escapes dollar signs, which matplotlib reads as mathematics."""
  return text.replace('$', r'\$')


def save(fig: figure.Figure, stem: str | os.PathLike) -> pathlib.Path:
  """Saves a figure as a PNG file.

  Args:
    fig: the figure.
    stem: path of the file without suffix.

  Returns:
    The file.

  Raises:
    RecordError: if the file cannot be written.
  """
  path = pathlib.Path(f'{stem}.png')
  with files.convert_os_errors(path):
    fig.savefig(path, dpi=_DPI)
  return path
