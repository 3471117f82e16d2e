"""Tests of the rules that every public function follows."""

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
    doc, signature = inspect.getdoc(function), inspect.signature(function)
    doc, _, _ = doc.partition('\n\nExample:\n')
    self.assertRegex(doc, r'\A[A-Z].*[.:]\n?')
    if not re.search('^(Args|Returns):', doc, re.M):  # two lines may say it all
      self.assertLessEqual(len(doc.splitlines()), 3)
      return
    arguments = doc.partition('Args:\n')[2].partition('\n\n')[0]
    self.assertEqual(
      re.findall(r'^  \**(\w+): ', arguments, re.MULTILINE),
      list(signature.parameters),
    )
    has_result = signature.return_annotation is not None
    self.assertEqual(
      bool(re.search('^(Returns|Yields):', doc, re.M)), has_result
    )

  @parameterized.named_parameters(*FUNCTIONS)
  def test_signatures_are_annotated(self, function):
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
      self.assertIsNot(parameter.annotation, parameter.empty, parameter.name)

  def test_the_surface_is_what_it_says(self):
    self.assertEqual(list(ssnn_jax.__all__), sorted(ssnn_jax.__all__))
    imported, modules = {}, {module.__name__ for module in MODULES}
    exec('from ssnn_jax import *', imported)
    self.assertContainsSubset(ssnn_jax.__all__, imported)
    # What is listed is what `__init__` imports; beside it there are modules.
    statements = ast.parse(inspect.getsource(ssnn_jax)).body
    names = [
      alias.asname or alias.name
      for statement in statements
      if isinstance(statement, ast.Import | ast.ImportFrom)
      for alias in statement.names
    ]
    self.assertCountEqual(names, ssnn_jax.__all__)
    for name in set(vars(ssnn_jax)) - set(names):
      self.assertTrue(name.startswith('_') or f'ssnn_jax.{name}' in modules)

  @parameterized.parameters(
    'import ssnn_jax',
    'import ssnn_jax; ssnn_jax.datasets.load("digits")',
  )
  def test_the_import_is_light(self, statement):
    heavy = ['tensorflow', 'tensorflow_datasets', 'tonic', 'torch', 'requests']
    heavy += ['matplotlib', 'nir', 'h5py']
    if 'load' not in statement:  # digits come with scikit-learn
      heavy += ['sklearn', 'scipy.stats', 'joblib']
    code = (
      f'import sys; {statement}; '
      f'print([name for name in {heavy} if name in sys.modules])'
    )
    done = subprocess.run(
      [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    self.assertEqual(done.stdout.strip(), '[]')
