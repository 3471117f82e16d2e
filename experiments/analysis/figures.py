"""Figures: style, panels, abscissa, comparisons, and the figure of a sweep.

The title of a figure names the data set, the number of ticks T, the trains and
the number of seeds, where all networks share them; the title of a panel says
what its points and bars are. Figures stay legible when scaled to half the width
of a page: letters are at least 9 points high, so figures are narrow and panels
are stacked.
"""

from collections.abc import Iterable
from collections.abc import Sequence
import functools
import math
import os
import pathlib
import textwrap
from typing import Any
from typing import NamedTuple

from matplotlib import artist
from matplotlib import axis as axis_lib
from matplotlib import figure
from matplotlib import ticker
from matplotlib import transforms
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
import numpy as np
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.analysis import study as study_lib
from experiments.config import grids
from experiments.config import methods
from experiments.config import titles
import ssnn_jax
from ssnn_jax.runs import files
from ssnn_jax.training import raster_plot

# Style

# Points; small letters are for one column of panels.
SMALL, LETTERS, TITLE = 9, 10, 11
# The palette of Okabe and Ito for colour-blind readers, without yellow, which
# is faint on white. Black is the ANN.
BLUE, VERMILION, PURPLE = raster_plot.COLORS  # of rasters
ORANGE, GREEN, SKY, BLACK = '#E69F00', '#009E73', '#56B4E9', '#000000'
COLORS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
MARKERS = ('o', 's', '^', 'D', 'v', 'P')
LINES = ('-', '--', ':')
_DPI = 120
_WIDTHS = {1: 5.2, 2: 6.2}  # inches, by columns of panels
_HEIGHTS = {1: 3.0, 2: 2.7, 3: 2.5}  # inches, of a panel, by rows of panels
_LEAST_HEIGHT = 2.2
_OF_TITLE, _OF_LABELS = 0.5, 0.65  # inches, of a figure and of a panel
# Letters per inch of titles and legends, a conservative estimate.
_TITLE_LETTERS, _LEGEND_LETTERS = 11.5, 14
_OF_HANDLE = 8  # letters next to each legend label
_MOST_COLUMNS = 4  # of a legend
# Tick positions in a decade, by the maximum number of decades.
_SUBS = {1: (1, 1.5, 2, 3, 4, 5, 6, 8), 2: (1, 2, 5), 4: (1, 3), math.inf: (1,)}
_APART, _MOST_APART = 4, 20  # points between curves, and over all curves
_POINTS_PER_INCH = 72
_HANDLE = 2.5  # length of a legend handle, in font sizes
_FEW_SAMPLES = 1000  # titles give smaller numbers of test samples


