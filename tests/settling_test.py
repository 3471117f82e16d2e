"""Tests that played networks settle to the counts of `ssnn_jax.spiking`.

All weights lie on a grid, and all numbers of ticks and samples are powers of
two, so that counts and what synapses collect are equal in every bit.
"""

import functools
from typing import NamedTuple
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import observe
from ssnn_jax import realtime
from ssnn_jax import reference
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import trains
from tests.testing import convolutions
from tests.testing import mutations
from tests.testing.networks import assert_same

BATCH_SIZE = 2
ONE, TWO, THREE = (12, 4), (12, 9, 4), (12, 9, 8, 4)
FOUR, SIX = (12, 8, 7, 6, 4), (12, *(6,) * 5, 4)
NO_CAP = np.inf
CONV = {'layers': convolutions.LAYERS, 'input_shape': convolutions.INPUT_SHAPE}
DENSE = {'layer_sizes': THREE, 'num_steps': 8}
MUTATED = {'layer_sizes': FOUR, 'num_steps': 16}
MUTATED |= {'gain': (1.0, 4.0, 2.0), 'ceiling': 0.5}
# Fields, cap and longest delay.
SETTINGS = (
  (MUTATED, 2, 5),
  ({'layer_sizes': ONE, 'num_steps': 4, 'sampler': 'sobol'}, 1, 0),
  ({'layer_sizes': TWO, 'num_steps': 2, 'gain': 1.0}, NO_CAP, 10),
  (DENSE, 1, 3),
  (
    {'layer_sizes': THREE, 'num_steps': 8, 'sampler': 'bernoulli'}
    | {'input_gain': 2.0},
    3,
    10,
  ),
  ({'layer_sizes': SIX, 'num_steps': 64, 'gain': 16.0, 'ceiling': 2.0}, 2, 1),
  (CONV | {'num_steps': 4, 'ceiling': 4.0}, 1, 10),
  (CONV | {'num_steps': 16, 'sampler': 'sobol', 'gain': 1.0}, NO_CAP, 3),
)
# Cap, cap of errors, longest delay, first tick with errors.
WIRES = ((1, 4, 10, None), (None, None, 0, 0), (2, 3, 2, 8))


def make_config(layer_sizes=None, **options):
  grid = {'weight_bits': 10, 'fraction_bits': 7}
  return ssnn_jax.NetworkConfig(layer_sizes, **grid | options)


def make_params(config, seed=0):
  """Draws weights with which most gates are open, and some just shut."""
  rng, params = np.random.default_rng(seed), []
  for wiring in config.wirings:
    shape = wiring.weights_shape
    weights = rng.normal(0.05, 1.6 / np.sqrt(shape[0]), shape)
    biases = rng.normal(0.1, 0.1, shape[1])
    if wiring is not config.wirings[-1]:  # drives of 0, c T, and 2 1/2
      weights[:, :3] = 0.0
      biases[:3] = 0.0, config.ceiling, 2.5 / config.num_steps
    on_grid = lambda x: np.float32(np.clip(np.round(128 * x), -512, 511) / 128)
    params.append(ssnn_jax.LayerParams(on_grid(weights), on_grid(biases)))
  return tuple(params)


def make_batch(config, seed=0):
  rng = np.random.default_rng(seed)
  shape = config.input_shape or config.layer_sizes[:1]
  images = rng.integers(0, 256, (BATCH_SIZE, *shape), np.uint8)
  labels = np.int32(rng.integers(0, config.layer_sizes[-1], BATCH_SIZE))
  return jax.random.key(seed), images, labels


class Settled(NamedTuple):
  """A settled network, and what it was shown."""

  counts: tuple  # forward and error spikes that stay, of each layer
  gradient: tuple  # X E of all samples
  inference: ssnn_jax.Inference
  train: jax.Array  # [T, B, I] input spikes
  phases: jax.Array  # [B]


@functools.partial(jax.jit, static_argnums=0)
def settle(config, params, key, *batch):
  loss = ssnn_jax.ssnn(config).loss
  gradient, inference = jax.grad(loss, has_aux=True)(params, key, *batch)
  scale = config.num_steps**2 * BATCH_SIZE
  prepared = samples.prepare(config, params, key, *batch)
  return Settled(
    observe.settled_counts(config, params, key, *batch),
    jax.tree.map(lambda leaf: scale * leaf, gradient),
    inference,
    realtime.input_train(config, key, prepared),
    spiking.draw_phases(key, prepared.position),
  )


