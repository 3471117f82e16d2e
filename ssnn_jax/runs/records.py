"""Records of runs: one folder per run, one JSON object per line.

The folder of a run holds `config.json` and `metrics.jsonl`. Each line of
`metrics.jsonl` has an `event`: one `header` first, one `epoch` per epoch, one
`eval` per evaluation, and one `final` last, which an unfinished run lacks. The
lines of a resumed run equal those of an uninterrupted run; `resumed.jsonl` has
the epoch and the environment of each resumption. A process that writes to the
folder locks its file `.lock`.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import json
import os
import pathlib
from typing import Any
from typing import NamedTuple

import jax
import numpy as np

from ssnn_jax import checks
from ssnn_jax.runs import errors
from ssnn_jax.runs import files
from ssnn_jax.runs import provenance

CONFIG, METRICS = 'config.json', 'metrics.jsonl'
_RESUMED = 'resumed.jsonl'


class Run(NamedTuple):
  """Record of one run."""

  folder: pathlib.Path
  config: dict[str, Any]
  events: list[dict[str, Any]]  # lines of `metrics.jsonl`

  @property
  def final(self) -> dict[str, Any] | None:
    """The final line, or None if the run is unfinished."""
    last = self.events[-1] if self.events else {}
    return last if last.get('event') == 'final' else None


def create(
  folder: str | os.PathLike, config: Mapping[str, Any], **fields: Any
) -> None:
  """Creates the record of a run in a new or empty folder, or no record.

  Args:
    folder: folder of the run.
    config: configuration of the run, as JSON values.
    **fields: further fields of the header.

  Raises:
    RecordError: if the folder is not empty, in use, or not writable.
  """
  folder = pathlib.Path(folder)
  _check_empty(folder)
  header = _make_header(config, fields)
  with files.exclusive_lock(folder):
    _check_empty(folder)  # another process may have been faster
    text = json.dumps(config, indent=2) + '\n'
    try:
      files.write_atomically(folder / CONFIG, text)
      files.append_line(folder / METRICS, header)
    except BaseException:  # also if the process is interrupted
      for name in (CONFIG, METRICS):
        (folder / name).unlink(missing_ok=True)
      raise


def is_run(folder: str | os.PathLike) -> bool:
  """Returns whether a folder holds the record of a run, finished or not."""
  return pathlib.Path(folder, CONFIG).exists()


def append(folder: str | os.PathLike, event: str, **fields: Any) -> None:
  """Appends a line to `metrics.jsonl`, or raises `RecordError`.

  Fields are numbers or lists of numbers; arrays of one element become numbers.
  """
  values = {name: _to_json(value) for name, value in fields.items()}
  line = {'event': event, **values}
  files.append_line(pathlib.Path(folder, METRICS), line)


def _make_header(config, fields):
  event = {'event': 'header', 'config': dict(config)}
  return event | fields | provenance.environment()


def _to_json(value):
  """Converts arrays of one element to numbers, also within lists."""
  if isinstance(value, tuple | list):
    return [_to_json(item) for item in value]
  if not isinstance(value, jax.Array | np.ndarray | np.generic):
    return value
  value = np.asarray(value).reshape(())[()]
  if isinstance(value, np.floating):
    # A float32 has fewer digits than its double; JSON has no NaN or infinity.
    return float(str(value)) if np.isfinite(value) else None
  return value.item()


def truncate_to_epoch(
  folder: str | os.PathLike, epoch: int, **fields: Any
) -> None:
  """Removes all lines after an epoch, and appends a line to `resumed.jsonl`.

  Args:
    folder: folder of the run.
    epoch: the last epoch to keep; 0 keeps the header.
    **fields: further fields of the header, which is restored if it is missing.

  Raises:
    RecordError: if earlier lines are missing.
  """
  folder = pathlib.Path(folder)
  _, config, events = read(folder, strict=False)
  _check_epochs(folder / METRICS, events, epoch)
  remaining = [
    event
    for event in events
    if event.get('event') == 'header' or event.get('epoch', epoch + 1) <= epoch
  ] or [_make_header(config, fields)]
  text = ''.join(json.dumps(event) + '\n' for event in remaining)
  files.write_atomically(folder / METRICS, text)
  resumption = {'epoch': epoch, **provenance.environment()}
  files.append_line(folder / _RESUMED, resumption)


def _check_epochs(path, events, epoch):
  """Checks that a record has its header and all epochs up to `epoch`."""
  remedy = 'restore the file, or remove the folder and start the run again.'
  epochs = [e.get('epoch') for e in events if e.get('event') == 'epoch']
  has_header = not events or events[0].get('event') == 'header'
  if not has_header or epochs != list(range(1, len(epochs) + 1)):
    raise errors.RecordError(f'{path} lacks lines; {remedy}')
  if epoch > len(epochs):
    raise errors.RecordError(
      f'{path} ends at epoch {len(epochs)}, but the last checkpoint is of '
      f'epoch {epoch}; {remedy}'
    )


def read(folder: str | os.PathLike, *, strict: bool = True) -> Run:
  """Reads a record; raises `RecordError` if it is missing or damaged.

  If not `strict`, ignores an incomplete last line, as a killed process leaves.
  """
  folder = pathlib.Path(folder)
  config_path, path = folder / CONFIG, folder / METRICS
  if not config_path.exists():
    raise errors.RecordError(
      f'{config_path} does not exist; give the folder of a run.',
      arguments=('folder',),
    )
  (config,) = _parse_objects(config_path, [_read(config_path)])
  *lines, incomplete = _read(path).split(b'\n')
  if incomplete and strict:
    raise errors.RecordError(
      f'{path} ends in an incomplete line; resume the run, which writes the '
      'line again.',
      arguments=('resume',),
    )
  events = _parse_objects(path, lines)
  if events and events[0].get('config', config) != config:
    raise errors.RecordError(
      f'{config_path} differs from the configuration in the header of {path}; '
      f'restore {CONFIG}.'
    )
  return Run(folder, config, events)


def find(folder: str | os.PathLike) -> Iterator[Run]:
  """Reads all runs in a folder and its subfolders, in order of their paths."""
  for path in sorted(pathlib.Path(folder).rglob(CONFIG)):
    yield read(path.parent)


def _read(path):
  """Reads the bytes of a file; a missing file is empty."""
  with files.convert_os_errors(path):
    return path.read_bytes() if path.exists() else b''


def _parse_objects(path, texts):
  """Parses JSON objects that were read from a file."""
  try:
    values = [checks.parse(text.decode()) for text in texts]
  except ValueError:
    values = [None]
  if not all(isinstance(value, dict) for value in values):
    raise errors.RecordError(
      f'{path} does not hold valid JSON objects; restore the file, or remove '
      'the folder of the run.'
    )
  return values


def _check_empty(folder):
  with files.convert_os_errors(folder):
    if not files.is_nonempty(folder):
      return
  content, remedy = 'files that are not a run', 'choose another folder.'
  arguments = ('folder',)
  if is_run(folder):
    content = 'a finished run'
    if read(folder, strict=False).final is None:
      content, remedy = 'an unfinished run', f'resume the run, or {remedy}'
      arguments = ('resume', 'folder')
  message = f'{folder} already holds {content}; {remedy}'
  raise errors.RecordError(message, arguments)
