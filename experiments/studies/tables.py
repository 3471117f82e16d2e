"""Tables of comparisons, in Markdown, and the words of their cells."""

import re

import numpy as np
import pandas as pd

from experiments.studies import frames
from experiments.studies import studies

# Fields, their values, and names in values, in words.
WORDS = frames.METRICS | {
  'mnist': 'MNIST',
  'fashion_mnist': 'Fashion-MNIST',
  'emnist47': 'EMNIST-47, own split',
  'n_mnist': 'N-MNIST',
  'cifar10': 'CIFAR-10',
  'random': 'random images',
  'ssnn': 'spikes',
  'bp': 'ANN',
  studies.SMALL_CONV: 'small convolution',
  'lenet': 'LeNet-5',
  'shakespeare': 'tiny Shakespeare',
  'residual': 'residual network',
  'whitened': 'residual network, whitened inputs',
  'mixer': 'MLP-mixer',
  'vit': 'vision transformer',
  'gru': 'recurrent',
  'rows=True': 'GRU, rows of images',
  'cell=lstm,rows=True': 'LSTM, rows of images',
  'gpt': 'GPT',
  'sobol': 'Sobol trains',
  'bernoulli': 'Bernoulli trains',
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
  'num_steps': 'N, T',
  'metric': 'measure',
  'dataset': 'data set',
  'median_ms': 'time, ms',
  'peak_mib': 'memory, MiB',
}


def table(compared: pd.DataFrame, study: studies.Study) -> str:
  """Writes comparisons as a Markdown table, below a line that describes it.

  A row has the settings that differ in the field of the columns only.
  """
  names = ['dataset', *distinguishing(compared, study), 'metric']
  names = [x for x in names if x != study.across and compared[x].nunique() > 1]
  columns = list(compared[study.across].unique())
  if is_number(columns[0]):
    columns.sort(key=frames.order)
  rows, has_losses = [], studies.LOSS in compared['metric'].values
  base_heading = baseline_name(study) + ('' if has_losses else ', %')
  for cells, group in compared.groupby(names or 'method', sort=False):
    row = {heading(x): word(x, cell) for x, cell in zip(names, cells)}
    decimals = 3 if group['metric'].iloc[0] == studies.LOSS else 1
    bases = [f'{x:.{decimals}f}' for x in group['baseline'].dropna()]
    if study.across != 'dataset':
      row[base_heading] = _range(bases)
    for value in columns:
      texts = group[group[study.across] == value]['text']
      row[describe(study.across, value)] = ' / '.join(texts)
    is_error = group['metric'].iloc[0].endswith('_error')
    row['power of T'] = ''
    if is_error and study.across == 'num_steps' and len(group) > 2:
      logs = (np.log(group[x].astype(float)) for x in (study.across, 'value'))
      row['power of T'] = f'{np.polyfit(*logs, 1)[0]:.2f}'  # a slope
    row['verdict'] = _join_verdicts(group, study)
    seeds = group.dropna(subset='baseline') if bases else group
    if bases or group['seeds'].max() > 1:  # not measured once
      row['seeds'] = _range(seeds['seeds'].astype(str))
    rows.append(row)
  written = pd.DataFrame(rows).fillna('').loc[:, lambda x: (x != '').any()]
  caption, name = '', frames.METRICS[study.metrics[0]]
  if compared['baseline'].notna().any():
    margins = {f'{margin:g}' for margin in compared['margin']}
    caption = (
      f'Accuracies minus {baseline_name(study)} in points, '
      f'{"losses in nats, " * has_losses}and 95 % intervals over seeds; the '
      f'margin is {" or ".join(sorted(margins))}:\n\n'
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


def distinguishing(compared: pd.DataFrame, study: studies.Study) -> list[str]:
  """Lists the fields that distinguish rows which are equal in those before."""
  names, count = [], 0
  for name in frames.setting_fields(study):
    if name in compared and (name == 'dataset' or name != study.across):
      number = len(compared[[*names, name]].drop_duplicates())
      if number > count:
        names, count = [*names, name], number
  return names[1:]


def _range(texts):
  """Writes the first and the last of sorted texts."""
  ordered = sorted(texts, key=frames.order)
  return ' to '.join(dict.fromkeys(ordered[:1] + ordered[-1:]))


def baseline_name(study: studies.Study) -> str:
  """Returns the name of the baseline of a study."""
  return 'ANN' if study.baseline == studies.ANN else 'baseline'


def heading(name: str) -> str:
  """Returns the heading of a field."""
  return WORDS.get(name, name.replace('_', ' '))


def word(name: str, value: str) -> str:
  """Returns the word of the value of a field."""
  if (name, value) == ('num_steps', '0'):
    return 'digits alone'
  value = WORDS.get(value or f'no {name}', value)
  if name == 'layers':  # hidden layers of one size are counted
    count = lambda found: f'{1 + found[2].count(",")}×{found[1]}'
    value = re.sub(r'\b(\d+)((?:,\1)+)(?=,)', count, value)
  return value if '=' in value else value.replace('_', ' ')


def is_number(value: str) -> bool:
  """Returns whether a value begins as a number, which needs its field."""
  return value[:1].isdecimal()


def describe(name: str, value: str) -> str:
  """Returns the word of a value, or a number and its field, as 'N, T = 8'."""
  if not is_number(word(name, value)):
    return word(name, value)
  return f'{heading(name)} {"= " * (name == "num_steps")}{value}'


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
    values = sorted(places[verdict], key=frames.order)
    # The first number has its field.
    is_next = [False, *(is_number(word(study.across, x)) for x in values)]
    words = [
      (word if follows else describe)(study.across, value)
      for follows, value in zip(is_next, values)
    ]
    texts.append(f'{verdict}: {", ".join(words)}')
  return '; '.join(texts)