def play_by_reference(
  config, params, labels, settled, cap, delay, reference=reference
):
  """Plays each sample with random wires; returns counts and gradient."""
  train = np.float64(settled.train)
  expanded = convolutions.expand(config, params)
  layers = [
    (gain * np.float64(weights), np.float64(biases))
    for gain, (weights, biases) in zip(config.read_gains, expanded)
  ]
  rng, played = np.random.default_rng(1), []
  wires = lambda sizes: [rng.integers(0, delay + 1, size) for size in sizes]
  for sample, label in enumerate(labels):
    sent, errors, counts, _ = reference.bipolar(
      layers,
      train[:, sample],
      label,
      float(settled.phases[sample]),
      config.gains[:-1],
      ceiling=config.ceiling,
      cap=cap,
      delays=wires(config.layer_sizes[:-1]),
      error_delays=wires(config.layer_sizes[1:]),
    )
    errors = [gain * error for gain, error in zip(config.gains, errors)]
    played.append((sent, errors, counts))
  sent, errors, counts = zip(*played)
  stack = lambda rows: tuple(map(np.stack, zip(*rows)))
  gradient = tuple(
    ssnn_jax.LayerParams(gain * total[:-1], total[-1])
    for gain, total in zip(config.read_gains, map(sum, zip(*counts)))
  )
  return (stack(sent), stack(errors)), convolutions.fold(config, gradient)


# What is exchanged in the source of the reference.
COUNT, GATE = 'np.floor(m + 0.5)', '(D[l] > 0) & (D[l] < ceiling * k)'
DRIVE, ERROR = 'np.clip(D[l], 0, ceiling * k)', 'np.floor(G[l] * A[l] + 0.5)'
WINNERS = 'np.diff(reached, prepend=0, append=k)'
MUTATIONS = (
  (COUNT, 'np.floor(m)'),
  (COUNT, 'np.ceil(m)'),
  (COUNT, 'np.round(m)'),  # a half to even
  (DRIVE, 'np.maximum(D[l], 0)'),
  (DRIVE, 'np.minimum(D[l], ceiling * k)'),
  (DRIVE, 'np.clip(D[l], 0, ceiling * (k - 2))'),
  (GATE, '(D[l] == D[l])'),
  (GATE, '(D[l] > 0)'),
  (GATE, '(D[l] < ceiling * k)'),
  (GATE, '(D[l] >= 0.5) & (D[l] < ceiling * k - 0.5)'),
  (ERROR, 'G[l] * A[l]'),
  (ERROR, 'np.floor(G[l] * A[l])'),
  (ERROR, 'np.trunc(G[l] * A[l])'),
  (ERROR, 'np.floor(A[l] + 0.5)'),
  (ERROR, '-np.floor(G[l] * A[l] + 0.5)'),
  (ERROR, f'np.floor(G[l] * A[l] / {BATCH_SIZE} + 0.5)'),
  ('phase, k)\n    target', '(phase + 0.25) % 1.0, k)\n    target'),
  (WINNERS, f'np.roll({WINNERS}, 1)'),
  (WINNERS, f'0 * {WINNERS}'),
  ('s[l]), tick < num_steps', 's[l]), tick < num_steps - 1'),
  ('np.outer(arriving, y)', 'np.outer(arriving, y - error)'),
  (' + np.outer(x, error)', ''),
)


@functools.cache
def right(**options):
  """Returns a network, its batch, and how it settles."""
  config = make_config(**options)
  params, batch = make_params(config), make_batch(config)
  settled = settle(config, params, *batch)
  return config, params, batch, jax.tree.map(np.asarray, settled)


