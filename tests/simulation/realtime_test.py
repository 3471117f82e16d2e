"""Tests of the simulation in real time."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import neuron
from ssnn_jax import spikes
from ssnn_jax.neuron import membrane
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import samples
from ssnn_jax.spikes import thresholds
from tests.testing import networks
from tests.testing import realtime as ticks_lib

KEY = jax.random.key(2)
SIZES = (8, 7, 3)
LEAKY = neuron.leaky(16.0)


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


class StateTest(absltest.TestCase):
  def test_is_that_of_the_neurons(self):
    self.assertEqual(
      rules.State._fields, ('membranes', 'inhibition', 'currents')
    )
    state = ticks_lib.init_state(make_config((8, 7, 6, 3)), 4)
    shapes = jax.tree.map(jnp.shape, state)
    expected = (((4, 7), (4, 6), (4, 3)), (4,), ((4, 7), (4, 6)))
    self.assertEqual(shapes, expected)

  def test_is_all_that_ticks_pass_on(self):
    # Blocks of 32 ticks, the last of which is shorter.
    config = make_config(
      settle=0, num_steps=40, dropout=0.4, integration=LEAKY, gain=0.5
    )
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


class RaceTest(absltest.TestCase):
  def test_inhibition_is_passed_on_from_tick_to_tick(self):
    # Potentials are 0 from the tick on in which the output layer starts.
    config = make_config(num_steps=40, settle=0, winner='race')
    infer = jax.jit(ssnn_jax.ssnn(config).infer)
    found = infer(networks.zeros(SIZES), KEY, networks.batch(4, SIZES)[0])
    keys = thresholds.make_keys(KEY, len(SIZES))
    is_valid = (jnp.arange(64) >= 2) & (jnp.arange(64) < 40)

    @jax.vmap
    def race(position):
      source = rules.make_sources(config, keys, jnp.arange(2), position)
      noise = thresholds.uniforms(source(spikes.Role.WINNER, 0, SIZES[-1]))
      return wta.race(jnp.float32(0), noise, jnp.zeros(3), is_valid)[1]

    winners = np.asarray(race(jnp.arange(4)), int)
    np.testing.assert_array_equal(found.winner_counts, winners.sum(axis=1))
