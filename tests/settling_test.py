"""Tests that played networks settle to the rates and errors of `spiking`.

All weights lie on a grid, and all numbers of steps, winners and samples are
powers of two, so that counts, errors and what synapses collect are equal in
every bit.
"""

import functools
import itertools
from typing import NamedTuple
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import crossbars
from ssnn_jax import network
from ssnn_jax import realtime
from ssnn_jax import reference
from ssnn_jax import samples
from ssnn_jax import spiking
from ssnn_jax import trains
from tests.testing import convolutions
from tests.testing import mutations
from tests.testing.networks import assert_same

BATCH_SIZE = 2
NO_CAP = np.inf
CONV = {'layers': convolutions.LAYERS, 'input_shape': convolutions.INPUT_SHAPE}
DENSE = {'layer_sizes': (12, 9, 8, 4), 'num_steps': 8, 'ceiling': 2.0}
MUTATED = {'layer_sizes': (12, 24, 18, 12, 4), 'num_steps': 16, 'ceiling': 0.5}
# Networks, each of which settles on all wires.
SETTINGS = (
  MUTATED,
  DENSE,
  {'layer_sizes': (12, 4), 'num_steps': 4, 'sampler': 'sobol'},
  {'layer_sizes': (12, 9, 8, 4), 'num_steps': 1, 'sampler': 'bernoulli'}
  | {'input_gain': 2.0, 'input_steps': 4, 'num_winners': 1, 'digits': 1},
  {'layer_sizes': (12, *(6,) * 5, 4), 'num_steps': 256, 'digits': 3}
  | {'input_steps': 256, 'num_winners': 4096},
  CONV | {'num_steps': 16, 'ceiling': 4.0, 'sampler': 'sobol', 'digits': 1},
)
# Cap of a spike and of an error spike, longest delay, and whether inputs are
# permuted in time. The delay of each neuron is drawn.
WIRES = (
  (NO_CAP, NO_CAP, 0, False),
  (NO_CAP, NO_CAP, 10, True),
  (1, NO_CAP, 3, False),
  (1, 1 / 64, 10, True),
  (2, 1 / 16, 1, True),
  (8, 1 / 4, 5, False),
)


def make_config(layer_sizes=None, **options):
  grid = {'weight_bits': 10, 'fraction_bits': 7}
  return ssnn_jax.NetworkConfig(layer_sizes, **grid | options)


def on_grid(values):
  return np.float32(np.clip(np.round(128 * values), -512, 511) / 128)


def make_params(config, seed=0):
  """Draws weights with which most gates are open, and some just shut."""
  rng, params = np.random.default_rng(seed), []
  for wiring in config.wirings:
    shape = wiring.weights_shape
    weights = rng.normal(0.05, 1.6 / np.sqrt(shape[0]), shape)
    biases = rng.normal(0.1, 0.1, shape[1])
    if wiring is not config.wirings[-1]:  # potentials 0, c, 2 1/2, 1/4 steps
      weights[:, :3], weights[:, -1] = 0.0, 0.0
      biases[:3] = 0.0, config.ceiling, 2.5 / config.num_steps
      biases[-1] = 0.25 / config.num_steps
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

  sent: tuple  # N X and E that stay, of each layer
  gradient: tuple  # of the mean loss
  inference: ssnn_jax.Inference
  words: jax.Array | None  # input trains that were drawn
  phases: jax.Array  # [B]


@functools.partial(jax.jit, static_argnums=0)
def settle(config, params, key, *batch):
  loss = ssnn_jax.ssnn(config).loss
  gradient, inference = jax.grad(loss, has_aux=True)(params, key, *batch)
  prepared = samples.prepare(config, params, key, *batch)
  model = crossbars.as_model(config)
  settled = network.settle(model, params, key, prepared)
  errors = settled.errors
  steps = config.steps_of_inputs, *[config.num_steps] * len(errors)
  counts = tuple(n * rates for n, rates in zip(steps, settled.rates))
  _, (_, words), phases = realtime._prepare(
    model, params, key, prepared, prepared.position
  )
  return Settled((counts, errors), gradient, inference, words, phases)


