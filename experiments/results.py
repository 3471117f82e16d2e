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
import dataclasses
import json
import math
import pathlib
import re
from typing import Any

from absl import flags
from matplotlib import figure
from matplotlib import ticker
import numpy as np
import pandas as pd

from experiments import command
from experiments import config as config_lib
from experiments import records
from experiments import studies
import ssnn_jax
from ssnn_jax.datasets import catalog
from ssnn_jax.runs import files
from ssnn_jax.training import raster_plot
from ssnn_jax.training import statistics

FOLDER = pathlib.Path(__file__).parent / 'results'
README = 'README'
_BIPOLAR, _STOCHASTIC = ({'neuron': (x,)} for x in ('bipolar', 'stochastic'))
_SETS = {'dataset': ('mnist', 'fashion_mnist', 'emnist47', 'n_mnist')}
_DENSE, _LARGE, _SMALL, _RESIDUAL = (
  {'layers': (x,)}
  for x in (
    *(studies.DENSE, studies.LARGE_CONV),
    *(studies.SMALL_CONV, studies.RESIDUAL),
  )
)
_FOUR = {'layers': ('159,159,159,159,10',)}
# Rows of the table of the README: network, study, and what it shows of it.
_README_ROWS = (
  ('one hidden layer', 'parity', _SETS | _BIPOLAR),
  ('one hidden layer', 'events', _SETS | _BIPOLAR),
  ('four hidden layers', 'depth', _BIPOLAR | _FOUR),
  ('16 layers, residual', 'depth', _BIPOLAR | _RESIDUAL),
  ('small convolution', 'convolution', _BIPOLAR | _SMALL),
  ('one hidden layer, against ReLU', 'relu', _BIPOLAR | _DENSE),
  ('large convolution, against ReLU', 'relu', _BIPOLAR | _LARGE),
  ('three convolutions', 'cifar10', _BIPOLAR),
  ('one hidden layer', 'parity', _SETS | _STOCHASTIC),
  ('one hidden layer', 'events', _SETS | _STOCHASTIC),
)
_README_STUDY = studies.Study(columns=('network', 'neuron', 'num_steps'))
MARKS = '<!-- table -->', '<!-- end -->'
METRICS = {
  'test_accuracy': 'accuracy',
  'test_accuracy_winner': 'winners',
  'test_accuracy_rate': 'ANN readout',
  'test_accuracy_learned': 'learned with the fault',
  'update_error': 'update error',
  'quantisation_error': 'quantization error',
  'median_silence': 'ticks to silence, median',
  'late_silence': 'of 95 %',
  'answer': 'ticks to the answer',
  'forward_spikes': 'forward spikes',
  'error_spikes': 'error spikes',
  'forward_events': 'additions, forward',
  'error_events': 'additions, back',
  'coincidences': 'changes of synapses',
  'calibration_error': 'calibration error',
  'ratio_to_bp': 'time, in steps of BP',
  'luts': 'LUTs',
  'block_rams': 'block RAMs',
  'multipliers': 'DSPs',
  'max_mhz': 'MHz reached',
  'clock_mhz': 'MHz used',
  'clocks_per_sample': 'clocks a sample',
  'samples_per_second': 'samples a second, core',
  'memory_samples_per_second': 'from SDRAM',
  'line_samples_per_second': 'over the line',
}
_OTHERS = ('test_accuracy_potential', 'flip_flops')
_OTHERS += ('median_ms', 'peak_mib', 'rounds', 'num_eval_samples')
_OTHERS += ('train_seconds', 'seeds_at_once', 'silent')
_NUMBERS = ('seed', *METRICS, *_OTHERS)
# What a run was made of, which is no setting.
DIGESTS = 'params_sha256', 'data_sha256'
# Fields that change no weight, or whose values are seeds.
_UNVARIED = {'dataset', 'method', 'seed', 'diagnostics', 'eval_every'}
_ACCURACY = 'test_accuracy'
_WORDS = {
  'metric': METRICS,
  'dataset': {
    'mnist': 'MNIST',
    'fashion_mnist': 'Fashion-MNIST',
    'emnist47': 'EMNIST-47, own split',
    'n_mnist': 'N-MNIST',
    'synthetic_events/mnist': 'simulated events',
    'cifar10': 'CIFAR-10',
    'random': 'random images',
  },
  'exact': {'': 'nothing'},
  'method': {'bp': 'ANN, products'},
  'neuron': {studies.UNIT_SPIKES: 'unit spikes, version 0.5'},
  'wires': {'unit': 'unit spikes'},
  'layers': {
    studies.RESIDUAL: '16×128,10 residual',
    studies.SMALL_CONV: 'small convolution',
    studies.RESIDUAL_CONV: 'residual convolution',
    studies.LARGE_CONV: 'large convolution',
  },
}
# Values, and names of values, in figures; a usual value needs no word.
_IN_FIGURES = {
  '0.0': '',
  'ssnn': 'spikes',
  'bp': 'clipped ANN',
  'rpu': 'RPU',
  'bp_stdp': 'BP-STDP',
  'adam': 'Adam',
  'sgd': 'SGD',
  'learn': 'learning step',
  'regular': 'regular trains',
  'sobol': 'Sobol trains',
  'bernoulli': 'Bernoulli trains',
  'inputs': 'exact inputs',
  'forward': 'exact forward pass',
  'backward': 'exact backward pass',
  'update': 'exact update',
  'forward,backward,update': 'exact passes and update',
  'nothing': 'all spikes',
  'winners': 'exact softmax',
  'softmax': '',
  'race': 'race of spikes',
  'custom': '',
  'gokmen_vlasov': 'Gokmen and Vlasov',
  'reram': 'ReRAM',
  'ecram': 'ECRAM',
  'ecram_mo': 'metal-oxide ECRAM',
  'dw_min': 'step',
  'dw_min_dtod': 'device-to-device variation',
  'dw_min_std': 'cycle-to-cycle variation',
  'up_down': 'asymmetry',
  'up_down_dtod': 'device-to-device asymmetry',
  'corrupt_devices_prob': 'stuck devices',
  'delay': 'delays up to',
  'loss': 'lost spikes',
  'stuck': 'stuck synapses',
}
_HEADINGS = {'num_steps': 'N, T', 'metric': 'measure', 'dataset': 'data set'}
_COLORS = (*raster_plot.COLORS, '#E69F00', '#009E73', '#56B4E9', '#000000')
_COLORS += ('#999999',)
_MARKERS = 'osD^vPX*<'
_TICKS = 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50  # of differences, in points
_MOST_CURVES = 6  # of a panel


