"""Tests of the cost of a presentation."""

from absl.testing import parameterized
import jax
from jax.extend import core
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.hardware import cost
from ssnn_jax.simulation import presentation
from ssnn_jax.training import activity as activity_lib

# Powers of two, for which means in float32 are exact.
SIZES, NUM_STEPS, WINDOW, BATCH_SIZE = (16, 8, 4, 2), 32, 8, 4
ALMOST_ONE = 1 - 2.0**-20  # opens a gate, and fires at every tick
ACTIVITY = types.Activity(
  firing_rates=(0.25, 0.5, 0.125),
  silent_fractions=(),
  saturated_fractions=(),
  error_rates=(0.25, 0.0625, 0.5),
  positive_error_rates=(0.125, 0.0625, 0.25),
  clipped_error_fractions=(),
  coincidences=(40.0, 20.0, 10.0),
)

TWO_NEURONS = cost.Cost(  # of `test_two_neurons_counted_by_hand`
  forward_spikes=(8, 8, 8),
  positive_error_spikes=(8, 8),
  negative_error_spikes=(0, 8),
  weight_pulses=(8, 16),
  bias_pulses=(8, 16),
  inference=cost.Events(
    spikes=8 + 8 + 8,
    synaptic_events=8 * 1 + 8 * 2 + (1 + 2) * 8,  # of biases the last
    device_reads=((2 + 1) * 1 + (1 + 1) * 2) * 8,
    crossbar_reads=2 * 8,
    membrane_reads=3 * 4,
    update_pulses=0,
  ),
  learning=cost.Events(
    spikes=24 + 8 + 16,
    synaptic_events=48 + 16 * 1,
    device_reads=56 + 2 * 8,
    crossbar_reads=16 + 8,
    membrane_reads=12 + 4,
    update_pulses=8 + 16 + 8 + 16,
  ),
  inference_latency=8 + 2 * 2,
  learning_latency=8 + 3 * 2,
  # Three windows of both inputs, one of the hidden spikes, and two gates.
  delay_bits=2 * 3 * 2 + 1 * 1 * 2 + 2,
  metrics=cost.Metrics(
    effective_macs=0,
    effective_acs=8 * 1 + 8 * 2,
    dense=(2 * 1 + 1 * 2) * 8,
    activation_sparsity=1 - 16 / 24,
    footprint=4 * (4 + 3 + 3),
  ),
)


def make_config(**options):
  options = {'num_steps': NUM_STEPS, 'window': WINDOW} | options
  return ssnn_jax.NetworkConfig(SIZES, **options)


def simulate(config, params, images, labels):
  """Returns the activity of one block and its trains, `[B, T, N]` each.

  The trains are those of the inputs, hidden layers and winners, and those of
  the two error streams of the hidden layers and the output.
  """

  def observe(draw, block, forward, errors):
    del draw, block
    trains = [signal.train for signal in forward.signals]
    positive = [error.streams.positive for error in errors]
    negative = [error.streams.negative for error in errors]
    winners = spikes.join(forward.winners)
    return [*trains, winners], positive, negative

  def present(params, key, images, labels):
    observer = presentation.Observer(observe)
    trains = presentation.simulate(
      config, params, key, images, labels, observer=observer
    )[1]
    measure = activity_lib.make_observe(config)
    return measure(params, jax.random.clone(key), images, labels), trains

  def unpack(words):  # [1, B, 1, N]
    words = np.asarray(words)[0, :, 0]
    bits = np.arange(spikes.TICKS_PER_WORD, dtype=np.uint32)
    return (words[:, None] >> bits[:, None]) & 1

  activity, trains = jax.jit(present)(params, jax.random.key(0), images, labels)
  return activity, jax.tree.map(unpack, trains)


def add_always_on_inputs(trains, later):
  """Adds an always-on input; each layer starts later than the layer before."""
  always_on = np.ones((BATCH_SIZE, NUM_STEPS, 1), int)
  starts = later * np.arange(len(trains))
  ticks = np.arange(NUM_STEPS)[:, None]
  return [
    np.concatenate([train, always_on * (ticks >= start)], axis=2)
    for train, start in zip(trains, starts)
  ]


