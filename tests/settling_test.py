"""Tests that played networks settle to the counts of `ssnn_jax.spiking`.

All weights lie on a grid, and all numbers of ticks and samples are powers of
two, so that counts and what synapses collect are equal in every bit.
"""

import functools
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import network
from ssnn_jax import realtime
from ssnn_jax import reference
from ssnn_jax import spikes
from ssnn_jax import spiking
from ssnn_jax.simulation import samples
from ssnn_jax.training import activity
from tests.testing import convolutions

BATCH_SIZE = 2
ONE, TWO, THREE = (12, 4), (12, 9, 4), (12, 9, 8, 4)
FOUR, FIVE, SIX = (12, 8, 7, 6, 4), (12, 7, 6, 6, 5, 4), (12, *(6,) * 5, 4)
NO_CAP = np.inf
# Layer sizes, T, cap, longest delay, and other fields.
DENSE = tuple(
  (sizes, num_steps, cap, delay, options)
  for sizes in (ONE, TWO, THREE, FOUR, FIVE, SIX)
  for num_steps, cap, delay, options in (
    (2, NO_CAP, 10, {'gain': 1.0}),
    (4, 1, 0, {'sampler': 'sobol'}),
    (8, 1, 3, {}),
    (8, 2, 10, {'ceiling': 8.0, 'sampler': 'bernoulli'}),
    (16, 3, 5, {'input_gain': 2.0}),
    (16, NO_CAP, 0, {'ceiling': 0.5}),
    (32, 1, 10, {'gain': 16.0}),
    (64, 2, 1, {'gain': 2.0, 'ceiling': 2.0}),
  )
)
CONVOLUTIONS = (
  (4, 1, 10, {}),
  (8, 2, 0, {'ceiling': 4.0}),
  (16, NO_CAP, 3, {'sampler': 'sobol', 'gain': 1.0}),
  (32, 1, 2, {'sampler': 'bernoulli'}),
)
# T, cap, cap of errors, longest delay, first tick with errors.
WIRES = ((8, 1, 4, 10, None), (16, None, None, 0, 0), (32, 3, 1, 2, 32))


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
    params.append(ssnn_jax.LayerParams(np.float32(weights), np.float32(biases)))
  return network.quantize(config, tuple(params))


def make_batch(config, seed=0):
  rng = np.random.default_rng(seed)
  shape = config.input_shape or config.layer_sizes[:1]
  images = rng.integers(0, 256, (BATCH_SIZE, *shape), np.uint8)
  labels = np.int32(rng.integers(0, config.layer_sizes[-1], BATCH_SIZE))
  return jax.random.key(seed), images, labels


def settle(config, params, *batch):
  """Returns the counts of the settled network, and what it learns."""
  counts = activity.settled_counts(config, params, *batch)
  loss = ssnn_jax.ssnn(config).loss
  gradient, _ = jax.grad(loss, has_aux=True)(params, *batch)
  scale = config.num_steps**2 * BATCH_SIZE
  return counts, jax.tree.map(lambda own: scale * own, gradient)


def play_by_reference(config, params, key, images, labels, cap, delay):
  """Plays each sample, with random wires; returns as `settle`."""
  batch = samples.prepare(config, params, key, images, labels)
  train = np.float64(realtime.input_train(config, key, batch))
  phases = spiking.draw_phases(key, batch.position)
  layers = [
    (gain * np.float64(own.weights), np.float64(own.biases))
    for gain, own in zip(config.read_gains, params)
  ]
  rng, played = np.random.default_rng(1), []
  wires = lambda sizes: [rng.integers(0, delay + 1, size) for size in sizes]
  for sample, label in enumerate(labels):
    sent, errors, counts, _ = reference.bipolar(
      layers,
      train[:, sample],
      label,
      float(phases[sample]),
      config.gains[:-1],
      ceiling=config.ceiling,
      cap=cap,
      delays=wires(config.layer_sizes[:-1]),
      error_delays=wires(config.layer_sizes[1:]),
    )
    errors = [g * own for g, own in zip(config.gains, errors)]
    played.append((sent, errors, counts))
  sent, errors, counts = zip(*played)
  stack = lambda rows: tuple(map(np.stack, zip(*rows)))
  gradient = tuple(
    ssnn_jax.LayerParams(gain * own[:-1], own[-1])
    for gain, own in zip(config.read_gains, map(sum, zip(*counts)))
  )
  return (stack(sent), stack(errors)), gradient