# Runs.


def read(workdir: pathlib.Path) -> pd.DataFrame:
  """Reads the finished runs of the folder of a run or sweep.

  The path may also be the file of a measurement: of JSON lines, or report.json
  of a board. Copies of a run are counted once.

  Raises:
    UserError: if there is no finished run, or two runs of the same
      configuration and seed have other weights.
  """
  if workdir.suffix == '.json':  # the report of a board
    return to_frame([json.loads(workdir.read_text())])
  if workdir.is_file():  # the last line may not be complete
    lines = workdir.read_text().rpartition('\n')[0].splitlines()
    return to_frame(x for x in map(json.loads, lines) if 'event' not in x)
  runs = {}
  for file in sorted(workdir.rglob(records.METRICS)):
    recorded = json.loads((file.parent / records.CONFIG).read_text())
    config = config_lib.DEFAULTS | recorded
    config.pop('num_seeds', None)
    for line in records.read_lines(file.parent, 'final'):
      key = json.dumps(config | {'seed': line['seed']}, sort_keys=True)
      known = runs.setdefault(key, config | line)
      if known.get('params_sha256') != line.get('params_sha256'):
        raise ssnn_jax.UserError(
          f'two runs of seed {line["seed"]} in {workdir} have the same '
          'configuration, but other weights (params_sha256); remove one.'
        )
  if not workdir.exists():
    raise ssnn_jax.UserError(
      f'{workdir} does not exist; give a folder of runs.'
    )
  if not runs:
    raise ssnn_jax.UserError(
      f'{workdir} holds no finished run; wait for one, or continue it by its '
      'command.'
    )
  return to_frame(runs.values())


def to_frame(runs: Iterable[dict[str, Any]]) -> pd.DataFrame:
  """Makes the frame of runs, with fields that have an effect as text.

  The rates of a recording depend on T, which its ANN keeps.
  """
  rows = []
  for run in runs:
    method, is_recorded = run['method'], catalog.is_recorded(run['dataset'])
    row = dict(run)
    for name in run.keys() - {*_NUMBERS}:
      is_used = config_lib.concerns(method, name)
      is_used |= name == 'num_steps' and is_recorded
      row[name] = write(name, run[name] if is_used else None)
    rows.append(row)
  return _to_numbers(pd.DataFrame(rows, dtype=object))


