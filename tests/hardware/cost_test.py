"""Tests of the events, the memory and the energy of a presentation."""

import json
import pathlib

from absl.testing import parameterized
import jax
from jax.extend import core
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import layers
from ssnn_jax import types
from ssnn_jax.hardware import cost
from ssnn_jax.neuron import membrane
from ssnn_jax.simulation import blocks
from ssnn_jax.training import activity as activity_lib
from ssnn_jax.training import raster as raster_lib
from tests.testing import convolutions
from tests.testing import networks

KEY = jax.random.key(3)
# Powers of two, for which means in float32 are exact.
SIZES, NUM_STEPS, WINDOW = (16, 8, 4, 2), 32, 8
ALMOST_ONE = 1 - 2.0**-20  # opens a gate, and fires at every tick
ACTIVITY = types.Activity(
  firing_rates=(0.25, 0.5, 0.125),
  silent_fractions=(),
  saturated_fractions=(),
  error_rates=(0.25, 0.0625, 0.5),
  coincidences=(40.0, 20.0, 10.0),
)
TWO_NEURONS = cost.Cost(  # of `test_two_neurons_counted_by_hand`
  inference=cost.Events(
    spikes=8 + 8 + 8,
    synaptic_events=8 * 1 + 8 * 2 + (1 + 2) * 8,  # of biases the last
    device_reads=((2 + 1) * 1 + (1 + 1) * 2) * 8,
    crossbar_reads=2 * 8,
    membrane_reads=3 * 4,
    update_pulses=0,
    random_bits=16 * 8 * (2 + 1 + 1),  # of inputs, the neuron and the winner
  ),
  learning=cost.Events(
    spikes=24 + 8 + 16,
    synaptic_events=48 + 16 * 1,
    device_reads=56 + 2 * 8,
    crossbar_reads=16 + 8,
    membrane_reads=12 + 4,
    update_pulses=8 + 16 + 8 + 16,
    random_bits=16 * 8 * (2 + 1 + 1 + 1),  # and of the hidden errors
  ),
  inference_latency=8 + 2 * 2,
  learning_latency=8 + 3 * 2,
)
PICOJOULES = dict(
  spike=1,
  synaptic_event=10,
  device_read=0.5,
  crossbar_read=100,
  membrane_read=1000,
  update_pulse=10_000,
  random_bit=0.25,
  true_random_bit=3,
  mac_fp32=4,
  mac_fp16=2,
  mac_int8=1,
  memory_bit=0.125,
)


def make_config(**options):
  options = {
    'num_steps': NUM_STEPS,
    'window': WINDOW,
    'sampler': 'bernoulli',
  } | options
  return ssnn_jax.NetworkConfig(SIZES, **options)


def observe(config, params, images, labels):
  return jax.jit(activity_lib.make_observe(config))(params, KEY, images, labels)


def make_silent(num_layers):
  """Returns the activity of a network without spikes, but for its winners."""
  silent = (0.0,) * num_layers
  return ACTIVITY._replace(
    firing_rates=silent, error_rates=silent, coincidences=silent
  )


def simulate_pipeline(config):
  """Simulates the timing of all windows in all layers.

  Returns:
    Start of each window in the forward pass of each layer, inputs first; the
    same in the backward pass, None for the inputs; and the window lengths.
  """
  num_steps, window = config.num_steps, config.schedule.window
  lengths = np.diff([*range(0, num_steps, window), num_steps])
  num_layers = len(config.layer_sizes) - 1

  def follow(previous):
    """A window starts after that of the previous layer, and its own last."""
    starts, free = [], 0
    for start, length in zip(previous, lengths):
      starts.append(max(start + length, free))
      free = starts[-1] + length
    return starts

  forward = [[0, *np.cumsum(lengths)[:-1]]]
  for _ in range(num_layers):
    forward.append(follow(forward[-1]))
  backward = [forward[-1]]  # winners are compared as they fire
  for _ in range(num_layers - 1):
    backward.insert(0, follow(backward[0]))
  return forward, [None, *backward], lengths


def count_macs(jaxpr):
  """Counts the multiply-accumulates of all matrix products."""
  macs = 0
  for equation in jaxpr.eqns:
    if equation.primitive.name == 'dot_general':
      (axes, _), _ = equation.params['dimension_numbers']
      left = equation.invars[0].aval.shape
      summed = np.prod([left[axis] for axis in axes], dtype=int)
      macs += summed * np.prod(equation.outvars[0].aval.shape, dtype=int)
    macs += sum(map(count_macs, core.jaxprs_in_params(equation.params)))
  return macs