def make(
  num_panels: int,
  num_columns: int = 1,
  height: float | None = None,
  **shared: Any,
) -> tuple[figure.Figure, list[Axes]]:
  """Makes a figure of empty panels, 1 or 2 in a row.

  Args:
    num_panels: the number of panels.
    num_columns: the number of panels in a row.
    height: height of a panel with its labels, in inches.
    **shared: `sharex` and `sharey`, as for `figure.Figure.subplots`.

  Returns:
    The figure, and its panels row by row.
  """
  num_rows = -(-num_panels // num_columns)
  height = height or _HEIGHTS.get(num_rows, _LEAST_HEIGHT)
  size = _WIDTHS[num_columns], _OF_TITLE + height * num_rows
  fig = figure.Figure(figsize=size, layout='constrained')
  grid = fig.subplots(num_rows, num_columns, squeeze=False, **shared)
  for axes in grid.flat:
    axes.grid(alpha=0.3)
  for axes in grid.flat[num_panels:]:
    axes.remove()
  return fig, list(grid.flat[:num_panels])


def set_title(fig: figure.Figure, *lines: str) -> None:
  """Sets the title, in lines of the width of the figure, which grows higher."""
  width, height = fig.get_size_inches()
  letters = round(_TITLE_LETTERS * width)
  text = '\n'.join(_wrap(line, letters) for line in lines if line)
  fig.set_figheight(height + text.count('\n') * 1.3 * TITLE / _POINTS_PER_INCH)
  fig.suptitle(text, fontsize=TITLE)


def set_panel_title(axes: Axes, title: str) -> None:
  """Sets the title of a panel, in lines of its width."""
  fig, grid = axes.get_figure(), axes.get_subplotspec().get_gridspec()
  width = fig.get_size_inches()[0] / grid.ncols - _OF_LABELS
  letters = round(_LEGEND_LETTERS * width * SMALL / _small(fig))
  axes.set_title(_wrap(title, letters), fontsize=_small(fig))


def _small(fig):
  return SMALL if fig.get_size_inches()[0] <= _WIDTHS[1] else LETTERS


def _wrap(text, letters):
  """Wraps a text into lines of similar length, without mathematics."""
  text = text.replace('$', r'\$')
  wrap = functools.partial(textwrap.wrap, text, break_on_hyphens=False)
  number = len(wrap(letters))
  tried = map(wrap, range(1, letters + 1))
  return '\n'.join(next(lines for lines in tried if len(lines) == number))


def legend_below(fig: figure.Figure, grid: Sequence[Axes]) -> None:
  """Adds one legend of all panels below them, and makes the figure higher."""
  entries = {}
  for axes in grid:
    handles, labels = axes.get_legend_handles_labels()
    for handle, label in zip(handles, labels):
      entries.setdefault(label, handle)
  if not entries:
    return
  width, height = fig.get_size_inches()
  size = _small(fig)
  letters = round(_LEGEND_LETTERS * width * SMALL / size) - _OF_HANDLE
  labels = [_wrap(label, letters) for label in entries]
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


def set_log(axis: axis_lib.Axis) -> None:
  """Makes an axis with positive data logarithmic, with plain numbers as ticks.

  The axis must have its final data.
  """
  if not math.isfinite(axis.get_minpos()):
    return
  getattr(axis.axes, f'set_{axis.axis_name}scale')('log')
  low, high = getattr(axis.axes, f'get_{axis.axis_name}lim')()
  decades = math.log10(high / low)
  subs = next(subs for most, subs in _SUBS.items() if decades <= most)
  axis.set_major_locator(ticker.LogLocator(subs=subs))
  axis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f'{x:,.10g}'))
  axis.set_minor_formatter(ticker.NullFormatter())


def shift_curve(curve: artist.Artist, index: int, number: int) -> None:
  """Shifts one of several curves sideways, so that bars do not hide each other.

  The data of the curve and the limits of the axes do not change.
  """
  apart = min(_APART, _MOST_APART / number)
  shift = apart * (index - (number - 1) / 2) / _POINTS_PER_INCH
  for part in curve.get_children() or [curve]:
    scale = part.get_figure().dpi_scale_trans
    moved = transforms.ScaledTranslation(shift, 0, scale)
    part.set_transform(part.axes.transData + moved)


def save(fig: figure.Figure, stem: str | os.PathLike) -> pathlib.Path:
  """Saves a figure as a PNG file, and returns the file.

  Args:
    fig: the figure.
    stem: path of the file without suffix.

  Raises:
    RecordError: if the file cannot be written.
  """
  path = pathlib.Path(f'{stem}.png')
  with files.convert_os_errors(path):
    fig.savefig(path, dpi=_DPI)
  return path


# Words