def write(name: str, value: Any) -> str:
  """Writes the value of a field as a cell."""
  if name == 'dataset' and value.endswith('.npz'):
    return pathlib.Path(value).stem
  if name in DIGESTS:
    return value[:8]  # hexadecimal digits
  if isinstance(value, list | tuple):
    return ','.join(map(str, value))
  return '' if value is None else str(value)


def _to_numbers(frame):
  """Makes numbers of the columns of numbers, and texts of all others.

  If the ANNs of a data set have one T, networks of all T are compared with it.
  """
  for name in frame:
    cells = frame[name]
    is_number = name in _NUMBERS
    frame[name] = pd.to_numeric(cells) if is_number else cells.fillna('')
  for _, anns in frame[frame['method'] == config_lib.ANN].groupby('dataset'):
    if 'num_steps' in frame and anns['num_steps'].nunique() == 1:
      frame.loc[anns.index, 'num_steps'] = ''
  return frame


def path(name: str, suffix: str = 'csv') -> pathlib.Path:
  """Returns a file of the results of a study, or the README of the project."""
  folder = FOLDER.parent.parent if name == README else FOLDER
  return folder / f'{name}.{suffix}'


def list_recorded() -> list[str]:
  """Lists the studies that have a CSV file."""
  return [name for name in studies.STUDIES if path(name).exists()]


def read_csv(name: str) -> pd.DataFrame:
  """Reads the frame of the runs of a study."""
  return _to_numbers(pd.read_csv(path(name), dtype=str, keep_default_na=False))


def to_csv(runs: pd.DataFrame, study: studies.Study) -> str:
  """Writes the runs of a study as CSV, a row for each run.

  It has the fields of its setting, its seed, its numbers, seconds to a tenth,
  and the first digits of the digests of its weights and of its data.

  Raises:
    UserError: if runs differ in a field that is no column of the study, or two
      of them have the same settings and seed.
  """
  settings = setting_fields(study)
  runs = runs.reindex(columns=list(dict.fromkeys([*settings, *runs])))
  _refuse_hidden(runs, settings)
  seeded = runs.reindex(columns=[*settings, 'seed']).dropna(subset='seed')
  if seeded.duplicated().any():
    first = seeded[seeded.duplicated()].iloc[0].to_dict()
    cells = ', '.join(f'{x}={first[x]}' for x in first if first[x] != '')
    raise ssnn_jax.UserError(
      f'two runs have the same settings and seed ({cells}); leave one out.'
    )
  runs = _sort(runs, study).round({'train_seconds': 1})
  numbers = [name for name in _NUMBERS if name in runs and runs[name].count()]
  digests = [x for x in DIGESTS if x in runs and runs[x].fillna('').any()]
  rows = runs[[*settings, *numbers, *digests]]
  return rows.to_csv(index=False, float_format='%.10g')


def _refuse_hidden(runs, settings):
  """Raises a user error if runs of one setting differ in another field."""
  hidden = _differing(runs, settings)
  if hidden:
    raise ssnn_jax.UserError(
      f'runs differ in {", ".join(hidden)}, which is no column of the study; '
      'export the runs of its sweeps alone.'
    )


def _sort(runs, study):
  """Sorts runs by data set, the ANN first, then by the columns of a study."""
  places = {name: place for place, name in enumerate(study.sweeps)}

  def order(index):
    row = runs.loc[index].fillna('')
    is_ann = row['method'] == config_lib.ANN
    cells = [_order(row.get(name, '')) for name in setting_fields(study)[1:]]
    place, seed = places.get(row['dataset'], math.inf), row.get('seed', '')
    return place, row['dataset'], not is_ann, cells, seed == '', seed

  return runs.loc[sorted(runs.index, key=order)]


def _differing(runs, settings):
  """Lists the fields in which the runs of one setting differ."""
  known = {*settings, *_UNVARIED}
  fields = [x for x in config_lib.FIELDS if x in runs and x not in known]
  numbers = runs.groupby(settings)[fields].nunique().max() if fields else {}
  return [name for name in fields if numbers[name] > 1]


def _order(cell):
  """Orders cells: empty ones, numbers by value, shorter lists first, words."""
  parts = re.split(r'(\d+(?:\.\d+)?)', cell)
  numbers = [float(x) if i % 2 else x for i, x in enumerate(parts)]
  return bool(cell), cell[:1].isalpha(), cell.count(','), numbers


