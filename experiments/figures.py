"""Draws figures of results, so that the colour-blind can read them too."""

from collections.abc import Sequence
import itertools
import os
import pathlib
from typing import Any

import matplotlib
from matplotlib import figure
from matplotlib.axes import Axes
import numpy as np

from experiments import orders
from experiments import sheets
from experiments import summary
from experiments.config import synapses
from ssnn_jax import datasets

# Okabe and Ito's palette, which the colour-blind tell apart, but for its
# yellow, which is faint on white. Black is the ANN's.
BLUE, ORANGE, GREEN, BLACK = '#0072B2', '#E69F00', '#009E73', '#000000'
VERMILION, PURPLE, SKY = '#D55E00', '#CC79A7', '#56B4E9'
ERROR_LABEL = "RMS distance from\nBP's gradient, relative"
_OTHERS = (VERMILION, ORANGE, PURPLE, GREEN, SKY)
_MARKERS = ('s', '^', 'D', 'v', 'P')
_CAUSES = {'chance': '--', 'kinks': ':'}  # of errors, by their orders in T
_ERRORS = (
  ('update_error', 'update error: spikes throughout', tuple(_CAUSES)),
  (
    'quantisation_error',
    'quantisation error: spikes in the update only',
    ('chance',),
  ),
)
# Color, marker and its size; in a readout dense and packed are the same.
_REPRESENTATIONS = {
  'packed': (BLUE, 'o', 4),
  'dense': (GREEN, 's', 9),
  'naive': (ORANGE, '^', 6),
}
_READS = {
  'test_accuracy': ('winner counts', BLUE, 'o'),
  'test_accuracy_potential': ('final potential', ORANGE, 's'),
  'test_accuracy_rate': ('weights read as an ANN', GREEN, '^'),
}


def draw_spike_train_length(comparison: summary.Comparison) -> figure.Figure:
  """Draws accuracy and errors of spiking networks against T.

  Args:
    comparison: spiking networks over T, and their ANN.

  Returns:
    The figure; a notebook shows it.
  """
  sheet, panels = sheets.make(3)
  accuracies, *errors = panels
  _plot_accuracy(accuracies, comparison)
  for axes, told in zip(errors, _ERRORS, strict=True):
    _plot_error(axes, comparison.spiking, *told)
  ticks = [setting.num_steps for setting in comparison.spiking]
  for axes in panels:
    set_steps(axes, ticks)
    if len(ticks) == 1:
      axes.set_xlim(ticks[0] / 2, ticks[0] * 8)  # room for the legend
  limits = [axes.get_ylim() for axes in errors]
  for axes in errors:
    axes.set_ylim(np.min(limits), np.max(limits))
    sheets.set_log(axes.yaxis)
  settings = comparison.ann, *comparison.spiking
  sheets.set_title(
    sheet,
    f'{sheets.name(comparison.ann.config["dataset"])}: learning by spikes '
    '(SSNN), beside the ANN',
    summary.describe_bars(settings),
    "errors: a probe batch, the ANN's weights after one epoch",
  )
  return sheet


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


def _plot_accuracy(axes, comparison):
  ann = comparison.ann
  plot_across(axes, ann, 'ANN by backpropagation')
  for index, (name, (label, color, marker)) in enumerate(_READS.items()):
    drawn = axes.errorbar(
      [setting.num_steps for setting in comparison.spiking],
      [100 * setting.mean(name) for setting in comparison.spiking],
      [100 * setting.deviation(name) for setting in comparison.spiking],
      color=color,
      marker=marker,
      markersize=5,
      capsize=3,
      label=f'SSNN, {label}',
    )
    sheets.move_beside(drawn, index, len(_READS))
  axes.set_ylabel(judged_on([ann]))
  axes.set_title('accuracy', fontsize=sheets.TITLE)
  axes.legend(fontsize=sheets.SMALL)


