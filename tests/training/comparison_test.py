"""Tests of comparisons of a spiking network with its ANN."""

from absl.testing import parameterized
import numpy as np

import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import training

CONFIG = ssnn_jax.NetworkConfig((6, 3), num_steps=8, sampler='bernoulli')
INPUTS = np.random.default_rng(0).random((64, 6), np.float32)
LABELS = np.argmax(INPUTS[:, :3], axis=1)
DATASET = datasets.Dataset(
  'made up',
  datasets.Split(INPUTS[:32], LABELS[:32]),
  datasets.Split(INPUTS[32:], LABELS[32:]),
  ('0', '1', '2'),
)


def compare(**options):
  values = {'num_epochs': 3, 'batch_size': 8, 'progress': False, **options}
  seeds = values.pop('seeds', (0, 7))
  return training.compare(CONFIG, DATASET, seeds, **values)


class ComparisonTest(parameterized.TestCase):
  def test_equals_trainings_of_both_networks(self):
    optimizer = training.make_optimizer(0.5)
    found = compare(seeds=(7,), optimizer=optimizer)
    networks = ssnn_jax.ssnn(CONFIG), ssnn_jax.ann(CONFIG)
    for network, accuracies in zip(networks, (found.ssnn, found.ann)):
      result = training.fit(
        network,
        optimizer,
        DATASET,
        num_epochs=3,
        batch_size=8,
        seed=7,
        progress=False,
      )
      self.assertEqual(accuracies[0], result.history.eval_accuracy[-1])

  def test_text_has_the_interval_and_the_verdict(self):
    ssnn = np.array([0.95, 0.97, 0.94, 0.96, 0.95])
    ann = np.array([0.96, 0.975, 0.955, 0.96, 0.96])
    found = training.Comparison(tuple(range(5)), ssnn, ann, 200, 2.0)
    self.assertEqual(
      str(found),
      'spiking network 95.40 %, ANN 96.20 %: difference -0.80 ± 0.71 '
      'percentage points (5 seeds), margin 2: within 2 points',
    )