def run_seconds(runs: pd.DataFrame) -> pd.Series:
  """Returns the time of training of each run, a share of that of its seeds."""
  times = runs.reindex(columns=['train_seconds', 'seeds_at_once'])
  return times['train_seconds'] / times['seeds_at_once'].fillna(1)


# Comparisons.


def compare(runs: pd.DataFrame, study: studies.Study) -> pd.DataFrame:
  """Compares settings with the baseline of a study, seed by seed.

  Returns:
    A row for each setting that the study shows, except the baseline, and each
    metric: `value`, an accuracy minus the baseline in percentage points or the
    mean of another metric; `half_width` of its 95 % interval; `seeds`, their
    number; `baseline`, the accuracy of the baseline in percent; `margin`;
    `text` and `verdict`. Parameters of devices are those that differ.

  Raises:
    UserError: if paired runs were trained on other samples, or runs of one
      setting differ in a field that is no column of the study.
  """
  fields = [name for name in setting_fields(study) if name in runs]
  _refuse_hidden(runs, fields)
  paired = [name for name in fields if name not in study.baseline]
  settings, baselines, rows = [], [], []
  for cells, group in runs.groupby(fields, sort=False):
    setting = dict(zip(fields, cells))
    is_baseline = all(
      value in (None, setting.get(name))
      for name, value in study.baseline.items()
    )
    (baselines if is_baseline else settings).append((setting, group))
  for setting, group in settings:
    shown = [setting.get(x) in y for x, y in study.shown.items()]
    if setting.get(study.across) == '' or not all(shown):
      continue
    bases = (
      base
      for cells, base in baselines
      if all(cells[name] in ('', setting[name]) for name in paired)
    )
    base, margin = next(bases, None), study.find_margin(setting['dataset'])
    for metric in study.metrics:
      # Most winners are the answer of stochastic neurons.
      is_same = setting.get('neuron') == 'stochastic'
      is_same &= metric == f'{_ACCURACY}_winner'
      if metric in group and group[metric].count() and not is_same:
        made = _compare(group, base, metric, margin)
        rows.append(setting | {'metric': metric} | made)
  compared = pd.DataFrame(rows)
  if 'device_params' in compared:
    params = [text.split(',') for text in compared['device_params']]
    varied = [set(row) for row in params if row != ['']]
    shared = set.intersection(*varied) if varied else set()
    short = [','.join(x for x in row if x not in shared) for row in params]
    compared = compared.assign(device_params=short)
  return compared


def setting_fields(study: studies.Study) -> list[str]:
  """Lists the fields of a setting; a study may have `method` as a column."""
  names = ['dataset', 'method', *study.columns]
  return names[:1] + names[2:] if 'method' in study.columns else names


def _compare(group, base, metric, margin):
  """Returns the numbers of a setting: a difference, or without base a mean."""
  is_accuracy, pairs = metric.startswith(_ACCURACY), group.head(0)
  accuracy, verdict = math.nan, ''
  if is_accuracy and base is not None:
    if metric not in base or not base[metric].count():  # ANNs have one readout
      base = base.assign(**{metric: base[_ACCURACY]})
    pairs = group.merge(base, on='seed', suffixes=('', '_base'))
    _refuse_other_data(pairs)
  if pairs.empty:
    mean = (100 if is_accuracy else 1) * group[metric].mean()
    number = group[metric].count()
    difference = statistics.Difference(mean, math.nan, math.nan, number)
    text = f'{mean:.3g}' if abs(mean) < 1000 else f'{mean:.0f}'
    text = f'{mean:.2f} %' if is_accuracy else text
  else:
    of_base, size = pairs[f'{metric}_base'], pairs['num_eval_samples'].iloc[0]
    folds = pairs['folds'].iloc[0] if 'folds' in pairs else ''
    overlap = 1 / (int(folds) - 1) if folds else 0.0
    difference = statistics.paired_difference(
      pairs[metric], of_base, int(size), overlap=overlap
    )
    accuracy, text = 100 * of_base.mean(), str(difference)
    verdict = statistics.verdict(difference, margin)
    classes = base['layers'].iloc[0].split(',')[-1] if 'layers' in base else ''
    # Of balanced classes.
    chance = 1 / int(classes) if classes.isdecimal() else 0
    if statistics.is_at_chance(of_base.mean(), chance):
      verdict = 'at chance'
  return {
    'value': difference.mean,
    'half_width': difference.half_width,
    'seeds': difference.num_seeds,
    'baseline': accuracy,
    'margin': margin,
    'text': text,
    'verdict': verdict,
  }


