"""Tests that README and the other pages say what is so."""

import contextlib
import io
import json
import pathlib
import re
import shlex
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized

from experiments import energy
from experiments import plot

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / 'README.md').read_text()
PAGES = sorted(
  path for path in [*ROOT.glob('*.md'), *ROOT.glob('experiments/*.md')]
)
NOTEBOOKS = [(path,) for path in ROOT.glob('colab/*.ipynb')]
COMMAND = re.compile(r'^python -m (experiments\.\w+)([^|\n]*)', re.MULTILINE)
COMMANDS = sorted(
  {
    match.groups()
    for page in PAGES
    for match in COMMAND.finditer(page.read_text())
  }
)


class ReadmeTest(parameterized.TestCase):
  def test_the_example_runs(self):
    example, _ = re.findall(r'```python\n(.*?)```', README, re.DOTALL)
    scope = {}
    with contextlib.redirect_stdout(io.StringIO()):
      exec(compile(example, 'README.md', 'exec'), scope)
    accuracy = (scope['classes'] == scope['digits'].test.labels).mean()
    self.assertGreater(float(accuracy), 0.8)
    for layer, params in zip(scope['gradient'], scope['params']):
      self.assertEqual(layer.weights.shape, params.weights.shape)

  @parameterized.parameters(*{module for module, _ in COMMANDS})
  def test_commands_name_flags_that_are_there(self, module):
    done = subprocess.run(
      [sys.executable, '-m', module, '--help'],
      cwd=ROOT,
      capture_output=True,
      text=True,
    )
    for other, arguments in COMMANDS:
      if other == module:
        for argument in shlex.split(arguments):
          name = argument.partition('=')[0].removeprefix('--')
          pattern = rf'  --(\[no\])?{name}\b'
          self.assertRegex(done.stdout, pattern, f'{module}{arguments}')

  @parameterized.parameters(*NOTEBOOKS)
  def test_notebooks_run(self, path):
    cells = json.loads(path.read_text())['cells']
    code = [''.join(c['source']) for c in cells if c['cell_type'] == 'code']
    shell = [source for source in code if source.startswith('!')]
    python = [source for source in code if not source.startswith('!')]
    for source in shell:
      self.assertRegex(source, r'^!python -m experiments\.(run|sweep) --')
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(io.StringIO()):
      scope = {}
      for source in python:
        exec(compile(source, path.name, 'exec'), scope)
    self.assertEqual(scope['update'].positive[0].weights.dtype, 'int32')

  def test_make_knows_the_targets(self):
    makefile = (ROOT / 'Makefile').read_text()
    for page in PAGES:
      for target in re.findall(r'^make (\w+)', page.read_text(), re.MULTILINE):
        self.assertRegex(makefile, rf'(?m)^{target}:')

  def test_links_lead_somewhere(self):
    for page in PAGES:
      for link in re.findall(r'\]\(([^)#:]+)\)', page.read_text()):
        self.assertTrue((page.parent / link).exists(), f'{page.name}: {link}')

  def test_tables_are_those_of_the_records(self):
    pattern = r'<!-- table: (\S+)(?: by (\S+))? -->\n+```text\n(.*?)\n```'
    tables = [
      table
      for page in PAGES
      for table in re.findall(pattern, page.read_text(), re.DOTALL)
    ]
    text = ''.join(page.read_text() for page in PAGES)
    self.assertLen(tables, text.count('<!-- table: '))
    self.assertNotEmpty(tables)
    for name, energies, table in tables:
      record = ROOT / 'experiments' / 'records' / name
      expected = plot.read_record(record)[0]
      if energies:
        expected = energy.table(record, energies).partition('\n\n')[0]
      self.assertEqual(table, expected)


if __name__ == '__main__':
  absltest.main()
