"""Tests of the examples in docstrings, and of the pages built from them."""

import doctest
import io
import pathlib
import re
import runpy
import tempfile
from urllib import parse

from absl.testing import parameterized

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
  """Returns the imports of the front page, which all examples assume."""
  scope = {}
  for line in EXAMPLES[0].examples:
    if line.source.startswith('import '):
      exec(line.source, scope)
  return scope


class ExamplesTest(parameterized.TestCase):
  @parameterized.named_parameters((each.name, each) for each in EXAMPLES)
  def test_example_prints_its_output(self, example):
    report = io.StringIO()
    example.globs.update(imports())
    result = doctest.DocTestRunner().run(example, out=report.write)
    self.assertGreater(result.attempted, 0)
    self.assertEqual(result.failed, 0, report.getvalue())


class PagesTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    build = runpy.run_path(str(BUILD))['build']
    cls.pages = build(pathlib.Path(folder).resolve())  # raises warnings
    cls.text = {
      page: page.read_text().partition('</main>')[0]
      for page in cls.pages.values()
    }

  def test_pages_have_all_modules(self):
    names = [module.__name__ for module in MODULES]
    self.assertCountEqual(self.pages, ['ssnn_jax', *names])
    guide = self.text[self.pages['ssnn_jax']].partition('<main')[2]
    for name in names:
      if name.count('.') == 1:  # packages list their own modules
        link = f'href="ssnn_jax/{name.removeprefix("ssnn_jax.")}.html"'
        self.assertIn(link, guide.replace('href="./', 'href="'))

  def test_links_are_not_broken(self):
    anchors = {
      page: set(re.findall(r'\sid="([^"]+)"', page_text))
      for page, page_text in self.text.items()
    }
    for page, page_text in self.text.items():
      for link in re.findall(r'href="([^"]+)"', page_text):
        place, _, anchor = link.partition('#')
        if not parse.urlparse(link).scheme:
          target = (page.parent / place).resolve() if place else page
          found = anchors.get(target, ())
          self.assertTrue(anchor in found or found and not anchor, (page, link))