@functools.cache
def right(**options):
  """Returns a network, its batch, and how it settles."""
  config = make_config(**options)
  params, batch = make_params(config), make_batch(config)
  settled = settle(config, params, *batch)
  return config, params, batch, jax.tree.map(np.asarray, settled)


def make_train(config, settled, cap, is_permuted):
  """Returns input spikes `[n, B, I]` in counts, in their order or another."""
  counts = settled.sent[0][0].reshape(BATCH_SIZE, -1)
  cap = None if cap == NO_CAP else cap
  steps = config.steps_of_inputs
  train = realtime.make_train(counts, settled.words, steps, cap)
  rng = np.random.default_rng(3)
  return rng.permuted(train, axis=0) if is_permuted else train


def play_by_reference(
  config, params, labels, settled, wires, reference=reference, **options
):
  """Plays each sample with random wires; returns counts and gradient."""
  cap, error_cap, delay, is_permuted = wires
  train = make_train(config, settled, cap, is_permuted)
  train = np.float64(train) / config.steps_of_inputs
  expanded = convolutions.expand(config, params)
  layers = [
    (gain * np.float64(weights), np.float64(biases))
    for gain, (weights, biases) in zip(config.read_gains, expanded)
  ]
  rng, played = np.random.default_rng(1), []
  draw = lambda sizes: [rng.integers(0, delay + 1, size) for size in sizes]
  for sample, label in enumerate(labels):
    sent, errors, collected, _ = reference.bipolar(
      layers,
      train[:, sample],
      label,
      float(settled.phases[sample]),
      config.num_steps,
      ceiling=config.ceiling,
      digits=config.digits,
      num_winners=config.num_winners,
      cap=cap,
      error_cap=error_cap,
      delays=draw(config.layer_sizes[:-1]),
      error_delays=draw(config.layer_sizes[1:]),
      **options,
    )
    steps = config.steps_of_inputs, *[config.num_steps] * len(sent)
    counts = [n * rates for n, rates in zip(steps, sent)]
    played.append((counts, errors, collected))
  sent, errors, collected = zip(*played)
  stack = lambda rows: tuple(map(np.stack, zip(*rows)))
  gradient = tuple(
    ssnn_jax.LayerParams(gain * mean[:-1], mean[-1])
    for gain, mean in zip(config.read_gains, map(sum, zip(*collected)))
  )
  gradient = convolutions.fold(config, gradient)
  gradient = jax.tree.map(lambda leaf: leaf / BATCH_SIZE, gradient)
  return (stack(sent), stack(errors)), gradient


# What is exchanged in the source of the reference.
COUNT = 'np.floor(np.clip(N * v[l], floor * N, ceiling * N) + 0.5)'
GATE = '(floor * N < N * v[l]) & (N * v[l] < ceiling * N)'
WINNERS = 'np.diff(reached, prepend=0, append=n)'
MUTATIONS = (
  (COUNT, COUNT.replace(' + 0.5', '')),
  (COUNT, COUNT.replace('floor(', 'ceil(', 1)),
  (COUNT, COUNT.replace(' + 0.5)', ')').replace('floor(', 'round(', 1)),
  (COUNT, 'np.floor(np.maximum(N * v[l], 0) + 0.5)'),
  (COUNT, 'np.floor(np.minimum(N * v[l], ceiling * N) + 0.5)'),
  (COUNT, COUNT.replace('ceiling * N', 'ceiling * (N - 2)')),
  ('count - N * X[l + 1], cap', 'np.sign(count - N * X[l + 1])'),
  (GATE, '(v[l] == v[l])'),
  (GATE, '(v[l] > 0)'),
  (GATE, '(v[l] < ceiling)'),
  (GATE, '(N * v[l] >= 0.5) & (N * v[l] < ceiling * N - 0.5)'),
  ('digit - rest - E[l]', 'digit - E[l]'),
  ('digit - rest - E[l]', 'np.trunc(digit - rest) - E[l]'),
  ('digit - rest - E[l]', 'rest - digit - E[l]'),
  ('in range(digits)', 'in range(1)'),
  ('in range(digits)', 'in range(digits + 1)'),
  ('< 0.75', '< 0.65'),
  ('< 0.75', '< 0.85'),
  ('v[-1], phase, n)', 'v[-1], (phase + 0.25) % 1.0, n)'),
  (WINNERS, f'np.roll({WINNERS}, 1)'),
  (WINNERS, f'0 * {WINNERS}'),
  ('- n * target', '- target'),
  ('np.append(x, 1.0)', 'np.append(x, 0.0)'),
  ('np.outer(arriving, y)', 'np.outer(arriving, y - error)'),
  ('+= np.outer(x, error)', '+= 0'),
)
# That changes the way, but not where it leads.
HARMLESS = ('count - N * X[l + 1], cap', 'np.sign(count - N * X[l + 1])')


