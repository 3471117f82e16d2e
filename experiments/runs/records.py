"""Records of runs: their folders, in which all other modules read and write.

The folder of a task holds `config.json`, its configuration and number of seeds;
`checkpoints/`; and `metrics.jsonl`, flat JSON objects, one a line: the epochs
of each seed (`"event": "epoch"`) up to the last checkpoint and, once the task
is finished, the result of each seed (`"event": "final"`). A quantity of each
layer has the number of the layer, from 0, at the end of its name. The folder of
a sweep holds `sweep.json`, which names its study, data set and command.
"""

from collections.abc import Iterator
import contextlib
import datetime
import fcntl
from importlib import metadata
import json
import pathlib
import platform
import resource
import subprocess
import sys
from typing import Any
from typing import NamedTuple

import jax
import numpy as np

from experiments.runs import config as config_lib
from experiments.runs.config import ExperimentConfig
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.runs import files
from ssnn_jax.spiking.functions import Function

CONFIG, METRICS, SWEEP = 'config.json', 'metrics.jsonl', 'sweep.json'
READOUTS = {  # by the fields of their accuracies
  'test_accuracy_winner': 'spike-count readout',
  'test_accuracy_potential': 'final potential',
  'test_accuracy_rate': 'ANN readout (exact rates, same weights)',
}
_LOCK = '.lock'


class Task(NamedTuple):
  """A setting with a range of seeds, which are trained together."""

  config: ExperimentConfig  # with the first seed
  num_seeds: int
  folder: pathlib.Path  # of its record

  @property
  def seeds(self) -> range:
    """Its seeds."""
    return range(self.config.seed, self.config.seed + self.num_seeds)


def read_task(folder: pathlib.Path) -> Task:
  """Reads the configuration of the folder of a task."""
  try:
    recorded = json.loads((folder / CONFIG).read_text())
    num_seeds = recorded.pop('num_seeds')
    config = ExperimentConfig(**recorded)
  except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
    reason = getattr(error, 'strerror', None) or str(error).rstrip('.')
    raise ssnn_jax.UserError(
      f'{folder} holds no run that can be continued ({reason}); repeat '
      'the command of a sweep, or give the folder of a run, or a new folder, '
      'and --init_from=FOLDER to start from a saved network.'
    ) from None
  return Task(config, num_seeds, folder)


def read_lines(folder: pathlib.Path, event: str | None = None) -> list[dict]:
  """Reads the lines of a task, or of one event; none before a checkpoint."""
  path = folder / METRICS
  text = path.read_text() if path.exists() else ''
  try:
    lines = map(json.loads, text.splitlines())
    return [line for line in lines if event in (None, line['event'])]
  except (ValueError, TypeError, LookupError) as error:
    raise ssnn_jax.UserError(
      f'{path} is damaged ({error}); remove the folder of the run, and repeat '
      'the command.'
    ) from None


def is_finished(task: Task) -> bool:
  """Returns whether a task is finished, according to its folder.

  Refuses a folder of a run with another configuration, or of other files.
  """
  if not is_nonempty(task.folder):
    return False
  refuse_other(task, to_json(read_task(task.folder)), 'another run')
  lines = read_lines(task.folder)
  if all(line['event'] != 'final' for line in lines):
    return False
  # The file of the configuration may have been edited.
  epochs = [line['epoch'] for line in lines if line['event'] == 'epoch']
  last = max(epochs, default=task.config.num_epochs)
  refuse_other(task, to_json(task) | {'num_epochs': last}, 'another run')
  return True


def to_json(task: Task) -> dict[str, Any]:
  """Returns the JSON object of a task."""
  return config_lib.to_json(task.config) | {'num_seeds': task.num_seeds}


def refuse_other(task: Task, found: dict[str, Any], what: str) -> None:
  """Raises a user error if a configuration is not that of a task."""
  found = config_lib.DEFAULTS | found
  differences = [
    f'{name} is {found[name]}, not {value}'
    for name, value in to_json(task).items()
    if found[name] != value
  ]
  if found['model_sha256'] != task.config.model_sha256:
    differences = ['the file of --model has changed', *differences]
  if differences:
    remedy = 'use the recorded values, or another folder'
    if found['num_epochs'] != task.config.num_epochs:
      remedy += f' with --init_from={task.folder}, which trains longer'
    raise ssnn_jax.UserError(
      f'{task.folder} holds {what} ({"; ".join(differences)}); {remedy}.'
    )


