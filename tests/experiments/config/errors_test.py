"""Tests of the messages of errors in commands."""

from absl.testing import parameterized

from experiments.config import errors
from experiments.launch import launcher
import ssnn_jax
from ssnn_jax.runs.errors import RunError


class ErrorsTest(parameterized.TestCase):
  @parameterized.parameters(
    (ssnn_jax.UserError('A; b.'), 'A; b.'),
    (RunError('A; b.'), 'A; b.'),
    (RunError('A; b.', ('folder',)), 'A; b (--workdir).'),
    (RunError('A; b.', ('resume', 'folder')), 'A; b (--resume, --workdir).'),
  )
  def test_message_names_flags_of_remedy(self, error, message):
    self.assertEqual(errors.message(error), message)

    def fail():
      raise error

    self.assertEqual(launcher.attempt(fail).message, message)
