"""Tests of the first look."""

import contextlib
import io
import pathlib
from unittest import mock

from absl import flags
from absl.testing import absltest

from experiments import demo
import ssnn_jax
from tests.testing.experiments import small_digits


class DemoTest(absltest.TestCase):
  def test_both_networks_learn_beside_their_anns_and_spikes_are_drawn(self):
    path = pathlib.Path(self.create_tempdir().full_path, 'figures/demo.png')
    figure = mock.patch.object(flags, 'FLAGS', mock.Mock(figure=path))
    few = small_digits()
    digits = mock.patch.object(ssnn_jax.datasets, 'load', lambda name: few)
    with figure, digits, mock.patch.object(demo, '_EPOCHS', 3):
      with contextlib.redirect_stdout(io.StringIO()) as output:
        demo.main()
    self.assertRegex(
      output.getvalue(), r'(?s)32 ticks:(\s+(spikes|ANN): \d+\.\d+%){2}\s+a mo'
    )
    self.assertTrue(path.exists())