def _refuse_other_data(pairs):
  """Raises a user error if both runs of a pair have data, but not the same.

  The one ANN of recordings that is compared with all T has the data of one.
  """
  for pair in pairs.to_dict('records'):
    digests = {pair.get(f'data_sha256{of}') for of in ('', '_base')}
    has_own_t = pair.get('num_steps') != pair.get('num_steps_base')
    is_binned = has_own_t and catalog.is_recorded(pair['dataset'])
    if len(digests - {'', None}) > 1 and not is_binned:
      raise ssnn_jax.UserError(
        f'the runs of seed {pair["seed"]} were trained on other samples of '
        f'{pair["dataset"]} than their baseline (data_sha256 is '
        f'{" and ".join(sorted(digests))}); train them again on the same data.'
      )


# Tables.


def table(compared: pd.DataFrame, study: studies.Study) -> str:
  """Writes comparisons as a Markdown table, below a line that describes it.

  A row has the settings that differ in the field of the columns only.
  """
  names = ['dataset', *_distinguishing(compared, study), 'metric']
  names = [x for x in names if x != study.across and compared[x].nunique() > 1]
  columns = list(compared[study.across].unique())
  if study.across not in _WORDS:
    columns.sort(key=_order)
  rows = []
  for cells, group in compared.groupby(names or 'method', sort=False):
    row = {_heading(x): _word(x, cell) for x, cell in zip(names, cells)}
    accuracies = [f'{x:.1f}' for x in group['baseline'].dropna()]
    if study.across != 'dataset':
      row[f'{_baseline_name(study)}, %'] = _range(accuracies)
    for value in columns:
      texts = group[group[study.across] == value]['text']
      row[_column(study, value)] = ' / '.join(texts)
    is_error = group['metric'].iloc[0].endswith('_error')
    row['power of T'] = ''
    if is_error and study.across == 'num_steps' and len(group) > 2:
      logs = (np.log(group[x].astype(float)) for x in (study.across, 'value'))
      row['power of T'] = f'{np.polyfit(*logs, 1)[0]:.2f}'  # a slope
    row['verdict'] = _join_verdicts(group, study)
    seeds = group.dropna(subset='baseline') if accuracies else group
    if accuracies or group['seeds'].max() > 1:  # not measured once
      row['seeds'] = _range(seeds['seeds'].astype(str))
    rows.append(row)
  written = pd.DataFrame(rows).fillna('').loc[:, lambda x: (x != '').any()]
  caption, name = '', METRICS[study.metrics[0]]
  if compared['baseline'].notna().any():
    margins = {f'{margin:g}' for margin in compared['margin']}
    caption = (
      f'Accuracies minus {_baseline_name(study)} in points, and 95 % intervals '
      f'over seeds; the margin is {" or ".join(sorted(margins))}:\n\n'
    )
  elif study.across != 'metric':  # whose columns are named
    caption = f'{name[0].upper()}{name[1:]}:\n\n'
  return caption + write_table(written)


def write_table(written: pd.DataFrame) -> str:
  """Writes a frame in Markdown, aligned so that it is legible as text."""
  lines = [list(written), *map(list, written.to_numpy())]
  widths = [max(3, *map(len, column)) for column in zip(*lines)]
  lines.insert(1, ['-' * width for width in widths])
  return '\n'.join(
    f'| {" | ".join(map(str.ljust, line, widths))} |' for line in lines
  )


def _distinguishing(compared, study):
  """Lists the fields that distinguish rows which are equal in those before."""
  names, count = [], 0
  for name in setting_fields(study):
    if name in compared and (name == 'dataset' or name != study.across):
      number = len(compared[[*names, name]].drop_duplicates())
      if number > count:
        names, count = [*names, name], number
  return names[1:]


def _range(texts):
  """Writes the first and the last of sorted texts."""
  ordered = sorted(texts, key=_order)
  return ' to '.join(dict.fromkeys(ordered[:1] + ordered[-1:]))


def _baseline_name(study):
  return 'ANN' if study.baseline == studies.ANN else 'baseline'


def _heading(name):
  return _HEADINGS.get(name, name.replace('_', ' '))


