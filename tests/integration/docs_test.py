"""Tests of the examples in docstrings, and of the site."""

import contextlib
import doctest
import io
import itertools
import pathlib
import re
import warnings

from absl.testing import absltest
from absl.testing import parameterized

from docs import build
from docs import modules
import ssnn_jax
from tests.testing.modules import MODULES

# Scripts, styles, images and fonts, but not links that readers may follow.
LOADED_FROM_ELSEWHERE = re.compile(
  r'(<(script|link|img|source|iframe)\b[^>]*\s(src|href)=|url\(|@import )'
  r'.?(https?:)?//'
)
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


class SiteTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.enterContext(warnings.catch_warnings())
    warnings.simplefilter('ignore')  # deprecations between Sphinx and MyST

  def test_sphinx_has_no_warnings(self):
    build.build(self.create_tempdir().full_path, '--builder=dummy')

  def test_broken_links_are_refused(self):
    sources, folder = (self.create_tempdir().full_path for _ in range(2))
    page = pathlib.Path(sources) / 'index.md'
    page.write_text('# Page\n\n[broken](nowhere.md)\n')
    with contextlib.redirect_stderr(io.StringIO()) as error:
      with self.assertRaisesRegex(RuntimeError, 'warnings of Sphinx'):
        build.render(sources, folder, '--builder=dummy')
    self.assertIn('nowhere', error.getvalue())

  def test_pages_have_all_modules(self):
    listed = [names for pages in modules.pages() for names in pages.values()]
    names = [module.__name__ for module in MODULES]
    self.assertCountEqual(itertools.chain(*listed), ['ssnn_jax', *names])

  def test_pages_work_offline(self):
    sources, folder = (
      pathlib.Path(self.create_tempdir().full_path) for _ in range(2)
    )
    page = modules.write('api/reference', ['ssnn_jax.reference'])
    (sources / 'index.rst').write_text(page)
    build.render(str(sources), folder)
    text = (folder / 'index.html').read_text()
    self.assertIn('id="ssnn_jax.reference.ssnn"', text)
    for file in folder.rglob('*.*'):
      if file.suffix in ('.html', '.css'):
        self.assertNotRegex(file.read_text(), LOADED_FROM_ELSEWHERE, file)
    # A script, which is also loaded without a server.
    self.assertIn('ssnn_jax.reference', (folder / 'searchindex.js').read_text())
