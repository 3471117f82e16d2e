"""Tests that notebooks have stored outputs, and call what there is.

`make notebooks` runs them; what they call is run by the tests of the guides.
"""

import ast
import importlib
import inspect

from absl.testing import parameterized
import nbformat

from colab import notebooks

OWN = 'ssnn_jax', 'experiments'


def read(path):
  """Returns the cells of code of a notebook."""
  notebook = nbformat.read(path, as_version=4)
  return [cell for cell in notebook.cells if cell.cell_type == 'code']


def find_imports(tree):
  """Returns the modules and functions of the project that code imports."""
  scope = {}
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      for own in node.names:
        if own.name in OWN:
          scope[own.name] = importlib.import_module(own.name)
    if isinstance(node, ast.ImportFrom) and node.module.split('.')[0] in OWN:
      package = importlib.import_module(node.module)
      for own in node.names:
        found = getattr(package, own.name, None)
        scope[own.name] = found or importlib.import_module(
          f'{node.module}.{own.name}'
        )
  return scope


def evaluate(node, scope):
  """Returns what a dotted name of the project is; None of other names."""
  if isinstance(node, ast.Name):
    return scope.get(node.id)
  if isinstance(node, ast.Attribute):
    owner = evaluate(node.value, scope)
    return owner and getattr(owner, node.attr)
  return None


class NotebooksTest(parameterized.TestCase):
  @parameterized.parameters(*notebooks.FOLDER.glob('*.ipynb'))
  def test_outputs_are_stored_of_calls_that_there_are(self, path):
    cells = read(path)
    self.assertTrue(any(cell.outputs for cell in cells))
    for cell in cells:
      self.assertIsNotNone(cell.execution_count)
      for output in cell.outputs:
        self.assertNotEqual(output.output_type, 'error')
    tree = ast.parse('\n'.join(cell.source for cell in cells))
    scope, num_calls = find_imports(tree), 0
    for node in ast.walk(tree):
      if isinstance(node, ast.Attribute):
        evaluate(node, scope)
      function = isinstance(node, ast.Call) and evaluate(node.func, scope)
      if function:
        num_calls += 1
        is_open = any(isinstance(own, ast.Starred) for own in node.args)
        signature = inspect.signature(function)
        bind = signature.bind_partial if is_open else signature.bind
        given = [own for own in node.args if not isinstance(own, ast.Starred)]
        bind(*given, **{own.arg: own for own in node.keywords})
    self.assertGreater(num_calls, 3)
