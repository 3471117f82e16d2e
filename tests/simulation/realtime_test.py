"""Tests of the simulation in real time."""

import functools

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import neuron
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.neuron import membrane
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import realtime
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import samples
from ssnn_jax.spikes import thresholds
from tests.testing import networks

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


@functools.partial(jax.jit, static_argnums=0)
def run_tick(config, params, key, batch, state, index):
  """Runs one tick of a batch; returns its state afterwards, and signals."""
  block = spikes.block(config.schedule, index // spikes.TICKS_PER_WORD)
  windows = jax.tree.map(
    lambda x: x[index % spikes.TICKS_PER_WORD][None], block.windows
  )
  block = block._replace(windows=windows)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  weights = types.Weights(params, params)
  _, run = realtime.make_run(config)

  def run_sample(sample, state):
    sources = rules.make_sources(config, keys, block.words, sample.position)
    return run(weights, sources, sample, state, block)

  batch = samples.prepare(config, params, key, *batch)
  return jax.vmap(run_sample)(batch, state)


def unpack(words):
  """Unpacks words `[B, K, N]` to ticks `[B, 32 K, N]`."""
  ticks = np.arange(32, dtype=np.uint32)[:, None]
  bits = np.asarray(words)[:, :, None] >> ticks & 1
  return bits.reshape(len(bits), -1, bits.shape[-1]).astype(int)


def count_coincidences(signals):
  """Counts the coincidences of one tick, with errors of either sign."""

  def count(words, stream):
    presynaptic, errors = unpack(words), unpack(stream)
    weights = np.einsum('bti,btj->ij', presynaptic, errors)
    return types.LayerParams(weights, errors.sum(axis=(0, 1)))

  return tuple(
    tuple(
      count(signal.words, error.streams[sign])
      for signal, error in zip(signals.forward, signals.errors)
    )
    for sign in range(2)
  )


class StateTest(absltest.TestCase):
  def test_is_all_that_ticks_pass_on(self):
    # Blocks of 32 ticks, the last of which is shorter.
    config = make_config(
      neuron='stochastic',
      num_steps=40,
      dropout=0.4,
      integration=LEAKY,
      gain=0.5,
    )
    params, batch = make_params(config), networks.batch(4, SIZES)
    update, inference = learn(config, params, separate_signs=True)
    init, _ = realtime.make_run(config)
    state = jax.tree.map(
      lambda x: np.broadcast_to(x, (4, *x.shape)), jax.device_get(init())
    )
    self.assertEqual(state._fields, ('membranes', 'inhibition', 'errors'))
    wins = 0
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, int), params)
    totals, masks = (
      (zeros, zeros),
      jax.jit(lambda: samples.draw_dropout_masks(config, KEY, jnp.arange(4)))(),
    )
    for index in range(config.num_steps):
      state, signals = run_tick(config, params, KEY, batch, state, index)
      counts = count_coincidences(signals)
      totals = jax.tree.map(np.add, totals, counts)
      wins += np.asarray(signals.response.winner_counts)
      self.assert_dropped_units_are_silent(signals, masks[0])
    jax.tree.map(np.testing.assert_array_equal, update[:2], totals)
    np.testing.assert_array_equal(inference.winner_counts, wins)
    for layer in (*totals[0], *totals[1]):
      self.assertTrue(np.any(layer.weights))
    # The output layer starts a tick after the inputs.
    last = spikes.Window(None, jnp.int32(1), jnp.int32(config.num_steps - 1))
    output = membrane.find(config.integration)
    potential = output.read(state.membranes[-1], last)
    np.testing.assert_allclose(inference.potential, potential, rtol=1e-6)

  def assert_dropped_units_are_silent(self, signals, mask):
    streams = signals.errors[0].streams
    for train in (signals.forward[1].words, *streams):
      is_active = np.any(np.asarray(train), axis=1)
      self.assertFalse(np.any(is_active & (np.asarray(mask) == 0)))


class RaceTest(absltest.TestCase):
  def test_inhibition_is_passed_on_from_tick_to_tick(self):
    # Potentials are 0 from the tick on in which the output layer starts.
    config = make_config(num_steps=40, winner='race')
    infer = jax.jit(ssnn_jax.ssnn(config).infer)
    found = infer(networks.zeros(SIZES), KEY, networks.batch(4, SIZES)[0])
    keys = thresholds.make_keys(KEY, len(SIZES))
    is_valid = (jnp.arange(64) >= 2) & (jnp.arange(64) < 40)

    @jax.jit
    @jax.vmap
    def race(position):
      source = rules.make_sources(config, keys, jnp.arange(2), position)
      noise = thresholds.uniforms(source(spikes.Role.WINNER, 0, SIZES[-1]))
      return wta.race(jnp.float32(0), noise, jnp.zeros(3), is_valid)[1]

    winners = np.asarray(race(jnp.arange(4)), int)[:, config.first_vote :]
    np.testing.assert_array_equal(found.winner_counts, winners.sum(axis=1))
