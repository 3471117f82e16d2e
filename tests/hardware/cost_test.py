"""Tests for what a presentation costs."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
from jax.extend import core
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.hardware import cost
from ssnn_jax.simulation import backward
from ssnn_jax.simulation import forward
from ssnn_jax.simulation import inputs as input_lib
from ssnn_jax.spikes import thresholds
from ssnn_jax.training import activity

# Powers of two throughout, so that averages in float32 are exact.
SIZES, NUM_STEPS, WINDOW, BATCH_SIZE = (16, 8, 4, 2), 32, 8, 4
ALMOST_ONE = 1 - 2.0**-20  # opens a gate, and fires at every tick
AVERAGES = activity.Activity(
  firing_rates=(0.25, 0.5, 0.125),
  silent_fractions=(),
  saturated_fractions=(),
  error_rates=(0.25, 0.0625, 0.5),
  positive_error_rates=(0.125, 0.0625, 0.25),
  clipped_error_fractions=(),
  coincidences=(40.0, 20.0, 10.0),
)


def make_config(**options):
  options = {'num_steps': NUM_STEPS, 'window': WINDOW} | options
  return ssnn_jax.NetworkConfig(SIZES, **options)


def run(config, params, images, labels, seed=0):
  """Presents a batch in one block; returns all trains, `[B, T, N]` each.

  Returns:
    Those of inputs, hidden layers and winners, and those of the two error
    streams of hidden layers and output.
  """
  keys = thresholds.make_keys(jax.random.key(seed), len(config.layer_sizes))
  inputs = input_lib.encode_batch(config, params, images, labels)
  block = spikes.block(config.schedule, 0)
  kept = tuple(jnp.ones(size) for size in config.layer_sizes[1:-1])

  def present(position, inputs, label, membranes):
    sources = forward.make_sources(config, keys, position, block.words)
    sent = forward.forward(
      config, params, sources, inputs, kept, membranes, block
    )
    errors = backward.errors(
      config, params, sources, label, kept, sent, block.windows
    )
    trains = [signal.train for signal in sent.signals] + [sent.winners]
    return (
      trains,
      [error.streams.positive for error in errors],
      [error.streams.negative for error in errors],
    )

  words = jax.jit(jax.vmap(present))(
    jnp.arange(len(labels)),
    inputs,
    labels,
    forward.at_rest(config, len(labels)),
  )
  bits = np.arange(spikes.TICKS_PER_WORD, dtype=np.uint32)

  def unpack(words):  # [B, W, 1, N]; windows share no tick
    words = np.asarray(words).sum(axis=(1, 2), dtype=np.uint32)
    return (words[:, None] >> bits[:, None]) & 1

  return jax.tree.map(unpack, words)


def starts(config):
  """Simulates the pipeline, window by window.

  Returns:
    When each layer starts to send each window forward, and its errors back,
    inputs first (which have no errors), and the lengths of the windows.
  """
  num_steps, window = config.num_steps, config.schedule.window
  lengths = np.diff([*range(0, num_steps, window), num_steps])
  num_layers = len(config.layer_sizes) - 1

  def after(below):
    """A window starts once that of the layer before, and its own last, end."""
    times, free = [], 0
    for start, length in zip(below, lengths):
      times.append(max(start + length, free))
      free = times[-1] + length
    return times

  forward = [[0, *np.cumsum(lengths)[:-1]]]
  for _ in range(num_layers):
    forward.append(after(forward[-1]))
  backward = [forward[-1]]  # a winner is compared as it fires
  for _ in range(num_layers - 1):
    backward.insert(0, after(backward[0]))
  return forward, [None, *backward], lengths


class CostTest(parameterized.TestCase):
  def test_two_neurons_are_counted_by_hand(self):
    # One input is always on and one off; the hidden neuron fires and errs at
    # every tick; class 0 always wins, and class 1 is right.
    config = ssnn_jax.NetworkConfig((2, 1, 2), num_steps=8, window=2)
    params = (
      types.LayerParams(jnp.array([[ALMOST_ONE], [0.0]]), jnp.zeros(1)),
      types.LayerParams(jnp.array([[2.0, 0.0]]), jnp.array([80.0, 0.0])),
    )
    observe = jax.jit(activity.make_observe(config))
    seen = observe(
      params, jax.random.key(0), jnp.array([[1.0, 0.0]]), jnp.array([1])
    )
    found = cost.presentation(config, seen)
    self.assertEqual(found.forward_spikes, (8, 8, 8))
    self.assertEqual(found.positive_error_spikes, (8, 8))
    self.assertEqual(found.negative_error_spikes, (0, 8))
    self.assertEqual(found.weight_pulses, (8, 16))
    self.assertEqual(found.bias_pulses, (8, 16))
    self.assertEqual(
      found.inference,
      cost.Events(
        spikes=8 + 8 + 8,
        synaptic_events=8 * 1 + 8 * 2 + (1 + 2) * 8,  # of biases the last
        device_reads=((2 + 1) * 1 + (1 + 1) * 2) * 8,
        crossbar_reads=2 * 8,
        membrane_reads=3 * 4,
        update_pulses=0,
      ),
    )
    self.assertEqual(
      found.learning,
      cost.Events(
        spikes=24 + 8 + 16,
        synaptic_events=48 + 16 * 1,
        device_reads=56 + 2 * 8,
        crossbar_reads=16 + 8,
        membrane_reads=12 + 4,
        update_pulses=8 + 16 + 8 + 16,
      ),
    )
    self.assertEqual(found.inference_latency, 8 + 2 * 2)
    self.assertEqual(found.learning_latency, 8 + 3 * 2)
    # Three windows of both inputs, one of the hidden spikes, and two gates.
    self.assertEqual(found.delay_bits, 2 * 3 * 2 + 1 * 1 * 2 + 2)
    self.assertEqual(
      found.metrics,
      cost.Metrics(
        effective_macs=0,
        effective_acs=8 * 1 + 8 * 2,
        dense=(2 * 1 + 1 * 2) * 8,
        activation_sparsity=1 - 16 / 24,
        footprint=4 * (4 + 3 + 3),
      ),
    )

  def test_counts_are_those_of_all_spikes(self):
    config = make_config(gain=2.0)
    params = ssnn_jax.ssnn(config).init(jax.random.key(1))
    images = np.random.RandomState(0).rand(BATCH_SIZE, SIZES[0])
    batch = images.astype(np.float32), jnp.arange(BATCH_SIZE) % 2
    seen = jax.jit(activity.make_observe(config))(
      params, jax.random.key(0), *batch
    )
    found = cost.presentation(config, seen)
    forward, positive, negative = run(config, params, *batch)

    def mean(trains):
      return tuple(train.sum() / BATCH_SIZE for train in trains)

    self.assertEqual(found.forward_spikes, mean(forward))
    self.assertEqual(found.positive_error_spikes, mean(positive))
    self.assertEqual(found.negative_error_spikes, mean(negative))
    for counts in (positive, negative):
      self.assertGreater(min(map(np.sum, counts)), 0)
    errors = [one + other for one, other in zip(positive, negative)]
    on = np.ones((BATCH_SIZE, NUM_STEPS, 1), int)
    rows = [np.concatenate([t, on], axis=2) for t in forward[:-1]]
    pulses = [
      np.einsum('bti,btj->ij', *ends).sum(axis=1) / BATCH_SIZE
      for ends in zip(rows, errors)
    ]
    self.assertEqual(found.weight_pulses, tuple(p[:-1].sum() for p in pulses))
    self.assertEqual(found.bias_pulses, tuple(p[-1] for p in pulses))
    self.assertEqual(found.learning.update_pulses, sum(map(np.sum, pulses)))
    reached = sum(
      row.sum() * size / BATCH_SIZE for row, size in zip(rows, SIZES[1:])
    )
    back = sum(
      error.sum() * size / BATCH_SIZE
      for error, size in zip(errors[1:], SIZES[1:])
    )
    self.assertEqual(found.inference.synaptic_events, reached)
    self.assertEqual(found.learning.synaptic_events, reached + back)
    silent = [1 - train for train in forward[1:]]
    self.assertAlmostEqual(
      found.metrics.activation_sparsity,
      sum(map(np.sum, silent)) / sum(train.size for train in silent),
    )

  @parameterized.parameters(
    ((16, 8, 4, 2), 32, 8),
    ((16, 8, 2), 20, 8),  # the last window is shorter
    ((16, 8, 4, 4, 2), 7, 1),
    ((16, 2), 9, 9),
  )
  def test_latency_is_that_of_a_simulated_pipeline(self, sizes, steps, window):
    config = ssnn_jax.NetworkConfig(sizes, num_steps=steps, window=window)
    rates = (0.0,) * (len(sizes) - 1)
    found = cost.presentation(
      config,
      AVERAGES._replace(
        firing_rates=rates,
        error_rates=rates,
        positive_error_rates=rates,
        coincidences=rates,
      ),
    )
    forward, backward, lengths = starts(config)
    ends = [start[-1] + lengths[-1] for start in (forward[-1], backward[1])]
    self.assertEqual([found.inference_latency, found.learning_latency], ends)
    bits = 0
    for layer, size in enumerate(sizes[:-1]):
      bits += size * (backward[layer + 1][0] - forward[layer][0])
      if layer:
        bits += size * (backward[layer][0] - forward[layer][0]) // window
    self.assertEqual(found.delay_bits, bits)

  def test_backpropagation_is_counted_as_it_is_computed(self):
    config = make_config()
    ann = ssnn_jax.ann(config)
    params = jax.eval_shape(ann.init, jax.random.key(0))
    image = jax.ShapeDtypeStruct((1, SIZES[0]), jnp.float32)
    label = jax.ShapeDtypeStruct((1,), jnp.int32)

    def count(jaxpr):
      macs = 0
      for equation in jaxpr.eqns:
        if equation.primitive.name == 'dot_general':
          (axes, _), _ = equation.params['dimension_numbers']
          left = equation.invars[0].aval.shape
          summed = np.prod([left[axis] for axis in axes], dtype=int)
          macs += summed * np.prod(equation.outvars[0].aval.shape, dtype=int)
        macs += sum(map(count, core.jaxprs_in_params(equation.params)))
      return macs

    learn = jax.make_jaxpr(ann.learn)(params, jax.random.key(0), image, label)
    infer = jax.make_jaxpr(ann.infer)(params, jax.random.key(0), image)
    found = cost.backprop(SIZES)
    self.assertEqual(found.forward_macs, count(infer.jaxpr))
    self.assertEqual(found.learning_macs, count(learn.jaxpr))
    self.assertEqual(found, (168, 40, 168))
    self.assertEqual(found.learning_words, 168 + 40 + 2 * 168)

  def test_averages_of_seeds_are_counted_at_once(self):
    config = make_config()
    twice = jax.tree.map(lambda x: np.array([x, x / 2]), AVERAGES)
    found = cost.presentation(config, twice)
    for index, averages in enumerate(
      (AVERAGES, jax.tree.map(lambda x: x / 2, AVERAGES))
    ):
      expected = cost.presentation(config, averages)
      for got, want in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
        self.assertEqual(np.broadcast_to(got, 2)[index], want)

  def test_rates_in_the_place_of_spikes_are_refused(self):
    for use in ('forward', 'backward', 'update'):
      config = make_config(**{use: 'rates'})
      with self.assertRaisesRegex(ssnn_jax.UserError, f'^{use} is on rates'):
        cost.presentation(config, AVERAGES)

  @parameterized.parameters({'delay': 1}, {'output_errors': 'softmax'})
  def test_other_errors_are_refused(self, **options):
    with self.assertRaisesRegex(
      ssnn_jax.UserError, '^costs are of errors without delay that winners make'
    ):
      cost.presentation(make_config(**options), AVERAGES)

  @parameterized.parameters(
    # A spike of the inputs waits for a window, and there is no gate.
    ((7, 2), 9, 7 * 9),
    # Spikes wait for 5, 3 and 1 windows; gates of either hidden layer are
    # used 4 and 2 windows after they are set.
    (
      *((5, 3, 2, 4), 8),
      (5 * 5 + 3 * 3 + 2 * 1) * 8 + 3 * 4 + 2 * 2,
    ),
  )
  def test_bits_that_wait_are_counted_by_hand(self, sizes, window, expected):
    self.assertEqual(cost.delay_bits(sizes, window), expected)

  def test_energy_is_linear(self):
    energies = cost.Energies(*range(1, 9))
    found = cost.presentation(make_config(), AVERAGES)
    total = cost.Events(
      *(2 * a + b for a, b in zip(found.inference, found.learning))
    )
    self.assertEqual(
      cost.picojoules(total, energies),
      2 * cost.picojoules(found.inference, energies)
      + cost.picojoules(found.learning, energies),
    )

  def test_connection_sparsity_leaves_biases_out(self):
    params = (types.LayerParams(np.array([[0.0, 1.0, 2.0, 3.0]]), np.zeros(4)),)
    self.assertEqual(cost.connection_sparsity(params), 0.25)


if __name__ == '__main__':
  absltest.main()
