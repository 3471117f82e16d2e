"""Tests of the rules that every public function follows."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized

import ssnn_jax

MODULES = [
  importlib.import_module(f'ssnn_jax.{module.name}')
  for module in pkgutil.iter_modules(ssnn_jax.__path__)
]
FUNCTIONS = [
  (f'{module.__name__}.{name}', function)
  for module in MODULES
  for name, function in inspect.getmembers(module, inspect.isfunction)
  if not name.startswith('_') and function.__module__ == module.__name__
]
# What is known before data comes, and so may stand before a key.
STATIC = {'config', 'network', 'reference', 'params', 'optimizer'}


class ApiTest(parameterized.TestCase):
  @parameterized.named_parameters(*FUNCTIONS)
  def test_a_key_comes_before_data(self, function):
    names = list(inspect.signature(function).parameters)
    if 'key' in names:
      self.assertContainsSubset(names[: names.index('key')], STATIC)
    self.assertNoCommonElements(names, ['rng', 'prng', 'seed_key'])

  @parameterized.named_parameters(*FUNCTIONS)
  def test_a_docstring_tells_arguments_and_results(self, function):
    doc = inspect.getdoc(function)
    self.assertIsNotNone(doc)
    if 'Args:' in doc:
      for name in inspect.signature(function).parameters:
        self.assertRegex(doc, rf'\n  \**{name}: ')

  @parameterized.named_parameters(*FUNCTIONS)
  def test_signatures_are_annotated(self, function):
    signature = inspect.signature(function)
    self.assertTrue(
      all(
        parameter.annotation is not parameter.empty
        for parameter in signature.parameters.values()
      )
    )

  def test_the_surface_is_what_it_says(self):
    self.assertEqual(list(ssnn_jax.__all__), sorted(ssnn_jax.__all__))
    for name in ssnn_jax.__all__:
      self.assertTrue(hasattr(ssnn_jax, name), name)
    for name in ('jax', 'jnp', 'np'):
      self.assertFalse(hasattr(ssnn_jax, name))

  def test_the_import_is_light(self):
    heavy = ('tensorflow', 'tensorflow_datasets', 'tonic', 'torch', 'sklearn')
    heavy += ('matplotlib',)
    code = (
      'import sys, ssnn_jax; '
      f'print([name for name in {heavy} if name in sys.modules])'
    )
    done = subprocess.run(
      [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    self.assertEqual(done.stdout.strip(), '[]')


if __name__ == '__main__':
  absltest.main()
