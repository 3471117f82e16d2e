"""Tests of the examples, commands, links and numbers of README and pages."""

import contextlib
import functools
import io
import pathlib
import re
import shlex

from absl.testing import parameterized

import ssnn_jax
from tests.testing import commands as tests_commands

ROOT = pathlib.Path(__file__).parent.parent.parent
README = (ROOT / 'README.md').read_text()
PAGES = sorted(
  path
  for folder in ('.', 'docs', 'experiments/results')
  for path in ROOT.glob(f'{folder}/*.md')
)
COMMAND = re.compile(r'^python -m experiments\.([\w.]+)([^|\n]*)', re.MULTILINE)
TEXTS = [page.read_text().replace('\\\n', '') for page in PAGES]
COMMANDS = sorted(
  {match.groups() for text in TEXTS for match in COMMAND.finditer(text)}
)


@functools.cache
def help_of(module):
  done = tests_commands.run(module, '--help')
  assert not done.returncode, done.stderr
  return done.stdout


class ReadmeTest(parameterized.TestCase):
  def test_examples_run(self):
    scope = {}
    folder = self.create_tempdir().full_path
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
      pages = [ROOT / 'docs' / name for name in ('hardware.md', 'layers.md')]
      for text in (README, *(page.read_text() for page in pages)):
        for example in re.findall(r'```python\n(.*?)```', text, re.DOTALL):
          exec(compile(example, 'a page', 'exec'), scope)
      own = ssnn_jax.datasets.load('own.npz')
    accuracy = scope['result'].history.eval_accuracy[-1]
    self.assertGreater(float(accuracy), 0.9)
    self.assertLen(own.train.labels, 1200)

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