class EventsTest(parameterized.TestCase):
  def test_two_neurons_counted_by_hand(self):
    # Of the inputs, one is always on and one is off. The hidden neuron fires
    # and has an error at every tick. Class 0 always wins, the target is 1.
    config = ssnn_jax.NetworkConfig(
      (2, 1, 2), num_steps=8, window=2, sampler='bernoulli'
    )
    params = (
      types.LayerParams(jnp.array([[ALMOST_ONE], [0.0]]), jnp.zeros(1)),
      types.LayerParams(jnp.array([[2.0, 0.0]]), jnp.array([80.0, 0.0])),
    )
    seen = observe(config, params, jnp.array([[1.0, 0.0]]), jnp.array([1]))
    self.assertEqual(cost.count_presentation(config, seen), TWO_NEURONS)

  @parameterized.parameters(('buffered', WINDOW), ('realtime', 4))
  def test_counts_equal_those_of_recorded_trains(self, timing, window):
    config = make_config(gain=2.0, timing=timing, window=window)
    params = networks.make_params(config, 1)
    image, label = np.float32(np.random.RandomState(0).rand(SIZES[0])), 1
    seen = observe(config, params, image[None], jnp.array([label]))
    counted = cost.count_presentation(config, seen)
    raster = raster_lib.record(config, params, KEY, image, label)
    # Each layer starts, with its always-on input, after the layer before.
    later = window if timing == 'realtime' else 0
    ticks = NUM_STEPS - later * np.arange(len(SIZES))
    spikes = [train.astype(int) for train in raster.spikes]
    errors = [np.abs(train.astype(int)) for train in raster.errors]
    self.assertGreater(min(train.sum() for train in spikes + errors), 0)
    sent = np.array([train.sum() for train in spikes])
    sent_back = np.array([train.sum() for train in errors])
    arrivals = np.dot(sent + ticks[:-1], SIZES[1:])
    back = np.dot(sent_back[1:], SIZES[1:-1])
    self.assertEqual(counted.inference.spikes, sent.sum() + ticks[-1])
    self.assertEqual(counted.inference.synaptic_events, arrivals)
    backward = cost.Events(
      *np.subtract(counted.learning, counted.inference).tolist()
    )
    self.assertEqual(backward.spikes, sent_back.sum())
    self.assertEqual(backward.synaptic_events, back)
    pulses = sum(np.sum(s.T @ e) for s, e in zip(spikes, errors))
    self.assertEqual(backward.update_pulses, pulses + sent_back.sum())

  def test_real_time_reads_are_those_after_the_start_of_each_layer(self):
    # Seven windows, the last one shorter. The hidden layer fires from the
    # second window on, and the output from the third; errors of the output
    # start with its winners, those of the hidden layer in the fourth.
    config = ssnn_jax.NetworkConfig(
      (3, 4, 2), 13, 2, timing='realtime', sampler='bernoulli'
    )
    counted = cost.count_presentation(config, make_silent(2))
    events = cost.Events(
      spikes=13 - 4,
      synaptic_events=4 * 13 + 2 * 11,
      device_reads=(3 + 1) * 4 * 13 + (4 + 1) * 2 * 11,
      crossbar_reads=13 + 11,
      membrane_reads=4 * 6 + 2 * 5,
      update_pulses=0,
      random_bits=16 * (3 * 13 + 4 * 11 + 9),
    )
    learning = events._replace(
      device_reads=events.device_reads + 4 * 2 * 9,
      crossbar_reads=events.crossbar_reads + 9,
      membrane_reads=events.membrane_reads + 4 * 4,
      random_bits=events.random_bits + 16 * 4 * 7,
    )
    self.assertEqual(counted, (events, learning, 13, 13))

  @parameterized.parameters(
    # Trains of 16, 8 and 4 neurons and of the winner, and errors of 8 and 4.
    ({}, 32 * (16 + 8 + 4 + 1), 32 * (8 + 4)),
    ({'sampler': 'lfsr'}, 32 * (16 + 8 + 4 + 1), 32 * (8 + 4)),
    # Both neurons of the output layer race.
    ({'winner': 'race'}, 32 * (16 + 8 + 4 + 2), 32 * (8 + 4)),
    # A point of each tick and train, and a shift of each neuron.
    ({'sampler': 'sobol'}, 4 * 32 + (16 + 8 + 4 + 1), 2 * 32 + (8 + 4)),
    ({'sampler': 'lfsr_shared'}, 4 * 32, 2 * 32),
    # In real time trains start after 0, 8, 16 and 24 ticks, and hidden errors
    # after 40 and 32.
    (
      {'timing': 'realtime', 'num_steps': 48},
      48 * 16 + 40 * 8 + 32 * 4 + 24,
      8 * 8 + 16 * 4,
    ),
  )
  def test_random_words_match_hand_count(self, options, forward, backward):
    config = make_config(**options)

    def count(**options):
      counted = cost.count_presentation(config, ACTIVITY, **options)
      found = counted.inference.random_bits, counted.learning.random_bits
      return [bits / 16 for bits in found]

    self.assertEqual(count(), [forward, forward + backward])
    ticks, errors = config.active_steps, config.error_steps[:2]
    winners = 2 * 32 if config.winner == 'race' else ticks[-1]
    shared = sum(ticks[:-1]) + winners
    shared = [shared, shared + sum(errors)]
    self.assertEqual(count(shares_thresholds=True), shared)
    # Spikes of recordings are not sampled.
    shared = [words - config.num_steps for words in shared]
    recorded = count(shares_thresholds=True, samples_inputs=False)
    self.assertEqual(recorded, shared)

  def test_rpu_matches_hand_count(self):
    # Rates times neurons times 32 ticks: pulses of rows and of columns.
    pulses = 32 * (0.25 * 16 + 0.5 * 8 + 0.125 * 4)
    errors = 32 * (0.25 * 8 + 0.0625 * 4 + 0.5 * 2)
    inference = cost.Events(
      spikes=0,
      synaptic_events=0,
      device_reads=(16 * 8 + 8 * 4 + 4 * 2) + (8 + 4 + 2),
      crossbar_reads=3,
      membrane_reads=8 + 4 + 2,
      update_pulses=0,
      random_bits=0,
    )
    learning = cost.Events(
      spikes=pulses + errors,
      synaptic_events=0,
      device_reads=inference.device_reads + 8 * 4 + 4 * 2,
      crossbar_reads=3 + 2,
      membrane_reads=inference.membrane_reads + 8 + 4,
      update_pulses=(40 + 20 + 10) + errors,
      random_bits=16 * 32 * (16 + 8 + 4 + 8 + 4 + 2),
    )
    expected = cost.Cost(inference, learning, 3, 5 + 32)
    self.assertEqual(cost.count_rpu(make_config(), ACTIVITY), expected)
    counted = cost.count_rpu(make_config(), ACTIVITY, shares_thresholds=True)
    self.assertEqual(counted.learning.random_bits, 16 * 32 * 6)

  @parameterized.parameters(
    ((16, 8, 4, 2), 32, 8),
    ((16, 8, 2), 20, 8),  # the last window is shorter
    ((16, 8, 4, 4, 2), 7, 1),
    ((16, 2), 9, 9),
  )
  def test_latency_and_buffers_equal_those_of_a_simulated_pipeline(
    self, sizes, num_steps, window
  ):
    config = ssnn_jax.NetworkConfig(sizes, num_steps, window)
    counted = cost.count_presentation(config, make_silent(len(sizes) - 1))
    forward, backward, lengths = simulate_pipeline(config)
    ends = [start[-1] + lengths[-1] for start in (forward[-1], backward[1])]
    self.assertEqual(
      [counted.inference_latency, counted.learning_latency], ends
    )
    waiting_inputs = sizes[0] * (backward[1][0] - forward[0][0])
    spikes, gates = 0, 0
    for layer, size in list(enumerate(sizes))[1:-1]:
      spikes += size * (backward[layer + 1][0] - forward[layer][0])
      gates += size * (backward[layer][0] - forward[layer][0]) // window
    stored, _, inputs = cost.spiking_memory(config)
    self.assertEqual((stored.spikes, inputs), (spikes, waiting_inputs))
    self.assertEqual(stored.gates, gates)

  def test_every_position_of_a_convolution_counts(self):
    config = convolutions.make_config(num_steps=8)
    params, batch = convolutions.make_params(config), convolutions.batch()
    seen = observe(config, params, *batch)
    inference = cost.count_presentation(config, seen).inference
    # 4 x 3 positions of 18 x 3 weights, 3 x 1 of 18 x 4, and 12 x 3.
    products = 12 * 18 * 3, 3 * 18 * 4, 12 * 3
    weights = 18 * 3 + 18 * 4 + 12 * 3
    neurons = 36 + 12 + 3  # each with an always-on input
    self.assertEqual(inference.crossbar_reads, 8 * (12 + 3 + 1))
    self.assertEqual(inference.device_reads, 8 * (sum(products) + neurons))
    arrivals = np.dot(seen.row_spikes, [3, 4, 3]) + 8 * neurons
    self.assertAlmostEqual(inference.synaptic_events, arrivals, places=3)
    macs = 2 * sum(products) + sum(products[1:])
    self.assertEqual(
      cost.count_backprop(config), (sum(products), macs, macs + weights)
    )

  def test_dense_layers_cost_the_same_in_both_forms(self):
    sizes = 8, 5, 3
    dense = ssnn_jax.NetworkConfig(sizes, num_steps=8)
    config = ssnn_jax.NetworkConfig(
      layers=tuple(map(layers.Dense, sizes[1:])), input_shape=(8,), num_steps=8
    )
    params, batch = networks.make_params(dense), networks.batch(4, sizes)
    found, expected = (
      cost.count_presentation(own, observe(own, params, *batch))
      for own in (config, dense)
    )
    leaves = map(jax.tree.leaves, (found, expected))
    np.testing.assert_allclose(*leaves, rtol=1e-6)

  def test_backprop_operations_equal_matrix_products_of_the_ann(self):
    ann = ssnn_jax.ann(make_config())
    params = jax.eval_shape(ann.init, jax.random.key(0))
    image = jax.ShapeDtypeStruct((1, SIZES[0]), jnp.float32)
    label = jax.ShapeDtypeStruct((1,), jnp.int32)
    learn = jax.make_jaxpr(ann.learn)(params, jax.random.key(0), image, label)
    infer = jax.make_jaxpr(ann.infer)(params, jax.random.key(0), image)
    counted = cost.count_backprop(make_config())
    self.assertEqual(counted.forward_macs, count_macs(infer.jaxpr))
    self.assertEqual(counted.learning_macs, count_macs(learn.jaxpr))
    self.assertEqual(counted.learning_words, (168 + 40 + 168) + 168)

  def test_activities_of_seeds_are_counted_elementwise(self):
    config = make_config()
    half = jax.tree.map(lambda x: x / 2, ACTIVITY)
    seeds = jax.tree.map(lambda *x: np.array(x), ACTIVITY, half)
    counted = jax.tree.leaves(cost.count_presentation(config, seeds))
    for index, activity in enumerate((ACTIVITY, half)):
      expected = jax.tree.leaves(cost.count_presentation(config, activity))
      for count, single in zip(counted, expected):
        self.assertEqual(np.broadcast_to(count, 2)[index], single)

  @parameterized.parameters(
    ('forward', 'rates'),
    ('backward', 'rates'),
    ('update', 'rates'),
    ('output_errors', 'softmax'),
  )
  def test_rejects_networks_without_a_defined_cost(self, field, value):
    config = make_config(**{field: value})
    with self.assertRaisesRegex(ssnn_jax.UserError, field):
      cost.count_presentation(config, ACTIVITY)
    with self.assertRaisesRegex(ssnn_jax.UserError, field):
      cost.spiking_memory(config)