TRAINS = {
  'bernoulli': 'Bernoulli trains',
  'sobol': 'Sobol trains',
  'lfsr': 'LFSR trains',
  'lfsr_shared': 'shared LFSR trains',
}
TIMINGS = {'realtime': 'real time', 'buffered': 'fast simulation'}
ERROR_LABEL = "distance from\nBP's gradient (relative)"
_NAMES = TRAINS | {
  methods.ANN: 'ANN',
  'ssnn': 'SSNN',
  'bp_stdp': 'BP-STDP',
  'rpu': 'RPU',
  'gokmen_vlasov': 'Gokmen-Vlasov',
  'reram': 'ReRAM',
  'ecram': 'ECRAM',
  'ecram_mo': 'metal-oxide ECRAM',
  'loihi': 'Loihi',
}
# Words of values, by field; `{}` is the value.
_VALUES = {
  'method': _NAMES,
  'sampler': TRAINS,
  'generator': {'lfsr': 'LFSR', 'sobol': 'Sobol', 'xorshift': 'xorshift'},
  'membrane': {'mean': 'exact mean', 'shift': 'mean by shifts'},
  'timing': {'realtime': 'real time'},
  'integration': {'mean': 'running mean', 'leaky': 'leaky membrane'},
  'update_rule': {'sgd': 'SGD', 'tiki_taka': 'Tiki-Taka'},
  'shuffle_ticks': {'True': 'shuffled ticks', 'False': 'ordered ticks'},
  'zero_shifting': {'True': 'zero shifting', 'False': 'no zero shifting'},
  'num_steps': 'T = {}',
  'window': 'n = {}',
  'num_epochs': '{} epochs',
  'sharing': {
    'layer': 'a word per layer',
    'mask': 'a masked word per layer',
    'neuron': 'a word per neuron',
  },
  'enable': {
    'row': 'enable bits of rows',
    'synapse': 'enable bits of synapses',
    'all': 'one enable bit',
  },
  'update_every': 'updates after each {}',
  'layer_sizes': '{}',
  'layers': '{}',
}


def word(value: str) -> str:
  """Returns the words for a value of a configuration."""
  return _NAMES.get(value, value.replace('_', ' '))


def accuracy_label(runs: pd.DataFrame, metric: str = 'test_accuracy') -> str:
  """Labels an axis of accuracies by their split and readout."""
  return f'{_name_split(runs)} accuracy (%),\n{_readout(metric)}'


def difference_label(metric: str = 'test_accuracy') -> str:
  """Labels an axis of differences of accuracies to the ANN, by readout."""
  return f'accuracy minus ANN\n(percentage points),\n{_readout(metric)}'


def _name_split(runs):
  splits = {'held-out' if share else 'test' for share in runs['hold_out']}
  return ' or '.join(sorted(splits))


def _readout(metric):
  return titles.READOUTS[metric].partition(' (')[0]


def describe_seeds(runs: pd.DataFrame) -> str:
  """Describes the number of seeds of settings: 'one seed', '3 to 5 seeds'."""
  sizes = {len(setting) for setting in frames.settings(runs)}
  if sizes == {1}:
    return 'one seed'
  return f'{" to ".join(map(str, sorted({min(sizes), max(sizes)})))} seeds'


def describe(runs: pd.DataFrame) -> str:
  """Describes data set, T, trains, seeds and test samples of a figure.

  T and trains are left out if they vary, and the number of test samples if it
  is so large that accuracies are certain.
  """
  _, spiking = frames.split_baseline(runs)
  parts = [word(titles.title(frames.field(runs, 'dataset')))]
  if other := frames.field(runs, 'test_dataset'):
    parts[0] += f' (tested on {titles.title(other)})'
  for name in ('num_steps', 'sampler'):
    if spiking[name].nunique() == 1:
      parts.append(describe_field(spiking, name))
  sizes = set(runs.get('num_eval_samples', ()))
  size = next(iter(sizes)) if len(sizes) == 1 else math.inf
  if runs['folds'].notna().all():
    parts.append(f'{frames.field(runs, "folds")} folds of {size:.0f} samples')
  else:
    parts.append(describe_seeds(runs))
    if size < _FEW_SAMPLES:
      split = _name_split(runs)
      parts.append(f'{size:.0f} {split} samples')
  return ', '.join(filter(None, parts))


def describe_field(setting: pd.DataFrame, name: str) -> str:
  """Writes a field with its value in words, or nothing if it has no effect."""
  text = frames.describe_value(setting, name)
  if text in ('', 'none'):
    return ''
  known = _VALUES.get(name, name.replace('_', ' ') + ': {}')
  if isinstance(known, dict):
    return known.get(text) or word(text)
  return known.format(text)


def name_curves(runs: pd.DataFrame, *others: str) -> pd.DataFrame:
  """Adds a column `curve`: all varied fields except the others, in words."""
  fields = [name for name in frames.varied(runs) if name not in others]
  labels = []
  for index in runs.index:
    run = runs.loc[[index]]
    words = [describe_field(run, name) for name in fields]
    method = '' if 'method' in others else describe_field(run, 'method')
    labels.append(', '.join(filter(None, words)) or method)
  return runs.assign(curve=labels)


