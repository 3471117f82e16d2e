"""Tests of the chip's learning against an oracle in integers."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.chip import learning
from ssnn_jax.chip import verilog
from tests.testing import networks

# Depth, ticks and numbers of bits; weights saturate where they are few.
CONFIGS = {
  'two_layers': networks.of_chip((20, 33, 5), 8, 8, (5, 6)),
  'four_layers': networks.of_chip((30, 20, 17, 9, 6), 4, 9, (6, 5, 6, 7), 1),
  'saturated': networks.of_chip((37, 20, 16, 6), 16, 3, (3, 3, 3)),
}
RATES = [3000, 2500, 2000, 4000]


def draw(config, num_samples=6):
  """Draws parameters on the grid, samples and rates; one is not learned."""
  rng, sizes = np.random.default_rng(3), config.layer_sizes
  params = tuple(
    ssnn_jax.types.LayerParams(
      np.float32(rng.normal(0, 2 / np.sqrt(i), (i, j))),
      np.float32(rng.normal(0, 0.2, j)),
    )
    for i, j in zip(sizes, sizes[1:])
  )
  inputs = np.uint8(rng.integers(0, 256, (num_samples, sizes[0])))
  inputs[:, ::4], inputs[:, 1::7] = 0, 255
  labels = np.int32(rng.integers(0, sizes[-1], num_samples))
  labels[1] = -1
  rates = np.int32(RATES[: len(sizes) - 1])
  return learning.quantize(config, params), inputs, labels, rates


def present_in_integers(config, weights, word, rates, pixels, label):
  """Presents a sample neuron by neuron; returns weights, word and drives."""
  steps, fractions = config.num_steps, config.fractions
  counts, drives = [[(2 * steps * int(p) + 255) // 510 for p in pixels]], []
  for own, bits in zip(weights, fractions):
    counts[-1].append(steps)  # the bias
    drives.append([int(d) for d in np.array(counts[-1]) @ own.astype(int)])
    half = 1 << bits - 1
    counts.append([min(max(d + half >> bits, 0), steps) for d in drives[-1]])
  first = step(word)
  word, classes = step(first), range(config.layer_sizes[-1])
  if label in classes:
    shift = int(np.log2(steps)) + fractions[-1] - 5
    best = max(drives[-1])
    below = [best - d >> shift for d in drives[-1]]
    worth = [round(1023 * np.exp(-k / 32)) if k < 256 else 0 for k in below]
    errors = [-steps * (c == label) for c in classes]
    start = (first >> 16) * sum(worth) >> 16
    for tick in range(steps):  # the winner of a tick
      place = tick * sum(worth) + start
      errors[np.searchsorted(np.cumsum(worth) * steps, place, 'right')] += 1
    bits = 0  # below an error of 1
    for layer in reversed(range(len(weights))):
      below, rate = [], int(rates[layer])
      changes = [divide(rate * e, bits) for e in errors]  # for one spike
      changes = [min(max(own, -(2**19)), 2**19 - 1) for own in changes]
      for i, row in enumerate(weights[layer].astype(int)):
        total = divide(int(row @ errors), fractions[layer] if bits else 0)
        below.append(round_to_digits(config, total))
        for j, change in enumerate(changes):
          mask = (i + 1) * 0x9E37 ^ (j + 1) * 0x6A09
          random = (word >> 8 * layer ^ mask) % 2**16 >> 4
          moved = int(row[j]) - (counts[layer][i] * change + random >> 12)
          limit = 1 << config.weight_bits - 1
          weights[layer][i, j] = min(max(moved, -limit), limit - 1)
      if layer:
        most, bits = steps << fractions[layer - 1], fractions[-1]
        open_ = [0 < d < most for d in drives[layer - 1]]
        errors = [e * is_open for e, is_open in zip(below, open_)]
  return weights, word, drives[-1]


def divide(number, bits):
  """Returns a number over 2^bits, rounded."""
  return number + (1 << bits >> 1) >> bits


def round_to_digits(config, total):
  """Rounds a number to signed powers of two, each the nearest to the rest."""
  most = 2**config.weight_bits * config.num_steps
  total = rest = min(max(total, -most), most)
  for _ in range(config.digits):
    power = 1 << abs(rest).bit_length() - 1 if rest else 0
    power *= 2 if 2 * abs(rest) >= 3 * power else 1
    rest -= power if rest > 0 else -power
  return total - rest


def step(word):
  word ^= word << 13 & 0xFFFFFFFF
  word ^= word >> 17
  return word ^ word << 5 & 0xFFFFFFFF


@functools.cache
def compiled(name):
  return jax.jit(functools.partial(chip.present, CONFIGS[name]))


class LearningTest(parameterized.TestCase):
  @parameterized.parameters(*CONFIGS)
  def test_samples_are_learned_as_an_oracle_in_integers_does(self, name):
    config = CONFIGS[name]
    params, inputs, labels, rates = draw(config)
    weights, word = verilog.integer_weights(config, params), 12345
    started, register = [*map(np.copy, weights)], jnp.uint32(word)
    for image, label in zip(inputs, labels):
      params, register, inference = compiled(name)(
        params, register, rates, image, label
      )
      weights, word, drives = present_in_integers(
        config, weights, word, rates, image, int(label)
      )
      found = verilog.integer_weights(config, params)
      jax.tree.map(np.testing.assert_array_equal, found, tuple(weights))
      self.assertEqual(int(register), word)
      unit = config.num_steps * 2 ** config.fractions[-1]
      np.testing.assert_array_equal(inference.potential * unit, drives)
    moved = [np.mean(own != old) for own, old in zip(weights, started)]
    self.assertGreater(min(moved), 0.05)
    if name == 'saturated':
      old, new = (np.hstack([*map(np.ravel, x)]) for x in (started, weights))
      for limit in (-4, 3):  # by learning: weights start at a limit, too
        self.assertGreater(np.mean((new == limit) & (old != limit)), 0.01)

  def test_device_presents_one_sample_after_another(self):
    config = CONFIGS['two_layers']
    params, inputs, labels, _ = draw(config)
    labels = np.abs(labels)
    schedule = lambda count: 1 / (1 + count)
    device = chip.make_device(config, 0.5, schedule)
    params, state = device.init(jax.random.key(1), params)
    word, network = state.hardware, chip.make_network(config)
    (after, state), inference = jax.jit(device.learn, static_argnums=0)(
      network, None, (params, state), inputs, labels
    )
    # Rates of layers with 5 and 6 bits, and 8 ticks.
    rates = np.array([0.5 * 2**17 / 64, 0.5 * 2**18 / 64])
    for n, sample in enumerate(zip(inputs, labels)):
      params, word, own = compiled('two_layers')(
        params, word, np.int32(rates), *sample
      )
      np.testing.assert_array_equal(inference.potential[n], own.potential)
    jax.tree.map(np.testing.assert_array_equal, after, params)
    np.testing.assert_array_equal(state.hardware, word)
    found = chip.integer_rates(config, state, schedule)
    np.testing.assert_array_equal(found, rates / 2)

  @parameterized.parameters((8, (0, 2, 5)), (16, (13, 1)), (2, (16, 3)))
  def test_traces_are_those_of_an_oracle_in_integers(self, num_steps, shifts):
    rng = np.random.default_rng(4)
    signals = np.uint8(rng.integers(0, 256, (2, 60, 5)))
    signals[1, :, 0], signals[1, 30:, 1] = 255, 0
    found = chip.trace_signals(signals, shifts, num_steps) * num_steps
    ticks = num_steps.bit_length() - 1
    for own, rows in zip(signals, np.asarray(found)):
      memory = np.zeros((len(shifts), 5), int)
      for rates, row in zip(own, rows):
        counts = (2 * num_steps * rates.astype(int) + 255) // 510
        for z, k in zip(memory, shifts):
          z += (counts << 17 - k - ticks) - divide(z, k)
        np.testing.assert_array_equal(row, divide(memory, 17 - ticks).ravel())
    self.assertEqual(found.max(), num_steps)

  def test_winners_have_the_frequencies_of_the_softmax(self):
    config = CONFIGS['two_layers']
    potential = jnp.array([0.3, -0.2, 1.1, 0.0, 0.9])
    drives = jnp.int32(potential * config.num_steps * 2 ** config.fractions[-1])
    phases = jnp.arange(0, 2**16, 16, dtype=jnp.uint32)
    count = functools.partial(learning.count_winners, config, drives)
    winners = np.asarray(jax.vmap(count)(phases))
    np.testing.assert_array_equal(winners.sum(axis=1), config.num_steps)
    # A class is up to 1/32 nat, and a count up to 1, from its expectation.
    expected = np.asarray(config.num_steps * jax.nn.softmax(potential))
    np.testing.assert_allclose(winners.mean(axis=0), expected, rtol=0.04)
    self.assertLess(np.abs(winners - expected).max(), 1.3)
