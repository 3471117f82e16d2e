"""Tests of the memory of each way of learning."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp

import ssnn_jax
from ssnn_jax.hardware import memory
from ssnn_jax.neuron import membrane
from ssnn_jax.simulation import realtime

SIZES, NUM_STEPS = (5, 3, 2, 4), 8
VALUE = 16  # bits
SENDING, HIDDEN, NEURONS = 5 + 3 + 2, 3 + 2, 3 + 2 + 4
# Spikes of inputs wait for five windows of two ticks, those of hidden layers
# for three and one; their gates, one per window, for four and two.
BUFFERED = {'spikes': 2 * (5 * 5 + 3 * 3 + 1 * 2), 'gates': 4 * 3 + 2 * 2}
STATE = {'potentials': NEURONS * VALUE, 'errors': HIDDEN * VALUE}
STATE_BITS = (NEURONS + HIDDEN) * VALUE


def make_config(**options):
  return ssnn_jax.NetworkConfig(SIZES, NUM_STEPS, **options)


def make_two_currents():
  """Builds a membrane whose state has two values for each neuron."""
  mean = membrane.mean()

  def integrate(state, drive, window):
    return mean.integrate(state[0], drive, window), drive

  return membrane.Membrane(
    init=lambda size: (jnp.zeros(size), jnp.zeros(size)),
    integrate=integrate,
    read=lambda state, window: mean.read(state[0], window),
  )


class MemoryTest(parameterized.TestCase):
  def test_buffered_timing_matches_hand_count(self):
    counted = memory.count_spiking(make_config(window=2), VALUE)
    self.assertEqual(counted.stored, memory.StoredBits(**STATE, **BUFFERED))
    # Four windows; 10 neurons send in 8 ticks, and 5 have a gate a window.
    bits = 2 * 4 * STATE_BITS + 2 * (10 * 8 + 5 * 4)
    self.assertEqual(counted.accesses, bits / 32)
    self.assertEqual(counted.feedback_weights, 0)

  def test_real_time_matches_hand_count(self):
    config = make_config(timing='realtime', window=1)
    counted = memory.count_spiking(config, VALUE)
    self.assertEqual(counted.stored, memory.StoredBits(**STATE))
    self.assertEqual(counted.stored.total, STATE_BITS)
    self.assertEqual(counted.accesses, 2 * 8 * STATE_BITS / 32)

  @parameterized.parameters(
    *({'integration': name} for name in ('mean', 'leaky', 'memoryless')),
    {'integration': make_two_currents()},
    {'winner': 'race'},
    {'winner': 'race', 'race': ssnn_jax.RaceConfig(inhibition='adaptive')},
  )
  def test_real_time_bits_are_those_of_the_simulated_state(self, **options):
    config = make_config(timing='realtime', **options)
    state = realtime.init_state(config)
    values = sum(leaf.size for leaf in jax.tree.leaves(state))
    if config.race.inhibition == 'ideal':  # follows from the potentials
      values -= state.inhibition.size
    counted = memory.count_spiking(config)
    self.assertEqual(counted.stored.total, 32 * values)

  def test_backprop_stores_inputs_of_all_weights(self):
    counted = memory.count_backprop(make_config(), VALUE)
    expected = memory.StoredBits(activations=SENDING * VALUE)
    self.assertEqual(counted, (expected, 2 * SENDING * VALUE / 32, 0))

  def test_feedback_alignment_adds_static_weights(self):
    counted = memory.count_feedback_alignment(make_config(), VALUE)
    backprop = memory.count_backprop(make_config(), VALUE)
    weights = (3 * 2 + 2 * 4) * VALUE
    self.assertEqual(counted, backprop._replace(feedback_weights=weights))
    self.assertEqual(counted.stored.total, SENDING * VALUE)

  def test_surrogate_gradient_stores_all_ticks(self):
    counted = memory.count_surrogate_gradient(make_config(), VALUE)
    potentials, spikes = (8 * HIDDEN + 4) * VALUE, 8 * SENDING
    expected = memory.StoredBits(potentials=potentials, spikes=spikes)
    self.assertEqual(counted.stored, expected)
    self.assertEqual(counted.accesses, 2 * (potentials + spikes) / 32)

  @parameterized.parameters((3, 3), (8, 4))
  def test_bp_stdp_stores_one_sub_interval(self, num_steps, ticks):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps)
    counted = memory.count_bp_stdp(config, sub_interval=4, value_bits=VALUE)
    expected = memory.StoredBits(
      potentials=NEURONS * VALUE, spikes=ticks * SENDING
    )
    self.assertEqual(counted.stored, expected)
    bits = 2 * num_steps * (NEURONS * VALUE + SENDING)
    self.assertEqual(counted.accesses, bits / 32)

  def test_dropout_adds_one_bit_for_each_hidden_neuron(self):
    def count_masks(dropout, count, *arguments, **options):
      config = make_config(dropout=dropout, **options)
      return count(config, *arguments).stored.dropout_masks

    for dropout, bits in ((0.0, 0), (0.5, HIDDEN)):
      for count, *arguments in (
        (memory.count_spiking,),
        (memory.count_surrogate_gradient,),
        (memory.count_bp_stdp, 4),
      ):
        self.assertEqual(count_masks(dropout, count, *arguments), bits)
      masks = count_masks(dropout, memory.count_spiking, timing='realtime')
      self.assertEqual(masks, bits)
      # Of backpropagation, activations of 0 have no gradient.
      self.assertEqual(count_masks(dropout, memory.count_backprop), 0)

  @parameterized.parameters({'forward': 'rates'}, {'delay': 1, 'window': 2})
  def test_rejects_networks_without_a_defined_memory(self, **options):
    with self.assertRaises(ssnn_jax.UserError):
      memory.count_spiking(make_config(**options))
