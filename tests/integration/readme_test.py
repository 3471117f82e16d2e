"""Tests of the examples, commands, links and numbers of README and pages."""

import contextlib
import functools
import io
import pathlib
import re
import shlex

from absl.testing import parameterized
import jax

from tests.testing import commands as tests_commands

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
COMMANDS = sorted(
  {match.groups() for text in TEXTS for match in COMMAND.finditer(text)}
)


@functools.cache
def help_of(module):
  done = tests_commands.run(module, '--help')
  assert not done.returncode, done.stderr
  return done.stdout


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
      text = help_of(module)
      for argument in shlex.split(arguments):
        name = argument.partition('=')[0].removeprefix('--')
        positive = name.removeprefix('no')  # of flags that are on or off
        pattern = rf'  --({name}|\[no\]({name}|{positive}))\b'
        self.assertRegex(text, pattern, f'{module}{arguments}')

  def test_make_has_the_targets(self):
    makefile = (ROOT / 'Makefile').read_text()
    for page in PAGES:
      for target in re.findall(r'^make (\w+)', page.read_text(), re.MULTILINE):
        self.assertRegex(makefile, rf'(?m)^{target}:')

  def test_links_are_not_broken(self):
    for page in PAGES:
      for link in re.findall(r'\]\(([^)#:]+)\)', page.read_text()):
        self.assertTrue((page.parent / link).exists(), f'{page.name}: {link}')