class ReferenceTest(parameterized.TestCase):
  def play(self, options, wires, *wrong):
    config, params, (_, _, labels), settled = right(**options)
    played = play_by_reference(config, params, labels, settled, wires, *wrong)
    return played, settled[:2]

  @parameterized.parameters(
    *itertools.product(SETTINGS[:1], WIRES),
    *zip(SETTINGS[1:], WIRES[1:]),
  )
  def test_settles(self, options, wires):
    played, settled = self.play(options, wires)
    assert_same(settled, played)
    for counts in (*settled[0][0], settled[0][1][-1]):
      self.assertTrue(np.any(counts))

  @parameterized.parameters(*MUTATIONS)
  def test_wrong_rule_is_seen(self, old, new):
    wrong = mutations.mutate(reference, old, new)
    is_right = is_equal(*self.play(MUTATED, (2, 1 / 16, 5, False), wrong))
    self.assertEqual(is_right, (old, new) == HARMLESS)

  @parameterized.parameters((-1.0, WIRES[3]), (-0.25, WIRES[5]))
  def test_signed_neurons_settle(self, floor, wires):
    config, params, (key, _, labels), shown = right(**DENSE)
    rates = np.float32(shown.sent[0][0]) / config.steps_of_inputs
    sent, errors, gradient = settle_signed(
      config, floor, params, key, rates, labels
    )
    self.assertTrue(any(np.any(x < 0) for x in sent[1:]))
    played = play_by_reference(
      config, params, labels, shown, wires, floor=floor
    )
    expected = (shown.sent[0][:1] + sent[1:], errors), gradient
    assert_same(played, jax.device_get(expected))


@functools.partial(jax.jit, static_argnums=(0, 1))
def settle_signed(config, floor, params, key, rates, labels):
  """Returns counts, errors and the gradient of signed neurons."""
  steps, most = config.num_steps, config.ceiling

  def loss(params, probes):
    sent = [rates]

    def respond(v, *_):
      v = v + probes[len(sent) - 1]
      sent.append(spiking.fire(v, steps, most, floor))
      return sent[-1]

    neuron = ssnn_jax.model.Neuron(respond)
    v = crossbars.read_layers(config, params, rates, neuron) + probes[-1]
    return spiking.cross_entropy(key, v, labels), sent

  probes = [jnp.zeros((len(labels), n)) for n in config.layer_sizes[1:]]
  learn = jax.grad(loss, (0, 1), has_aux=True)
  (gradient, errors), sent = learn(params, probes)
  errors = tuple(BATCH_SIZE * error for error in errors)
  return tuple(steps * own for own in sent), errors, gradient


def is_equal(found, expected):
  equal = jax.tree.map(np.array_equal, tuple(found), tuple(expected))
  return all(jax.tree.leaves(equal))


def make_wires(shapes, cap, error_cap, delay, wait=1):
  rng = np.random.default_rng(2)
  draw = lambda shapes: tuple(rng.integers(0, delay + 1, n) for n in shapes)
  ends = draw(shapes[:-1]), draw(shapes[1:])
  return realtime.Wires(*ends, cap, error_cap, wait)


