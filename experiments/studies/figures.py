"""Figures of comparisons: curves, or lines of points, with the margin."""

import math
import re

from matplotlib import figure
from matplotlib import ticker
import pandas as pd

from experiments.studies import frames
from experiments.studies import studies
from experiments.studies import tables
from ssnn_jax import figures as spikes

_USUAL = '0.0', 'softmax', 'custom'  # values that need no word
_COLORS = (*spikes.raster.COLORS, '#E69F00', '#009E73', '#56B4E9', '#000000')
_COLORS += ('#999999',)
_MARKERS = 'osD^vPX*<'
# Of differences, in points.
_TICKS = 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50
_MOST_CURVES = 6  # of a panel


def draw(compared: pd.DataFrame, study: studies.Study) -> figure.Figure:
  """Draws the first metric of comparisons, with intervals and the margin.

  The rows of the table are curves over its columns if these are numbers and
  there are few rows, or else lines of points. Data sets, or the values of the
  first field of the curves of one data set, have their own panels, and so have
  the columns if each row has a number in one of them.
  """
  shown = compared[compared['metric'] == study.metrics[0]]
  names, across = tables.distinguishing(shown, study), study.across
  panels = ['metric' if across == 'dataset' else 'dataset']
  rows = shown.groupby(['dataset', *names], sort=False).ngroup()
  has_one_set = shown['dataset'].nunique() == 1 and len(names) > 1
  of_curves = names[:1] if has_one_set else panels
  num_curves = rows.groupby([shown[x] for x in of_curves]).nunique().max()
  is_curves = tables.is_number(shown[across].iloc[0]) and not rows.is_unique
  is_curves &= num_curves <= _MOST_CURVES
  panels = of_curves if is_curves else panels + [across] * rows.is_unique
  titled = ['dataset', *(panels if is_curves else names)]
  titled += [across] * (across != 'metric')
  parts = []
  for _, part in shown.groupby(panels, sort=False):
    shared = [x for x in dict.fromkeys(titled) if part[x].nunique() == 1]
    own = [x for x in names if x not in shared]
    labels = [_label(row, own) for row in part.to_dict('records')]
    title = _label(part.iloc[0], shared)
    parts.append((title, part.assign(label=labels)))
  num_columns = min(2, len(parts)) if is_curves else 1
  num_lines = math.ceil(len(parts) / num_columns)
  width = 3.7 * num_columns + 0.8 if is_curves else 7.2
  looks = {}  # numbers of colors and markers, by the names of series
  if not is_curves and across not in panels:
    values = sorted(shown[across].unique(), key=frames.order)
    looks = {tables.describe(across, x): i for i, x in enumerate(values)}
  line = 0.15 + 0.05 * max(1, len(looks))
  heights = [
    2.6 if is_curves else 0.9 + line * part['label'].nunique()
    for _, part in parts[:num_lines]
  ]
  fig = figure.Figure((width, sum(heights) + 0.4), layout='constrained')
  grid = fig.subplots(
    num_lines, num_columns, squeeze=False, height_ratios=heights
  )
  for axes in grid.flat[len(parts) :]:
    axes.remove()
  for axes, (title, part) in zip(grid.flat, parts):
    axes.set_title(title, fontsize=10, wrap=True)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    _draw_panel(axes, part, study, is_curves, looks)
  _add_legend(fig, looks)
  return fig


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


def _draw_panel(axes, rows, study, is_curves, looks):
  """Draws curves, or lines of points, shifted so that none hides another.

  Curves are the rows of the table, over its columns; points lie the other way
  round, on a line for each row.
  """
  fields = ['label', study.across] if is_curves else [study.across, 'label']
  axis, other = ('y', 'x') if is_curves else ('x', 'y')
  series, places = (
    list(rows[x].unique())
    if x == 'label'
    else sorted(rows[x].unique(), key=frames.order)
    for x in fields
  )
  for index, name in enumerate(series):
    own = rows[rows[fields[0]] == name]
    width = 0.3 if is_curves else 0.6
    shift = width * ((index + 0.5) / len(series) - 0.5)
    at = (own[fields[1]].map(places.index) + shift).sort_values()
    own = own.loc[at.index]
    if not is_curves:
      name = tables.describe(study.across, name) if len(looks) > 1 else ''
    number = looks.setdefault(name, len(looks))
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
  values, label = rows['value'], frames.METRICS[study.metrics[0]]
  if rows['baseline'].notna().any():
    base = tables.baseline_name(study)
    label = f'accuracy minus {base} (points)'
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


def _add_legend(fig, looks):
  """Adds one legend of all panels below them, in the order of the looks."""
  entries = {}
  for axes in fig.axes:
    entries |= dict(zip(*axes.get_legend_handles_labels()[::-1]))
  entries.pop('', None)
  entries = dict(sorted(entries.items(), key=lambda x: looks.get(x[0], -1)))
  if entries:
    width, height = fig.get_size_inches()
    columns = max(1, min(4, int(14 * width / (max(map(len, entries)) + 6))))
    fig.set_figheight(height + 0.2 * math.ceil(len(entries) / columns))
    place = {'loc': 'outside lower center', 'ncols': columns, 'fontsize': 8}
    fig.legend(list(entries.values()), list(entries), **place)
