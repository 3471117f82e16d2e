"""Checks of tables of wrong inputs and the sentences that refuse them."""

import contextlib
import pathlib
import re
import shlex
import tempfile

from absl.testing import parameterized

import ssnn_jax
from tests.testing import commands

# A line with the remedy, or with what was expected.
_SENTENCE = r'[^\n]*(?:; |expected |give |is not a list of )[^\n]*\.'


class WrongInputsTestCase(parameterized.TestCase):
  """Test case with a folder, in which commands run."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.folder = pathlib.Path(folder)
    cls.enterClassContext(contextlib.chdir(cls.folder))

  def assert_sentence(self, found, expected):
    """Asserts a sentence.

    Of the expected sentence `...` is any part, and `{}` the folder.
    """
    expected = expected.replace('{}', str(self.folder))
    self.assertRegex(found, rf'\A{_SENTENCE}\Z')
    pattern = re.escape(expected).replace(re.escape('...'), '.*')
    self.assertRegex(found, rf'\A{pattern}\Z')

  def assert_refused(self, function, expected):
    """Asserts that a function of no argument raises a user error."""
    with self.assertRaises(ssnn_jax.UserError) as caught:
      function()
    self.assert_sentence(str(caught.exception), expected)

  def assert_command_refused(self, line, expected):
    """Asserts that a command is refused, and leaves all files as they were."""
    before = self.read_files()
    done = commands.run(*shlex.split(line))
    self.assertEqual(done.returncode, 1, done)
    self.assertRegex(done.stderr, r'\Aerror: .*\n\Z')
    self.assert_sentence(done.stderr[len('error: ') : -1], expected)
    self.assertEqual(self.read_files(), before)

  def read_files(self):
    """Reads all files of the folder but locks."""
    return {
      path: path.read_bytes()
      for path in self.folder.rglob('*')
      if path.is_file() and path.name != '.lock'
    }
