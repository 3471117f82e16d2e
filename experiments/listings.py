"""Tables of the records that `experiments.plot` draws nothing of."""

from collections.abc import Callable
import json
import os
import pathlib

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
  text = pathlib.Path(folder, 'consumers.jsonl').read_text()
  for line in map(json.loads, text.splitlines()):
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


TABLES: dict[str, Callable[..., str]] = {
  'nir_consumers': consumers,
}