# Panels


def plot_numbers(
  axes: Axes,
  places: Sequence[float],
  numbers: Sequence[statistics.Number],
  **look: Any,
) -> ErrorbarContainer:
  """Plots numbers: intervals of differences, standard deviations of others."""
  bars = [
    statistics.half_width(x) if x.is_difference else x.deviation
    for x in numbers
  ]
  options = {'capsize': 3, 'markersize': 5} | look
  return axes.errorbar(places, [x.mean for x in numbers], bars, **options)


_INTERVAL = 'mean and 95 % confidence interval of paired differences'


def explain(number: statistics.Number) -> str:
  """Explains the points and bars of `plot_numbers`."""
  if number.num == 0:
    return 'ratio of means over seeds'
  if number.is_difference:
    return _INTERVAL
  return 'mean ± standard deviation over seeds'


def set_steps(axes: Axes, steps: Iterable[int]) -> None:
  """Makes T the abscissa, with a tick at each value."""
  steps = sorted(set(steps))
  axes.set_xscale('log', base=2)
  axes.set_xticks(steps, [str(step) for step in steps])
  axes.set_xlabel(_UNITS['num_steps'])


# Abscissa

_UNITS = {
  'num_steps': 'spike-train length T (ticks)',
  'window': 'window n (ticks)',
  'settle': 'ticks before votes',
  'tau': 'time constant of a membrane (ticks)',
  'gain': 'gain (error spikes per tick, for one unit of error)',
  'input_gain': 'input gain (factor)',
  'batch_size': 'batch size (samples)',
  'num_epochs': 'epochs',
  'learning_rate': 'initial learning rate',
  'dropout': 'dropout (probability)',
  'weight_decay': 'weight decay (per step, times learning rate)',
  'event_window': 'time cut into ticks (ms)',
  'max_shift': 'largest shift (bits)',
  'hold_out': 'share of the training split held out',
  'layer_sizes': 'hidden layers (number × neurons)',
  'up_down': 'asymmetry: up minus down step (of a step)',
}
_MOST_LETTERS = 60  # of all horizontal tick labels
_LABEL_LETTERS = 48


class GridAxis(NamedTuple):
  """The field along the abscissa.

  Attributes:
    field: its name.
    values: its values, in order.
    is_numeric: whether the values are numbers; otherwise categories.
    followers: other fields that are functions of this field.
  """

  field: str
  values: list[Any]
  is_numeric: bool = True
  followers: Sequence[str] = ()


def place(axis: GridAxis, setting: pd.DataFrame) -> float:
  """Returns the place of a setting along an axis."""
  value = frames.field(setting, axis.field)
  if axis.is_numeric:
    return _number(axis.field, value)
  return axis.values.index(value)


def choose_axis(settings: Sequence[pd.DataFrame]) -> GridAxis:
  """Chooses the field of the abscissa, a numeric field if there is any.

  Priority has the depth of networks, or a field that determines other fields,
  such as a batch size with a proportional learning rate; then the field with
  most values.

  Args:
    settings: the runs of each setting of a sweep.

  Returns:
    The axis; of methods if no other field varies.
  """
  fields = frames.varied(pd.concat(settings))
  texts = {
    field: [frames.describe_value(setting, field) for setting in settings]
    for field in fields
  }
  found, numeric = {}, {}
  for field in [name for name in fields if name != 'method']:
    used = [own for own, text in zip(settings, texts[field]) if text]
    values = list(dict.fromkeys(frames.field(own, field) for own in used))
    numbers = [_number(field, value) for value in values]
    if len(values) > 1:
      found[field] = values
      if None not in numbers and len(set(numbers)) == len(numbers):
        numeric[field] = [values[i] for i in np.argsort(numbers)]
  methods_ = list(dict.fromkeys(frames.field(x, 'method') for x in settings))
  choice = numeric or found or {'method': methods_}

  def list_followers(field):
    """Lists the other fields whose values are functions of a field."""
    followers = []
    for other in found:
      pairs = {pair for pair in zip(texts[field], texts[other]) if pair[1]}
      images = dict(pairs)
      if other != field and len(images) == len(pairs) and '' not in images:
        followers.append(other)
    return followers

  followers = {field: list_followers(field) for field in choice if found}

  def rank(field):
    is_depth = field == 'layer_sizes' and len(choice[field]) > 2
    leads = bool(numeric) and (is_depth or bool(followers[field]))
    return leads, len(choice[field])

  field = max(choice, key=rank)
  return GridAxis(field, choice[field], bool(numeric), followers.get(field, ()))