class ReferenceTest(parameterized.TestCase):
  def play(self, options, *wires):
    config, params, (_, _, labels), settled = right(**options)
    played = play_by_reference(config, params, labels, settled, *wires)
    return played, settled[:2]

  @parameterized.parameters(*SETTINGS)
  def test_settles(self, options, cap, delay):
    played, settled = self.play(options, cap, delay)
    assert_same(settled, played)
    for counts in (*settled[0][0], settled[0][1][-1]):
      self.assertTrue(np.any(counts))

  @parameterized.parameters(*MUTATIONS)
  def test_wrong_rule_is_seen(self, old, new):
    wrong = mutations.mutate(reference, old, new)
    self.assertFalse(is_equal(*self.play(MUTATED, 2, 5, wrong)))


def is_equal(found, expected):
  equal = jax.tree.map(np.array_equal, tuple(found), tuple(expected))
  return all(jax.tree.leaves(equal))


def make_wires(sizes, cap, error_cap, delay, start):
  rng = np.random.default_rng(2)
  draw = lambda sizes: tuple(rng.integers(0, delay + 1, n) for n in sizes)
  ends = draw(sizes[:-1]), draw(sizes[1:])
  return realtime.Wires(*ends, cap, error_cap, start)


def divide_by_3(params):
  return jax.tree.map(lambda x: x / 3, params)


