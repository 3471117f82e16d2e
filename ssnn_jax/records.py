"""Records of runs: one folder a run, one JSON object a line.

A run's folder holds `config.json` and `metrics.jsonl`. Each line of the latter
has an `event`: a `header` first, `epoch` and `eval` lines as they come, and
`final` last; a run without its final line did not finish.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import hashlib
from importlib import metadata
import json
import os
import pathlib
import platform
import subprocess
from typing import Any
from typing import NamedTuple

import jax
import numpy as np

import ssnn_jax
from ssnn_jax import kernels
from ssnn_jax import types

_CONFIG, _METRICS = 'config.json', 'metrics.jsonl'
_PACKAGES = ('jax', 'jaxlib', 'numpy', 'optax', 'flax')


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
    RecordError: if the folder holds anything, or cannot be written.
  """
  folder = pathlib.Path(folder)
  try:
    if folder.exists() and any(folder.iterdir()):
      raise RecordError(
        f'--workdir={folder} already holds {_describe(folder)}, and nothing is '
        'overwritten; choose another folder.'
      )
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=2) + '\n'
    (folder / _CONFIG).write_text(text)
  except OSError as error:
    raise _unusable(folder, error) from None
  append(folder, 'header', config=dict(config), **environment())


def restart(folder: str | os.PathLike) -> None:
  """Removes the record of a run that did not finish, and nothing else.

  Args:
    folder: the run's folder; other files in it are left, for `create` to find.

  Raises:
    RecordError: if the run has finished, or the folder cannot be written.
  """
  folder = pathlib.Path(folder)
  run = read(folder)
  if run.final is not None:
    raise RecordError(f'{folder} holds a finished run, which is kept.')
  try:
    for name in (_METRICS, _CONFIG):
      (folder / name).unlink(missing_ok=True)
  except OSError as error:
    raise _unusable(folder, error) from None


def append(folder: str | os.PathLike, event: str, **fields: Any) -> None:
  """Appends one line to the record of a run, whole or not at all.

  Args:
    folder: the run's folder.
    event: what the line tells of.
    **fields: the line's values; arrays of one number become numbers.

  Raises:
    RecordError: if the line cannot be written.
  """
  values = {name: _plain(value) for name, value in fields.items()}
  line = json.dumps({'event': event, **values}) + '\n'
  path = pathlib.Path(folder, _METRICS)
  try:
    with open(path, 'ab', buffering=0) as file:
      start = file.tell()
      written = file.write(line.encode())
      if written != len(line.encode()):
        file.truncate(start)
        raise OSError(f'only {written} of {len(line)} bytes fit')
  except OSError as error:
    raise _unusable(path, error) from None


def read(folder: str | os.PathLike) -> Run:
  """Reads the record of one run.

  Args:
    folder: the run's folder.

  Returns:
    Its configuration and events.

  Raises:
    RecordError: if a file is missing or does not hold JSON objects.
  """
  folder = pathlib.Path(folder)
  path = folder / _CONFIG
  try:
    config = _parse_object(path.read_text())
    path = folder / _METRICS
    lines = path.read_text().splitlines() if path.exists() else []
    events = [_parse_object(line) for line in lines]
  except OSError as error:
    raise _unusable(path, error) from None
  except ValueError:
    raise RecordError(
      f'{path} is not made of whole JSON objects; remove the run it belongs '
      'to, or restore it.'
    ) from None
  return Run(folder, config, events)


def find(workdir: str | os.PathLike) -> Iterator[Run]:
  """Reads all runs in a folder and below it, in order of their paths."""
  for path in sorted(pathlib.Path(workdir).rglob(_CONFIG)):
    yield read(path.parent)


def params_sha256(params: types.Params) -> str:
  """Digests parameters, layer by layer: equal digests are equal bits."""
  digest = hashlib.sha256()
  for leaf in jax.tree.leaves(params):
    digest.update(np.ascontiguousarray(leaf).tobytes())
  return digest.hexdigest()


def environment() -> dict[str, Any]:
  """Describes what a run depends on beside its configuration."""
  changes = _git('status', '--porcelain', '--untracked-files=no')
  return {
    'versions': {
      'ssnn_jax': ssnn_jax.__version__,
      **{name: metadata.version(name) for name in _PACKAGES},
    },
    'python': platform.python_version(),
    'commit': _git('rev-parse', 'HEAD'),
    'dirty': None if changes is None else bool(changes),
    'device': jax.devices()[0].device_kind,
    'num_devices': jax.device_count(),
    'kernels': kernels.is_available('ssnn_sample_hashed'),
  }


def _git(*arguments):
  """Asks git about the checkout that this file lies in, if there is one."""
  here = pathlib.Path(__file__).parent
  command = ['git', '-C', str(here), *arguments]
  try:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
  except (OSError, subprocess.CalledProcessError):
    return None
  return done.stdout.strip()


def _parse_object(text):
  value = json.loads(text)
  if not isinstance(value, dict):
    raise ValueError(f'{text} is not an object')
  return value


def _describe(folder):
  if not (folder / _CONFIG).exists():
    return 'files that are not a run'
  finished = read(folder).final is not None
  return 'a finished run' if finished else 'a run that did not finish'


def _plain(value):
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