def is_equal(found, expected):
  equal = jax.tree.map(np.array_equal, tuple(found), tuple(expected))
  return all(jax.tree.leaves(equal))


def assert_equal(found, expected):
  jax.tree.map(np.testing.assert_array_equal, found, expected)


class ReferenceTest(parameterized.TestCase):
  @parameterized.parameters(*DENSE)
  def test_settles(self, sizes, num_steps, cap, delay, options):
    config = make_config(sizes, num_steps=num_steps, **options)
    params, batch = make_params(config), make_batch(config)
    settled = settle(config, params, *batch)
    played = play_by_reference(config, params, *batch, cap, delay)
    assert_equal(settled, played)
    for counts in (*settled[0][0], settled[0][1][-1]):
      self.assertTrue(np.any(counts))

  @parameterized.parameters(*CONVOLUTIONS)
  def test_convolution_settles(self, num_steps, cap, delay, options):
    config = make_config(
      layers=convolutions.LAYERS,
      input_shape=convolutions.INPUT_SHAPE,
      num_steps=num_steps,
      **options,
    )
    params, batch = make_params(config), make_batch(config)
    counts, gradient = settle(config, params, *batch)
    dense = make_config(config.layer_sizes, num_steps=num_steps, **options)
    key, images, labels = batch
    images = images.reshape(BATCH_SIZE, -1)
    played, unfolded = play_by_reference(
      dense, convolutions.expand(config, params), key, images, labels, cap,
      delay,
    )  # fmt: skip
    assert_equal(counts, played)
    assert_equal(gradient, convolutions.fold(config, unfolded))


def make_wires(sizes, cap, error_cap, delay, start):
  rng = np.random.default_rng(2)
  draw = lambda sizes: tuple(rng.integers(0, delay + 1, n) for n in sizes)
  ends = draw(sizes[:-1]), draw(sizes[1:])
  return realtime.Wires(*ends, cap, error_cap, start)


