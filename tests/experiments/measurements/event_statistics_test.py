"""Tests of the statistics of recordings."""

import numpy as np

from experiments.measurements import event_statistics
from ssnn_jax.datasets import recordings
from tests.testing import datasets as data_util


class StatisticsTest(data_util.RecordingsTestCase):
  def test_statistics_match_the_events(self):
    written = self.write_recordings()
    splits = recordings.load('n_mnist', self.folder, 10).values()
    found = event_statistics.statistics(list(splits))
    events = [events for split in written for _, events in split]
    x, y, p, t = np.concatenate(events).T
    self.assertEqual(found['num_recordings'], 10)
    counts = list(map(len, events))
    self.assertAlmostEqual(found['mean_count'], np.mean(counts))
    self.assertAlmostEqual(found['sd_count'], np.std(counts))
    self.assertEqual(sum(found['count_histogram']), 10)
    self.assertAlmostEqual(found['polarity_1'], np.mean(p))
    profile = np.array(found['time_profile'])
    self.assertLen(profile, 64)
    in_bin = np.sum((t >= 20_000) & (t < 25_000))
    self.assertAlmostEqual(profile[4], in_bin / 10 / 5, places=3)
    event_map = np.array(found['event_map'])
    expected = np.zeros((2, 34, 34))
    np.add.at(expected, (p, y, x), 0.1)
    np.testing.assert_allclose(event_map, expected, atol=1e-4)