def _number(field, value):
  """Returns the value of a field as a number, or None if it is none."""
  if field == 'layer_sizes' and value is not None:
    return len(value) - 2  # hidden layers
  if isinstance(value, tuple) and len(value) == 1:
    (value,) = value
  is_number = isinstance(value, int | float) and not isinstance(value, bool)
  return value if is_number else None


def _tick_label(field, value, is_numeric):
  if field == 'layer_sizes' and value is not None:
    hidden = value[1:-1]
    if len(set(hidden)) == 1:
      return f'{len(hidden)} × {hidden[0]}'
    return grids.write(hidden) or '0'
  if is_numeric:
    return f'{_number(field, value):g}'
  text, known = grids.label(value), _VALUES.get(field)
  return known.get(text, text) if isinstance(known, dict) else text


def label_axis(axes: Axes, axis: GridAxis) -> None:
  """Labels the abscissa of a panel, with a tick at each value."""
  name = _UNITS.get(axis.field, axis.field.replace('_', ' '))
  if axis.followers:
    names = ', '.join(axis.followers).replace('_', ' ')
    name += f', which also sets the {names}'
  axes.set_xlabel(_wrap(name, _LABEL_LETTERS))
  labels = [
    _tick_label(axis.field, value, axis.is_numeric) for value in axis.values
  ]
  if not axis.is_numeric:
    num_columns = axes.get_subplotspec().get_gridspec().ncols
    letters = _MOST_LETTERS // num_columns // len(labels)
    labels = [
      '\n'.join(
        textwrap.fill(line.replace('_', ' '), letters)
        for line in label.split('\n')
      )
      for label in labels
    ]
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    return
  values = [_number(axis.field, value) for value in axis.values]
  positive = [value for value in values if value > 0]
  if positive and max(positive) >= 10 * min(positive):
    if min(values) > 0:
      axes.set_xscale('log')
    else:
      axes.set_xscale('symlog', linthresh=min(positive))
  if len(values) <= 10:
    axes.set_xticks(values, labels)
    axes.xaxis.set_minor_locator(ticker.NullLocator())


# Comparisons


def draw(
  runs: pd.DataFrame,
  x: str | GridAxis,
  curve: str,
  metrics: comparisons.Metrics,
  margin: float = 0,
) -> figure.Figure:
  """Draws metrics of settings, compared with the ANN, one metric a panel.

  Args:
    runs: a frame of runs.
    x: abscissa, or its column, with numbers or names.
    curve: column with one value a curve.
    metrics: metrics by the labels of their panels.
    margin: equivalence margin of differences in points, drawn as a band.

  Returns:
    The figure.
  """
  fig, grid = make(len(metrics), sharex=True)
  _, spiking = frames.split_baseline(runs)
  for axes, (label, compute) in zip(grid, metrics.items()):
    plot_metric(axes, spiking, x, curve, compute, label, runs, margin=margin)
  finish(fig, grid, describe(runs))
  return fig


def finish(fig: figure.Figure, grid: Sequence[Axes], *title: str) -> None:
  """Adds legend and title; shared axes keep the label next to their ticks."""
  for axes in grid:
    for axis, side in ((axes.xaxis, 'labelbottom'), (axes.yaxis, 'labelleft')):
      if not axis.get_tick_params().get(side, True):
        axis.set_label_text('')
  legend_below(fig, grid)
  set_title(fig, *title)


