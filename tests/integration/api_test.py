"""Tests of the rules that every module and public function follows."""

import ast
import inspect
import re
import subprocess
import sys

from absl.testing import parameterized

import ssnn_jax
from tests.testing.modules import MODULES

FUNCTIONS = [
  (f'{module.__name__}.{name}', function)
  for module in MODULES
  for name, function in inspect.getmembers(module, inspect.isfunction)
  if not name.startswith('_') and function.__module__ == module.__name__
]
# Arguments that may precede a key, as they are known before the data.
STATIC = {'config', 'network', 'reference', 'params', 'optimizer'}


class FunctionsTest(parameterized.TestCase):
  def test_arguments_are_annotated_and_keys_precede_data(self):
    for path, function in FUNCTIONS:
      parameters = inspect.signature(function).parameters
      for parameter in parameters.values():
        self.assertIsNot(parameter.annotation, parameter.empty, path)
      names = list(parameters)
      if 'key' in names:
        before = names[: names.index('key')]
        self.assertContainsSubset(before, STATIC, path)
      self.assertNoCommonElements(names, ['rng', 'prng', 'seed_key'])

  def test_docstrings_describe_arguments_and_results(self):
    for path, function in FUNCTIONS:
      doc, signature = inspect.getdoc(function), inspect.signature(function)
      doc, _, _ = doc.partition('\n\nExample:\n')
      self.assertRegex(doc, r'\A[A-Z].*[.:]\n?', path)
      if function.__module__ == 'ssnn_jax.reference':  # reads as a text
        continue
      if not re.search('^(Args|Returns):', doc, re.M):  # short docstrings
        self.assertLessEqual(len(doc.splitlines()), 3, path)
        continue
      arguments = doc.partition('Args:\n')[2].partition('\n\n')[0]
      self.assertEqual(
        re.findall(r'^  \**(\w+): ', arguments, re.MULTILINE),
        list(signature.parameters),
        path,
      )
      has_result = signature.return_annotation is not None
      describes = bool(re.search('^(Returns|Yields):', doc, re.M))
      self.assertEqual(describes, has_result, path)


class ImportTest(parameterized.TestCase):
  def test_public_names_are_the_imported_ones(self):
    self.assertEqual(list(ssnn_jax.__all__), sorted(ssnn_jax.__all__))
    imported, modules = {}, {module.__name__ for module in MODULES}
    exec('from ssnn_jax import *', imported)
    self.assertContainsSubset(ssnn_jax.__all__, imported)
    statements = ast.parse(inspect.getsource(ssnn_jax)).body
    names = [
      alias.asname or alias.name
      for statement in statements
      if isinstance(statement, ast.Import | ast.ImportFrom)
      for alias in statement.names
    ]
    self.assertCountEqual(names, ssnn_jax.__all__)
    # All other attributes are modules or private.
    for name in set(vars(ssnn_jax)) - set(names):
      self.assertTrue(name.startswith('_') or f'ssnn_jax.{name}' in modules)

  def test_import_loads_no_optional_package_and_has_all_modules(self):
    optional = {
      'tensorflow',
      'tensorflow_datasets',
      'tonic',
      'torch',
      'requests',
      'matplotlib',
      'nir',
      'h5py',
    }
    of_digits = {'sklearn', 'scipy.stats', 'joblib'}
    names = [module.__name__ for module in MODULES]
    scripts = {'ssnn_jax.spikes.compile_kernels'}
    code = (
      'import sys, ssnn_jax; '
      f'print({optional | of_digits} & sys.modules.keys()); '
      'ssnn_jax.datasets.load("digits"); '
      f'print({optional} & sys.modules.keys()); '
      f'print({{name for name in {names} if name not in {scripts} '
      'and not eval(name)})'
    )
    done = subprocess.run(
      [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    self.assertEqual(done.stdout.split('\n'), [*['set()'] * 3, ''])
    with self.assertRaises(AttributeError):
      ssnn_jax.hardware.nothing  # noqa: B018