# Of the networks of `MemoryTest`.
HIDDEN, NEURONS = 3 + 2, 3 + 2 + 4
SYNAPSES = (5 + 1) * 3 + (3 + 1) * 2 + (2 + 1) * 4
# Spikes of hidden layers wait for three windows of two ticks and for one, those
# of inputs for five; their gates, one per window, for four and two. Counters
# hold -8 to 8: 17 values, 5 bits.
BUFFERED = {
  'spikes': 2 * (3 * 3 + 1 * 2),
  'gates': 4 * 3 + 2 * 2,
  'counters': 5 * SYNAPSES,
}
STATE = {'potentials': NEURONS * 32, 'errors': HIDDEN * 32}
STATE_BITS = (NEURONS + HIDDEN) * 32


def make_learner(num_steps=8, **options):
  return ssnn_jax.NetworkConfig((5, 3, 2, 4), num_steps, **options)


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
    counted = cost.spiking_memory(make_learner(window=2))
    self.assertEqual(counted.stored, cost.StoredBits(**STATE, **BUFFERED))
    # Four windows; 5 hidden neurons send in 8 ticks, and have a gate a window.
    bits = 2 * 4 * STATE_BITS + 2 * (5 * 8 + 5 * 4)
    self.assertEqual(counted.accesses, bits / 32)
    self.assertEqual(counted.inputs, 2 * 5 * 5)

  def test_real_time_matches_hand_count(self):
    options = {'timing': 'realtime', 'window': 1}
    counted = cost.spiking_memory(
      make_learner(update_every='window', **options)
    )
    self.assertEqual(counted.stored, cost.StoredBits(**STATE))
    self.assertEqual(counted.stored.total, STATE_BITS)
    self.assertEqual(counted.accesses, 2 * 8 * STATE_BITS / 32)
    self.assertEqual(counted.inputs, 0)
    # Errors in the last 3, 4 and 5 ticks: 7, 9 and 11 values, 3, 4 and 4 bits.
    counters = 3 * 18 + 4 * 8 + 4 * 12
    counting = cost.spiking_memory(make_learner(**options))
    stored = counted.stored._replace(counters=counters)
    self.assertEqual(counting, counted._replace(stored=stored))

  def test_counters_of_a_convolution_count_all_positions(self):
    config = convolutions.make_config(num_steps=8)
    # 12 and 3 positions and one, in 8 ticks: at most 96, 24 and 8 coincidences
    # of either sign.
    synapses = (18 + 1) * 3, (18 + 1) * 4, (12 + 1) * 3
    bits = np.dot(synapses, [8, 6, 5])
    self.assertEqual(cost.spiking_memory(config).stored.counters, bits)

  @parameterized.parameters(
    *({'integration': name} for name in ('mean', 'leaky', 'memoryless')),
    {'integration': make_two_currents()},
    {'winner': 'race'},
    {'winner': 'race', 'race': ssnn_jax.RaceConfig(inhibition='adaptive')},
  )
  def test_real_time_bits_are_those_of_the_simulated_state(self, **options):
    config = make_learner(timing='realtime', update_every='window', **options)
    state = blocks.init_state(config)
    values = sum(leaf.size for leaf in jax.tree.leaves(state))
    if config.race.inhibition == 'ideal':  # follows from the potentials
      values -= state.inhibition.size
    counted = cost.spiking_memory(config)
    self.assertEqual(counted.stored.total, 32 * values)

  def test_backprop_stores_hidden_activations(self):
    counted = cost.backprop_memory(make_learner())
    expected = cost.StoredBits(activations=HIDDEN * 32)
    self.assertEqual(counted, (expected, 2 * HIDDEN, 5 * 32))

  def test_surrogate_gradient_stores_all_ticks(self):
    potentials, spikes = (8 * HIDDEN + 4) * 32, 8 * HIDDEN
    expected = cost.StoredBits(potentials=potentials, spikes=spikes)
    self.assertEqual(
      cost.surrogate_gradient_memory(make_learner()),
      (expected, 2 * (potentials + spikes) / 32, 8 * 5),
    )

  @parameterized.parameters((3, 3), (8, 4))
  def test_bp_stdp_stores_one_sub_interval(self, num_steps, ticks):
    counted = cost.bp_stdp_memory(make_learner(num_steps), sub_interval=4)
    expected = cost.StoredBits(
      potentials=NEURONS * 32, spikes=ticks * HIDDEN, counters=32 * SYNAPSES
    )
    bits = 2 * num_steps * (NEURONS * 32 + HIDDEN)
    self.assertEqual(counted, (expected, bits / 32, ticks * 5))

  @parameterized.parameters((0.0, 0), (0.5, HIDDEN))
  def test_dropout_adds_one_bit_for_each_hidden_neuron(self, dropout, bits):
    config = make_learner(dropout=dropout)
    for memory in (
      cost.spiking_memory(config),
      cost.spiking_memory(make_learner(dropout=dropout, timing='realtime')),
      cost.surrogate_gradient_memory(config),
      cost.bp_stdp_memory(config, sub_interval=4),
    ):
      self.assertEqual(memory.stored.dropout_masks, bits)
    # Of backpropagation, activations of 0 have no gradient.
    self.assertEqual(cost.backprop_memory(config).stored.dropout_masks, 0)


class EnergyTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path, 'mine.json')

  def write(self, **changes):
    """Writes a table with changed entries, without those that are None."""
    entries = {
      name: {'picojoules': value, 'source': 'a test'}
      for name, value in PICOJOULES.items()
    } | changes
    entries = {name: x for name, x in entries.items() if x is not None}
    self.path.write_text(json.dumps(entries))

  def test_each_event_costs_its_own_entry(self):
    self.write()
    energies = cost.load_table(self.path)
    self.assertEqual(energies, cost.EnergyTable(**PICOJOULES))
    events = cost.Events(1, 2, 3, 4, 5, 6, 8)
    each = cost.Events(1, 2 * 10, 3 * 0.5, 4 * 100, 5 * 1000, 60_000, 2)
    self.assertEqual(cost.event_energies(events, energies), each)
    self.assertEqual(cost.chip_energy(events, energies), 65_424.5)

  @parameterized.parameters(
    ('fp32', 7 * 4 + 3 * 32 * 0.125),
    ('fp16', 7 * 2 + 3 * 16 * 0.125),
    ('int8', 7 * 1 + 3 * 8 * 0.125),
  )
  def test_digital_energy_matches_hand_count(self, number_format, picojoules):
    self.write()
    energies = cost.load_table(self.path)
    found = cost.digital_energy(7, 3, number_format, energies)
    self.assertEqual(found, picojoules)

  def test_missing_entries_are_those_of_digital_circuits(self):
    missing = ('random_bit', 'true_random_bit', 'memory_bit')
    self.write(**dict.fromkeys(missing))
    energies, digital = cost.load_table(self.path), cost.load_table('loihi')
    self.assertEqual(energies.mac_fp32, 4)
    for name in missing:
      self.assertEqual(getattr(energies, name), getattr(digital, name))

  def test_digital_energies_are_scaled_to_14_nm(self):
    # Stillmaker and Baas (2017): energies at 14 nm and 0.75 V relative to those
    # at 45 nm and 0.9 V, and at 7 nm and 0.7 V.
    energy = 0.2363 * 0.75**2 - 0.09675 * 0.75 + 0.02239
    scale = energy / (1.018 * 0.9**2 - 0.3107 * 0.9 + 0.1539)
    of_7_nm = energy / (0.1776 * 0.7**2 - 0.09097 * 0.7 + 0.02447)
    expected = {
      'mac_fp32': (3.7 + 0.9) * scale,
      'mac_fp16': (1.1 + 0.4) * scale,
      'mac_int8': (0.2 + 0.03) * scale,
      'memory_bit': 10 / 64 * scale,
      'random_bit': 0.2 / 16 * of_7_nm,
    }
    for table in map(cost.load_table, cost.TABLES):
      for name, value in expected.items():
        self.assertLess(abs(getattr(table, name) / value - 1), 0.005, name)

  @parameterized.parameters(*cost.TABLES, 'digital')
  def test_tables_of_the_library_name_sources(self, name):
    folder = pathlib.Path(cost.__file__).with_name('energies')
    for entry in json.loads((folder / f'{name}.json').read_text()).values():
      year = r'\b20[0-2]\d\b' if entry['picojoules'] else '^None'
      self.assertRegex(entry['source'], year)

  @parameterized.parameters(
    ('spikes', {'picojoules': 1, 'source': 'x'}),
    ('spike', None),
    ('mac', {'picojoules': 4.6, 'source': 'x'}),
    ('mac_fp32', {'picojoules': float('nan'), 'source': 'x'}),
    ('mac_int8', {'picojoules': 4.6}),
  )
  def test_rejects_wrong_entries_by_name(self, name, entry):
    self.write(**{name: entry})
    with self.assertRaisesRegex(ssnn_jax.UserError, f'mine.json.*{name}'):
      cost.load_table(self.path)

  @parameterized.parameters(None, 'half {', '[]', '{"mac": 4.6}')
  def test_rejects_files_without_a_table(self, text):
    if text:
      self.path.write_text(text)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'mine.json cannot be read'):
      cost.load_table(self.path)
