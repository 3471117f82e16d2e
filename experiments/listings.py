"""Tables of the records that `experiments.plot` draws nothing of."""

from collections.abc import Callable
import csv
import os
import pathlib

from experiments import summary


def p_values(folder: str | os.PathLike) -> str:
  """Counts how the p-values of the battery dieharder were assessed.

  Args:
    folder: that of `dieharder.csv`.

  Returns:
    The table, a line a seed, with the p-values farthest from a half.
  """
  rows = [
    ('seed', 'tests', 'p-values', 'weak', 'failed', 'smallest', 'largest')
  ]
  with pathlib.Path(folder, 'dieharder.csv').open() as file:
    lines = list(csv.DictReader(file))
  for seed in sorted({line['seed'] for line in lines}):
    own = [line for line in lines if line['seed'] == seed]
    assessed = [line['assessment'] for line in own]
    values = [float(line['p_value']) for line in own]
    rows.append(
      (
        *(seed, str(len({line['test'] for line in own})), str(len(own))),
        *(str(assessed.count('WEAK')), str(assessed.count('FAILED'))),
        *(f'{min(values):.4f}', f'{max(values):.4f}'),
      )
    )
  return summary.layout(rows)


TABLES: dict[str, Callable[..., str]] = {'random_words': p_values}
