"""Tests of the events and the memory of a presentation."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.hardware import counts
from ssnn_jax.training import activity as activity_lib
from ssnn_jax.training import raster as raster_lib
from tests.testing import convolutions
from tests.testing import networks

KEY = jax.random.key(3)
SIZES, NUM_STEPS = (16, 8, 2), 32
# The network of `MemoryTest`, 5-3-2-4.
HIDDEN, NEURONS = 3 + 2, 3 + 2 + 4
SYNAPSES = (5 + 1) * 3 + (3 + 1) * 2 + (2 + 1) * 4
STATE = {'potentials': NEURONS * 32, 'errors': HIDDEN * 32}


def make_learner(num_steps=8, **options):
  return networks.stochastic((5, 3, 2, 4), num_steps, **options)


class EventsTest(parameterized.TestCase):
  @parameterized.parameters(
    networks.stochastic(SIZES, NUM_STEPS, gain=2.0, sampler='bernoulli'),
    ssnn_jax.NetworkConfig(SIZES, NUM_STEPS, weight_bits=10),
  )
  def test_counts_equal_those_of_recorded_trains(self, config):
    params = networks.make_params(config, 1)
    image, label = np.float32(np.random.RandomState(0).rand(SIZES[0])), 1
    observe = jax.jit(activity_lib.make_observe(config))
    seen = observe(params, KEY, image[None], jnp.array([label]))
    raster = raster_lib.record(config, params, KEY, image, label)
    # Of spikes that are taken back none is counted.
    sent, sent_back = (
      np.array([np.abs(train.sum(axis=0)).sum() for train in trains])
      for trains in (raster.spikes, raster.errors)
    )
    self.assertGreater(min(*sent, *sent_back), 0)
    self.assertEqual(
      counts.spiking_events(config, seen),
      (
        (sent.sum() + NUM_STEPS, np.dot(sent + NUM_STEPS, SIZES[1:])),
        (sent_back.sum(), np.dot(sent_back[1:], SIZES[1:-1])),
      ),
    )

  def test_every_position_of_a_convolution_counts(self):
    config = convolutions.make_config(num_steps=8)
    rates = (0.5,) * 4
    seen = types.Activity(
      rates, rates, rates, error_rates=rates[1:], row_spikes=(90.0, 40.0, 6.0)
    )
    # 36, 12 and 3 neurons, each with an always-on input.
    arrivals = 90 * 3 + 40 * 4 + 6 * 3 + 8 * (36 + 12 + 3)
    found = counts.spiking_events(config, seen)[0].synaptic_events
    self.assertEqual(found, arrivals)


class MemoryTest(parameterized.TestCase):
  def test_windows_match_hand_count(self):
    # Spikes wait for three windows of 32 ticks and for one; gates, one per
    # window, for four and two. Counters hold -64 to 64: 129 values, 8 bits.
    expected = counts.StoredBits(
      spikes=32 * (3 * 3 + 1 * 2),
      gates=4 * 3 + 2 * 2,
      counters=8 * SYNAPSES,
      **STATE,
    )
    found = counts.spiking_memory(make_learner(64, window=32))
    self.assertEqual(found, expected)
    self.assertEqual(found.total, sum(expected))

  def test_a_race_stores_its_inhibition(self):
    plain = counts.spiking_memory(make_learner())
    found = counts.spiking_memory(make_learner(winner='race'))
    self.assertEqual(found, plain._replace(inhibition=32))

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
    expected = counts.StoredBits(
      potentials=32 * NEURONS,  # D
      errors=32 * (HIDDEN + NEURONS),  # A of hidden neurons, and E
      spikes=bits * HIDDEN,  # X
      dropout_masks=HIDDEN,
      counters=32 * SYNAPSES,
    )
    self.assertEqual(counts.spiking_memory(config), expected)

  def test_counters_of_a_convolution_count_all_positions(self):
    config = convolutions.make_config(num_steps=8)
    # 12 and 3 positions and one, in 8 ticks: at most 96, 24 and 8 coincidences
    # of either sign.
    synapses = (18 + 1) * 3, (18 + 1) * 4, (12 + 1) * 3
    found = counts.spiking_memory(config).counters
    self.assertEqual(found, np.dot(synapses, [8, 6, 5]))

  def test_other_methods_match_hand_counts(self):
    bits = counts.StoredBits
    config = make_learner()
    found = counts.backprop_memory(config)
    self.assertEqual(found, bits(activations=HIDDEN * 32))
    found = counts.surrogate_gradient_memory(config)
    potentials, spikes = (8 * HIDDEN + 4) * 32, 8 * HIDDEN
    self.assertEqual(found, bits(potentials=potentials, spikes=spikes))
    for num_steps, ticks in ((3, 3), (8, 4)):
      found = counts.bp_stdp_memory(make_learner(num_steps))
      expected = bits(
        NEURONS * 32, spikes=ticks * HIDDEN, counters=32 * SYNAPSES
      )
      self.assertEqual(found, expected)

  def test_dropout_adds_one_bit_for_each_hidden_neuron(self):
    config = make_learner(dropout=0.5)
    for count in (
      counts.spiking_memory,
      counts.surrogate_gradient_memory,
      counts.bp_stdp_memory,
    ):
      self.assertEqual(count(config).dropout_masks, HIDDEN)
    self.assertEqual(counts.backprop_memory(config).dropout_masks, 0)

  def test_memory_of_rates_is_not_defined(self):
    with self.assertRaisesRegex(types.UserError, 'rates is'):
      counts.spiking_memory(make_learner(rates=('backward',)))
