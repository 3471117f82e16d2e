"""Records of runs and sweeps as commands read them back, and their schemas."""

from collections.abc import Iterator
from collections.abc import Mapping
import os
import pathlib
import typing
from typing import Any
from typing import NotRequired
from typing import TypedDict

from experiments.config import experiment
from experiments.config import methods
from experiments.config import serialization
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax.runs import errors
from ssnn_jax.runs import records

SWEEP = 'sweep.json'  # in the folder of a sweep
_Number = float | None  # JSON has neither NaN nor infinity
_Layers = list[_Number]  # a number for each layer


class Epoch(TypedDict):
  """Numbers of an epoch, or of its evaluation."""

  epoch: int
  loss: NotRequired[_Number]
  train_accuracy: NotRequired[_Number]
  test_accuracy: NotRequired[float]
  firing_rates: NotRequired[_Layers]
  silent_fractions: NotRequired[_Layers]
  saturated_fractions: NotRequired[_Layers]
  error_rates: NotRequired[_Layers]
  positive_error_rates: NotRequired[_Layers]
  clipped_error_fractions: NotRequired[_Layers]
  coincidences: NotRequired[_Layers]
  row_spikes: NotRequired[_Layers]
  update_error: NotRequired[_Number]
  quantisation_error: NotRequired[_Number]
  update_bias: NotRequired[_Layers]
  update_deviation: NotRequired[_Layers]
  update_cosine: NotRequired[_Layers]
  saturation_bias: NotRequired[_Layers]
  noise_ratio: NotRequired[_Number]


class Final(TypedDict):
  """Numbers of a finished run; without some in records of earlier versions."""

  test_accuracy: float
  test_accuracy_largest: NotRequired[float]
  test_accuracy_potential: float
  test_accuracy_rate: float
  train_seconds: float
  params_sha256: NotRequired[str]
  window: NotRequired[int]
  layer_sizes: NotRequired[list[int]]
  input_shape: NotRequired[list[int]]
  num_train_samples: NotRequired[int]
  num_eval_samples: NotRequired[int]
  num_devices: NotRequired[int]
  seeds_at_once: NotRequired[int]
  update_error: NotRequired[_Number]
  quantisation_error: NotRequired[_Number]
  mean_pulses: NotRequired[float]
  max_pulses: NotRequired[float]
  layer_pulses: NotRequired[list[float]]
  stored_bits: NotRequired[float]
  wall_seconds: NotRequired[float]


class Sweep(TypedDict):
  """Description of a sweep in its folder."""

  study: NotRequired[str | None]
  dataset: NotRequired[str]
  command: NotRequired[str]


class Header(TypedDict):
  """First line of a run: its configuration and environment."""

  config: dict


_SCHEMAS = {'header': Header, 'epoch': Epoch, 'eval': Epoch, 'final': Final}


def read(folder: str | os.PathLike, *, strict: bool = True) -> records.Run:
  """Reads and checks the record of a run; see `ssnn_jax.runs.records.read`."""
  return _check(records.read(folder, strict=strict))


def find(folder: str | os.PathLike) -> Iterator[records.Run]:
  """Reads and checks all runs in a folder; see `ssnn_jax.runs.records.find`."""
  return map(_check, records.find(folder))


def read_sweep(folder: pathlib.Path) -> Sweep:
  """Reads the description of a sweep; empty if its folder has none.

  Raises:
    UserError: if the file is damaged.
  """
  path = folder / SWEEP
  if not path.exists():
    return {}
  try:
    described = checks.parse(path.read_bytes())
    wrong = next(checks.problems(described, Sweep), None)
  except (OSError, ValueError) as error:
    wrong = error
  if wrong:
    raise ssnn_jax.UserError(
      f'{path} is damaged ({wrong}); repeat the command of the sweep, which '
      'writes the file again.'
    )
  return described


def config_problems(config: Mapping[str, Any]) -> Iterator[str]:
  """Yields what is wrong with the record of a configuration.

  The configuration may be of another version, with other fields.
  """
  yield from checks.problems(config, experiment.ExperimentConfig)
  method = config.get('method', methods.ANN)
  if method not in methods.METHODS:
    yield f'method is {method}; expected one of {", ".join(methods.METHODS)}'
  for name, value in serialization.RETIRED.items():
    if config.get(name, value) != value:
      yield f'{name} is {config[name]}; expected {value}'


def curve_problems(curves: Mapping[str, Any]) -> Iterator[str]:
  """Yields what is wrong with quantities that are lists over epochs."""
  hints = {'eval_epochs': int, **typing.get_type_hints(Epoch)}
  for name, values in curves.items():
    if not checks.matches(values, list[hints.get(name, Any)]):
      yield f'curve {name} is not a list of {checks.describe(hints[name])}'


def _check(run):
  """Returns a run whose configuration and lines have the declared types."""
  for problem in config_problems(run.config):
    _refuse(run, records.CONFIG, problem)
  lengths = {}
  for number, event in enumerate(run.events, 1):
    where, kind = f'line {number} of {records.METRICS}', event.get('event')
    if kind not in [*_SCHEMAS] or (number == 1) != (kind == 'header'):
      _refuse(run, where, f'event is {kind!r}')
    for problem in checks.problems(event, _SCHEMAS[kind]):
      _refuse(run, where, problem)
    for name, value in event.items() if kind == 'epoch' else ():
      length = len(value) if isinstance(value, list) else None
      if lengths.setdefault(name, length) != length:
        _refuse(run, where, f'{name} has another length than before')
  return run


def _refuse(run, where, problem):
  raise errors.RecordError(
    f'{run.folder} is damaged, in {where}: {problem}; restore the file, or '
    'remove the folder of the run.'
  )