# Cap, cap of errors, longest delay, ticks that a layer waits.
PLAYED = ((1, None, 10, 0), (4, 1 / 16, 2, 3))


class PlayTest(parameterized.TestCase):
  def assert_settles(self, config, params, batch, settled, *wires):
    wires = make_wires(config.layer_sizes, *wires)
    played = realtime.play(config, params, *batch, wires)
    assert_same((played.counts, played.sent_errors), settled.sent)
    assert_same(played.update, settled.gradient)
    potential, winner_counts = played.potentials[-1], played.winners[-1]
    assert_same(potential, settled.inference.potential)
    assert_same(winner_counts, settled.inference.winner_counts)
    return played

  @parameterized.parameters(*PLAYED)
  def test_dense_network_settles(self, *wires):
    config, params, batch, settled = right(**DENSE)
    played = self.assert_settles(config, params, batch, settled, *wires)
    # Some spikes were taken back, in both directions.
    for layers in (played.spikes[1:], played.errors):
      for own in layers:
        least = np.abs(own.sum(axis=0)) < np.abs(own).sum(axis=0)
        self.assertTrue(np.any(least))
    cap, error_cap, _, wait = wires
    largest = [np.abs(own).max() for own in played.spikes]
    self.assertEqual(max(largest), cap or max(largest))
    largest = [np.abs(own).max() for own in played.errors]
    self.assertEqual(max(largest), error_cap or max(largest))
    for sent in (*played.spikes, *played.errors):  # powers of two
      self.assertTrue(np.all(np.isin(np.frexp(np.abs(sent))[0], (0.0, 0.5))))
    for layer, sent in enumerate((*played.spikes, *played.errors[::-1])):
      self.assertFalse(np.any(sent[: layer * wait]))
    self.assertTrue(np.all(played.silence < len(played.potentials)))

  def test_precision_costs_bits_and_not_ticks(self):
    silence = {}
    for num_steps, cap in ((4, None), (256, None), (256, 1)):
      config = make_config(
        (12, 9, 4), num_steps=num_steps, input_steps=num_steps
      )
      batch, wires = make_batch(config), realtime.Wires(cap=cap, wait=0)
      played = realtime.play(config, make_params(config), *batch, wires)
      silence[num_steps, cap] = np.max(played.silence)
    # 6 more bits, a spike each, of the inputs and 2 layers after each other.
    self.assertLess(silence[256, None], silence[4, None] + 18)
    self.assertGreater(silence[256, 1], 256)

  def test_convolution_and_residual_connections_settle(self):
    dense = (8, False), (16, True), (4, False)
    layers = (
      ssnn_jax.layers.Conv(4, 3),
      *(ssnn_jax.layers.Dense(*own) for own in dense),
    )
    layers = {'layers': layers, 'input_shape': (4, 4)}
    self.assert_settles(*right(**layers, num_steps=8), *PLAYED[0])

  def test_events_settle(self):
    ticks = 8  # below the steps of images
    config = make_config((12, 9, 4), num_steps=ticks, input_gain=2.0)
    key, _, labels = make_batch(config)
    events = np.random.default_rng(3).integers(0, 2, (BATCH_SIZE, ticks, 12))
    batch = key, jax.jit(trains.pack)(events), labels
    params = make_params(config)
    settled = settle(config, params, *batch)
    settled = settled._replace(
      sent=((events.sum(axis=1), *settled.sent[0][1:]), settled.sent[1])
    )
    played = self.assert_settles(config, params, batch, settled, 1, None, 10)
    train = played.spikes[0][:ticks]
    np.testing.assert_array_equal(train, events.swapaxes(0, 1))

  @parameterized.parameters(
    ('count_winners', lambda own: jnp.roll(own, 1, -1), 32),
    ('leading_digits', lambda own: own * 1.25, 64),
  )
  def test_wrong_play_is_seen(self, name, change, cap):
    config, params, batch, settled = right(**DENSE)
    function = getattr(spiking, name)
    wrong = lambda *args: change(function(*args))
    # A cap of its own, as programs are kept.
    wires = make_wires(DENSE['layer_sizes'], cap, None, 1)
    with mock.patch.object(spiking, name, wrong):
      played = realtime.play(config, params, *batch, wires)
    self.assertFalse(is_equal(played.sent_errors, settled.sent[1]))

  def test_unit_input_spikes_are_evenly_spaced(self):
    counts = np.arange(9)[None]
    train = realtime.make_train(counts, None, 8, cap=1)
    np.testing.assert_array_equal(train.sum(axis=0), counts)
    # After each tick the spikes are within half of one of their rate.
    sent = np.cumsum(train, axis=0)
    expected = np.arange(1, 9)[:, None, None] * counts / 8
    self.assertLessEqual(np.max(np.abs(sent - expected)), 0.5)

  def test_lost_spikes_do_not_arrive(self):
    config = make_config((12, 4), num_steps=4)
    params, batch = make_params(config), make_batch(config)
    wires = realtime.Wires(loss=1.0, key=jax.random.key(0))
    played = realtime.play(config, params, *batch, wires)
    self.assertTrue(all(np.any(sent) for sent in played.errors))
    biases = np.broadcast_to(params[-1].biases, played.potentials[-1].shape)
    np.testing.assert_array_equal(played.potentials[-1], biases)
    self.assertFalse(any(map(np.any, jax.tree.leaves(played.update))))