def _plot_error(axes, settings, name, title, causes):
  # The events of a recording are what they are: more ticks add none.
  is_sampled = settings[0].config['dataset'] not in datasets.RECORDINGS
  steps = np.array([setting.num_steps for setting in settings])
  means = np.array([setting.mean(name) for setting in settings])
  deviations = [setting.deviation(name) for setting in settings]
  label = 'SSNN'
  if len(steps) > 1:
    slope = np.polyfit(np.log(steps), np.log(means), 1)[0]
    label = f'SSNN, fitted slope {slope:.2f}'
  axes.errorbar(
    steps, means, deviations, color=BLUE, marker='o', capsize=3, label=label
  )
  # Anchored at the longest train, where the leading orders hold best.
  predicted = orders.ORDERS[settings[0].config['sampler']]
  for cause in causes if is_sampled and len(steps) > 1 else ():
    slope = getattr(predicted, cause)
    axes.plot(
      steps,
      means[-1] * (steps / steps[-1]) ** slope,
      color=BLACK,
      linestyle=_CAUSES[cause],
      linewidth=1,
      zorder=3,
      label=f'theory ({cause}): slope {slope:g}',
    )
  set_errors(axes)
  axes.set_title(title, fontsize=sheets.TITLE)
  axes.legend(fontsize=sheets.SMALL)


def draw_cost(lines: list[dict]) -> figure.Figure:
  """Draws the time of a step against T, in steps of backpropagation.

  Args:
    lines: those of a benchmark, of one network and batch size.

  Returns:
    The figure; a notebook shows it.
  """
  all_spiking = [line for line in lines if line['method'] == 'ssnn']
  rivals = [line for line in lines if line['method'] not in ('ssnn', 'bp')]
  told = {line['name'] for line in all_spiking}
  names = [name for name in ('learn', 'infer') if name in told] or ['epoch']
  sheet, panels = sheets.make(len(names), height=3.2)
  for axes, name in zip(panels, names):
    spiking = [line for line in all_spiking if line['name'] == name]
    for kind in _REPRESENTATIONS:
      own = [line for line in spiking if line['representation'] == kind]
      _plot_spiking(axes, own, kind, f'ssnn, {kind}' if rivals else kind)
    _plot_rivals(axes, [line for line in rivals if line['name'] == name])
    axes.axhline(1, color=BLACK, linewidth=1, label='backpropagation (BP)')
    set_steps(axes, sorted({line['num_steps'] for line in spiking}))
    axes.set_yscale('log')
    sheets.set_log(axes.yaxis)
    axes.set_ylabel('time, in that of BP')
    axes.set_title(name, fontsize=sheets.TITLE)
  sheets.explain_below(sheet, panels)
  first = all_spiking[0]
  sheets.set_title(
    sheet,
    f'{"-".join(map(str, first["layer_sizes"]))}, batch {first["batch_size"]}, '
    f'{first["sampler"]} trains: what a step costs against spike-train length',
  )
  return sheet


def _plot_spiking(axes, lines, kind, label):
  """Plots what steps of our method cost, with devices in their own colours."""
  color, marker, size = _REPRESENTATIONS[kind]
  looks = zip((color, *_OTHERS), (marker, *_MARKERS))
  kinds = {line.get('synapses', synapses.IDEAL) for line in lines}
  for kept, look in zip(sorted(kinds, key=_rank), itertools.cycle(looks)):
    own = [x for x in lines if x.get('synapses', synapses.IDEAL) == kept]
    own.sort(key=lambda line: line['num_steps'])
    axes.plot(
      [line['num_steps'] for line in own],
      [line['ratio_to_bp'] for line in own],
      color=look[0],
      marker=look[1],
      markersize=size,
      fillstyle='none',
      label=label if kept == synapses.IDEAL else f'{label}, {kept}',
    )


def _rank(kept):
  """Puts ideal synapses first."""
  return kept != synapses.IDEAL, kept


def _plot_rivals(axes, lines):
  """Plots what steps of other methods than ours cost."""
  for method, color in zip(dict.fromkeys(x['method'] for x in lines), _OTHERS):
    own = [line for line in lines if line['method'] == method]
    own.sort(key=lambda line: line['num_steps'])
    axes.plot(
      [line['num_steps'] for line in own],
      [line['ratio_to_bp'] for line in own],
      color=color,
      marker='x',
      label=method,
    )


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
