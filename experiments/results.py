"""Results of studies: runs as a table, paired differences, verdicts, figures.

  python -m experiments.results --study=parity --workdir=runs/parity-digits
  python -m experiments.results

The first command exports the runs of a sweep, or the lines of a measurement, to
experiments/results/<study>.csv, in which they replace all rows of their data
set, or of their settings if they are measured. Both generate the table between
two marks of <study>.md and <study>.png again, from the CSV file alone; without
flags, those of all studies and the table of README.md.

A frame of runs has a row for each finished run: the fields of its configuration
as text, empty where the method ignores a field, its seed, and its numbers. A
*setting* is the runs that differ in their seed only.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import json
import math
import pathlib
import re
from typing import Any

from absl import flags
from matplotlib import figure
from matplotlib import ticker
import pandas as pd

from experiments import command
from experiments import config as config_lib
from experiments import studies
import ssnn_jax
from ssnn_jax.datasets import catalog
from ssnn_jax.runs import files
from ssnn_jax.training import raster_plot
from ssnn_jax.training import statistics

FOLDER = pathlib.Path(__file__).parent / 'results'
README = 'README'
# Studies and rows of the README.
_IN_README = 'parity', 'events'
_README_ROWS = {
  'dataset': ('mnist', 'fashion_mnist', 'emnist47', 'n_mnist'),
  'metric': 'test_accuracy',
}
MARKS = '<!-- table -->', '<!-- end -->'
METRICS = {
  'test_accuracy': 'accuracy',
  'test_accuracy_winner': 'winners',
  'test_accuracy_largest': 'largest potential',
  'test_accuracy_potential': 'final potential',
  'test_accuracy_rate': 'ANN readout',
  'update_error': 'update error',
  'quantisation_error': 'quantization error',
  'forward_spikes': 'forward spikes',
  'forward_events': 'synaptic events of them',
  'error_spikes': 'error spikes',
  'error_events': 'synaptic events of errors',
  'coincidences': 'changes of synapses',
  'forward_ratio': 'forward spikes for one that stays',
  'error_ratio': 'error spikes for one that stays',
  'median_silence': 'ticks to silence, median',
  'last_silence': 'last of the batch',
  'ratio_to_bp': 'time, in steps of BP',
  'luts': 'LUTs',
  'flip_flops': 'flip-flops',
  'block_rams': 'block RAMs',
  'max_mhz': 'MHz reached',
  'clock_mhz': 'MHz used',
  'clocks_per_sample': 'clocks a sample',
  'samples_per_second': 'samples a second',
}
_ERRORS = ('update_error_sd', 'quantisation_error_sd')
_COSTS = ('bits_to_bp', 'median_ms', 'ratio_to_ideal', 'peak_mib', 'rounds')
_NUMBERS = ('seed', *METRICS, *_ERRORS, *_COSTS, 'num_eval_samples')
_COUNTS = {'seed', 'luts', 'flip_flops', 'block_rams', 'num_eval_samples'}
# Fields that change no weight, or whose values are seeds.
_UNVARIED = {'dataset', 'method', 'seed', 'diagnostics', 'eval_every'}
_ACCURACY = 'test_accuracy'
_WORDS = {
  'metric': METRICS,
  'dataset': {
    'mnist': 'MNIST',
    'fashion_mnist': 'Fashion-MNIST',
    'emnist47': 'EMNIST, 47 classes',
    'n_mnist': 'N-MNIST',
  },
  'rates': {'': 'spikes'},
}
_HEADINGS = {'num_steps': 'T', 'metric': 'measure', 'dataset': 'data set'}
_COLORS = (*raster_plot.COLORS, '#E69F00', '#009E73', '#56B4E9', '#000000')
_MARKERS = 'osD^vPX*'
_VERDICTS = 'wni'  # within, not within, inconclusive


# Runs.


def read(workdir: pathlib.Path) -> pd.DataFrame:
  """Reads the finished runs of the folder of a run or sweep.

  A run that the folder holds several times, in copies, is counted once.

  Args:
    workdir: the folder, or a file of a measurement: of JSON lines, or the
      report.json of a board.

  Raises:
    UserError: if there is no finished run, or two runs of the same
      configuration and seed have other weights.
  """
  if workdir.suffix == '.json':  # the report of a board
    return _frame([json.loads(workdir.read_text())])
  if workdir.is_file():
    return _frame(line for line in _lines(workdir) if 'event' not in line)
  runs = {}
  for file in sorted(workdir.rglob('metrics.jsonl')):
    config = json.loads((file.parent / 'config.json').read_text())
    config.pop('num_seeds', None)
    for line in _lines(file):
      if line['event'] != 'final':
        continue
      key = json.dumps(config | {'seed': line['seed']}, sort_keys=True)
      known = runs.setdefault(key, config | line)
      digests = [own.get('params_sha256', '') for own in (known, line)]
      if digests[0] != digests[1]:
        raise ssnn_jax.UserError(
          f'two runs of seed {line["seed"]} have the same configuration, but '
          f'other weights (params_sha256 {digests[0][:8]} and '
          f'{digests[1][:8]}); remove one of them from {workdir}.'
        )
  if not runs:
    raise ssnn_jax.UserError(
      f'{workdir} holds no finished run; wait for one, or continue it by its '
      'command.'
    )
  return _frame(map(_blank, runs.values()))


def _lines(file):
  """Yields the JSON objects of a file, without a line that is being written."""
  for line in file.read_text().splitlines(keepends=True):
    if line.endswith('\n'):
      yield json.loads(line)


def _blank(run):
  """Empties the fields that do not affect the method of a run.

  The rates of a recording depend on T, which its ANN keeps.
  """
  kept = {'num_steps'} if catalog.is_recorded(run['dataset']) else set()
  is_used = lambda name: config_lib.concerns(run['method'], name)
  return {x: run[x] if x in kept or is_used(x) else None for x in run}


def _frame(runs: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
  """Makes the frame of runs, with fields as text."""
  write = lambda name, x: x if name in _NUMBERS else _write(name, x)
  rows = [{name: write(name, run[name]) for name in run} for run in runs]
  return _to_numbers(pd.DataFrame(rows, dtype=object))


def _write(name, value):
  """Writes the value of a field as a cell."""
  if value is None:
    return ''
  if isinstance(value, list | tuple):
    return {'rates': '+', 'layers': ','}.get(name, '-').join(map(str, value))
  if name == 'dataset' and str(value).endswith('.npz'):
    return pathlib.Path(value).stem
  return str(value)


def _to_numbers(frame):
  """Makes numbers of the columns of numbers, and texts of all others.

  If the ANNs of a data set have one T, networks of all T are compared with it.
  """
  numbers = [name for name in frame if name in _NUMBERS]
  frame[numbers] = frame[numbers].apply(pd.to_numeric)
  texts = [name for name in frame if name not in numbers]
  frame[texts] = frame[texts].fillna('')
  if 'num_steps' in frame:
    for _, anns in frame[frame['method'] == config_lib.ANN].groupby('dataset'):
      if anns['num_steps'].nunique() == 1:
        frame.loc[anns.index, 'num_steps'] = ''
  return frame


def path(name: str, suffix: str = 'csv') -> pathlib.Path:
  """Returns a file of the results of a study, or the README of the project."""
  folder = FOLDER.parent.parent if name == README else FOLDER
  return folder / f'{name}.{suffix}'


def read_csv(name: str) -> pd.DataFrame:
  """Reads the frame of the runs of a study."""
  return _to_numbers(pd.read_csv(path(name), dtype=str, keep_default_na=False))


def to_csv(runs: pd.DataFrame, study: studies.Study) -> str:
  """Writes the runs of a study as CSV: fields, seed and numbers of each run.

  Raises:
    UserError: if runs differ in a field that is no column of the study.
  """
  settings = ['dataset', 'method', *study.columns]
  runs = runs.reindex(columns=list(dict.fromkeys([*settings, *runs])))
  hidden = _differing(runs, settings)
  if hidden:
    raise ssnn_jax.UserError(
      f'runs differ in {", ".join(hidden)}, which is no column of the study; '
      'export the runs of its sweeps alone.'
    )
  numbers = [name for name in _NUMBERS if name in runs and runs[name].count()]
  rows = _sort(runs, study)[[*settings, *numbers]].astype(object).fillna('')
  for name in _COUNTS & {*numbers}:  # floats where some rows have none
    rows[name] = [x if x == '' else int(x) for x in rows[name]]
  return rows.to_csv(index=False)


def _sort(runs, study):
  """Sorts runs by data set, the ANN first, then by the columns of a study."""
  known = list(study.sweeps)

  def order(row):
    seed = row.get('seed', '')
    place = known.index(row['dataset']) if row['dataset'] in known else math.inf
    is_baseline = row['method'] == config_lib.ANN
    cells = [_order(row.get(name, '')) for name in ('method', *study.columns)]
    return place, row['dataset'], not is_baseline, cells, seed == '', seed

  rows = runs.astype(object).fillna('').to_dict('records')
  return runs.iloc[sorted(range(len(rows)), key=lambda i: order(rows[i]))]


def _differing(runs, settings):
  """Lists the fields in which the runs of one setting differ."""
  known = {*settings, *_UNVARIED}
  fields = [x for x in config_lib.FIELDS if x in runs and x not in known]
  numbers = runs.groupby(settings)[fields].nunique().max() if fields else {}
  return [name for name in fields if numbers[name] > 1]


def _order(cell):
  """Orders cells: empty ones, then shorter lists first, numbers by value."""
  parts = re.split(r'(\d+(?:\.\d+)?)', cell)
  numbers = [float(x) if i % 2 else x for i, x in enumerate(parts)]
  return bool(cell), cell.count('-'), numbers


# Comparisons.


def compare(runs: pd.DataFrame, study: studies.Study) -> pd.DataFrame:
  """Compares settings with the baseline of a study, seed by seed.

  Args:
    runs: a frame of runs.
    study: the study.

  Returns:
    A row for each setting, except the baseline, and each metric: `value`, an
    accuracy minus the baseline in percentage points or the mean of another
    metric; `half_width` of its 95 % interval; `seeds`, their number;
    `baseline`, the accuracy of the baseline in percent; `text` and `verdict`. A
    window of all ticks is 'T'.
  """
  fields = ['dataset', 'method', *(x for x in study.columns if x in runs)]
  settings, baselines = [], []
  for cells, group in runs.groupby(fields, sort=False):
    setting = dict(zip(fields, cells))
    is_baseline = _is_baseline(setting, study)
    (baselines if is_baseline else settings).append((setting, group))
  rows = []
  for setting, group in settings:
    if setting.get(study.across) == '':
      continue
    paired = [x for base, x in baselines if _is_paired(setting, base, study)]
    for metric in study.metrics:
      if metric in group and group[metric].count():
        base = paired[0] if paired and metric.startswith(_ACCURACY) else None
        margin = study.find_margin(setting['dataset'])
        found = _compare(group, base, metric, margin)
        rows.append(setting | {'metric': metric} | found)
  compared = pd.DataFrame(rows)
  if {'window', 'num_steps'} <= {*compared}:
    whole = compared['window'] == compared['num_steps']
    compared['window'] = compared['window'].mask(whole, 'T')
  return compared


def _is_baseline(setting, study):
  return study.baseline is not None and all(
    value in (None, setting.get(name)) for name, value in study.baseline.items()
  )


def _is_paired(setting, base, study):
  """Returns whether a baseline has the fields of a setting, or no value."""
  return all(
    value in ('', setting[name])
    for name, value in base.items()
    if name not in study.baseline
  )


def _compare(group, base, metric, margin):
  """Returns the numbers of a setting: a difference, or without base a mean."""
  pairs = group.head(0)
  if base is not None:
    if metric not in base or not base[metric].count():  # ANNs have one readout
      base = base.assign(**{metric: base[_ACCURACY]})
    pairs = group.merge(base, on='seed', suffixes=('', '_base'))
  if pairs.empty:
    is_accuracy = metric.startswith(_ACCURACY)
    mean = (100 if is_accuracy else 1) * group[metric].mean()
    return {
      'value': mean,
      'half_width': math.nan,
      'seeds': group[metric].count(),
      'baseline': math.nan,
      'text': f'{mean:.2f} %' if is_accuracy else _write_number(mean),
      'verdict': '',
    }
  folds = pairs['folds'].iloc[0] if 'folds' in pairs else ''
  difference = statistics.paired_difference(
    pairs[metric],
    pairs[f'{metric}_base'],
    int(pairs['num_eval_samples'].iloc[0]),
    overlap=1 / (int(folds) - 1) if folds else 0.0,
  )
  return {
    'value': difference.mean,
    'half_width': difference.half_width,
    'seeds': len(pairs),
    'baseline': 100 * pairs[f'{metric}_base'].mean(),
    'text': str(difference),
    'verdict': statistics.verdict(difference, margin),
  }


def _write_number(value):
  """Writes a number to three digits, or a count of 1,000 and more."""
  return f'{value:.3g}' if abs(value) < 1000 else f'{value:.0f}'


# Tables.


def table(compared: pd.DataFrame, study: studies.Study) -> str:
  """Writes comparisons as a Markdown table.

  Args:
    compared: the rows of `compare`.
    study: the study, whose `rows` name the rows of the table, and whose
      `across` the columns of its numbers.
  """
  shown = _restrict(compared, study.shown)
  names = [
    name
    for name in ('dataset', *study.rows, 'metric')
    if name in shown and name != study.across and shown[name].nunique() > 1
  ]
  columns = list(shown[study.across].unique())
  if study.across not in _WORDS:
    columns.sort(key=_order)
  rows = []
  for cells, group in _group(shown, names):
    row = {_heading(x): _word(x, cell) for x, cell in zip(names, cells)}
    accuracies = [f'{x:.1f}' for x in group['baseline'].dropna()]
    if study.across != 'dataset':
      row[f'{_baseline_name(study)}, %'] = _range(accuracies)
    for value in columns:
      texts = group[group[study.across] == value]['text']
      row[_column(study, value)] = ' / '.join(texts)
    row['verdict'] = _join_verdicts(group, study)
    seeds = group.dropna(subset='baseline') if accuracies else group
    if accuracies or group['seeds'].max() > 1:  # not measured once
      row['seeds'] = _range(seeds['seeds'].astype(str))
    rows.append(row)
  written = pd.DataFrame(rows).fillna('').loc[:, lambda x: (x != '').any()]
  return write_table(list(written), written.to_numpy().tolist())


def captioned_table(compared: pd.DataFrame, study: studies.Study) -> str:
  """Writes comparisons as a table, below a line that says what they are."""
  written = table(compared, study)
  if compared['baseline'].notna().any():
    margins = {f'{study.find_margin(name):g}' for name in compared['dataset']}
    caption = (
      f'Accuracies minus {_baseline_name(study)} in points, and 95 % intervals '
      f'over seeds; the margin is {" or ".join(sorted(margins))}:'
    )
  elif study.across == 'metric':  # whose columns are named
    return written
  else:
    caption = f'{METRICS[study.metrics[0]].capitalize()}:'
  return f'{caption}\n\n{written}'


def write_table(headings: list[str], rows: list[list[str]]) -> str:
  """Writes a Markdown table, aligned so that it is legible as text."""
  lines = [headings, *rows]
  widths = [max(3, *map(len, column)) for column in zip(*lines)]
  lines.insert(1, ['-' * width for width in widths])
  return '\n'.join(
    f'| {" | ".join(map(str.ljust, line, widths))} |' for line in lines
  )


def _restrict(compared, chosen):
  """Restricts rows to chosen values, and parameters to those that differ."""
  for name, values in chosen.items():
    values = [values] if isinstance(values, str) else values
    compared = compared[compared[name].isin(values)]
  if 'device_params' in compared:
    texts = compared['device_params']
    params = [set(text.split(',')) for text in texts if text]
    shared = set.intersection(*params) if params else set()
    short = [
      ','.join(p for p in x.split(',') if p not in shared) for x in texts
    ]
    compared = compared.assign(device_params=short)
  return compared


def _group(shown, names):
  """Lists the rows of each combination of values, which may be one."""
  return list(shown.groupby(names, sort=False)) if names else [((), shown)]


def _range(texts):
  """Writes the first and the last of sorted texts."""
  ordered = sorted(texts, key=_order)
  return ' to '.join(dict.fromkeys(ordered[:1] + ordered[-1:]))


def _baseline_name(study):
  return 'ANN' if study.baseline == studies.ANN else 'baseline'


def _heading(name):
  return _HEADINGS.get(name, name.replace('_', ' '))


def _word(name, value):
  return _WORDS.get(name, {}).get(value, value)


def _column(study, value):
  """Returns the heading of a column of numbers."""
  if study.across in _WORDS:
    return _word(study.across, value)
  sign = '= ' if study.across == 'num_steps' else ''
  return f'{_heading(study.across)} {sign}{value}'.strip()


def _join_verdicts(group, study):
  """Joins the verdicts of a row, such as 'within 1 point: T = 16, 64'."""
  group = group[group['verdict'] != '']
  if study.across == 'metric':  # the verdict is on the first of them
    group = group[group['metric'] == study.metrics[0]]
  places = dict(list(group.groupby('verdict', sort=False)[study.across]))
  if len(places) < 2:
    return ''.join(places)
  texts = []
  for verdict in sorted(places, key=lambda x: _VERDICTS.index(x[0])):
    values = sorted(places[verdict], key=_order)
    listed = ', '.join(_word(study.across, value) for value in values)
    if study.across not in _WORDS:
      listed = _column(study, listed)
    texts.append(f'{verdict}: {listed}')
  return '; '.join(texts)


# Figures.


def draw(compared: pd.DataFrame, study: studies.Study) -> figure.Figure:
  """Draws the first metric of comparisons, in the kind of figure of a study."""
  shown = _restrict(compared, {**study.shown, **study.drawn})
  if study.across != 'metric':
    shown = shown[shown['metric'] == study.metrics[0]]
  is_lines, draw_panel = study.figure == 'lines', _draw_points
  if is_lines:
    draw_panel = _draw_lines
  elif study.figure in {*shown['metric']}:
    draw_panel = _draw_over_metric
  panel = 'dataset'
  if is_lines and shown['dataset'].nunique() == 1 and len(study.rows) > 2:
    panel = study.rows[0]
  parts = {'': shown}
  if panel != study.across and shown[panel].nunique() > 1:
    parts = dict(list(shown.groupby(panel, sort=False)))
  names = [
    name
    for name in study.rows
    if name in shown
    and name not in (study.across, panel)
    and any(part[name].nunique() > 1 for part in parts.values())
  ]
  is_points = draw_panel == _draw_points
  num_columns = 1 if is_points else min(2, len(parts))
  num_lines = math.ceil(len(parts) / num_columns)
  size = 3.7 * num_columns + 0.8, 2.6 * num_lines + 0.4
  if is_points:
    most = max(len(_group(part, names)) for part in parts.values())
    size = 7.2, (0.9 + 0.19 * most) * num_lines + 0.4
  fig = figure.Figure(figsize=size, layout='constrained')
  grid = fig.subplots(num_lines, num_columns, squeeze=False)
  for axes in grid.flat[len(parts) :]:
    axes.remove()
  looks = {}
  for axes, (name, part) in zip(grid.flat, parts.items()):
    axes.set_title(_word(panel, name), fontsize=10)
    axes.grid(alpha=0.3)
    draw_panel(axes, part, names, study, looks)
  _add_legend(fig, grid)
  return fig


def _label(row, names):
  """Names a row by the values of fields, and their names if numbers."""
  words = []
  for name in names:
    value = _word(name, row[name])
    is_named = value[:1].isdecimal() and name not in ('layer_sizes', 'layers')
    if value not in ('', '0.0'):
      is_named |= name == 'window'
      words.append(f'{_heading(name)} {value}' if is_named else value)
  return ', '.join(words)


def _look(label, looks, linestyle=None):
  """Returns the look of a curve, which is the same in all panels."""
  number = looks.setdefault(label, len(looks))
  return {
    'color': _COLORS[number % len(_COLORS)],
    'marker': _MARKERS[number % len(_MARKERS)],
    'linestyle': linestyle or ('-' if number < len(_COLORS) else '--'),
    'markersize': 4,
    'capsize': 2,
    'label': label,
  }


def _draw_lines(axes, own, names, study, looks):
  """Draws a curve for each row of the table over the columns of the table."""
  for cells, curve in _group(own, names):
    label = _label(dict(zip(names, cells)), names) or curve['method'].iloc[0]
    look = _look(label, looks)
    curve = curve.assign(x=curve[study.across].astype(float)).sort_values('x')
    widths = curve['half_width'].fillna(0)
    axes.errorbar(curve['x'], curve['value'], widths, linewidth=1.2, **look)
  axes.set_xscale('log', base=2)
  ticks = sorted(own[study.across].unique(), key=float)
  axes.set_xticks([float(x) for x in ticks], ticks)
  axes.set_xlabel(_heading(study.across))
  axes.set_ylabel(_axis_label(own, study))
  if own['baseline'].notna().any():
    _draw_margin(axes.axhline, own, study)
  else:
    axes.set_yscale('log')
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter('{x:g}'))
  axes.minorticks_off()


def _draw_points(axes, own, names, study, looks):
  """Draws a point for each row and column of the table."""
  own = own.assign(label=[_label(row, names) for row in own.to_dict('records')])
  places = {label: place for place, label in enumerate(own['label'].unique())}
  series = list(own.groupby(study.across, sort=False))
  for index, (value, part) in enumerate(series):
    shift = 0.6 * (index + 0.5) / len(series) - 0.3
    label = _column(study, value) if len(series) > 1 else ''
    axes.errorbar(
      part['value'],
      part['label'].map(places) + shift,
      xerr=part['half_width'].fillna(0),
      **_look(label, looks, linestyle='none'),
    )
  axes.set_yticks(list(places.values()), list(places), fontsize=8)
  axes.set_ylim(len(places) - 0.5, -0.5)
  axes.set_xlabel(_axis_label(own, study).replace('\n', ' '))
  if own['baseline'].notna().any():
    _draw_margin(axes.axvline, own, study)


def _draw_over_metric(axes, own, names, study, looks):
  """Draws the first metric of each row of the table over another one."""
  for cells, row in _group(own, names):
    found = row.set_index('metric')
    if {study.metrics[0], study.figure} <= {*found.index}:
      first = found.loc[study.metrics[0]]
      look = _look(_label(dict(zip(names, cells)), names), looks, 'none')
      place = found.loc[study.figure, 'value']
      axes.errorbar(place, first['value'], first['half_width'], **look)
  axes.set_xlabel(METRICS[study.figure])
  axes.set_ylabel(_axis_label(own, study))
  _draw_margin(axes.axhline, own, study)


def _axis_label(own, study):
  if own['baseline'].notna().any():
    return f'accuracy minus {_baseline_name(study)}\n(percentage points)'
  return METRICS[own['metric'].iloc[0]]


def _draw_margin(draw_line, own, study):
  margin = study.find_margin(own['dataset'].iloc[0])
  draw_line(0, color='black', linewidth=1, label=_baseline_name(study))
  look = {'color': 'black', 'linewidth': 0.8, 'linestyle': ':'}
  unit = 'point' if margin == 1 else 'points'
  draw_line(-margin, **look)
  draw_line(margin, label=f'± {margin:g} {unit}', **look)


def _add_legend(fig, grid):
  """Adds one legend of all panels below them."""
  entries = {}
  for axes in grid.flat:
    entries |= dict(zip(*axes.get_legend_handles_labels()[::-1]))
  entries.pop('', None)
  if not entries:
    return
  width, height = fig.get_size_inches()
  columns = max(1, int(14 * width / (max(map(len, entries)) + 6)))
  fig.set_figheight(height + 0.2 * math.ceil(len(entries) / columns))
  fig.legend(
    list(entries.values()),
    list(entries),
    loc='outside lower center',
    ncols=min(columns, 4),
    fontsize=8,
  )


# Pages.


def page_table(name: str) -> str:
  """Makes the table of a study, or that of the README, from the CSV file.

  Spaces within a number do not break, as columns of a page are narrow.
  """
  if name == README:
    made = _readme_table()
  else:
    study = studies.load(name)
    made = captioned_table(compare(read_csv(name), study), study)
  return re.sub(' ([±=]) ', '\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}', made)


def _readme_table():
  """Writes the rows of the README, those of bipolar neurons first."""
  parts = []
  for name in _IN_README:
    study = studies.load(name)
    parts.append(_restrict(compare(read_csv(name), study), study.shown))
  rows = _restrict(pd.concat(parts), _README_ROWS)
  rows = rows.sort_values('neuron', kind='stable')
  return table(rows, studies.Study(rows=('neuron',)))


def write_page(name: str) -> None:
  """Generates the table and the figure of a study, or those of the README."""
  made, page = page_table(name), path(name, 'md')
  begin, end = MARKS
  text = page.read_text() if page.exists() else ''
  above, _, rest = text.partition(begin)
  _, has_marks, below = rest.partition(end)
  if not has_marks:
    raise ssnn_jax.UserError(
      f'{page} lacks the marks {begin} and {end}; write them where its table '
      'belongs.'
    )
  text = f'{above}{begin}\n{made}\n{end}{below}'
  files.write_atomically(page, text)
  if name != README:
    study = studies.load(name)
    fig = draw(compare(read_csv(name), study), study)
    fig.savefig(path(name, 'png'), dpi=120)


def export(name: str, workdir: pathlib.Path) -> None:
  """Exports the runs of a folder to the CSV file of a study.

  Args:
    name: the study.
    workdir: the folder of a sweep, whose runs replace those of its data sets,
      or the file of a measurement, as the report of a board, whose lines
      replace those of the same settings.
  """
  study, runs = studies.load(name), read(workdir)
  if path(name).exists():
    known = read_csv(name)
    names = ['dataset']  # a sweep has all settings, a file those of a command
    if workdir.is_file():
      names += ['method', *study.columns]

    def key(frame):  # a run has a seed
      has_seed = frame.reindex(columns=['seed'])['seed'].notna()
      own = frame.reindex(columns=names, fill_value='')
      return pd.MultiIndex.from_frame(own.assign(has_seed=has_seed))

    is_new = key(known).isin(key(runs))
    runs = pd.concat([known[~is_new], runs], ignore_index=True)
  files.write_atomically(path(name), to_csv(runs, study))


def show(workdir: pathlib.Path) -> None:
  """Prints the table of a sweep, and writes results.csv and results.png.

  The sweep of a study has its table; of a grid, all varied fields are named.
  """
  runs, file = read(workdir), workdir / 'sweep.json'
  name = json.loads(file.read_text()).get('study') if file.exists() else None
  study = studies.load(name) if name else studies.Study(rows=('method',))
  varied = tuple(_differing(runs, ['dataset', 'method', *study.columns]))
  study = dataclasses.replace(
    study, columns=study.columns + varied, rows=study.rows + varied
  )
  if not name and 'num_steps' not in varied:
    study = dataclasses.replace(study, across='metric', figure='points')
  files.write_atomically(workdir / 'results.csv', to_csv(runs, study))
  compared = compare(_sort(runs, study), study)
  written = f'runs: {workdir / "results.csv"}'
  if len(compared):
    print(captioned_table(compared, study))
    draw(compared, study).savefig(workdir / 'results.png', dpi=120)
    written += f', figure: {workdir / "results.png"}'
  print(written)


def main() -> None:
  """Exports runs, and generates pages."""
  name, workdir = flags.FLAGS.study, flags.FLAGS.workdir
  if workdir and not name:
    raise ssnn_jax.UserError('--study is missing; name the study of --workdir.')
  if workdir:
    export(name, command.folder(workdir))
  pages = [name] if name else list(studies.NAMES)
  for page in pages + [README] * any(x in pages for x in _IN_README):
    write_page(page)
    print(path(page, 'md'))


if __name__ == '__main__':
  flags.DEFINE_string('study', None, 'name of the study; default: all studies.')
  flags.DEFINE_string(
    'workdir',
    None,
    'folder of a sweep, or file of the lines of a measurement or of the report '
    'of a board, to export to the CSV file of --study.',
  )
  command.launch(main)
