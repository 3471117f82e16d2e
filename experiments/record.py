"""Records: JSON objects, one a line, from the folder of a run to the pages.

The first line of a record is its header: what made it, and `shared`, all fields
that its other lines have in common. Each other line is a run of one seed, or a
case of a measurement. The line of a run has the `event` final, or unfinished;
its numbers; `config`, its configuration; `environment`, the versions, commit
and hardware; and `curves`, the values of each quantity over its epochs.

The folder of a run, or of several seeds of one setting, holds `config.json`,
`checkpoints/` and the record `metrics.jsonl`; that of a sweep `sweep.json`.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import json
import os
import pathlib
from typing import Any
from typing import NamedTuple

import numpy as np

from experiments.config import experiment
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax.runs import files

CONFIG, METRICS, SWEEP = 'config.json', 'metrics.jsonl', 'sweep.json'
_PARTS = ('config', 'environment', 'curves')
_ALWAYS_SHARED = {'config', 'environment'}
# Quantities of epochs that collected records keep for all epochs.
_KEPT_CURVES = {'loss', 'train_accuracy', 'test_accuracy', 'eval_epochs'}


class Record(NamedTuple):
  """A record: its header, and its other lines with the shared fields."""

  header: dict[str, Any]
  lines: list[dict[str, Any]]


def write(
  file: str | os.PathLike,
  header: Mapping[str, Any],
  lines: Sequence[Mapping[str, Any]],
) -> None:
  """Writes a record of runs, completely or not at all.

  What all lines have in common moves to the header; of a single line, the
  configuration and environment.
  """
  shared = _common(lines, () if len(lines) > 1 else _ALWAYS_SHARED)
  own = [
    {
      name: {k: v for k, v in value.items() if k not in shared.get(name, {})}
      if name in _PARTS
      else value
      for name, value in line.items()
      if name in _PARTS or name not in shared
    }
    for line in lines
  ]
  header = {'event': 'header', **header, 'num_runs': len(lines)}
  write_lines(file, [header | {'shared': shared}, *own])


def write_lines(
  file: str | os.PathLike, lines: Iterable[Mapping[str, Any]]
) -> None:
  """Writes JSON objects, one a line, all or none."""
  encode = json.JSONEncoder(separators=(',', ':')).encode
  with files.convert_os_errors(file):
    pathlib.Path(file).parent.mkdir(parents=True, exist_ok=True)
  files.write_atomically(file, ''.join(f'{encode(line)}\n' for line in lines))


def _common(lines, names):
  """Returns the fields that all lines share, within the parts of a line too."""
  first, *others = lines
  shared = {}
  for name in names or first:
    if name in _PARTS:
      shared[name] = {
        key: value
        for key, value in first[name].items()
        if all(key in x[name] and x[name][key] == value for x in others)
      }
    elif name != 'event' and all(
      name in x and x[name] == first[name] for x in others
    ):
      shared[name] = first[name]
  return shared


def read(file: str | os.PathLike) -> Record:
  """Reads a record, or the lines that a measurement has printed.

  Raises:
    UserError: if the file is missing, or is no record.
  """
  try:
    checks.check_file(file)
    header, *lines = map(
      json.loads, pathlib.Path(file).read_text().splitlines()
    )
    shared = header.get('shared', {})
    parts = {name: shared.get(name, {}) for name in _PARTS if shared}
    lines = [
      shared | line | {name: parts[name] | line.get(name, {}) for name in parts}
      for line in lines
    ]
  except (OSError, ValueError, TypeError, AttributeError) as error:
    reason = getattr(error, 'strerror', None) or error
    raise ssnn_jax.UserError(
      f'{file} is not a record ({reason}); give a file of JSON lines that a '
      'sweep, or a measurement, has written.'
    ) from None
  return Record(header, lines)


def distinct(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
  """Returns each run once; a run is its configuration, seed and digest.

  Raises:
    UserError: if two runs of equal configuration and seed have other weights.
  """
  found = {}
  for line in lines:
    own = key(line)
    other = found.setdefault(own, line)
    digests = [x.get('params_sha256', '') for x in (other, line)]
    if not digests[0]:
      found[own] = line  # of two, the finished one
    elif digests[1] not in ('', digests[0]):
      raise ssnn_jax.UserError(
        f'two runs of seed {line["config"]["seed"]} have the same '
        f'configuration, but other weights (params_sha256 {digests[0][:8]} and '
        f'{digests[1][:8]}); remove one of them.'
      )
  return list(found.values())


def key(line: Mapping[str, Any]) -> str:
  """Identifies the configuration and seed of a run of any version."""
  return json.dumps(experiment.complete(line['config']), sort_keys=True)


def find(workdir: pathlib.Path) -> list[dict[str, Any]]:
  """Reads the runs of a folder, finished or not, and of its subfolders.

  Raises:
    UserError: if it holds no run.
  """
  folders = [path.parent for path in sorted(workdir.rglob(CONFIG))]
  if not folders:
    raise ssnn_jax.UserError(
      f'{workdir} holds no run; give the folder of a run or of a sweep.'
    )
  read_files = [folder / METRICS for folder in folders]
  return distinct(
    line for file in read_files if file.exists() for line in read(file).lines
  )


def unfinished(workdir: pathlib.Path) -> list[pathlib.Path]:
  """Lists the folders below a folder whose runs are not finished."""
  return [
    path.parent
    for path in sorted(workdir.rglob(CONFIG))
    if not is_finished(path.parent)
  ]


def is_finished(folder: pathlib.Path) -> bool:
  """Returns whether the runs of a folder are finished."""
  file = folder / METRICS
  return file.exists() and read(file).lines[0]['event'] == 'final'


def read_sweep(workdir: pathlib.Path) -> dict[str, Any]:
  """Reads the study, data set and command of a sweep; empty without."""
  file = workdir / SWEEP
  return json.loads(file.read_text()) if file.exists() else {}


def keep_curves(
  lines: Iterable[Mapping[str, Any]], names: Iterable[str]
) -> list[dict[str, Any]]:
  """Returns lines with all epochs of some quantities, the last of others."""
  kept = {*_KEPT_CURVES, *names}
  return [
    line
    | {
      'curves': {
        name: values if name in kept else values[-1:]
        for name, values in line['curves'].items()
      }
    }
    for line in lines
  ]


def to_json(value: Any) -> Any:
  """Converts arrays of one element to numbers, also within lists."""
  if isinstance(value, tuple | list):
    return [to_json(item) for item in value]
  if not hasattr(value, 'dtype'):
    return value
  value = np.asarray(value).reshape(())[()]
  if isinstance(value, np.floating):
    # A float32 has fewer digits than its double; JSON has no NaN or infinity.
    return float(str(value)) if np.isfinite(value) else None
  return value.item()
