"""Tests that files about the package agree with each other and the code."""

import configparser
import itertools
import pathlib
import re

from absl.testing import absltest
import yaml

import ssnn_jax

ROOT = pathlib.Path(__file__).parent.parent.parent
# Extras in installation hints, and in the Makefile.
EXTRA = re.compile(r"'(?:\.|ssnn_jax)\[(\w+)\]'|EXTRA := (\w+)")


def setup():
  parser = configparser.ConfigParser()
  parser.read(ROOT / 'setup.cfg')
  return parser


def read_yaml(name):
  return yaml.safe_load((ROOT / name).read_text())


class ExtrasTest(absltest.TestCase):
  def test_extras_are_those_of_installation_hints(self):
    folders = 'ssnn_jax', 'experiments', 'docs', 'colab'
    files = [(ROOT / folder).rglob('*.*') for folder in folders]
    files = itertools.chain(*files, ROOT.glob('*.md'), [ROOT / 'Makefile'])
    hinted = {
      ''.join(found)
      for file in files
      if file.suffix in ('', '.py', '.md', '.ipynb')
      for found in EXTRA.findall(file.read_text())
    }
    self.assertEqual(hinted, set(setup()['options.extras_require']))


class CitationTest(absltest.TestCase):
  def test_versions_and_years_agree(self):
    citation = read_yaml('CITATION.cff')
    bibtex = (ROOT / 'README.md').read_text().partition('@software')[2]
    fields = dict(re.findall(r'(\w+) = {(.*?)}', bibtex))
    self.assertEqual(citation['version'], ssnn_jax.__version__)
    self.assertEqual(fields['version'], ssnn_jax.__version__)
    self.assertEqual(fields['year'], str(citation['date-released'].year))

  def test_authors_and_licenses_agree(self):
    citation, metadata = read_yaml('CITATION.cff'), setup()['metadata']
    self.assertEqual(citation['license'], metadata['license_expression'])
    self.assertEqual(citation['authors'], [{'name': metadata['author']}])


class ToolsTest(absltest.TestCase):
  def test_workflow_runs_targets_of_make(self):
    jobs = read_yaml('.github/workflows/tests.yml')['jobs']
    steps = itertools.chain(*(job['steps'] for job in jobs.values()))
    commands = [step['run'] for step in steps if 'run' in step]
    self.assertContainsSubset(['make lint', 'make test', 'make docs'], commands)
    makefile = (ROOT / 'Makefile').read_text()
    for command in commands:
      self.assertRegex(makefile, f'(?m)^{command.removeprefix("make ")}:')

  def test_workflow_has_versions_of_python_of_the_package(self):
    job = read_yaml('.github/workflows/tests.yml')['jobs']['tests']
    language = 'Programming Language :: Python :: '
    described = setup()['metadata']['classifiers'].splitlines()
    versions = {language + each for each in job['strategy']['matrix']['python']}
    self.assertContainsSubset(versions, described)

  def test_hooks_have_the_version_of_ruff_of_the_package(self):
    (repository,) = read_yaml('.pre-commit-config.yaml')['repos']
    versions = [hook['additional_dependencies'] for hook in repository['hooks']]
    tools = setup()['options.extras_require']['test'].splitlines()
    ruff = [tool for tool in tools if tool.startswith('ruff')]
    self.assertEqual(versions, [ruff, ruff])
