"""Tables of text: the generic table of a sweep, and the layout of any table."""

import pandas as pd

from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.analysis import study as study_lib

# Columns of the readouts; the first is the spike-count readout.
_READOUTS = {
  'accuracy': 'test_accuracy',
  'largest potential': 'test_accuracy_largest',
  'final potential': 'test_accuracy_potential',
  'ANN readout': 'test_accuracy_rate',
}


def make(runs: pd.DataFrame) -> pd.DataFrame:
  """Makes the table of a sweep, one row a setting.

  Args:
    runs: the runs of the sweep.

  Returns:
    Cells of text: varied fields, then means and standard deviations over seeds;
    accuracies in percent, differences in points, paired by seed.
  """
  fields = frames.varied(runs) or ['method']
  rows = []
  for setting in frames.settings(runs):
    labels = {name: frames.describe_value(setting, name) for name in fields}
    rows.append(labels | results(setting, runs))
  return pd.DataFrame(rows)


def of_study(study: study_lib.Study, runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes the tables of a record of a study, or the generic table."""
  return study.table(runs) if study.table else [make(runs)]


def results(setting: pd.DataFrame, runs: pd.DataFrame) -> dict[str, str]:
  """Writes the results of a setting; the ANN has one readout and no errors."""
  cells = {
    heading: statistics.write(statistics.percent(setting, metric))
    for heading, metric in _READOUTS.items()
    if metric in runs and runs[metric].notna().any()  # not in older records
  }
  cells['minus ANN (95 %)'] = ''
  for name in frames.ERRORS:
    number = statistics.over_seeds(setting, name)
    cells[name.replace('_', ' ')] = statistics.write(number, 'both .3f')
  is_ann = frames.split_baseline(setting)[1].empty
  if is_ann:
    cells = dict.fromkeys(cells, '') | {'accuracy': cells['accuracy']}
  else:
    ann = frames.find_baseline(setting, runs)
    if ann is not None:
      difference = statistics.paired_difference(setting, ann)
      cells['minus ANN (95 %)'] = statistics.write(difference)
  return cells | {'seeds': str(len(setting))}


def lay_out(table: pd.DataFrame) -> str:
  """Lays out a table of text in columns below their headings."""
  columns = [[name, *table[name]] for name in table]
  widths = [max(map(len, column)) for column in columns]
  header, *rows = [
    '  '.join(
      cell.ljust(width) for cell, width in zip(row, widths, strict=True)
    ).rstrip()
    for row in zip(*columns, strict=True)
  ]
  return '\n'.join([header, '-' * len(header), *rows])
