"""Tests of estimates of the time of training."""

from absl.testing import parameterized

from experiments.config import experiment
from experiments.training import estimate
from tests.testing.experiments import blank_dataset

# Products of a window of the default network, 64-256-10, and of an epoch.
PRODUCTS = 64 * 256 + 256 * 10
RATE = 1e10  # products per second


class EstimateTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'num_steps': 64}, 2),  # windows of 32 ticks
    ({'num_steps': 65}, 3),
    ({'num_steps': 64, 'window': 64}, 2),  # words
    ({'num_steps': 64, 'window': 1}, 64),
    ({'num_steps': 64, 'timing': 'realtime'}, 64),
    ({'num_steps': 64, 'method': 'bp'}, 1),
    ({'num_steps': 64, 'method': 'rpu'}, 2),
    ({'num_steps': 64, 'method': 'bp_stdp'}, 64),
  )
  def test_time_is_proportional_to_reads(self, fields, num_reads):
    dataset = blank_dataset('digits')
    samples = len(dataset.train.labels)
    hours = 40
    epochs = round(3600 * hours * RATE / (PRODUCTS * samples * num_reads))
    config = experiment.ExperimentConfig(num_epochs=epochs, **fields)
    two = estimate.describe([config] * 2, dataset)
    self.assertStartsWith(two, 'training takes about 3 days on two CPU cores')
    self.assertIn('about 2 days', estimate.describe([config], dataset))

  def test_short_runs_have_no_estimate(self):
    config = experiment.ExperimentConfig()
    self.assertEqual(estimate.describe([config], blank_dataset('digits')), '')

  def test_runs_of_another_data_set_are_left_out(self):
    config = experiment.ExperimentConfig(
      layer_sizes=(784, 10), num_epochs=2**30
    )
    self.assertEqual(estimate.describe([config], blank_dataset('digits')), '')
