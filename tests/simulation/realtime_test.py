"""Tests of the simulation in real time."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import neuron
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.neuron import membrane
from ssnn_jax.simulation import presentation
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import samples
from tests.testing import networks
from tests.testing import realtime as ticks_lib

KEY = jax.random.key(2)
SIZES = (8, 7, 3)
RATES = {'rates': ('forward', 'backward', 'update')}
LEAKY = neuron.leaky(16.0)
EPS = np.finfo(np.float32).eps


def make_config(layer_sizes=SIZES, **options):
  return ssnn_jax.NetworkConfig(layer_sizes, timing='realtime', **options)


def make_params(config):
  """Draws weights with which gates open and shut, and winners change."""
  return tuple(
    layer._replace(biases=layer.biases + np.float32(0.3))
    for layer in networks.make_params(config)
  )


def learn(config, params, size=4, **options):
  built = ssnn_jax.ssnn(config, **options)
  batch = networks.batch(size, config.layer_sizes)
  return jax.jit(built.learn)(params, KEY, *batch)


def assert_same(found, expected):
  jax.tree.map(np.testing.assert_array_equal, found, expected)


class IdentityTest(parameterized.TestCase):
  @parameterized.parameters(
    ((9, 4), dict(winner='exact')),
    ((9, 8, 7, 4), dict(dropout=0.2, gain=2.0)),
  )
  def test_rates_equal_backpropagation(self, sizes, options):
    config = make_config(sizes, num_steps=40, **RATES, **options)
    params = make_params(config)
    batch = networks.batch(8, sizes)
    builds = ssnn_jax.ssnn(config), ssnn_jax.ann(config)
    both = jax.jit(lambda *own: [built.learn(*own)[0] for built in builds])
    updates = jax.device_get(both(params, KEY, *batch))
    self.assert_equal_up_to_rounding(*map(ssnn_jax.as_gradient, updates))

  def assert_equal_up_to_rounding(self, found, expected):
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
      # Sums of 40 windows and 8 samples round some 20 times.
      bound = 20 * EPS * np.abs(theirs).max()
      np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)
      self.assertGreater(bound, 0.0)

  def test_feedback_weights_replace_those_of_transposed_reads(self):
    config = make_config(num_steps=40, integration=LEAKY, **RATES)
    params, batch = make_params(config), networks.batch(8, SIZES)

    @jax.jit
    def learn_with(feedback):
      built = ssnn_jax.ssnn(config, feedback=feedback)
      return built.learn(params, KEY, *batch)[0]

    # With the parameters as feedback this is backpropagation.
    for feedback in (params, networks.make_params(config, 5)):
      gradient = ssnn_jax.as_gradient(learn_with(feedback))
      arrays = map(np.asarray, batch)
      expected = propagate_back(params, feedback[1].weights, *arrays)
      self.assert_equal_up_to_rounding(gradient, expected)


def propagate_back(params, feedback, images, labels):
  """Returns gradients of two layers, in doubles, with feedback weights."""
  first, second = jax.tree.map(np.float64, params)
  potential = images @ first.weights + first.biases
  hidden = np.clip(potential, 0, 1)
  odds = np.exp(hidden @ second.weights + second.biases)
  errors = odds / odds.sum(axis=1, keepdims=True)
  errors = (errors - np.eye(odds.shape[1])[labels]) / len(labels)
  gate = (potential > 0) & (potential < 1)
  hidden_errors = gate * (errors @ np.float64(feedback).T)
  return (
    types.LayerParams(images.T @ hidden_errors, hidden_errors.sum(axis=0)),
    types.LayerParams(hidden.T @ errors, errors.sum(axis=0)),
  )


class StateTest(parameterized.TestCase):
  def test_is_that_of_the_neurons(self):
    self.assertEqual(
      rules.State._fields, ('membranes', 'inhibition', 'currents')
    )
    state = ticks_lib.init_state(make_config((8, 7, 6, 3)), 4)
    shapes = jax.tree.map(jnp.shape, state)
    expected = (((4, 7), (4, 6), (4, 3)), (4,), ((4, 7), (4, 6)))
    self.assertEqual(shapes, expected)

  @parameterized.parameters(
    # Blocks of 32 ticks, the last of which is shorter.
    dict(num_steps=40, dropout=0.4, integration=LEAKY, gain=0.5),
    dict(num_steps=37, winner='race'),
  )
  def test_is_all_that_ticks_pass_on(self, **options):
    config = make_config(settle=0, **options)
    params, batch = make_params(config), networks.batch(4, SIZES)
    update, inference = learn(config, params, separate_signs=True)
    state, wins = ticks_lib.init_state(config, 4), 0
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, int), params)
    totals, masks = (
      (zeros, zeros),
      jax.jit(lambda: samples.draw_dropout_masks(config, KEY, jnp.arange(4)))(),
    )
    for index in range(config.num_steps):
      state, signals = ticks_lib.run_tick(
        config, params, KEY, batch, state, index
      )
      counts = ticks_lib.count_coincidences(signals)
      totals = jax.tree.map(np.add, totals, counts)
      wins += np.asarray(signals.response.winner_counts)
      self.assert_dropped_units_are_silent(signals, masks[0])
      self.assert_starts_after_the_inputs(signals, index)
    assert_same(update[:2], totals)
    np.testing.assert_array_equal(inference.winner_counts, wins)
    for layer in (*totals[0], *totals[1]):
      self.assertTrue(np.any(layer.weights))
    # The output layer starts a tick after the inputs.
    last = spikes.Window(None, jnp.int32(1), jnp.int32(config.num_steps - 1))
    output = membrane.find(config.integration)
    potential = output.read(state.membranes[-1], last)
    np.testing.assert_allclose(inference.potential, potential, rtol=1e-6)
    self.assertEqual(config.winner == 'race', bool(np.any(state.inhibition)))

  def assert_starts_after_the_inputs(self, signals, tick):
    # A neuron spikes once it may have integrated spikes of the inputs.
    _, hidden = (signal.words for signal in signals.forward)
    first, last = (error.streams for error in signals.errors)
    winners = signals.response.winner_counts
    starts = (hidden, 1), (winners, 2), (last, 2), (first, 3)
    for trains, start in starts:
      if tick < start:
        self.assertFalse(any(map(np.any, jax.tree.leaves(trains))))

  def assert_dropped_units_are_silent(self, signals, mask):
    streams = signals.errors[0].streams
    for train in (signals.forward[1].words, *streams):
      is_active = np.any(np.asarray(train), axis=1)
      self.assertFalse(np.any(is_active & (np.asarray(mask) == 0)))


class CausalityTest(parameterized.TestCase):
  def test_tick_depends_on_the_state_and_its_own_input_spikes_only(self):
    config = make_config(num_steps=60)
    params, rng = make_params(config), np.random.default_rng(0)

    def run(ticks, state, index):
      batch = jnp.asarray(spikes.pack(ticks))[None], jnp.ones(1, jnp.int32)
      return ticks_lib.run_tick(config, params, KEY, batch, state, index)

    ticks = rng.integers(0, 2, (60, SIZES[0]))
    # The rate of a train is no signal of a tick.
    keep = lambda signals: (signals.forward[0].words, signals.forward[1:])
    state = start = ticks_lib.init_state(config, 1)
    for index in range(8):
      result, same = run(ticks, state, index), np.arange(60) == index
      others = run(np.where(same[:, None], ticks, 1 - ticks), state, index)
      assert_same((others[0], keep(others[1])), (result[0], keep(result[1])))
      assert_same(others[1][1:], result[1][1:])
      before, state = state, result[0]
    # The state, and the spikes of the tick, do matter.
    for other in (run(1 - ticks, before, 7), run(ticks, start, 7)):
      membranes = other[0].membranes[0], state.membranes[0]
      self.assertFalse(np.array_equal(*membranes))

  def test_spike_passes_one_layer_in_a_tick(self):
    # All gates are open, so that inputs change errors by way of the output
    # alone.
    sizes = (8, 7, 6, 3)
    linear = neuron.FiringFunction(
      lambda v: jnp.clip(v / 6.0 + 0.5, 0.0, 1.0), jnp.ones_like
    )
    config = make_config(
      sizes, num_steps=40, firing_function=linear, rates=('backward',)
    )
    params, rng = make_params(config), np.random.default_rng(1)
    simulate = presentation.make_simulate(config)
    observe = lambda sources, block, signals: (
      signals.potentials[-1],
      signals.errors[0].errors,
    )

    @jax.jit
    def run(ticks):
      trains = jax.vmap(spikes.pack)(ticks)
      labels = jnp.arange(16) % 3
      return simulate(params, KEY, trains, labels, observe=observe)[1]

    ticks = rng.integers(0, 2, (16, 40, sizes[0]))
    before, delays = run(ticks), []
    self.assertEqual(first_change(before[1], jnp.zeros_like(before[1])), 5)
    for tick in (0, 3, 5, 10):
      changed = ticks.copy()
      changed[:, tick] ^= 1
      delays.append(np.array(list(map(first_change, before, run(changed)))))
      delays[-1] -= tick
    # L ticks to the output of L layers of weights, and 2 L - 1 ticks to the
    # error of the first one; some sample changes at once.
    np.testing.assert_array_equal(np.min(delays, axis=0), [3, 5])


def first_change(values, others):
  """Returns the first tick with a difference, of `[blocks, B, W, J]`."""
  differs = np.any(np.asarray(values) != np.asarray(others), axis=(1, 3))
  assert differs.any()
  return np.argmax(differs.ravel())
