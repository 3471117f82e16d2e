"""Studies: each module has the question, sweeps, table, figure and claims."""

import ast
import importlib
import pathlib
import pkgutil

import ssnn_jax

_FOLDER = pathlib.Path(__file__).parent
NAMES = tuple(module.name for module in pkgutil.iter_modules([str(_FOLDER)]))


def question(name: str) -> str:
  """Returns the question of a study, without importing the study."""
  tree = ast.parse((_FOLDER / f'{name}.py').read_text())
  return next(
    node.value.value
    for node in ast.walk(tree)
    if isinstance(node, ast.keyword) and node.arg == 'question'
  )


def load(name: str):
  """Loads a study.

  Args:
    name: module name in `experiments.studies`.

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