def describe(
  config: ExperimentConfig,
  network: ssnn_jax.NetworkConfig | chip.Config | Function,
) -> dict[str, Any]:
  """Returns the fields of a setting in the last line of a run.

  Some have values that the configuration leaves to the network.
  """
  is_drawn = isinstance(network, ssnn_jax.NetworkConfig)
  return {
    'method': config.method,
    'dataset': config.dataset,
    'num_steps': config.num_steps,
    'neuron': 'stochastic' if is_drawn else 'bipolar',
    'sampler': config.sampler or ('sobol' if is_drawn else None),
    'layers': config_lib.layers_text(config, network),
  }


def write_config(task: Task) -> None:
  """Writes the configuration of a task to its folder."""
  text = json.dumps(to_json(task), indent=2) + '\n'
  files.write_atomically(task.folder / CONFIG, text)


def write_lines(task: Task, lines: list[dict[str, Any]]) -> None:
  """Replaces the lines of a task."""
  text = ''.join(f'{json.dumps(line)}\n' for line in lines)
  files.write_atomically(task.folder / METRICS, text)


def to_rows(values: dict[str, Any], num_seeds: int) -> list[dict[str, Any]]:
  """Turns values, arrays `[S]` or tuples of them, into flat rows of numbers."""
  flat = {}
  for name, value in zip(values, jax.device_get(list(values.values()))):
    if isinstance(value, tuple):
      flat |= {f'{name}_{layer}': own for layer, own in enumerate(value)}
    elif value is not None:
      flat[name] = value
  return [
    {name: _to_number(array[index]) for name, array in flat.items()}
    for index in range(num_seeds)
  ]


def _to_number(value):
  """Converts a scalar of NumPy; a float has the digits of its type."""
  if isinstance(value, np.floating):
    # JSON has no NaN or infinity.
    return float(str(value)) if np.isfinite(value) else None
  return value.item()


# Folders and machines.


def is_nonempty(folder: pathlib.Path) -> bool:
  """Returns whether a path exists and is not an empty folder.

  Files of a process that was killed before its first one do not count.
  """
  if not folder.is_dir():
    return folder.exists()
  return any(
    path.suffix != files.UNFINISHED and path.name != _LOCK
    for path in folder.iterdir()
  )


@contextlib.contextmanager
def exclusive_lock(folder: pathlib.Path) -> Iterator[None]:
  """Locks a folder, with its file `.lock`, against other processes.

  Creates both, or raises `UserError`. Also a killed process releases a lock.
  """
  folder.mkdir(parents=True, exist_ok=True)
  with open(folder / _LOCK, 'a') as lock:
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise ssnn_jax.UserError(
        f'{folder} is in use by another process; wait for the process to end, '
        'or choose another folder.'
      ) from None
    yield


def environment() -> dict[str, Any]:
  """Returns the software versions, commit, hardware and time of a run."""
  changes = _git('status', '--porcelain', '--untracked-files=no')
  packages = 'jax', 'jaxlib', 'numpy', 'optax', 'flax'
  versions = {name: metadata.version(name) for name in packages}
  return {
    'versions': {'ssnn_jax': ssnn_jax.__version__, **versions},
    'python': platform.python_version(),
    'commit': _git('rev-parse', 'HEAD'),
    'dirty': None if changes is None else bool(changes),
    'accelerator': jax.devices()[0].device_kind,
    'num_devices': jax.device_count(),
    'time': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
  }


def peak_mib() -> int:
  """Returns the peak resident memory of this process up to now, in MiB."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return peak // (2**20 if sys.platform == 'darwin' else 2**10)


def _git(*arguments):
  """Returns the output of git in this file's checkout, or None outside one."""
  command = ['git', '-C', str(pathlib.Path(__file__).parent), *arguments]
  try:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
  except (OSError, subprocess.CalledProcessError):
    return None
  return done.stdout.strip()
