"""Tests of the first look."""

import contextlib
import io
from unittest import mock

from absl.testing import absltest

from experiments import demo
from tests.testing.experiments import small_digits


class DemoTest(absltest.TestCase):
  def test_lines_of_the_model_are_explained_and_drawn(self):
    with (
      mock.patch.object(demo, '_EPOCHS', 1),
      contextlib.redirect_stdout(io.StringIO()) as output,
    ):
      fig = demo.explain(small_digits())
    self.assertRegex(output.getvalue(), r'demo\.py:\d+ synapses 40x64 ')
    labels = [text.get_text() for text in fig.axes[0].get_yticklabels()]
    self.assertIn('input', labels)
    self.assertTrue(any(label.startswith('demo.py:') for label in labels))