class PlayTest(parameterized.TestCase):
  def assert_settles(self, config, batch, *wires):
    params = make_params(config)
    counts, gradient = settle(config, params, *batch)
    wires = make_wires(config.layer_sizes, *wires)
    played = realtime.play(config, params, *batch, wires)
    assert_equal((played.counts, played.error_counts), counts)
    scale = config.num_steps**2 * BATCH_SIZE
    collected = jax.tree.map(lambda own: scale * own, played.update)
    assert_equal(collected, gradient)
    return played

  @parameterized.parameters(*WIRES)
  def test_dense_network_settles(self, num_steps, *wires):
    config = make_config(THREE, num_steps=num_steps)
    played = self.assert_settles(config, make_batch(config), *wires)
    # Some spikes were taken back, in both directions.
    self.assertTrue(any(np.any(own < 0) for own in played.spikes[1:]))
    for sent, stayed in zip(played.errors, played.error_counts):
      self.assertGreater(np.abs(sent).sum(), np.abs(stayed).sum())

  @parameterized.parameters(*WIRES[:2])
  def test_convolution_settles(self, num_steps, *wires):
    config = make_config(
      layers=convolutions.LAYERS,
      input_shape=convolutions.INPUT_SHAPE,
      num_steps=num_steps,
      sampler='sobol',
    )
    self.assert_settles(config, make_batch(config), *wires)

  @parameterized.parameters((8, 1, 4, 10, None), (64, 1, 2, 3, 0))
  def test_events_settle(self, num_steps, *wires):
    config = make_config(TWO, num_steps=num_steps, input_gain=2.0)
    key, _, labels = make_batch(config)
    rng = np.random.default_rng(3)
    events = rng.integers(0, 2, (BATCH_SIZE, num_steps, 12))
    words = jax.vmap(spikes.pack)(jnp.asarray(events))
    played = self.assert_settles(config, (key, words, labels), *wires)
    np.testing.assert_array_equal(played.counts[0], events.sum(axis=1))

  @parameterized.parameters(*WIRES[:2])
  def test_residual_network_settles(self, num_steps, *wires):
    # Hidden layer 2 has the weights of layer 1, and its sum with it goes on.
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.float32(rng.integers(-60, 68, shape) / 128)
    params = {'first': draw(12, 8), 'again': draw(8, 8), 'last': draw(8, 4)}
    key, images, labels = make_batch(make_config(ONE))
    gains, phases = (4.0, 2.0), spiking.draw_phases(key, jnp.arange(BATCH_SIZE))

    def loss(params, probes):
      rates = spiking.encode(key, images, num_steps)
      first = rates @ params['first'] + probes[0]
      first = spiking.fire(first, num_steps, gains[0])
      second = first @ params['again'] + probes[1]
      second = spiking.fire(second, num_steps, gains[1])
      potential = (first + second) @ params['last'] + probes[2]
      value = spiking.cross_entropy(key, potential, labels, num_steps)
      return value, (rates, first, second)

    def currents(params, spikes, is_on):
      del is_on
      inputs, first, second = spikes
      below = inputs @ params['first'], first @ params['again']
      return *below, first @ params['last'] + second @ params['last']

    probes = [jnp.zeros((BATCH_SIZE, n)) for n in (8, 8, 4)]
    (gradient, errors), rates = jax.grad(loss, (0, 1), has_aux=True)(
      params, probes
    )
    circuit = realtime.Circuit(currents, ((12,), (8,), (8,), (4,)), num_steps,
                               gains)  # fmt: skip
    config = make_config((12, 4), num_steps=num_steps)
    batch = samples.prepare(config, make_params(config), key, images, labels)
    train = realtime.input_train(config, key, batch)
    # In any order of the input spikes.
    train = np.random.default_rng(1).permutation(train)
    played = realtime.play_circuit(
      circuit, params, train, labels, phases,
      make_wires((12, 8, 8, 4), *wires),
    )  # fmt: skip
    assert_equal(played.counts, tuple(num_steps * own for own in rates))
    unit = num_steps * BATCH_SIZE
    errors = [unit * g * own for g, own in zip((*gains, 1.0), errors)]
    assert_equal(played.error_counts, tuple(errors))
    assert_equal(played.update, gradient)