def make_silent(num_layers):
  """Returns the activity of a network without spikes, but for its winners."""
  silent = (0.0,) * num_layers
  return ACTIVITY._replace(
    firing_rates=silent,
    error_rates=silent,
    positive_error_rates=silent,
    coincidences=silent,
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


class CostTest(parameterized.TestCase):
  def test_two_neurons_counted_by_hand(self):
    # Of the inputs, one is always on and one is off. The hidden neuron fires
    # and has an error at every tick. Class 0 always wins, the target is 1.
    config = ssnn_jax.NetworkConfig((2, 1, 2), num_steps=8, window=2)
    params = (
      types.LayerParams(jnp.array([[ALMOST_ONE], [0.0]]), jnp.zeros(1)),
      types.LayerParams(jnp.array([[2.0, 0.0]]), jnp.array([80.0, 0.0])),
    )
    activity = jax.jit(activity_lib.make_observe(config))(
      params, jax.random.key(0), jnp.array([[1.0, 0.0]]), jnp.array([1])
    )
    counted = cost.count_presentation(config, activity)
    self.assertEqual(counted, TWO_NEURONS)

  @parameterized.parameters(('buffered', WINDOW), ('realtime', 4))
  def test_counts_equal_those_of_simulated_trains(self, timing, window):
    config = make_config(gain=2.0, timing=timing, window=window)
    params = ssnn_jax.ssnn(config).init(jax.random.key(1))
    images = np.random.RandomState(0).rand(BATCH_SIZE, SIZES[0])
    activity, trains = simulate(
      config, params, images.astype(np.float32), jnp.arange(BATCH_SIZE) % 2
    )
    counted = cost.count_presentation(config, activity)
    forward, positive, negative = trains

    def mean(trains):
      return tuple(train.sum() / BATCH_SIZE for train in trains)

    self.assertEqual(counted.forward_spikes, mean(forward))
    self.assertEqual(counted.positive_error_spikes, mean(positive))
    self.assertEqual(counted.negative_error_spikes, mean(negative))
    self.assertGreater(min(map(np.sum, positive + negative)), 0)
    errors = list(map(np.add, positive, negative))
    rows = add_always_on_inputs(forward, window if timing == 'realtime' else 0)
    pulses = [
      np.einsum('bti,btj->ij', *ends).sum(axis=1) / BATCH_SIZE
      for ends in zip(rows[:-1], errors)
    ]
    self.assertEqual(counted.weight_pulses, tuple(p[:-1].sum() for p in pulses))
    self.assertEqual(counted.bias_pulses, tuple(p[-1] for p in pulses))
    self.assertEqual(counted.learning.update_pulses, sum(map(np.sum, pulses)))
    arrivals = np.dot(mean(rows[:-1]), SIZES[1:])
    backward_arrivals = np.dot(mean(errors[1:]), SIZES[1:-1])
    self.assertEqual(counted.inference.synaptic_events, arrivals)
    self.assertEqual(
      counted.learning.synaptic_events, arrivals + backward_arrivals
    )
    silent = np.concatenate([1 - train for train in forward[1:]], axis=2)
    self.assertAlmostEqual(counted.metrics.activation_sparsity, silent.mean())

  def test_real_time_reads_are_those_after_the_start_of_each_layer(self):
    # Seven windows, the last one shorter. The hidden layer fires from the
    # second window on, and the output from the third; errors of the output
    # start with its winners, those of the hidden layer in the fourth.
    config = ssnn_jax.NetworkConfig((3, 4, 2), 13, 2, timing='realtime')
    counted = cost.count_presentation(config, make_silent(2))
    events = cost.Events(
      spikes=13 - 4,
      synaptic_events=4 * 13 + 2 * 11,
      device_reads=(3 + 1) * 4 * 13 + (4 + 1) * 2 * 11,
      crossbar_reads=13 + 11,
      membrane_reads=4 * 6 + 2 * 5,
      update_pulses=0,
    )
    self.assertEqual(counted.inference, events)
    learning = events._replace(
      device_reads=events.device_reads + 4 * 2 * 9,
      crossbar_reads=events.crossbar_reads + 9,
      membrane_reads=events.membrane_reads + 4 * 4,
    )
    self.assertEqual(counted.learning, learning)
    latencies = counted.inference_latency, counted.learning_latency
    self.assertEqual((*latencies, counted.delay_bits), (13, 13, 0))
    self.assertEqual(counted.metrics.dense, 3 * 4 * 13 + 4 * 2 * 11)

  @parameterized.parameters(
    ((16, 8, 4, 2), 32, 8),
    ((16, 8, 2), 20, 8),  # the last window is shorter
    ((16, 8, 4, 4, 2), 7, 1),
    ((16, 2), 9, 9),
  )
  def test_latency_equals_that_of_a_simulated_pipeline(
    self, sizes, num_steps, window
  ):
    config = ssnn_jax.NetworkConfig(sizes, num_steps, window)
    counted = cost.count_presentation(config, make_silent(len(sizes) - 1))
    forward, backward, lengths = simulate_pipeline(config)
    ends = [start[-1] + lengths[-1] for start in (forward[-1], backward[1])]
    self.assertEqual(
      [counted.inference_latency, counted.learning_latency], ends
    )
    bits = 0
    for layer, size in enumerate(sizes[:-1]):
      bits += size * (backward[layer + 1][0] - forward[layer][0])
      if layer:
        bits += size * (backward[layer][0] - forward[layer][0]) // window
    self.assertEqual(counted.delay_bits, bits)

  def test_backprop_cost_equals_matrix_products_of_the_ann(self):
    ann = ssnn_jax.ann(make_config())
    params = jax.eval_shape(ann.init, jax.random.key(0))
    image = jax.ShapeDtypeStruct((1, SIZES[0]), jnp.float32)
    label = jax.ShapeDtypeStruct((1,), jnp.int32)
    learn = jax.make_jaxpr(ann.learn)(params, jax.random.key(0), image, label)
    infer = jax.make_jaxpr(ann.infer)(params, jax.random.key(0), image)
    counted = cost.count_backprop(make_config())
    self.assertEqual(counted.forward_macs, count_macs(infer.jaxpr))
    self.assertEqual(counted.learning_macs, count_macs(learn.jaxpr))
    self.assertEqual(counted, (168, 40, 168, 168))
    self.assertEqual(counted.learning_words, 168 + 40 + 2 * 168)

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
    ({'forward': 'rates'}, '^forward is rates'),
    ({'backward': 'rates'}, '^backward is rates'),
    ({'update': 'rates'}, '^update is rates'),
    ({'delay': 1}, '^costs are defined for errors of the winners without'),
    ({'output_errors': 'softmax'}, '^costs are defined for errors of the win'),
  )
  def test_rejects_networks_without_a_defined_cost(self, options, message):
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      cost.count_presentation(make_config(**options), ACTIVITY)

  def test_connection_sparsity_excludes_biases(self):
    params = (types.LayerParams(np.array([[0.0, 1.0, 2.0, 3.0]]), np.zeros(4)),)
    self.assertEqual(cost.connection_sparsity(params), 0.25)
