"""Records of runs: one folder a run, one JSON object a line.

A run's folder holds `config.json` and `metrics.jsonl`. Each line of the latter
has an `event`: a `header` first, `epoch` and `eval` lines as they come, and
`final` last; a run without its final line did not finish. A run that went on
after it was stopped has the lines of one that was not; where and on what it did
is in `resumed.jsonl`.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import fcntl
import json
import os
import pathlib
from typing import Any
from typing import NamedTuple

import jax
import numpy as np

from ssnn_jax import types
from ssnn_jax.runs import provenance

_CONFIG, _METRICS = 'config.json', 'metrics.jsonl'
_RESUMED = 'resumed.jsonl'
_UNFINISHED = '.unfinished'  # ends the name of a file that is being written


class RecordError(types.UserError):
  """A folder of records that cannot be used; the message says what to do."""


class Run(NamedTuple):
  """What is recorded of one run."""

  folder: pathlib.Path
  config: dict[str, Any]
  events: list[dict[str, Any]]

  @property
  def final(self) -> dict[str, Any] | None:
    """The final line, or None if the run did not finish."""
    last = self.events[-1] if self.events else {}
    return last if last.get('event') == 'final' else None


def create(folder: str | os.PathLike, config: Mapping[str, Any]) -> None:
  """Starts the record of a run in a new or empty folder.

  Args:
    folder: where the run is recorded; made if it is not there.
    config: what defines the run.

  Raises:
    RecordError: if the folder holds anything, another process is at it, or it
      cannot be written.
  """
  folder = pathlib.Path(folder)
  try:
    if holds_anything(folder):
      raise RecordError(
        f'--workdir={folder} already holds {_describe(folder)}, and nothing is '
        'overwritten; choose another folder.'
      )
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise _unusable(folder, error) from None
  write_whole(folder / _CONFIG, json.dumps(config, indent=2) + '\n')
  with at_work_in(folder):  # another process may go on with the run from here
    if not (folder / _METRICS).exists():
      append(folder, 'header', config=dict(config), **provenance.environment())


def holds_anything(folder: str | os.PathLike) -> bool:
  """Tells whether a path is taken, by anything but an empty folder."""
  folder = pathlib.Path(folder)
  if not folder.is_dir():
    return folder.exists()
  # A run that was stopped at its very start has left nothing to go on with.
  return any(not path.name.endswith(_UNFINISHED) for path in folder.iterdir())


def is_run(folder: str | os.PathLike) -> bool:
  """Tells whether a folder holds the record of a run, finished or not."""
  return pathlib.Path(folder, _CONFIG).exists()


@contextlib.contextmanager
def alone_in(path: str | os.PathLike, what: str) -> Iterator[None]:
  """Keeps other processes from what is done with a file, while it is done.

  Args:
    path: the file; made, and its folder, if it is not there.
    what: what is done, for the message.

  Yields:
    Nothing; at the end others may have it again, however that comes.

  Raises:
    RecordError: if another process has it, or it cannot be written.
  """
  path = pathlib.Path(path)
  with contextlib.ExitStack() as stack:
    try:
      path.parent.mkdir(parents=True, exist_ok=True)
      lock = stack.enter_context(open(path, 'a'))
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise RecordError(
        f'--workdir={path.parent}: another process has {what} there; wait for '
        'it, or choose another folder.'
      ) from None
    except OSError as error:
      raise _unusable(path.parent, error) from None
    yield


def at_work_in(folder: str | os.PathLike) -> contextlib.AbstractContextManager:
  """Keeps other processes from a run that has been created; see `alone_in`."""
  return alone_in(pathlib.Path(folder, _CONFIG), 'a run at work')


def rewind(folder: str | os.PathLike, epoch: int) -> None:
  """Takes a run that did not finish back to the end of an epoch.

  What is recorded of later epochs, or half a line at the end, will be written
  anew by whoever goes on from there; that is noted in `resumed.jsonl`.

  Args:
    folder: the run's folder.
    epoch: the epoch, 0 before the first.

  Raises:
    RecordError: if the record lacks lines, does not reach so far, or cannot be
      written.
  """
  folder = pathlib.Path(folder)
  path = folder / _METRICS
  config, events = read(folder, whole=False)[1:]
  told = [e.get('epoch') for e in events if e.get('event') == 'epoch']
  recorded = max(told, default=0)
  is_whole = told == list(range(1, recorded + 1))
  if not is_whole or (events and events[0].get('event') != 'header'):
    raise RecordError(
      f'{path} lacks lines; restore it, or remove the folder to start anew.'
    )
  if epoch > recorded:
    raise RecordError(
      f'{path} tells of {recorded} epochs, the last checkpoint beside it of '
      f'{epoch}; restore it, or remove the folder to start anew.'
    )
  kept = [
    event
    for event in events
    if event.get('event') == 'header' or event.get('epoch', epoch + 1) <= epoch
  ]
  write_whole(path, ''.join(json.dumps(event) + '\n' for event in kept))
  if not kept:
    append(folder, 'header', config=config, **provenance.environment())
  resumed = {'epoch': epoch, **provenance.environment()}
  _append_line(folder / _RESUMED, resumed)


def append(folder: str | os.PathLike, event: str, **fields: Any) -> None:
  """Appends one line to the record of a run, whole or not at all.

  Args:
    folder: the run's folder.
    event: what the line tells of.
    **fields: the line's values, numbers and lists of them; arrays of one number
      become numbers.

  Raises:
    RecordError: if the line cannot be written.
  """
  values = {name: _plain(value) for name, value in fields.items()}
  _append_line(pathlib.Path(folder, _METRICS), {'event': event, **values})


def _append_line(path, values):
  line = (json.dumps(values) + '\n').encode()
  try:
    with open(path, 'ab', buffering=0) as file:
      start = file.tell()
      written = file.write(line)
      if written != len(line):
        file.truncate(start)
        raise OSError(f'only {written} of {len(line)} bytes fit')
  except OSError as error:
    raise _unusable(path, error) from None


def write_whole(path: str | os.PathLike, text: str) -> None:
  """Writes a file whole or not at all, whenever the process is stopped.

  Args:
    path: the file; what it held is replaced.
    text: what it is to hold.

  Raises:
    RecordError: if it cannot be written.
  """
  path = pathlib.Path(path)
  unfinished = path.with_name(path.name + _UNFINISHED)
  try:
    try:
      unfinished.write_text(text)
      os.replace(unfinished, path)
    except OSError:
      unfinished.unlink(missing_ok=True)
      raise
  except OSError as error:
    raise _unusable(path, error) from None


def read(folder: str | os.PathLike, *, whole: bool = True) -> Run:
  """Reads the record of one run.

  Args:
    folder: the run's folder.
    whole: whether its last line must be whole; if not, half a line, as a
      process that is killed may leave, is left out.

  Returns:
    Its configuration and events.

  Raises:
    RecordError: if a file is missing, does not hold JSON objects, or tells of
      another run than the other.
  """
  folder = pathlib.Path(folder)
  path = folder / _CONFIG
  if not path.exists():
    raise RecordError(
      f'{path} is not there; give the folder of a run by --workdir.'
    )
  try:
    config = _parse_object(path.read_text())
    path = folder / _METRICS
    text = path.read_text() if path.exists() else ''
  except OSError as error:
    raise _unusable(path, error) from None
  except ValueError:
    raise _damaged(path) from None
  *lines, rest = text.split('\n')
  if rest and whole:
    raise RecordError(
      f'{path} ends in half a line; go on with the run by --resume, which '
      'writes it anew.'
    )
  events = _parse_lines(path, lines)
  if events and events[0].get('config', config) != config:
    raise RecordError(
      f'{folder / _CONFIG} is not what the header of {path} says; restore it.'
    )
  return Run(folder, config, events)


def find(workdir: str | os.PathLike) -> Iterator[Run]:
  """Reads all runs in a folder and below it, in order of their paths."""
  for path in sorted(pathlib.Path(workdir).rglob(_CONFIG)):
    yield read(path.parent)


def _parse_object(text):
  value = json.loads(text)
  if not isinstance(value, dict):
    raise ValueError(f'{text} is not an object')
  return value


def _parse_lines(path, lines):
  try:
    return [_parse_object(line) for line in lines]
  except ValueError:
    raise _damaged(path) from None


def _damaged(path):
  return RecordError(
    f'{path} is not made of whole JSON objects; remove the run it belongs to, '
    'or restore it.'
  )


def _describe(folder):
  if not is_run(folder):
    return 'files that are not a run'
  if read(folder, whole=False).final is not None:
    return 'a finished run'
  return 'a run that did not finish (--resume goes on with it)'


def _plain(value):
  if isinstance(value, tuple | list):
    return [_plain(part) for part in value]
  if not isinstance(value, jax.Array | np.ndarray | np.generic):
    return value
  value = np.asarray(value).reshape(())[()]
  # A float32 is written with its own digits, not those of a double.
  if isinstance(value, np.floating):
    return float(str(value)) if np.isfinite(value) else None  # as JSON asks
  return value.item()


def _unusable(path, error):
  reason = error.strerror or str(error)
  return RecordError(
    f'{path} cannot be used ({reason}); choose another --workdir, or make room '
    'and permission there.'
  )
