"""Tests of the memory of a presentation; `observe_test` has its events."""

from absl.testing import parameterized
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.hardware import counts
from tests.testing import convolutions
from tests.testing import networks

# The network 5-3-2-4.
HIDDEN, NEURONS = 3 + 2, 3 + 2 + 4
SYNAPSES = (5 + 1) * 3 + (3 + 1) * 2 + (2 + 1) * 4


def make_learner(num_steps=8, **options):
  return networks.stochastic((5, 3, 2, 4), num_steps, **options)


class MemoryTest(parameterized.TestCase):
  @parameterized.parameters(('exact', 0), ('race', 32))
  def test_trains_match_hand_count(self, winner, inhibition):
    # Spikes wait for three presentations and for one; gates for four and two.
    # Counters hold -64 to 64: 129 values, 8 bits.
    waiting = 64 * (3 * 3 + 1 * 2) + 4 * 3 + 2 * 2
    neurons = 32 * (NEURONS + HIDDEN) + inhibition + waiting + HIDDEN
    found = counts.spiking_memory(make_learner(64, winner=winner, dropout=0.5))
    self.assertEqual(found, (neurons, 8 * SYNAPSES))

  @parameterized.parameters(
    (8, 1.0, 4),  # counts of 0 to 8
    (8, 2.0, 5),
    (7, 1.0, 3),
    (3, 0.5, 2),  # up to 2, as a half is rounded up
  )
  def test_bipolar_neurons_match_hand_count(self, num_steps, ceiling, bits):
    config = ssnn_jax.NetworkConfig(
      (5, 3, 2, 4), num_steps, ceiling=ceiling, dropout=0.5
    )
    # D and E of all neurons; A, X and masks of hidden neurons.
    neurons = 32 * (2 * NEURONS + HIDDEN) + (bits + 1) * HIDDEN
    found = counts.spiking_memory(config)
    self.assertEqual(found, (neurons, 32 * SYNAPSES))

  def test_counters_of_a_convolution_count_all_positions(self):
    config = convolutions.make_config(num_steps=8)
    # 12 and 3 positions and one, in 8 ticks: at most 96, 24 and 8 coincidences
    # of either sign.
    synapses = (18 + 1) * 3, (18 + 1) * 4, (12 + 1) * 3
    found = counts.spiking_memory(config).counters
    self.assertEqual(found, np.dot(synapses, [8, 6, 5]))

  def test_backpropagation_stores_activations(self):
    found = counts.backprop_memory(make_learner(dropout=0.5))
    self.assertEqual(found, (32 * HIDDEN, 0))

  def test_memory_of_rates_is_not_defined(self):
    with self.assertRaisesRegex(types.UserError, 'rates is'):
      counts.spiking_memory(make_learner(rates=('backward',)))
