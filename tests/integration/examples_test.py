"""Tests of the examples in docstrings, README and guides."""

import contextlib
import doctest
import io
import pathlib
import re
from unittest import mock

from absl.testing import parameterized
import jax

import ssnn_jax
from tests.testing.modules import MODULES

ROOT = pathlib.Path(__file__).parent.parent.parent
PAGES = [ROOT / 'README.md', *sorted(ROOT.glob('docs/*.md'))]
CODE = re.compile(r'```python\n(.*?)```', re.DOTALL)
# Results of the examples of a page, which exceed a number.
RESULTS = {
  'README': {'optax.global_norm(gradient)': 0.1},
  'chip': {'equal': 0.95, 'result.history.eval_accuracy[-1]': 0.8},
  'data': {'len(own.train.labels)': 1199},
  'devices': {'accuracies[-1]': 0.85},
  'paper_neuron': {'accuracy': 0.9},
  'time': {
    'np.mean(right[-200:])': 0.7,
    'result.history.eval_accuracy[-1]': 0.6,
  },
  'your_model': {
    'costs[8].ssnn.min()': 0.5,
    'played.ticks': 3,
    '-distance': -1e-3,
    'min(accuracies)': 0.85,
    'others.history.eval_accuracy[-1]': 0.5,
    '-loss': -1.0,
  },
}
# What tests compute less of.
LESS = {
  'num_steps=(None, 8), optimizer': 'num_steps=(8,), num_epochs=4, optimizer',
  '2, num_steps=(None, 8), num_epochs=2': '1, num_steps=(8,), num_epochs=1',
  'digits, num_epochs=15': 'digits, num_epochs=4',
  'range(3000)': 'range(1500)',
}
# Modules that `import ssnn_jax` does not import, so that pages must.
NOT_IMPORTED = (
  (ssnn_jax.chip, 'cosimulation'),
  (ssnn_jax.chip, 'verilog'),
  (ssnn_jax, 'figures'),
  (ssnn_jax.stochastic, 'nir'),
)
DOCSTRINGS = [
  example
  for module in (ssnn_jax, *MODULES)
  for example in doctest.DocTestFinder().find(module, globs={})
  if example.examples
]


class ExamplesTest(parameterized.TestCase):
  @parameterized.named_parameters((each.name, each) for each in DOCSTRINGS)
  def test_docstring_prints_its_output(self, example):
    report = io.StringIO()
    for line in DOCSTRINGS[0].examples:  # whose imports all others assume
      if line.source.startswith('import '):
        exec(line.source, example.globs)
    with jax.numpy_dtype_promotion('standard'):  # the default of users
      result = doctest.DocTestRunner().run(example, out=report.write)
    self.assertEqual(result.failed, 0, report.getvalue())

  @parameterized.named_parameters(
    (page.stem, page) for page in PAGES if CODE.search(page.read_text())
  )
  def test_page_runs(self, page):
    scope = {}
    folder = self.create_tempdir().full_path
    for package, module in NOT_IMPORTED:
      self.enter_context(mock.patch.dict(vars(package)))
      del vars(package)[module]
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
      for code in CODE.findall(page.read_text()):
        for whole, part in LESS.items():
          code = code.replace(whole, part)
        with jax.numpy_dtype_promotion('standard'):  # the default of users
          exec(compile(code, page.name, 'exec'), scope)
    for result, smallest in RESULTS.get(page.stem, {}).items():
      self.assertGreater(float(eval(result, scope)), smallest)
