"""Tests that files about the package agree with each other and the code."""

import configparser
import contextlib
import io
import itertools
import pathlib
import re
import shutil
from unittest import mock

from absl.testing import absltest

from colab import owner

ROOT = pathlib.Path(__file__).parent.parent.parent
# Extras in installation hints, and in the Makefile.
EXTRA = re.compile(r"'(?:\.|ssnn_jax)\[(\w+)\]'|EXTRA := (\w+)")


def setup():
  parser = configparser.ConfigParser()
  parser.read(ROOT / 'setup.cfg')
  return parser


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


class OwnerTest(absltest.TestCase):
  def test_owner_is_the_same_everywhere(self):
    for file in owner.files():
      text = file.read_text()
      self.assertIn(f'/{owner.OWNER}/ssnn_jax', text, file.name)
      self.assertEqual(owner.fill(text), text, file.name)

  def test_owner_is_filled_into_all_addresses(self):
    root = pathlib.Path(self.create_tempdir().full_path)
    (root / 'colab').mkdir()
    for file in owner.files():
      shutil.copy(file, root / file.relative_to(ROOT))
    with (
      mock.patch.object(owner, 'ROOT', root),
      mock.patch.object(owner, 'OWNER', 'someone'),
      contextlib.redirect_stdout(io.StringIO()) as printed,
    ):
      owner.main()
    self.assertLen(printed.getvalue().splitlines(), 5)
    for file, number in (('README.md', 1), ('colab/quickstart.ipynb', 2)):
      changed = (root / file).read_text()
      self.assertEqual(changed.count('/someone/ssnn_jax'), number)
      before = changed.replace('/someone/', f'/{owner.OWNER}/')
      self.assertEqual(before, (ROOT / file).read_text())
