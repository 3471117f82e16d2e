"""Configurations of experiments as JSON objects in records."""

from collections.abc import Mapping
import dataclasses
import json
import pathlib
from typing import Any

from experiments.config import experiment
import ssnn_jax

# Fields of earlier versions, with the only value that runs still have.
RETIRED = {'delay': 0}


def as_record(config: experiment.ExperimentConfig) -> dict[str, Any]:
  """Returns the JSON object of a configuration."""
  return json.loads(json.dumps(dataclasses.asdict(config)))


def from_record(
  recorded: Mapping[str, Any], folder: pathlib.Path
) -> experiment.ExperimentConfig:
  """Makes a configuration from its JSON object; missing fields have defaults.

  Raises:
    UserError: if the record of the folder has an unknown field, or a value of
      the wrong type.
  """
  recorded = _update(recorded)
  for name in recorded:
    if name not in experiment.FIELDS:
      raise ssnn_jax.UserError(
        f'{folder} holds a run with the unknown field {name}; resume the run '
        'with the version that started the run.'
      )
  values = {
    name: tuple(value) if isinstance(value, list) else value
    for name, value in recorded.items()
  }
  try:
    return experiment.ExperimentConfig(**values)
  except ssnn_jax.UserError as error:
    reason = str(error).removesuffix('.')
    raise ssnn_jax.UserError(
      f'{folder} holds a run with an invalid value ({reason}); restore its '
      'config.json.'
    ) from None


def complete(recorded: Mapping[str, Any]) -> dict[str, Any]:
  """Adds the defaults of missing fields to the record of a configuration."""
  defaults = as_record(experiment.ExperimentConfig())
  return defaults | _update(recorded)


def _update(recorded):
  """Returns the record of an earlier version with the fields of this one."""
  values = {
    name: value
    for name, value in recorded.items()
    if name not in RETIRED or value != RETIRED[name]
  }
  if values.get('timing') == 'realtime':  # votes once started with the winners
    values.setdefault('settle', 0)
  return values
