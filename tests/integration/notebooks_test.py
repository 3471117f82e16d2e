"""Tests that notebooks have stored outputs, and that one of them runs."""

import contextlib
import io
import os
from unittest import mock

from absl.testing import parameterized
import jax
from matplotlib import pyplot
import nbformat

from colab import notebooks
import ssnn_jax
from tests.testing.experiments import small_digits

# Parameters of the first cell; `make notebooks` runs all notebooks as they are.
SMALL = {'num_epochs': 4, 'num_hidden': 16, 'steps': [8]}


def read(name):
  """Returns the cells of code of a notebook."""
  notebook = nbformat.read(notebooks.FOLDER / f'{name}.ipynb', as_version=4)
  return [cell for cell in notebook.cells if cell.cell_type == 'code']


class NotebooksTest(parameterized.TestCase):
  def test_quickstart_runs(self):
    digits, text = small_digits(), io.StringIO()
    scope = {'__name__': '__main__'}
    with (
      contextlib.chdir(notebooks.FOLDER),
      contextlib.redirect_stdout(text),
      mock.patch.dict(os.environ, MPLBACKEND='agg'),
      mock.patch.object(ssnn_jax.datasets, 'load', lambda name: digits),
      jax.numpy_dtype_promotion('standard'),  # the default of users
    ):
      for cell in read('quickstart'):
        exec(compile(cell.source, 'quickstart', 'exec'), scope)
        if 'parameters' in cell.metadata.get('tags', ()):
          self.assertContainsSubset(SMALL, scope)
          scope.update(SMALL)
      pyplot.close('all')
    self.assertIn('equal: True', text.getvalue())

  @parameterized.parameters(*notebooks.FOLDER.glob('*.ipynb'))
  def test_outputs_are_stored(self, path):
    cells = read(path.stem)
    self.assertTrue(any(cell.outputs for cell in cells))
    for cell in cells:
      self.assertIsNotNone(cell.execution_count)
      for output in cell.outputs:
        self.assertNotEqual(output.output_type, 'error')
