"""All modules of the library, for tests of its documentation."""

import importlib
import pkgutil

import ssnn_jax

MODULES = [
  importlib.import_module(module.name)
  for module in pkgutil.walk_packages(ssnn_jax.__path__, 'ssnn_jax.')
]
