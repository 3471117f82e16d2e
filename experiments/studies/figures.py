"""Figures of comparisons: curves, or lines of points, with the margin."""

import itertools
import re

from matplotlib import figure
from matplotlib import lines
from matplotlib import ticker
import pandas as pd

from experiments.runs import config
from experiments.studies import frames
from experiments.studies import studies
from experiments.studies import tables
from ssnn_jax import figures as spikes

_USUAL = '0.0', 'softmax', 'custom'  # values that need no word
_COLORS = (*spikes.raster.COLORS, '#E69F00', '#009E73', '#56B4E9', '#000000')
_COLORS += ('#999999',)
_MARKERS = 'osD^vPX*<hp>'
# Of differences, in points.
_TICKS = 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50
_MOST_CURVES = 6  # of a panel


def draw(compared: pd.DataFrame, study: studies.Study) -> figure.Figure:
  """Draws the first metric of comparisons, with intervals and the margin.

  The rows of the table are curves over its columns if these are numbers and
  there are few rows, or else lines of points. Each data set has a panel, or
  each value of the first field of the curves of one data set. A study may draw
  it against other metrics.
  """
  metrics = compared['metric']
  first = next(x for x in study.metrics if (metrics == x).any())
  shown = compared[metrics == first]
  if study.against:
    return _draw_against(shown, compared, study)
  names, panel = tables.distinguishing(shown, study), 'dataset'
  rows = shown.groupby(['dataset', *names], sort=False).ngroup()
  by_field = names[0] if len(names) > 1 else panel
  by_field = by_field if shown['dataset'].nunique() == 1 else panel
  is_curves = (
    tables.is_number(shown[study.across].iloc[0])
    and not rows.is_unique
    and rows.groupby(shown[by_field]).nunique().max() <= _MOST_CURVES
  )
  panel = by_field if is_curves else panel
  own = [x for x in names if x != panel]
  labels = [_label(row, own) for row in shown.to_dict('records')]
  parts = list(shown.assign(label=labels).groupby(panel, sort=False))
  num_columns = min(2, len(parts)) if is_curves else 1
  num_lines = -(-len(parts) // num_columns)
  across = sorted(shown[study.across].unique(), key=frames.order)
  line = 0.15 + 0.05 * len(across)
  heights = [
    2.6 if is_curves else 0.9 + line * part['label'].nunique()
    for _, part in parts[:num_lines]
  ]
  width = 3.7 * num_columns + 0.8 if is_curves else 7.2
  series = list(dict.fromkeys(labels)) if is_curves else across
  height = sum(heights) + 0.6 + 0.1 * len(series)
  fig = figure.Figure((width, height), layout='constrained')
  grid = fig.subplots(
    num_lines, num_columns, squeeze=False, height_ratios=heights
  )
  for axes in grid.flat[len(parts) :]:
    axes.remove()
  legend = {}
  for axes, (value, part) in zip(grid.flat, parts):
    title = {part['dataset'].iloc[0]: 'dataset', value: panel}
    title = ', '.join(_describe(name, own) for own, name in title.items())
    axes.set_title(title, fontsize=10, wrap=True)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    _draw_panel(axes, part, study, is_curves, series)
    handles, named = axes.get_legend_handles_labels()
    legend |= dict(zip(named, handles))
  place = {'loc': 'outside lower center', 'ncols': 3, 'fontsize': 8}
  fig.legend(list(legend.values()), list(legend), **place)
  return fig


def _draw_against(shown, compared, study):
  """Draws a point for each setting: colors are spikes, markers networks."""
  names = tables.distinguishing(compared, study)
  keys = ['dataset', *names, study.across]
  networks = [x for x in names if config.concerns(config.ANN, x)]
  spikes_of = [study.across, *(x for x in names if x not in networks)]
  shown = shown.sort_values(spikes_of, kind='stable', key=_places)
  rows = shown.to_dict('records')
  shown['marker'] = [_label(row, networks) for row in rows]
  shown['color'] = [_label(row, spikes_of) for row in rows]
  colors = dict(zip(shown['color'].unique(), itertools.cycle(_COLORS)))
  markers = sorted(shown['marker'].unique())
  markers = dict(zip(markers, itertools.cycle(_MARKERS)))
  fig = figure.Figure((7.2, 5), layout='constrained')
  panels = fig.subplots(1, len(study.against), sharey=True, squeeze=False)
  for axes, metric in zip(panels.flat, study.against):
    others = compared.loc[compared['metric'] == metric, [*keys, 'value']]
    points = shown.merge(others, on=keys, suffixes=('', '_against'))
    for row in points.to_dict('records'):
      axes.errorbar(
        row['value_against'],
        row['value'],
        row['half_width'],
        color=colors[row['color']],
        marker=markers[row['marker']],
        markersize=5,
        linewidth=0.5,
      )
    label = _scale(axes, shown, study, 'y')
    axes.set(xscale='log', xlabel=frames.METRICS[metric])
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter('{x:g}'))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
  panels[0, 0].set_ylabel(label)
  legend = {x: ('s', color) for x, color in colors.items()}
  legend |= {x: (marker, 'gray') for x, marker in markers.items()}
  handles = [
    lines.Line2D([], [], marker=marker, color=color, linestyle='none')
    for marker, color in legend.values()
  ]
  place = {'loc': 'outside lower center', 'ncols': 3, 'fontsize': 8}
  fig.legend(handles, list(legend), **place)
  return fig


