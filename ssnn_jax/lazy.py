"""Modules that are imported when they are first used.

They need optional packages, or packages that take long to import.
"""

from collections.abc import Callable
import importlib
from typing import Any


def modules(package: str, *names: str) -> Callable[[str], Any]:
  """Returns the `__getattr__` of a package (PEP 562) for some of its modules.

  Example:
    >>> ssnn_jax.training.raster_plot.__name__  # imports matplotlib
    'ssnn_jax.training.raster_plot'
  """

  def find(name):
    if name in names:
      return importlib.import_module(f'{package}.{name}')
    raise AttributeError(f'module {package!r} has no attribute {name!r}')

  return find