def _word(name, value):
  value = _WORDS.get(name, {}).get(value, value)
  if name == 'layers':  # hidden layers of one size are counted
    count = lambda found: f'{1 + found[2].count(",")}×{found[1]}'
    value = re.sub(r'\b(\d+)((?:,\1)+)(?=,)', count, value)
  return value


def _assign(name, value):
  """Writes a number or word with the name of its field, such as 'T = 8'."""
  sign = '= ' if name == 'num_steps' else ''
  return f'{_heading(name)} {sign}{value}'.strip()


def _column(study, value):
  """Returns the heading of a column of numbers."""
  is_word = study.across in _WORDS
  return (_word if is_word else _assign)(study.across, value)


def _join_verdicts(group, study):
  """Joins the verdicts of a row, such as 'within 1 point: T = 16, 64'."""
  group = group[group['verdict'] != '']
  if study.across == 'metric':  # the verdict is on the first of them
    group = group[group['metric'] == study.metrics[0]]
  places = dict(list(group.groupby('verdict', sort=False)[study.across]))
  if len(places) < 2:
    return ''.join(places)
  texts = []
  for verdict in sorted(places, key=lambda x: 'wni'.index(x[0])):
    values = sorted(places[verdict], key=_order)
    listed = ', '.join(_word(study.across, value) for value in values)
    if study.across not in _WORDS:
      listed = _column(study, listed)
    texts.append(f'{verdict}: {listed}')
  return '; '.join(texts)


# Figures.


def draw(compared: pd.DataFrame, study: studies.Study) -> figure.Figure:
  """Draws the first metric of comparisons, with intervals and the margin.

  The rows of the table are curves over its columns if these are numbers and
  there are few rows, or else lines of points. Data sets, or the values of the
  first field of the curves of one data set, have their own panels, and so have
  the columns if each row has a number in one of them.
  """
  shown = compared[compared['metric'] == study.metrics[0]]
  names, across = _distinguishing(shown, study), study.across
  panels = ['metric' if across == 'dataset' else 'dataset']
  rows = shown.groupby(['dataset', *names], sort=False).ngroup()
  has_one_set = shown['dataset'].nunique() == 1 and len(names) > 1
  of_curves = names[:1] if has_one_set else panels
  num_curves = rows.groupby([shown[x] for x in of_curves]).nunique().max()
  is_curves = across not in _WORDS and not rows.is_unique
  is_curves &= num_curves <= _MOST_CURVES
  if is_curves:
    panels = of_curves
  elif rows.is_unique:
    panels.append(across)
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
  is_divided = is_curves or across in panels
  columns = [] if is_divided else sorted(shown[across].unique(), key=_order)
  looks = {_column(study, x): number for number, x in enumerate(columns)}
  line = 0.15 + 0.05 * max(1, len(columns))
  heights = [
    2.6 if is_curves else 0.9 + line * part['label'].nunique()
    for _, part in parts[:num_lines]
  ]
  size = width, sum(heights) + 0.4
  fig = figure.Figure(figsize=size, layout='constrained')
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


def draw_costs(runs: pd.DataFrame) -> figure.Figure:
  """Draws the accuracy of images against the additions so far, tick by tick.

  Products of the ANN are a star. The axis is logarithmic in the errors.
  """
  fig = figure.Figure(figsize=(7.2, 5), layout='constrained')
  axes, fields = fig.subplots(), ['wires', 'num_steps']
  is_image = runs['dataset'] == 'fashion_mnist'
  shown = runs[is_image & (runs['layers'] == studies.DENSE)]
  played, ann = shown[shown['tick'] != ''], shown[shown['method'] == 'bp']
  for number, ((wires, steps), own) in enumerate(
    sorted(played.groupby(fields), key=lambda x: (x[0][0], int(x[0][1])))
  ):
    name = f'unit spikes, T = {steps}' if wires else f'graded, N = {steps}'
    shade = 0.35 + 0.65 * (number + 1) / 9
    look = {'color': _COLORS[bool(wires)], 'alpha': shade}
    look['marker'] = _MARKERS[number % len(_MARKERS)]
    errors = 100 - 100 * own['test_accuracy']
    axes.plot(own['forward_events'], errors, label=name, markersize=4, **look)
  if len(ann):
    errors = 100 - 100 * ann['test_accuracy']
    label = 'ANN, products'
    axes.plot(ann['forward_events'], errors, 'k*', markersize=12, label=label)
  axes.set_xscale('log')
  axes.set_yscale('log')
  axes.invert_yaxis()
  ticks = 10, 50, 70, 80, 84, 86, 88
  axes.set_yticks([100 - x for x in ticks], ticks)
  axes.set(xlabel='additions forward, for an image', ylabel='accuracy, %')
  axes.minorticks_off()
  axes.grid(alpha=0.3)
  fig.legend(loc='outside lower center', ncols=3, fontsize=8)
  return fig


