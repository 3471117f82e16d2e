"""Tests that figures come from records."""

import pathlib

from absl.testing import absltest

from experiments import figures
from experiments import summary
from tests.experiments import summary_test


class PlotTest(absltest.TestCase):
  def test_figures_come_from_records(self):
    comparison = summary.compare(
      summary.group(summary_test.make_runs()), 'here'
    )
    stem = pathlib.Path(self.create_tempdir().full_path) / 'figure'
    png, svg = figures.save(figures.draw_spike_train_length(comparison), stem)
    self.assertEqual(png.read_bytes()[:4], b'\x89PNG')
    self.assertIn('<svg', svg.read_text()[:1000])


if __name__ == '__main__':
  absltest.main()
