"""Tables of text: the generic table of a sweep, and the layout of any table."""

from collections.abc import Mapping
import textwrap

import pandas as pd

from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.analysis import study as study_lib
from experiments.config import methods

WIDTH = 100  # characters of a page
# Columns of the readouts; the first is the spike-count readout.
_READOUTS = {
  'accuracy': 'test_accuracy',
  'largest potential': 'test_accuracy_largest',
  'final potential': 'test_accuracy_potential',
  'ANN readout': 'test_accuracy_rate',
}
_ERRORS = dict(zip(('update error', 'quantization error'), frames.ERRORS))
EXPLANATIONS = {
  'largest potential': 'by the class whose potential leads in most ticks',
  'final potential': 'by the class of the highest potential at the end',
  'ANN readout': 'of the ANN with the learned weights',
  'minus ANN': 'from the ANN with equal settings, paired by seed',
  'update error': (
    'distance of the update of a batch from the gradient of BP, relative to it'
  ),
  'quantization error': 'the same with spikes in the update only',
}
_HEADINGS = {'num_steps': 'T'}
_EQUALS = 3 * '\N{NO-BREAK SPACE}'  # instead of ' = ' while lines are broken


def make(runs: pd.DataFrame) -> pd.DataFrame:
  """Makes the table of a sweep, one row a setting.

  Args:
    runs: the runs of the sweep.

  Returns:
    Cells of text: varied fields, then means and standard deviations over seeds;
    accuracies in percent, differences in points, paired by seed, with their
    95 % interval.
  """
  fields = ['method', *(x for x in frames.varied(runs) if x != 'method')]
  ann, _ = frames.split_baseline(runs)
  readouts = {
    heading: metric
    for heading, metric in _READOUTS.items()
    if metric in runs and runs[metric].notna().any()  # not in older records
  }
  rows = []
  settings = frames.settings(runs)
  bases = frames.find_baselines(settings, ann)
  for setting, base in zip(settings, bases):
    row = {name: frames.describe_value(setting, name) for name in fields}
    row |= {
      heading: statistics.write(statistics.percent(setting, metric))
      for heading, metric in readouts.items()
    }
    method = frames.field(setting, 'method')
    row['minus ANN'] = (
      ''
      if base is None or method == methods.ANN
      else statistics.write(statistics.paired_difference(setting, base))
    )
    for heading, name in _ERRORS.items():
      number = statistics.over_seeds(setting, name)
      row[heading] = statistics.write(number, 'both .3f')
    if method in methods.ANNS:
      row |= dict.fromkeys([*list(readouts)[1:], *_ERRORS], '')
    rows.append(row | {'seeds': str(len(setting))})
  return pd.DataFrame(rows)


