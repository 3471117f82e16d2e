"""Tests of the examples, commands, links and numbers of README and pages."""

import contextlib
import functools
import importlib
import io
import pathlib
import re
import runpy
import shlex
import sys
from unittest import mock

from absl.testing import parameterized
import jax

from experiments.config import command
from tests.testing.experiments import parsed_flags

ROOT = pathlib.Path(__file__).parent.parent.parent
PAGES = sorted(
  path
  for folder in ('.', 'docs', 'experiments/results')
  for path in ROOT.glob(f'{folder}/*.md')
)
EXAMPLE = re.compile(r'```python\n(.*?)```', re.DOTALL)
# Results of the examples of a page, which exceed a number.
RESULTS = {
  'README.md': {'result.history.eval_accuracy[-1]': 0.9},
  'data.md': {'len(own.train.labels)': 1199},
  'training_loop.md': {'accuracy': 0.9, 'epoch.accuracy.winner.min()': 0.8},
  'neuron.md': {'result.history.eval_accuracy[-1]': 0.9},
}
COMMAND = re.compile(r'^python -m experiments\.([\w.]+)([^|\n]*)', re.MULTILINE)
TEXTS = [
  page.read_text().replace('\\\n', '').replace('.rtl ', '.rtl.')
  for page in PAGES
]
WITHOUT_ABSL = 'measurements.aihwkit_response'  # for a separate environment
COMMANDS = sorted(
  {match.groups() for text in TEXTS for match in COMMAND.finditer(text)}
)


def define_flags(module):
  """Defines the flags of a command."""
  path = ROOT / 'experiments' / f'{module.replace(".", "/")}.py'
  with mock.patch.object(command, 'launch') as launch:
    runpy.run_path(str(path), run_name='__main__')
  launch.assert_called_once()


def help_of(module):
  """Returns the help of a command that has no flags of absl."""
  help_text = io.StringIO()
  with (
    mock.patch.object(sys, 'argv', [module, '--help']),
    contextlib.redirect_stdout(help_text),
    contextlib.suppress(SystemExit),
  ):
    importlib.import_module(f'experiments.{module}').main()
  return help_text.getvalue()


class ReadmeTest(parameterized.TestCase):
  @parameterized.named_parameters(
    (page.stem, page) for page in PAGES if EXAMPLE.search(page.read_text())
  )
  def test_examples_run(self, page):
    scope = {}
    folder = self.create_tempdir().full_path
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
      for example in EXAMPLE.findall(page.read_text()):
        with jax.numpy_dtype_promotion('standard'):  # the default of users
          exec(compile(example, page.name, 'exec'), scope)
    for name, smallest in RESULTS.get(page.name, {}).items():
      self.assertGreater(float(eval(name, scope)), smallest)

  def test_commands_have_existing_flags(self):
    for module, arguments in COMMANDS:
      given = shlex.split(arguments)
      with self.subTest(f'{module}{arguments}'):
        for argument in given:
          self.assertStartsWith(argument, '--')
          if module == WITHOUT_ABSL:
            name = argument.partition('=')[0]
            self.assertRegex(help_of(module), rf'  {name}\b')
        if module != WITHOUT_ABSL:
          define = functools.partial(define_flags, module)
          with parsed_flags(define, *given):  # refuses unknown flags
            pass

  def test_make_has_the_targets(self):
    makefile = (ROOT / 'Makefile').read_text()
    for page in PAGES:
      for target in re.findall(r'^make (\w+)', page.read_text(), re.MULTILINE):
        self.assertRegex(makefile, rf'(?m)^{target}:')

  def test_links_are_not_broken(self):
    for page in PAGES:
      for link in re.findall(r'\]\(([^)#:]+)\)', page.read_text()):
        self.assertTrue((page.parent / link).exists(), f'{page.name}: {link}')