class WiresTest(parameterized.TestCase):
  def test_input_spikes_are_evenly_spaced(self):
    config = make_config(ONE, num_steps=8)
    images = jnp.arange(12.0)[None] / 11
    batch = samples.prepare(config, make_params(config), jax.random.key(0),
                            images)  # fmt: skip
    train = np.asarray(realtime.input_train(config, jax.random.key(0), batch))
    rates = spiking.encode(jax.random.key(0), images, 8)
    np.testing.assert_array_equal(train.sum(axis=0), 8 * rates)
    # After each tick the spikes are within half of one of their rate.
    sent = np.cumsum(train, axis=0)
    expected = np.arange(1, 9)[:, None, None] * np.asarray(rates)[None]
    self.assertLessEqual(np.max(np.abs(sent - expected)), 0.5)

  def test_weights_may_move_as_spikes_arrive(self):
    config = make_config(TWO, num_steps=8)
    params, batch = make_params(config), make_batch(config)
    still = realtime.play(config, params, *batch)
    rate = 2.0**-20  # too small to change a spike
    moved = realtime.play(config, params, *batch, learning_rate=rate)
    assert_equal(still.params, params)
    changes = jax.tree.map(
      lambda a, b: (np.float64(a) - b) / rate, params, moved.params
    )
    for change, update in zip(jax.tree.leaves(changes),
                              jax.tree.leaves(still.update)):  # fmt: skip
      # Each of at most 40 ticks rounds a weight below 2 to 2^-23.
      np.testing.assert_allclose(change, update, atol=40 * 2.0**-23 / rate)

  def test_cap_bounds_the_spikes_of_a_tick(self):
    config = make_config(TWO, num_steps=16)
    wires = realtime.Wires(cap=2, error_cap=3, error_start=5)
    played = realtime.play(config, make_params(config), *make_batch(config),
                           wires)  # fmt: skip
    self.assertEqual(max(np.abs(own).max() for own in played.spikes), 2)
    self.assertEqual(max(np.abs(own).max() for own in played.errors), 3)
    for own in played.errors:
      self.assertFalse(np.any(own[:5]))
    events = realtime.count_events(config, played)
    self.assertEqual(events.sent[0], events.stayed[0])
    self.assertGreater(events.sent[1], events.stayed[1])

  def test_answer_is_that_of_the_settled_network(self):
    config = make_config(THREE, num_steps=16)
    params, (key, *batch) = make_params(config), make_batch(config)
    played = realtime.play(config, params, key, *batch)
    inference = ssnn_jax.ssnn(config).infer(params, key, batch[0])
    np.testing.assert_array_equal(played.potentials[-1], inference.potential)
    winners = played.error_counts[-1]
    winners += 16 * np.asarray(jax.nn.one_hot(batch[1], 4), int)
    np.testing.assert_array_equal(winners, inference.winner_counts)
    self.assertTrue(np.all(played.silence < len(played.potentials)))
    self.assertTrue(np.all(played.silence >= 16))

  def test_circuit_that_is_never_silent_is_refused(self):
    circuit = realtime.Circuit(
      lambda params, spikes, is_on: (
        params * spikes[0] + 2 * spikes[1], spikes[1]
      ),
      ((2,), (2,), (2,)), 4, (4.0,), ceiling=1e6,
    )  # fmt: skip
    zeros = jnp.zeros(1)
    with mock.patch.object(realtime, '_MOST_TICKS', 64):
      with self.assertRaisesRegex(ssnn_jax.UserError, 'not silent'):
        realtime.play_circuit(
          circuit, jnp.ones(()), np.ones((4, 1, 2)), jnp.zeros(1, int), zeros
        )


# Mutations of the rule: the arguments of `fire`, and functions of spiking.


def make_fire(
  count=lambda d, c, t: np.floor(np.clip(d, 0, c * t) + 0.5),
  gate=lambda d, c, t: (d > 0) & (d < c * t),
  send=lambda g, a: np.floor(g * a + 0.5) / g,
  samples=BATCH_SIZE,
):
  """Makes a `fire` of NumPy with parts of the rule exchanged."""

  def fire(v, num_steps, gain=4.0, ceiling=1.0, batch_axis=0, exact=()):
    del batch_axis, exact
    unit, shape = num_steps * samples, jax.ShapeDtypeStruct(v.shape, v.dtype)
    call = lambda function, *args: jax.pure_callback(
      lambda *own: np.float32(function(*map(np.asarray, own))), shape, *args
    )

    @jax.custom_vjp
    def apply(v):
      return call(lambda v: count(num_steps * v, ceiling, num_steps), v) / (
        num_steps
      )

    def back(v, error):
      send_open = lambda v, e: (
        gate(num_steps * v, ceiling, num_steps) * send(gain, unit * e)
      )
      return (call(send_open, v, error) / unit,)

    apply.defvjp(lambda v: (apply(v), v), back)
    return apply(v)

  return fire


def shift_phase(right):
  return lambda phase, *args: right((phase + 0.25) % 1.0, *args)


def swap_classes(right):
  return lambda *args: jnp.roll(right(*args), 1, axis=-1)


