"""Tests of the costs of methods in the study `baselines`."""

from absl.testing import parameterized
import numpy as np

from experiments.analysis import frames
from experiments.studies import baselines

SIZES = 5, 3, 2, 4
# Membranes and error currents. Spikes of hidden layers wait for three windows
# of two ticks and for one; their gates, one per window, for four and two.
# Counters of at most 8 coincidences of either sign have 5 bits.
STATE = 32 * (3 + 2 + 4) + 32 * (3 + 2)
SYNAPSES = 6 * 3 + 4 * 2 + 3 * 4
BUFFERED = STATE + 2 * (3 * 3 + 1 * 2) + 4 * 3 + 2 * 2 + 5 * SYNAPSES
BITS = {
  'bp': 32 * (3 + 2),
  'rpu': 32 * (3 + 2),
  'surrogate_gradient': 8 * ((3 + 2) + 32 * (3 + 2)) + 32 * 4,
  'bp_stdp': 4 * (3 + 2) + 32 * (3 + 2 + 4) + 32 * SYNAPSES,
  'ssnn': BUFFERED,
  'feedback_alignment': BUFFERED,
}


def make_runs(*names, recorded_bits=None, **config):
  """Returns one run of three epochs for each method."""
  final = {'layer_sizes': SIZES, 'window': 2, 'train_seconds': 6.0}
  if recorded_bits is not None:
    final['stored_bits'] = recorded_bits
  epochs = {
    'firing_rates': [[0, 0, 0], [0.2, 0.5, 0.25]],
    'error_rates': [[0, 0, 0], [0.5, 1.0, 0.25]],
  }
  config = {'num_steps': 8, 'num_epochs': 3, 'seed': 0} | config
  line = {'event': 'final', 'seeds_at_once': 2, **final, 'curves': epochs}
  return frames.from_lines(
    line | {'config': {'method': name} | config} for name in names
  )


class BaselinesTest(parameterized.TestCase):
  @parameterized.product(method=baselines.METHODS, recorded=(None, 1))
  def test_stored_bits_match_hand_count(self, method, recorded):
    runs = baselines.add_costs(make_runs(method, recorded_bits=recorded))
    self.assertEqual(list(runs['stored_bits']), [BITS[method]])

  def test_short_presentation_is_one_sub_interval(self):
    runs = baselines.add_costs(make_runs('bp_stdp', num_steps=3))
    expected = 3 * 5 + 32 * 9 + 32 * SYNAPSES
    self.assertEqual(list(runs['stored_bits']), [expected])

  def test_spikes_are_rates_times_neurons_and_ticks(self):
    runs = make_runs('ssnn', 'bp')
    ssnn, ann = baselines.add_costs(runs).to_dict('records')
    # 5, 3 and 2 neurons send forward, and 3, 2 and 4 send errors.
    self.assertAlmostEqual(ssnn['forward_spikes'], 8 * (1 + 1.5 + 0.5))
    self.assertAlmostEqual(ssnn['error_spikes'], 8 * (1.5 + 2 + 1))
    self.assertEqual(ssnn['epoch_seconds'], 6.0 / 2 / 3)
    self.assertTrue(np.isnan(ann['forward_spikes']))