def _label(row, names):
  """Names a row by the values of fields, and their names if numbers."""
  words = [_describe(name, row[name]) for name in names]
  return ', '.join(filter(None, words)) or _describe('method', row['method'])


def _describe(name, value):
  """Describes the value of a field in a figure."""
  word = _word(name, value)
  word = _IN_FIGURES.get(value, _IN_FIGURES.get(word, word))
  if name == 'layers':
    hidden = re.fullmatch(r'([\d×,]+),\d+', word)
    return f'{hidden[1]} hidden neurons' if hidden else word
  if word[:1].isdecimal():
    return _assign(name, _shorten(word))
  named = re.findall(r'(\w+)=([^,]+)', word)
  words = [f'{_IN_FIGURES.get(x, x)} {_shorten(y)}' for x, y in named]
  return ', '.join(words) or word.replace('_', ' ')


def _shorten(number):
  """Writes a number without zeros that say nothing."""
  is_number = re.fullmatch(r'\d[\d.]*(e-?\d+)?', number)
  return f'{float(number):g}' if is_number else number


def _draw_panel(axes, rows, study, is_curves, looks):
  """Draws curves, or lines of points, shifted so that none hides another."""
  value_label = _scale(axes, rows, study, is_curves)
  labels = list(rows['label'].unique())
  series = rows.groupby('label' if is_curves else study.across, sort=False)
  if not is_curves:
    series = sorted(series, key=lambda named: _order(named[0]))
  for index, (name, own) in enumerate(series):
    shift = (index + 0.5) / len(series) - 0.5
    widths = own['half_width'].fillna(0)
    if is_curves:
      places = own[study.across].astype(float).sort_values()
      own, widths = own.loc[places.index], widths[places.index]
      drawn = {'x': places * 2 ** (0.5 * shift), 'y': own['value']}
      drawn |= {'yerr': widths, 'linestyle': '-'}
    else:
      name = _column(study, name) if len(looks) > 1 else ''
      places = own['label'].map(labels.index)
      drawn = {'x': own['value'], 'y': places + 0.6 * shift}
      drawn |= {'xerr': widths, 'linestyle': 'none'}
    number = looks.setdefault(name, len(looks))
    axes.errorbar(
      **drawn,
      label=name,
      color=_COLORS[number % len(_COLORS)],
      marker=_MARKERS[number % len(_MARKERS)],
      markersize=4,
      linewidth=1.2,
      capsize=2,
    )
  if is_curves:
    ticks = sorted(map(float, rows[study.across].unique()))
    axes.set_xscale('log', base=2)
    axes.set_xticks(ticks, [f'{x:g}' for x in ticks])
    xlim = ticks[0] / 1.5, ticks[-1] * 1.5
    axes.set(xlim=xlim, xlabel=_heading(study.across), ylabel=value_label)
  else:
    axes.set_yticks(range(len(labels)), labels)
    axes.set(ylim=(len(labels) - 0.5, -0.5), xlabel=value_label)
  axes.minorticks_off()


def _scale(axes, rows, study, is_curves):
  """Scales the axis of values and draws the margin; returns the label.

  Differences beyond the margin have a logarithmic scale.
  """
  axis, draw_line, draw_band = axes.xaxis, axes.axvline, axes.axvspan
  set_scale = axes.set_yscale if is_curves else axes.set_xscale
  if is_curves:
    axis, draw_line, draw_band = axes.yaxis, axes.axhline, axes.axhspan
  values, label = rows['value'], METRICS[study.metrics[0]]
  if rows['baseline'].notna().any():
    base = _baseline_name(study)
    label = f'accuracy minus {base} (points)'
    margin = rows['margin'].iloc[0]
    draw_line(0, color='black', linewidth=1, label=base)
    draw_band(-margin, margin, color='#EBEBEB', zorder=0, label='margin')
    ticks = {margin, *(x for x in _TICKS if x > margin / 4)}
    set_scale('symlog', linthresh=margin)
    axis.set_major_locator(
      ticker.FixedLocator([*(-x for x in ticks), 0, *ticks])
    )
  elif 0 < 10 * values.min() < values.max():
    set_scale('log')
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  axis.set_major_formatter(ticker.StrMethodFormatter('{x:g}'))
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


