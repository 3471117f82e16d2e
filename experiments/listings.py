"""Tables of the records that `experiments.plot` draws nothing of."""

from collections.abc import Callable
import csv
import os
import pathlib

from experiments import costs
from experiments import summary


def consumers(folder: str | os.PathLike) -> str:
  """Lays out what libraries make of exported networks.

  Args:
    folder: that of the lines of `experiments.measurements.nir_consumer`.

  Returns:
    The table, a line for each library and data set: accuracies in percent, of
    currents and of spikes; ours are means and standard deviations over draws
    of the spikes; errors are distances of the output from the ANN's.
  """
  grouped = {}
  for line in costs.load(folder, 'consumers.jsonl'):
    key = line['dataset'], f'{line["consumer"]} {line["version"]}'
    grouped.setdefault(key, {})[line['inputs']] = line
  rows = [
    (
      *('data set', 'library', 'current', 'spikes', 'error, current'),
      *('error, spikes', 'ours', 'ours by potential', 'read as ANN'),
    )
  ]
  for key, found in sorted(grouped.items()):
    lines = found['current'], found['spikes']
    own = lines[0]
    rows.append(
      (
        *key,
        *(f'{100 * line["consumer_accuracy"]:.2f}' for line in lines),
        *(f'{line["output_error"]:.4f}' for line in lines),
        *(
          f'{100 * own[name]:.2f} ± {100 * own[f"{name}_sd"]:.2f}'
          for name in ('accuracy', 'accuracy_potential')
        ),
        f'{100 * own["accuracy_rate"]:.2f}',
      )
    )
  return summary.layout(rows)


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


TABLES: dict[str, Callable[..., str]] = {
  'nir_consumers': consumers,
  'random_words': p_values,
}
