"""Tests of the rules that every module and public function follows."""

import inspect
import subprocess
import sys

from absl.testing import parameterized

from tests.testing.modules import MODULES

FUNCTIONS = [
  (f'{module.__name__}.{name}', function)
  for module in MODULES
  for name, function in inspect.getmembers(module, inspect.isfunction)
  if not name.startswith('_') and function.__module__ == module.__name__
]
# Arguments that may precede a key, as they are known before the data.
STATIC = {'config', 'network', 'reference', 'params', 'optimizer', 'model'}
STATIC |= {'spiking', 'signals', 'loss'}  # of a function that is played


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


class ImportTest(parameterized.TestCase):
  def test_import_loads_no_package_that_few_need(self):
    few = {'tensorflow', 'tensorflow_datasets', 'tonic', 'torch', 'flax'}
    few |= {'requests', 'matplotlib', 'nir', 'h5py', 'sklearn', 'librosa'}
    few |= {'orbax', 'pooch', 'pandas', 'PIL', 'equinox', 'scipy'}
    code = (
      'import sys, ssnn_jax; ssnn_jax.datasets.load("digits"); '
      f'print({few} & sys.modules.keys())'
    )
    done = subprocess.run(
      [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    self.assertEqual(done.stdout, 'set()\n')