# Pages.


def compare_page(name: str) -> tuple[studies.Study, pd.DataFrame]:
  """Returns a study, or that of the README, and its comparisons."""
  if name != README:
    return studies.load(name), compare(read_csv(name), studies.load(name))
  parts = []
  for network, of_study, shown in _README_ROWS:
    study = dataclasses.replace(
      studies.load(of_study), metrics=(_ACCURACY,), shown=shown
    )
    part = compare(read_csv(of_study), study).assign(network=network)
    if len(part):  # not of unit spikes
      parts.append(part)
  return _README_STUDY, pd.concat(parts)


def page_table(name: str) -> str:
  """Makes the table of a page from the CSV file of the study.

  Spaces within a number do not break, as columns of a page are narrow.
  """
  study, compared = compare_page(name)
  made = table(compared, study)
  return re.sub(' ([±=]) ', '\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}', made)


def write_page(name: str) -> None:
  """Generates the table and the figure of a study, or that of the README."""
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
  files.write_atomically(page, f'{above}{begin}\n{made}\n{end}{below}')
  if name != README:
    study, compared = compare_page(name)
    is_played = 'tick' in study.columns
    fig = draw_costs(read_csv(name)) if is_played else draw(compared, study)
    fig.savefig(path(name, 'png'), dpi=120)


def export(name: str, workdir: pathlib.Path) -> None:
  """Exports runs to the CSV file of a study.

  Those of the folder of a sweep replace those of its data sets, and those of
  the file of a measurement those of the same settings.
  """
  study, runs = studies.load(name), read(workdir)
  if path(name).exists():
    known = read_csv(name)
    names = ['dataset']  # a sweep has all settings, a file those of a command
    if workdir.is_file():
      names = setting_fields(study)

    def key(frame):  # a run has a seed
      has_seed = frame.reindex(columns=['seed'])['seed'].notna()
      cells = frame.reindex(columns=names, fill_value='')
      return pd.MultiIndex.from_frame(cells.assign(has_seed=has_seed))

    is_new = key(known).isin(key(runs))
    runs = pd.concat([known[~is_new], runs], ignore_index=True)
  files.write_atomically(path(name), to_csv(runs, study))


def show(workdir: pathlib.Path) -> None:
  """Prints the table of a sweep, and writes results.csv and results.png.

  The sweep of a study has its table; of a grid, all varied fields are named.
  """
  runs, file = read(workdir), workdir / 'sweep.json'
  name = json.loads(file.read_text()).get('study') if file.exists() else None
  study = studies.load(name) if name else studies.Study()
  varied = tuple(_differing(runs, setting_fields(study)))
  study = dataclasses.replace(study, columns=study.columns + varied)
  if not name and 'num_steps' not in varied:
    study = dataclasses.replace(study, across='metric')
  files.write_atomically(workdir / 'results.csv', to_csv(runs, study))
  compared = compare(_sort(runs, study), study)
  written = f'runs: {workdir / "results.csv"}'
  if len(compared):
    print(table(compared, study))
    draw(compared, study).savefig(workdir / 'results.png', dpi=120)
    written += f', figure: {workdir / "results.png"}'
  print(written)


def _train_time(name):
  """Describes how long the runs of a study were trained, if it is recorded."""
  seconds = 0 if name == README else run_seconds(read_csv(name)).sum()
  hours, minutes = divmod(round(seconds / 60), 60)
  return f': runs trained for {hours} h {minutes} min' if seconds else ''


def main() -> None:
  """Exports runs, and generates pages."""
  name, workdir = flags.FLAGS.study, flags.FLAGS.workdir
  if workdir:
    export(name, command.folder(workdir))
  pages = [name] if name else list_recorded()
  is_in_readme = {study for _, study, _ in _README_ROWS} & {*pages}
  for page in pages + [README] * bool(is_in_readme):
    write_page(page)
    print(f'{path(page, "md")}{_train_time(page)}')


if __name__ == '__main__':
  flags.DEFINE_string('study', None, 'name of the study; default: all studies.')
  flags.DEFINE_string(
    'workdir',
    None,
    'folder of a sweep, or file of the lines of a measurement or of the report '
    'of a board, to export to the CSV file of --study.',
  )
  command.launch(main)