def convolve(params, rates, neuron):
  """A convolution, average pooling, signed gates, and weights used twice.

  All constants are powers of two.
  """
  fire = lambda v, c, a: neuron(v, ceiling=c, floor=a)
  sizes, order = (params['kernel'], (1, 1), 'SAME'), ('NHWC', 'HWIO', 'NHWC')
  x = jax.lax.conv_general_dilated(
    rates[..., None], *sizes, dimension_numbers=order
  )
  x = fire(x, 2.0, 0.0).reshape(-1, 2, 2, 2, 2, 2).mean(axis=(2, 4))
  x = fire(x.reshape(-1, 8) @ params['again'], 1.0, 0.0)
  y = fire(x @ params['again'], 1.0, 0.0)
  z = fire(y @ params['again'] * x, 2.0, -2.0)
  return (x + z) @ params['last']


class CircuitTest(absltest.TestCase):
  def test_any_model_settles(self):
    rng, key = np.random.default_rng(4), jax.random.key(0)
    shapes = {'kernel': (3, 3, 1, 2), 'again': (8, 8), 'last': (8, 4)}
    params = {  # multiples of 1 / 8, as the sums of products have more bits
      name: np.float32(np.round(rng.normal(0, 10 / shape[0] ** 0.5, shape)) / 8)
      for name, shape in shapes.items()
    }
    images = np.float32(rng.integers(0, 33, (BATCH_SIZE, 4, 4)) / 32)
    batch, init = (key, images, np.int32([0, 3])), lambda key: params
    model = ssnn_jax.Model(init, convolve, (4, 4), 16, num_winners=16)

    @jax.jit
    def learn(params):
      learned = jax.grad(ssnn_jax.ssnn(model).loss, has_aux=True)
      prepared = samples.prepare(model, params, *batch)
      settled = network.settle(model, params, key, prepared)
      return *learned(params, *batch), settled._replace(calls=())

    gradient, inference, settled = jax.device_get(learn(params))
    shapes = (4, 4), *(own.shape[1:] for own in settled.errors)
    wires = make_wires(shapes, *PLAYED[1])
    played = realtime.play(model, params, *batch, wires)
    assert_same(played.sent_errors, settled.errors)
    assert_same(played.potentials[-1], inference.potential)
    assert_same(played.update, gradient)
    for leaf in jax.tree.leaves(gradient):
      self.assertTrue(np.any(leaf))
