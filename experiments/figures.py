"""Draws figures of results, so that the colour-blind can read them too."""

from collections.abc import Sequence
import os
import pathlib
from typing import Any

import matplotlib
from matplotlib import figure
from matplotlib.axes import Axes

from experiments import sheets
from experiments import summary

# Okabe and Ito's palette, which the colour-blind tell apart, but for its
# yellow, which is faint on white. Black is the ANN's.
BLUE, ORANGE, GREEN, BLACK = '#0072B2', '#E69F00', '#009E73', '#000000'
VERMILION, PURPLE, SKY = '#D55E00', '#CC79A7', '#56B4E9'
ERROR_LABEL = "RMS distance from\nBP's gradient, relative"


def save(sheet: figure.Figure, stem: str | os.PathLike) -> list[pathlib.Path]:
  """Saves a figure as PNG and SVG.

  Args:
    sheet: the figure.
    stem: path of the files without suffix.

  Returns:
    The files written.
  """
  paths = [pathlib.Path(f'{stem}.{suffix}') for suffix in ('png', 'svg')]
  # Drawn anew, a file differs only where the figure does.
  with matplotlib.rc_context({'svg.hashsalt': 'ssnn_jax'}):
    for path, metadata in zip(paths, ({}, {'Date': None})):
      sheet.savefig(path, dpi=150, metadata=metadata)
  return paths


def plot_across(
  axes: Axes,
  setting: summary.Setting,
  label: str,
  alpha: float = 0.15,
  **look: Any,
) -> float:
  """Plots the accuracy of what the abscissa does not concern.

  Args:
    axes: the panel; its ordinate is accuracy in percent.
    setting: the ANN, or another one to compare with.
    label: what the line is of.
    alpha: of the band, which is the standard deviation over seeds.
    **look: of the line, which is the mean.

  Returns:
    The mean.
  """
  mean, deviation = (
    100 * read('test_accuracy') for read in (setting.mean, setting.deviation)
  )
  axes.axhspan(mean - deviation, mean + deviation, color=BLACK, alpha=alpha)
  look = {'color': BLACK, 'linewidth': 1} | look
  axes.axhline(mean, label=label, **look)
  return mean


def judged_on(settings: Sequence[summary.Setting]) -> str:
  """Labels accuracies by what they are on, if that is one thing.

  Args:
    settings: those that are drawn.

  Returns:
    The label of an axis.
  """
  kinds = {'held-out' if s.config['hold_out'] else 'test' for s in settings}
  others = {s.config['test_dataset'] for s in settings}
  where = ''
  if len(others) == 1 and None not in others:
    where = f'\non {sheets.name(others.pop())}'
  return f'{" or ".join(sorted(kinds))} accuracy{where} (%)'


def set_steps(axes: Axes, steps: Sequence[int]) -> None:
  """Makes T the abscissa.

  Args:
    axes: the panel.
    steps: the values of T, each of which gets a tick.
  """
  axes.set_xscale('log', base=2)
  axes.set_xticks(steps, [str(step) for step in steps])
  axes.set_xlabel('spike-train length T (ticks)')
  axes.grid(alpha=0.3)


def set_errors(axes: Axes) -> None:
  """Makes errors of an update the ordinate, on a logarithmic scale."""
  axes.set_yscale('log')
  sheets.set_log(axes.yaxis)
  axes.set_ylabel(ERROR_LABEL)
