"""Studies: each module has the question, sweeps, table, figure and claims."""

import importlib
import pathlib
import pkgutil

import ssnn_jax

NAMES = tuple(
  module.name
  for module in pkgutil.iter_modules([str(pathlib.Path(__file__).parent)])
)


def load(name: str):
  """Loads a study.

  Args:
    name: its module in `experiments.studies`.

  Returns:
    The study, an `experiments.analysis.study.Study`.

  Raises:
    UserError: if there is no such study.
  """
  if name not in NAMES:
    raise ssnn_jax.UserError(
      f'--study={name} does not exist; choose one of {", ".join(NAMES)}.'
    )
  return importlib.import_module(f'experiments.studies.{name}').STUDY
