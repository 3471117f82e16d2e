"""Grids of settings: all combinations of values of the varied fields."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import itertools
import math
import pathlib
import re
import types
import typing
from typing import Any
from typing import NamedTuple

from experiments.config import experiment
from experiments.config import field
from experiments.config import methods
from experiments.config import synapses
import ssnn_jax

Grid = Mapping[str, Sequence[Any]]

_MOST_RUNS = 100_000
_FORM = "--grid='num_steps=16,64;learning_rate=0.1,0.3'"
_FIELDS = {k: v for k, v in experiment.FIELDS.items() if k != 'seed'}
_HINTS = typing.get_type_hints(experiment.ExperimentConfig)


@dataclasses.dataclass(frozen=True)
class Sweep:
  """One grid of a study, with its own number of seeds.

  Attributes:
    grid: the values of each varied field.
    num_seeds: number of seeds of each setting, paired across settings.
    base: values of other fields that override the defaults of the data set.
  """

  grid: Grid
  num_seeds: int = 5
  base: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Setting(NamedTuple):
  """A configuration of a sweep, run with several seeds."""

  name: str  # name of the folder
  config: experiment.ExperimentConfig


def write(value: Any) -> str:
  """Formats the value of a field for the names of folders."""
  if isinstance(value, tuple | list):
    return '-'.join(map(str, value))
  return 'none' if value is None else str(value)


def label(value: Any) -> str:
  """Formats the value of a field for tables and figures; paths by name."""
  if field.is_path(value):
    return pathlib.Path(value).name
  return write(value)


def parse(text: str) -> dict[str, tuple[Any, ...]]:
  """Parses a grid, as in `num_steps=16,64;layer_sizes=64-128-10,64-256-10`.

  Raises:
    UserError: if a field does not exist, a value has the wrong type, or
      a name or value is missing or repeated.
  """
  grid = {}
  for part in text.split(';'):
    name, is_assigned, listed = map(str.strip, part.partition('='))
    if not is_assigned:
      raise _user_error(f"'{name}' has no '='")
    if name in grid:
      raise _user_error(f'{name} is repeated')
    _check_name(name)
    grid[name] = ()
    for value in listed.split(','):
      parsed = _parse_value(name, value.strip())
      if parsed in grid[name]:
        raise _user_error(f'{name} has the value {write(parsed)} twice')
      grid[name] += (parsed,)
  return grid


def merge(
  base: experiment.ExperimentConfig, sweeps: Sequence[Sweep]
) -> dict[Setting, int]:
  """Lists the settings of sweeps with their number of seeds, the ANN first.

  A grid without methods has both the ANN and the spiking network. Fields that
  do not affect the ANN keep their base values in its settings, without
  duplicates. Names of settings contain the values of `Sweep.base` unless all
  sweeps share them. The number of seeds of a setting is the largest of its
  sweeps.

  Args:
    base: the configuration with the fields that no sweep sets.
    sweeps: the sweeps.

  Raises:
    UserError: if a value is out of range.
  """
  _check_size(sweeps)
  first, *others = (sweep.base for sweep in sweeps)
  shared = {
    name: value
    for name, value in first.items()
    if all(name in other and other[name] == value for other in others)
  }
  base = dataclasses.replace(base, **shared)
  found, num_seeds = {}, {}
  for sweep in sweeps:
    own = {k: (v,) for k, v in sweep.base.items() if k not in shared}
    for setting in _settings(base, {**own, **sweep.grid}):
      setting = found.setdefault(setting.config, setting)
      known = num_seeds.get(setting, 0)
      num_seeds[setting] = max(known, sweep.num_seeds)
  is_spiking = lambda setting: setting.config.method != methods.ANN
  return {key: num_seeds[key] for key in sorted(num_seeds, key=is_spiking)}


def _check_size(sweeps):
  """Refuses sweeps that would take years, before they are listed."""
  num_runs = sum(
    sweep.num_seeds * math.prod(map(len, sweep.grid.values()))
    for sweep in sweeps
  )
  if num_runs > _MOST_RUNS:
    raise ssnn_jax.UserError(
      f'the sweep has {num_runs:,} runs, more than {_MOST_RUNS:,}; give fewer '
      'values in --grid, or a smaller --num_seeds.'
    )


def _settings(base, grid):
  """Returns the settings of a grid; settings of the ANN may be repeated."""
  grid = {'method': (methods.ANN, 'ssnn'), **grid}
  for name in grid:
    _check_name(name)
  spiking = set(grid['method']) - {methods.ANN}
  listed = []
  for values in itertools.product(*grid.values()):
    varied = dict(zip(grid, values))
    method = varied.pop('method')
    varied = {k: v for k, v in varied.items() if methods.concerns(method, k)}
    name = _name(method, varied, is_named=spiking != {'ssnn'})
    varied = {k: field.absolute_path(k, v) for k, v in varied.items()}
    if not methods.METHODS[method].has_pulses:
      varied |= synapses.DEFAULTS
    try:
      config = dataclasses.replace(base, method=method, **varied)
    except ssnn_jax.UserError as error:
      raise ssnn_jax.UserError(f'--grid: {error}') from None
    listed.append(Setting(name, config))
  return listed


def _name(method, varied, is_named):
  parts = [f'{field}={write(value)}' for field, value in varied.items()]
  if method == methods.ANN:
    parts.insert(0, method)
  elif is_named:
    parts.insert(0, f'method={method}')
  return ','.join(parts).replace('/', '-') or method


def _check_name(name):
  if name == 'seed':
    raise _user_error('seed is set by --seed and --num_seeds')
  if name not in _FIELDS:
    near = field.closest(name, _FIELDS)
    hint = f'; the closest field is {near}' if near else ''
    raise _user_error(f"field '{name}' does not exist{hint}")


def _parse_value(name, text):
  """Parses a value with the parser of the flag of its field."""
  hint = _HINTS[name]
  if text.lower() == 'none' and isinstance(hint, types.UnionType):
    return None
  parser = field.parser(_FIELDS[name], hint)
  listed = text
  if isinstance(parser, field.TupleParser):
    # The minus of an exponent, as in 1e-3, does not separate numbers.
    listed = re.sub('(?<!e)-', ',', text.lower())
  try:
    return parser.parse(listed)
  except ValueError as error:
    reason = ' '.join(str(error).split())
    raise _user_error(f"{name} is '{text}' ({reason})") from None


def _user_error(problem):
  return ssnn_jax.UserError(f'--grid: {problem}; use the form {_FORM}.')