def plot_metric(
  axes: Axes,
  runs: pd.DataFrame,
  x: str | GridAxis,
  curve: str,
  compute: comparisons.Metric,
  label: str,
  among: pd.DataFrame,
  *,
  keys: Sequence[Any] = (),
  margin: float = 0,
  title: str = '',
) -> None:
  """Plots one metric of settings against an abscissa, one curve a value.

  Args:
    axes: the panel.
    runs: the runs of the settings.
    x: abscissa, or its column, with numbers or names; names are not connected.
    curve: column with one value a curve.
    compute: the metric.
    label: label of the ordinate.
    among: the runs among which the ANN of each setting is found.
    keys: the curves of all panels of the figure, so that a curve has the same
      look in each; by default the curves of the panel.
    margin: equivalence margin of differences in points, drawn as a band.
    title: title of the panel, instead of what points and bars are.

  Raises:
    UserError: if there are no runs.
  """
  if runs.empty:
    raise ssnn_jax.UserError('no network to draw has finished; train it first.')
  settings = frames.settings(runs)
  axis = x
  if isinstance(x, str):
    values = list(dict.fromkeys(frames.field(own, x) for own in settings))
    is_numeric = not isinstance(values[0], str)
    axis = GridAxis(x, sorted(values) if is_numeric else values, is_numeric)
  curves = {}
  for own in sorted(settings, key=lambda own: place(axis, own)):
    curves.setdefault(frames.field(own, curve), []).append(own)
  keys = [*keys] or sorted(curves, key=frames.sortable)
  colored = [key for key in keys if key != 'ANN']
  found = []
  for index, key in enumerate(key for key in keys if key in curves):
    bases = frames.find_baselines(curves[key], among)
    numbers = [compute(*pair) for pair in zip(curves[key], bases)]
    found += numbers
    name = f'{"T" if curve == "num_steps" else curve} = {key}'
    drawn = plot_numbers(
      axes,
      [place(axis, own) for own in curves[key]],
      numbers,
      label=word(key) if isinstance(key, str) else name,
      **_look(colored, key, axis.is_numeric),
    )
    shift_curve(drawn, index, len(curves))
  _set_ordinate(axes, found, margin)
  label_axis(axes, axis)
  axes.margins(x=0.1)  # for curves that are shifted
  axes.set_ylabel(label)
  most = max(found, key=lambda number: number.num)
  set_panel_title(axes, title or ('' if most.num == 1 else explain(most)))


def _look(keys, key, is_connected):
  """Returns the look of a curve among others; that of the ANN is black."""
  index = keys.index(key) if key in keys else 0
  dashes, color = divmod(index, len(COLORS))
  return {
    'color': COLORS[color] if key in keys else BLACK,
    'marker': MARKERS[color],
    'linestyle': LINES[dashes % len(LINES)] if is_connected else 'none',
  }


def _set_ordinate(axes, found, margin):
  """Draws the ANN; makes the scale of positive numbers logarithmic."""
  look = {'color': BLACK, 'linewidth': 1, 'label': 'ANN'}
  if found[0].is_difference:
    axes.axhline(0, **look)
    if margin:
      unit = 'point' if margin == 1 else 'points'
      look = {'color': BLACK, 'alpha': 0.1, 'linewidth': 0}
      label = f'within {margin:g} {unit} of the ANN'
      axes.axhspan(-margin, margin, label=label, **look)
    return
  if found[0].num == 0:
    axes.axhline(1, **look)
  lowest = min(x.mean - np.nan_to_num(x.deviation) for x in found)
  if 0 < 5 * lowest < max(x.mean for x in found):
    set_log(axes.yaxis)


def draw_lengths(runs: pd.DataFrame, margin: float) -> figure.Figure:
  """Draws accuracy minus that of the ANN, and errors of updates, against T.

  The loss of one tick, which would flatten the scale, is in the panel's title.
  """
  metrics = {
    difference_label(): comparisons.minus(),
    ERROR_LABEL: comparisons.mean('update_error'),
    'quantization error\n(relative)': comparisons.mean('quantisation_error'),
  }
  fig, grid = make(len(metrics), sharex=True)
  _, spiking = frames.split_baseline(runs)
  single = spiking[spiking['num_steps'] == 1]
  if len(single) == len(spiking):
    single = single[:0]
  x, curve, drawn = 'num_steps', 'sampler', spiking.drop(single.index)
  losses = [
    f'{describe_field(own, "sampler")} '
    f'{statistics.paired_difference(own, ann).mean:.1f}'
    for own in (frames.settings(single) if len(single) else ())
    if (ann := frames.find_baseline(own, runs)) is not None
  ]
  title = f'{_INTERVAL}; not shown: T = 1 ({", ".join(losses)})'
  title = title if losses else ''
  for axes, (label, compute) in zip(grid, metrics.items()):
    options = {'margin': margin, 'title': title}
    plot_metric(axes, drawn, x, curve, compute, label, runs, **options)
    drawn, title = spiking, ''
  finish(fig, grid, describe(runs))
  return fig


