"""Studies: each module has the question, sweeps, table, figure and claims.

A study with several parts has a module, too; the name of a part is STUDY/PART.
"""

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
    name: module name in `experiments.studies`, for a part of a study followed
      by a slash and the name of the part.

  Returns:
    The study, an `experiments.analysis.study.Study`.

  Raises:
    UserError: if there is no such study.
  """
  name, _, part = name.partition('/')
  if name not in NAMES:
    raise ssnn_jax.UserError(
      f'--study={name} does not exist; choose one of {", ".join(NAMES)}.'
    )
  study = importlib.import_module(f'experiments.studies.{name}').STUDY
  if not part:
    return study
  if part not in study.parts:
    listed = ', '.join(f'{name}/{own}' for own in study.parts)
    raise ssnn_jax.UserError(
      f'--study={name}/{part} does not exist; choose '
      f'{f"one of {name}, {listed}" if listed else name}.'
    )
  return study.parts[part]
