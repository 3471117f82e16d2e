"""Tests of the walls of the package: who imports whom."""

import ast
import pathlib

from absl.testing import absltest

PACKAGE = pathlib.Path(__file__).parents[2] / 'ssnn_jax'
WINGS = 'spiking', 'stochastic', 'chip'


def list_imports(path):
  """Yields the modules that a file imports, at any depth."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.ImportFrom):
      yield from (f'{node.module}.{own.name}' for own in node.names)
    elif isinstance(node, ast.Import):
      yield from (own.name for own in node.names)


class ImportsTest(absltest.TestCase):
  def test_no_wing_imports_another_or_a_command(self):
    for wing in WINGS:
      others = tuple(f'ssnn_jax.{own}.' for own in WINGS if own != wing)
      for path in (PACKAGE / wing).glob('**/*.py'):
        for name in list_imports(path):
          self.assertFalse(f'{name}.'.startswith(others), (path, name))

  def test_the_library_imports_no_command(self):
    for path in PACKAGE.glob('**/*.py'):
      for name in list_imports(path):
        self.assertFalse(name.startswith(('experiments', 'tests')), path)


if __name__ == '__main__':
  absltest.main()
