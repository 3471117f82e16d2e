"""Draws figures of recordings and of networks that are shown them."""

from typing import Any

from matplotlib import figure
import numpy as np

from experiments import figures
from experiments import sheets
from experiments import summary

_COLORS = (figures.BLACK, figures.ORANGE, figures.BLUE, figures.GREEN)
_LINES = ('-', '--', '-.', ':')
_POLARITIES = ('brightens (p = 0)', 'darkens (p = 1)')


def draw_event_statistics(lines: list[dict[str, Any]]) -> figure.Figure:
  """Draws sets of recordings side by side.

  Args:
    lines: those of `experiments.measurements.event_statistics`.

  Returns:
    The figure: events per recording, events over time, and for each set and
    polarity a map of the events on one scale of colours.
  """
  sheet = figure.Figure(figsize=(6.2, 9), layout='constrained')
  top, bottom = sheet.subfigures(nrows=2, height_ratios=(5, 4))
  counts, profiles = top.subplots(nrows=2)
  for index, numbers in enumerate(lines):
    look = {
      'label': f'{numbers["dataset"]}: {numbers["mean_count"]:,.0f} events',
      'color': _COLORS[index % len(_COLORS)],
      'linestyle': _LINES[index % len(_LINES)],
      'linewidth': 2,
    }
    histogram = np.array(numbers['count_histogram'])
    edges = np.arange(len(histogram) + 1) * numbers['count_step']
    counts.stairs(100 * histogram / histogram.sum(), edges, **look)
    profile = numbers['time_profile']
    edges = np.arange(len(profile) + 1) * numbers['time_step']
    profiles.stairs(profile, edges, **look)
  counts.xaxis.set_major_formatter('{x:,.0f}')
  counts.set_xlabel('events in a recording')
  counts.set_ylabel('recordings (%)')
  counts.legend(title='mean')
  profiles.set_xlabel('time (ms)')
  profiles.set_ylabel('events per recording and ms')
  for axes in (counts, profiles):
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
  _draw_maps(bottom, lines)
  return sheet


def _draw_maps(sheet, lines):
  """Draws a map for each polarity, in rows, and each set, in columns."""
  maps = {line['dataset']: np.array(line['event_map']) for line in lines}
  highest = max(event_map.max() for event_map in maps.values())
  panels = sheet.subplots(2, len(maps), sharex=True, sharey=True, squeeze=False)
  for column, (name, event_map) in enumerate(maps.items()):
    panels[0, column].set_title(name.replace('/', '/\n'), fontsize=sheets.TITLE)
    panels[1, column].set_xlabel('x (pixels)')
    for row in (0, 1):
      image = panels[row, column].imshow(
        event_map[row], cmap='cividis', vmin=0, vmax=highest
      )
  for axes, polarity in zip(panels[:, 0], _POLARITIES):
    axes.set_ylabel(f'{polarity}\ny (pixels)')
  bar = sheet.colorbar(image, ax=panels, shrink=0.8)
  bar.set_label('events per recording and pixel')


def draw_event_time(pairs: list[summary.Shuffled]) -> figure.Figure:
  """Draws accuracy with ticks in order and shuffled, against the window.

  Args:
    pairs: settings that differ in the order of ticks alone.

  Returns:
    The figure: read by winner counts, and by the final potential.
  """
  sheet, panels = sheets.make(2, sharey=True)
  places = np.arange(len(pairs))
  everything = [setting for pair in pairs for setting in pair]
  windows = [str(pair.ordered.config['window']) for pair in pairs]
  reads = zip(panels, summary.ACCURACIES[:2], ('winner counts', 'potential'))
  for axes, quantity, title in reads:
    _plot_orders(axes, places, pairs, quantity)
    axes.set_xticks(places, windows)
    axes.set_xlabel('window n (ticks)')
    axes.set_title(f'read by {title}', fontsize=sheets.TITLE)
    axes.set_ylabel(figures.judged_on(everything))
    axes.grid(alpha=0.3)
  sheets.explain_below(sheet, panels)
  config = everything[0].config
  sheets.set_title(
    sheet,
    f'{sheets.name(config["dataset"])}: what the order of ticks is worth; '
    f'leaky membranes, tau = {config["tau"]:g} of T = {config["num_steps"]} '
    'ticks',
    summary.describe_bars(everything),
  )
  return sheet


def _plot_orders(axes, places, pairs, quantity):
  """Plots ticks in order and shuffled, side by side."""
  for shift, name, color, marker in (
    (-0.05, 'ordered', figures.BLUE, 'o'),
    (0.05, 'shuffled', figures.ORANGE, 's'),
  ):
    settings = [getattr(pair, name) for pair in pairs]
    axes.errorbar(
      places + shift,
      [100 * setting.mean(quantity) for setting in settings],
      [100 * setting.deviation(quantity) for setting in settings],
      color=color,
      marker=marker,
      capsize=3,
      label=f'ticks {name}',
    )
