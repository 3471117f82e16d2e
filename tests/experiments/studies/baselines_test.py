"""Tests of the costs of methods in the study `baselines`."""

from absl.testing import parameterized
import numpy as np

from experiments.analysis import frames
from experiments.config import methods
from experiments.studies import baselines

SIZES = 5, 3, 2, 4
# Spikes of inputs wait for five windows of two ticks, those of hidden layers
# for three and one; their gates, one per window, for four and two.
DELAYED = 2 * (5 * 5 + 3 * 3 + 1 * 2) + 4 * 3 + 2 * 2
BITS = {
  'bp': 32 * (5 + 3 + 2),
  'rpu': 32 * (5 + 3 + 2),
  'surrogate_gradient': 8 * ((5 + 3 + 2) + 32 * (3 + 2)),
  'bp_stdp': 4 * (5 + 3 + 2),
  'ssnn': DELAYED,
  'feedback_alignment': DELAYED,
}


class BaselinesTest(parameterized.TestCase):
  @parameterized.parameters(*methods.METHODS)
  def test_stored_bits_match_hand_count(self, method):
    bits = baselines.count_stored_bits(method, SIZES, 8, 2)
    self.assertEqual(bits, BITS[method])

  def test_short_presentation_is_one_sub_interval(self):
    bits = baselines.count_stored_bits('bp_stdp', SIZES, 3, 2)
    self.assertEqual(bits, 3 * 10)

  def test_spikes_are_rates_times_neurons_and_ticks(self):
    final = {'layer_sizes': SIZES, 'window': 2, 'train_seconds': 6.0}
    epochs = {
      'firing_rates': [[0, 0, 0], [0.2, 0.5, 0.25]],
      'error_rates': [[0, 0, 0], [0.5, 1.0, 0.25]],
    }
    runs = frames.from_rows(
      frames.row(
        {'method': method, 'num_steps': 8, 'num_epochs': 3, 'seed': 0},
        final | {'seeds_at_once': 2},
        epochs,
      )
      for method in ('ssnn', 'bp')
    )
    ssnn, ann = baselines.add_costs(runs).to_dict('records')
    # 5, 3 and 2 neurons send forward, and 3, 2 and 4 send errors.
    self.assertAlmostEqual(ssnn['forward_spikes'], 8 * (1 + 1.5 + 0.5))
    self.assertAlmostEqual(ssnn['error_spikes'], 8 * (1.5 + 2 + 1))
    self.assertEqual(ssnn['epoch_seconds'], 6.0 / 2 / 3)
    self.assertEqual(ssnn['stored_bits'], DELAYED)
    self.assertTrue(np.isnan(ann['forward_spikes']))