class PlayTest(parameterized.TestCase):
  def assert_settles(self, config, params, batch, settled, *wires):
    counts, gradient, inference, *_ = settled
    wires = make_wires(config.layer_sizes, *wires)
    played = realtime.play(config, params, *batch, wires)
    assert_same((played.counts, played.error_counts), counts)
    scale = config.num_steps**2 * BATCH_SIZE
    collected = jax.tree.map(lambda leaf: scale * leaf, played.update)
    assert_same(collected, gradient)
    np.testing.assert_array_equal(played.potentials[-1], inference.potential)
    np.testing.assert_array_equal(played.winners[-1], inference.winner_counts)
    return played

  @parameterized.parameters(*WIRES)
  def test_dense_network_settles(self, *wires):
    played = self.assert_settles(*right(**DENSE), *wires)
    # Some spikes were taken back, in both directions.
    self.assertTrue(any(np.any(sent < 0) for sent in played.spikes[1:]))
    events = realtime.count_events(make_config(**DENSE), played)
    self.assertEqual(events.sent[0], events.stayed[0])
    self.assertGreater(events.sent[1], events.stayed[1])
    for sent, stayed in zip(events.errors_sent, events.errors_stayed):
      self.assertGreater(sent, stayed)
    cap, error_cap, _, start = wires
    if cap:
      self.assertEqual(max(np.abs(x).max() for x in played.spikes), cap)
      self.assertEqual(max(np.abs(x).max() for x in played.errors), error_cap)
    for sent in played.errors:
      self.assertFalse(np.any(sent[: start or 0]))
    self.assertTrue(np.all(played.silence >= 8))
    self.assertTrue(np.all(played.silence < len(played.potentials)))

  def test_convolution_settles(self):
    self.assert_settles(*right(**SETTINGS[-1][0]), *WIRES[0])

  def test_residual_connections_settle(self):
    layers = map(
      ssnn_jax.layers.Dense, (8, 8, 8, 4), (False, False, True, False)
    )
    layers = {'layers': tuple(layers), 'input_shape': (12,)}
    self.assert_settles(*right(**layers, num_steps=8), *WIRES[0])

  def test_events_settle(self):
    config = make_config(TWO, num_steps=64, input_gain=2.0)
    key, _, labels = make_batch(config)
    events = np.random.default_rng(3).integers(0, 2, (BATCH_SIZE, 64, 12))
    batch = key, trains.pack(jnp.asarray(events)), labels
    params = make_params(config)
    settled = settle(config, params, *batch)
    played = self.assert_settles(config, params, batch, settled, 1, 4, 10, 0)
    np.testing.assert_array_equal(played.counts[0], events.sum(axis=1))

  def test_residual_network_settles(self):
    # Hidden layer 2 has the weights of layer 1, and its sum with it goes on.
    rng = np.random.default_rng(0)
    draw = lambda *shape: np.float32(rng.integers(-60, 68, shape) / 128)
    params = {'first': draw(12, 8), 'again': draw(8, 8), 'last': draw(8, 4)}
    config, _, (key, _, labels), shown = right(**SETTINGS[1][0])
    num_steps, gains = config.num_steps, (4.0, 2.0)
    rates = np.float32(shown.train.mean(axis=0))

    def loss(params, probes):
      first = rates @ params['first'] + probes[0]
      first = spiking.fire(first, num_steps, gains[0])
      second = first @ params['again'] + probes[1]
      second = spiking.fire(second, num_steps, gains[1])
      potential = (first + second) @ params['last'] + probes[2]
      value = spiking.cross_entropy(key, potential, labels, num_steps)
      return value, (first, second)

    def currents(params, spikes, is_on):
      del is_on
      inputs, first, second = spikes
      below = inputs @ params['first'], first @ params['again']
      return *below, first @ params['last'] + second @ params['last']

    probes = [np.zeros((BATCH_SIZE, n), np.float32) for n in (8, 8, 4)]
    learn = jax.jit(jax.grad(loss, (0, 1), has_aux=True))
    (gradient, errors), sent = learn(params, probes)
    circuit = realtime.Circuit(
      currents, ((12,), (8,), (8,), (4,)), num_steps, gains
    )
    # In any order of the input spikes.
    train = np.random.default_rng(1).permutation(shown.train)
    wires = make_wires((12, 8, 8, 4), *WIRES[0])
    played = realtime.play_circuit(
      circuit, params, train, labels, shown.phases, wires
    )
    assert_same(played.counts[1:], tuple(num_steps * x for x in sent))
    unit = num_steps * BATCH_SIZE
    errors = [unit * gain * x for gain, x in zip((*gains, 1.0), errors)]
    assert_same(played.error_counts, tuple(errors))
    assert_same(played.update, gradient)

  @parameterized.parameters(
    (realtime, '_prepare', lambda own, train, *last: (own, train[:-1], *last)),
    (realtime, '_prepare', lambda own, *last: (divide_by_3(own), *last)),
    (spiking, 'count_winners', lambda *own: jnp.roll(jnp.stack(own), 1, -1)),
  )
  def test_wrong_play_is_seen(self, module, name, change):
    config, params, batch, settled = right(**DENSE)
    function = getattr(module, name)
    wires = make_wires(THREE, *WIRES[0])
    if module is spiking:  # a program of its own, as it is kept
      wires = wires._replace(error_cap=5)
    wrong = lambda *args: change(*function(*args))
    with mock.patch.object(module, name, wrong):
      played = realtime.play(config, params, *batch, wires)
    counts = played.counts, played.error_counts
    self.assertFalse(is_equal(counts, settled.counts))

  def test_input_spikes_are_evenly_spaced(self):
    _, _, (_, images, _), settled = right(**DENSE)
    counts = np.floor(8 * (images / 255) + 0.5)
    np.testing.assert_array_equal(settled.train.sum(axis=0), counts)
    # After each tick the spikes are within half of one of their rate.
    sent = np.cumsum(settled.train, axis=0)
    expected = np.arange(1, 9)[:, None, None] * counts / 8
    self.assertLessEqual(np.max(np.abs(sent - expected)), 0.5)

  def test_lost_spikes_do_not_arrive(self):
    config, params, batch, _ = right(**SETTINGS[1][0])
    wires = realtime.Wires(loss=1.0, key=jax.random.key(0))
    played = realtime.play(config, params, *batch, wires)
    self.assertTrue(all(np.any(sent) for sent in played.errors))
    biases = np.broadcast_to(params[-1].biases, played.potentials[-1].shape)
    np.testing.assert_array_equal(played.potentials[-1], biases)
    self.assertFalse(any(map(np.any, jax.tree.leaves(played.update))))

  def test_circuit_that_is_never_silent_is_refused(self):
    currents = lambda params, spikes, is_on: (
      params * spikes[0] + 2 * spikes[1],
      spikes[1],
    )
    circuit = realtime.Circuit(currents, ((2,),) * 3, 4, (4.0,), ceiling=1e6)
    batch = np.ones((4, 1, 2)), jnp.zeros(1, int), jnp.zeros(1)
    with mock.patch.object(realtime, '_MOST_TICKS', 64):
      with self.assertRaisesRegex(ssnn_jax.UserError, 'not silent'):
        realtime.play_circuit(circuit, jnp.ones(()), *batch)