MUTATIONS = {
  'counts are rounded down': ('fire', make_fire(
    count=lambda d, c, t: np.floor(np.clip(d, 0, c * t)))),
  'counts are rounded up': ('fire', make_fire(
    count=lambda d, c, t: np.ceil(np.clip(d, 0, c * t)))),
  'a half is rounded to even': ('fire', make_fire(
    count=lambda d, c, t: np.round(np.clip(d, 0, c * t)))),
  'no ceiling': ('fire', make_fire(
    count=lambda d, c, t: np.floor(np.maximum(d, 0) + 0.5))),
  'spikes below 0': ('fire', make_fire(
    count=lambda d, c, t: np.floor(np.minimum(d, c * t) + 0.5))),
  'two ticks less': ('fire', make_fire(
    count=lambda d, c, t: np.floor(np.clip(d, 0, c * (t - 2)) + 0.5))),
  'open gate': ('fire', make_fire(gate=lambda d, c, t: d == d)),
  'open above': ('fire', make_fire(gate=lambda d, c, t: d > 0)),
  'open below': ('fire', make_fire(gate=lambda d, c, t: d < c * t)),
  'gate of the count': ('fire', make_fire(
    gate=lambda d, c, t: (d >= 0.5) & (d < c * t - 0.5))),
  'exact errors': ('fire', make_fire(send=lambda g, a: a)),
  'errors are rounded down': ('fire', make_fire(
    send=lambda g, a: np.floor(g * a) / g)),
  'errors are rounded to 0': ('fire', make_fire(
    send=lambda g, a: np.trunc(g * a) / g)),
  'errors without gain': ('fire', make_fire(
    send=lambda g, a: np.floor(a + 0.5))),
  'errors of the other sign': ('fire', make_fire(
    send=lambda g, a: -np.floor(g * a + 0.5) / g)),
  'errors of the mean over samples': ('fire', make_fire(samples=1)),
  'another phase': ('count_winners', shift_phase(spiking.count_winners)),
  'one class further wins': (
    'count_winners', swap_classes(spiking.count_winners)),
  'no winners': ('count_winners', lambda phase, v, k: jnp.zeros_like(v)),
}  # fmt: skip


def mutate(module, name, change):
  """Patches a function so that its result is changed."""
  right = getattr(module, name)
  return mock.patch.object(module, name, lambda *args: change(right(*args)))


PLAYED = {
  'inputs end a tick too early': lambda: mutate(
    realtime, 'input_train', lambda own: own[:-1]
  ),
  'weights are not on their grid': lambda: mutate(
    network, 'quantize', lambda own: jax.tree.map(lambda x: x / 3, own)
  ),
  'one class further wins in each tick': lambda: mutate(
    spiking, 'count_winners', lambda own: jnp.roll(own, 1, axis=-1)
  ),
}


@functools.cache
def expected():
  config = make_config(FOUR, num_steps=16, gain=(1.0, 4.0, 2.0), ceiling=0.5)
  params, batch = make_params(config), make_batch(config)
  return config, params, batch, play_by_reference(config, params, *batch, 2, 5)


class MutationTest(parameterized.TestCase):
  def test_right_rule_is_equal(self):
    config, params, batch, right = expected()
    with mock.patch.object(spiking, 'fire', make_fire()):
      self.assertTrue(is_equal(settle(config, params, *batch), right))

  @parameterized.parameters(*MUTATIONS)
  def test_wrong_rule_is_seen(self, name):
    config, params, batch, right = expected()
    function, wrong = MUTATIONS[name]
    with mock.patch.object(spiking, function, wrong):
      self.assertFalse(is_equal(settle(config, params, *batch), right))

  @parameterized.parameters(*PLAYED)
  def test_wrong_play_is_seen(self, name):
    config, params, batch, right = expected()
    jax.clear_caches()
    self.addCleanup(jax.clear_caches)
    with PLAYED[name]():
      played = realtime.play(config, params, *batch)
    counts = played.counts, played.error_counts
    self.assertFalse(is_equal(counts, right[0]))