def of_study(study: study_lib.Study, runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes the tables of a record of a study, or the generic table."""
  return study.table(runs) if study.table else [make(runs)]


def set_titles(tables: Mapping[str, pd.DataFrame]) -> list[pd.DataFrame]:
  """Gives tables their headings."""
  for title, table in tables.items():
    table.attrs['title'] = title
  return list(tables.values())


def lay_out(table: pd.DataFrame) -> str:
  """Lays out a table of text in columns below their headings.

  Lines above the table have the columns that are the same in all rows, and the
  fields that follow from another column. Columns that exceed the width of a
  page follow below, next to the columns that identify a row.

  Args:
    table: cells of text; its heading is `attrs['title']`, if any.

  Returns:
    The lines.
  """
  kept = {name: list(table[name]) for name in table if any(table[name])}
  above = _move_constants(kept)
  keys = _find_keys(kept)
  for name in [n for n in kept if n in frames.FIELDS and n not in keys]:
    line = _follow(name, keys, kept)
    if line:
      above.append(line)
      del kept[name]
  columns = {name: _column(name, cells) for name, cells in kept.items()}
  first = [columns.pop(name) for name in keys]
  fewest = len(_split(first, columns.values(), WIDTH))
  # Blocks of about the same width: the narrowest ones that are no more.
  widths = (_split(first, columns.values(), x) for x in range(1, WIDTH + 1))
  blocks = next(blocks for blocks in widths if len(blocks) == fewest)
  title = [table.attrs['title']] if 'title' in table.attrs else []
  above = [part for line in above for part in textwrap.wrap(line, WIDTH)]
  lines = [*title, *above, ''] if title or above else []
  written = [_write_block(block, len(first), columns) for block in blocks]
  return '\n'.join([*lines, '\n\n'.join(written)])


def _split(first, others, width):
  """Splits columns into blocks that fit a width, each with the first ones."""
  blocks = [list(first)]
  for column in others:
    if len(blocks[-1]) > len(first) and _width([*blocks[-1], column]) > width:
      blocks.append(list(first))
    blocks[-1].append(column)
  return blocks


def _move_constants(columns: dict[str, list[str]]) -> list[str]:
  """Removes columns with one value; returns lines that have the values."""
  number = len(next(iter(columns.values())))
  is_ann = [name == methods.ANN for name in columns.get('method', [])]
  shared, spiking = [], []
  for name, cells in list(columns.items()):
    values = set(cells)
    of_ann = {cell for cell, ann in zip(cells, is_ann) if ann}
    if number < 3 or len(values - {''}) != 1:
      continue
    if '' not in values:
      found = shared
    elif of_ann == {''} and cells.count('') == sum(is_ann) < number - 1:
      found = spiking
    else:
      continue
    found.append(f'{_HEADINGS.get(name, name)} {max(values)}')
    del columns[name]
  rows = {'all rows': shared, f'all rows but {methods.ANN}': spiking}
  return [f'{key}: {", ".join(found)}' for key, found in rows.items() if found]


def _find_keys(columns: Mapping[str, list[str]]) -> list[str]:
  """Returns the first columns that identify a row, without redundant ones."""
  keys, rows = [], [()] * len(next(iter(columns.values())))
  for name, cells in columns.items():
    longer = [(*row, cell) for row, cell in zip(rows, cells)]
    if len(set(longer)) > len(set(rows)):
      keys, rows = [*keys, name], longer
  return keys


def _follow(name, keys, columns):
  """Writes the values of a column that follow from a key, if there is one."""
  for key in keys:
    pairs = {
      pair for pair in zip(columns[key], columns[name]) if pair[0] and pair[1]
    }
    if len(pairs) == len({own for own, _ in pairs}):
      grouped = {}
      for own, value in sorted(pairs, key=lambda x: columns[key].index(x[0])):
        grouped.setdefault(value, []).append(own)
      listed = [f'{value} ({", ".join(own)})' for value, own in grouped.items()]
      return f'{name} by {_HEADINGS.get(key, key)}: {", ".join(listed)}'
  return ''


def _column(name, cells):
  """Returns the lines of the heading of a column, and its cells."""
  name = _HEADINGS.get(name, name).replace(' = ', _EQUALS)
  width = max(map(len, [*cells, *name.split(' ')]))
  heading = textwrap.wrap(name, width, break_long_words=False)
  return [line.replace(_EQUALS, ' = ') for line in heading], cells


def _width(columns):
  widths = [max(map(len, [*head, *cells])) for head, cells in columns]
  return sum(widths) + 2 * (len(widths) - 1)


def _write_block(columns, num_keys, others):
  """Writes columns below their headings, without rows that have only keys.

  A row that has only keys in all columns is kept.
  """
  height = max(len(heading) for heading, _ in columns)
  heads = zip(*([''] * (height - len(head)) + head for head, _ in columns))
  rows = list(zip(*(cells for _, cells in columns), strict=True))
  values = zip(*(cells for _, cells in others.values()), strict=True)
  has_values = [any(row) for row in values] or [False] * len(rows)
  rows = [
    row
    for row, is_elsewhere in zip(rows, has_values)
    if any(row[num_keys:]) or not is_elsewhere
  ]
  widths = [_width([column]) for column in columns]
  heads, rows = (
    ['  '.join(map(str.ljust, row, widths)).rstrip() for row in lines]
    for lines in (heads, rows)
  )
  return '\n'.join([*heads, '-' * _width(columns), *rows])
