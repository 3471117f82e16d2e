"""Tests that files about the package agree with each other and the code."""

import configparser
import itertools
import pathlib
import re

from absl.testing import absltest

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
