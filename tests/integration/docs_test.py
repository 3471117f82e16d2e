"""Tests of the examples in docstrings, and of the pages made of these."""

import doctest
import io
import pathlib
import re
import runpy
from urllib import parse

from absl.testing import absltest
from absl.testing import parameterized
import jax

import ssnn_jax
from tests.testing.modules import MODULES

BUILD = pathlib.Path(__file__).parent.parent.parent / 'docs' / 'build.py'
EXAMPLES = [
  example
  for module in (ssnn_jax, *MODULES)
  for example in doctest.DocTestFinder().find(module, globs={})
  if example.examples
]


def imports():
  """Makes what the front page imports, for all pages."""
  scope = {}
  for line in EXAMPLES[0].examples:
    if line.source.startswith('import '):
      exec(line.source, scope)
  return scope


class ExamplesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    name = 'jax_disable_most_optimizations'  # they run once, and compile sooner
    self.addCleanup(jax.config.update, name, jax.config.values[name])
    jax.config.update(name, True)

  @parameterized.named_parameters((each.name, each) for each in EXAMPLES)
  def test_an_example_says_what_comes(self, example):
    report = io.StringIO()
    example.globs.update(imports())
    result = doctest.DocTestRunner().run(example, out=report.write)
    self.assertGreater(result.attempted, 0)
    self.assertEqual(result.failed, 0, report.getvalue())

  def test_there_are_as_many_as_there_were(self):
    self.assertGreaterEqual(len(EXAMPLES), 28)


class PagesTest(absltest.TestCase):
  def test_pages_hold_all_and_their_links_lead_somewhere(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    pages = runpy.run_path(str(BUILD))['build'](folder)  # raises what is warned
    names = [module.__name__ for module in MODULES]
    self.assertEqual(list(pages), ['ssnn_jax', *names])
    text = {
      page: page.read_text().partition('</main>')[0] for page in pages.values()
    }
    guide = text[pages['ssnn_jax']].partition('<main')[2]
    for name in names:
      if name.count('.') == 1:  # a set of modules has a page of its own
        link = f'href="ssnn_jax/{name.removeprefix("ssnn_jax.")}.html"'
        self.assertIn(link, guide.replace('href="./', 'href="'))
    anchors = {
      page: set(re.findall(r'\sid="([^"]+)"', written))
      for page, written in text.items()
    }
    for page, written in text.items():
      for link in re.findall(r'href="([^"]+)"', written):
        place, _, anchor = link.partition('#')
        if not parse.urlparse(link).scheme:
          target = (page.parent / place).resolve() if place else page
          found = anchors.get(target, ())
          self.assertTrue(anchor in found or found and not anchor, (page, link))
