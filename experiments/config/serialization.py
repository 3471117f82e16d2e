"""Configurations of experiments as JSON, as records have them."""

from collections.abc import Mapping
import dataclasses
import json
import pathlib
from typing import Any

from experiments.config import experiment
import ssnn_jax


def as_record(config: experiment.ExperimentConfig) -> dict[str, Any]:
  """Makes the JSON object that a configuration is recorded as."""
  return json.loads(json.dumps(dataclasses.asdict(config)))


def from_record(
  recorded: Mapping[str, Any], folder: pathlib.Path
) -> experiment.ExperimentConfig:
  """Makes a configuration of its record; what it lacks has its default.

  Args:
    recorded: the JSON object.
    folder: where it was read, for the message.

  Returns:
    The configuration.

  Raises:
    UserError: if the record has what no configuration has, or a value of the
      wrong kind.
  """
  known = {
    field.name for field in dataclasses.fields(experiment.ExperimentConfig)
  }
  for name in recorded:
    if name not in known:
      raise ssnn_jax.UserError(
        f'{folder} holds a run with {name}, which this version does not know; '
        'go on with the version that started it.'
      )
  values = {
    name: tuple(value) if isinstance(value, list) else value
    for name, value in recorded.items()
  }
  try:
    return experiment.ExperimentConfig(**values)
  except TypeError as error:
    raise ssnn_jax.UserError(
      f'{folder} holds a run with a value of the wrong kind ({error}); restore '
      'its config.json.'
    ) from None


def complete(recorded: Mapping[str, Any]) -> dict[str, Any]:
  """Completes the record of a configuration: what it lacks had its default."""
  return as_record(experiment.ExperimentConfig()) | dict(recorded)