def _places(values):
  """Returns the places of values in order, numbers by size."""
  return values.map(sorted(values.unique(), key=frames.order).index)


def _label(row, names):
  """Names a row by the values of fields, and their names if numbers."""
  words = [_describe(name, row[name]) for name in names]
  return ', '.join(filter(None, words)) or _describe('method', row['method'])


def _describe(name, value):
  """Describes the value of a field in a figure; '' if it is the usual one."""
  word = '' if value in _USUAL else tables.word(name, value)
  if name == 'layers':
    return re.sub(r'^([\d×,]+),\d+$', r'\1 hidden neurons', word)
  if '=' not in word:
    return tables.describe(name, value) if word else ''
  named = re.findall(r'(\w+)=([^,]+)', word)
  return ', '.join(f'{tables.WORDS.get(x, x)} {y}' for x, y in named)


def _draw_panel(axes, rows, study, is_curves, series):
  """Draws curves, or lines of points, shifted so that none hides another.

  Curves are the rows of the table, over its columns; points lie the other way
  round, on a line for each row.
  """
  fields = ['label', study.across] if is_curves else [study.across, 'label']
  axis, other = ('y', 'x') if is_curves else ('x', 'y')
  places = list(rows[fields[1]].unique())
  if is_curves:
    places.sort(key=frames.order)
  present = [x for x in series if x in {*rows[fields[0]]}]
  for index, name in enumerate(present):
    own = rows[rows[fields[0]] == name]
    shift = (0.3 if is_curves else 0.6) * ((index + 0.5) / len(present) - 0.5)
    at = (own[fields[1]].map(places.index) + shift).sort_values()
    own, number = own.loc[at.index], series.index(name)
    if not is_curves:
      name = tables.describe(study.across, name)
    axes.errorbar(
      **{
        other: at,
        axis: own['value'],
        f'{axis}err': own['half_width'].fillna(0),
      },
      label=name,
      color=_COLORS[number % len(_COLORS)],
      marker=_MARKERS[number % len(_MARKERS)],
      markersize=4,
      linestyle='-' if is_curves else 'none',
      linewidth=1.2,
      capsize=2,
    )
  ends = (-0.5, len(places) - 0.5)[:: 1 if is_curves else -1]
  label = _scale(axes, rows, study, axis)
  axes.set(**{f'{axis}label': label, f'{other}lim': ends})
  if is_curves:
    axes.set_xlabel(tables.heading(study.across))
    places = [tables.word(study.across, place) for place in places]
  getattr(axes, f'set_{other}ticks')(range(len(places)), places)
  axes.minorticks_off()


def _scale(axes, rows, study, axis):
  """Scales the axis of values and draws the margin; returns the label.

  Differences beyond the margin have a logarithmic scale.
  """
  of_axis = getattr(axes, f'{axis}axis')
  set_scale = getattr(axes, f'set_{axis}scale')
  letter = 'h' if axis == 'y' else 'v'
  draw_line, draw_band = (
    getattr(axes, f'ax{letter}{x}') for x in ('line', 'span')
  )
  values, label = rows['value'], frames.METRICS[rows['metric'].iloc[0]]
  if rows['baseline'].notna().any():
    base = tables.baseline_name(study)
    name, unit = (label.split(', ') + ['points'])[:2]
    label = f'{name} minus {base} ({unit})'
    margin = rows['margin'].iloc[0]
    draw_line(0, color='black', linewidth=1, label=base)
    draw_band(-margin, margin, color='#EBEBEB', zorder=0, label='margin')
    ticks = {margin, *(x for x in _TICKS if x > margin / 4)}
    set_scale('symlog', linthresh=margin)
    of_axis.set_major_locator(
      ticker.FixedLocator([*(-x for x in ticks), 0, *ticks])
    )
  elif 0 < 10 * values.min() < values.max():
    set_scale('log')
    of_axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  of_axis.set_major_formatter(ticker.StrMethodFormatter('{x:g}'))
  return label