# The generic figure of a sweep


def draw_grid(
  runs: pd.DataFrame, metric: str = 'test_accuracy'
) -> figure.Figure:
  """Draws a sweep against its most varied field.

  Args:
    runs: the runs of the sweep.
    metric: the accuracy, one of `titles.READOUTS`.

  Returns:
    The figure: accuracy, its paired difference to the ANN if there is an ANN,
    and the error of updates if it varies, with a curve for each combination of
    the other varied fields. The ANN is a curve if the abscissa affects the ANN,
    and a line otherwise.
  """
  axis = choose_axis(frames.settings(runs))
  anns, spiking = frames.split_baseline(runs)
  others = (axis.field, *axis.followers)
  is_along = axis.field == 'method' or methods.concerns(methods.ANN, axis.field)
  named = drawn = name_curves(spiking, *others)
  settings = frames.settings(spiking) if len(spiking) else []
  if len(settings) == named['curve'].nunique() > 1 and not is_along:
    axis, named = _join_fields(settings)
    drawn = named
  elif len(anns) and (is_along or spiking.empty):
    own = name_curves(anns, *others)
    is_plain = own['curve'].isin(('', 'ANN'))
    labels = ('ANN, ' + own['curve']).mask(is_plain, 'ANN')
    drawn = pd.concat([own.assign(curve=labels), named])
  panels = [
    (accuracy_label(runs, metric), comparisons.mean(metric, 100), drawn)
  ]
  compared = [
    own.index for own in settings if frames.find_baseline(own, runs) is not None
  ]
  if compared:
    own = named.loc[np.concatenate(compared)]
    panels.append((difference_label(metric), comparisons.minus(metric), own))
  errors = [statistics.over_seeds(own, 'update_error').mean for own in settings]
  if len({round(x, 9) for x in errors if not math.isnan(x)}) > 1:
    panels.append((ERROR_LABEL, comparisons.mean('update_error'), named))
  keys = sorted(set(drawn['curve']), key=frames.sortable)
  fig, grid = make(len(panels), sharex=True)
  for axes, (label, compute, own) in zip(grid, panels):
    plot_metric(axes, own, axis, 'curve', compute, label, runs, keys=keys)
  grid[0].set_yscale('linear')
  for ann in frames.settings(anns) if drawn is named and len(anns) else ():
    mean, deviation, *_ = statistics.percent(ann)
    grid[0].axhline(mean, color=BLACK, linewidth=1, label='ANN')
    if len(ann) > 1:
      look = {'color': BLACK, 'alpha': 0.1, 'linewidth': 0}
      look['label'] = 'ANN ± standard deviation'
      grid[0].axhspan(mean - deviation, mean + deviation, **look)
  finish(fig, grid, describe(runs))
  return fig


def _join_fields(settings):
  """Makes one abscissa of all fields, where each setting has its own curve."""
  joined = pd.concat(settings)
  fields = frames.varied(joined)
  column = ' / '.join(fields).replace('_', ' ')
  values = [
    ' /\n'.join(frames.describe_value(setting, name) for name in fields)
    for setting in settings
  ]
  named = [
    setting.assign(
      **{column: value, 'curve': describe_field(setting, 'method')}
    )
    for setting, value in zip(settings, values)
  ]
  return GridAxis(column, values, is_numeric=False), pd.concat(named)


def of_study(
  study: study_lib.Study, runs: pd.DataFrame
) -> figure.Figure | None:
  """Draws a record of a study; measurements have no generic figure."""
  if study.figure:
    return study.figure(runs)
  return draw_grid(runs) if study.sweeps else None
