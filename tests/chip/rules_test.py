"""Tests of the rules of the chip against an oracle with loops."""

import functools
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np

from ssnn_jax import chip
from ssnn_jax.chip import rules

NUM_SAMPLES = 4
# Depth, ticks and numbers of bits; weights saturate where they are few.
CONFIGS = {
  'one_layer': chip.ChipConfig((6, 3), 2, 8, 5),
  'two_layers': chip.ChipConfig((5, 7, 4), 300, 16, (7, 6)),
  'three_layers': chip.ChipConfig((35, 8, 290, 3), 29, 9, (9, 6, 7)),
  'saturated': chip.ChipConfig((4, 6, 3), 48, 3, 3),
}


@functools.cache
def make(name):
  """Returns the state and samples of a configuration."""
  config = CONFIGS[name]
  sizes, rng = config.layer_sizes, np.random.default_rng(4)
  lowest = -(2 ** (config.weight_bits - 1))

  def draw(i, j, bits):
    own = rng.normal(2**bits / i, 2**bits / np.sqrt(i), (i + 1, j))
    return np.int16(np.clip(own, lowest, -lowest - 1))

  weights = tuple(map(draw, sizes, sizes[1:], config.fractions))
  registers = chip.init_generators(config, jax.random.key(1))
  pixels = rng.integers(0, 256, (NUM_SAMPLES, sizes[0]), np.uint8)
  pixels[:, :2] = 0, 255  # never and always
  labels = np.int32([0, 200, -1, 2])
  shape = NUM_SAMPLES, config.num_layers
  enable = np.int32(rng.integers(30_000, 2**16 + 1, shape))
  return weights, jax.device_get(registers), pixels, labels, enable


def assert_equal(tree, other):
  """Asserts that two trees have equal integers, in lists of any kind."""
  leaves, others = jax.tree.leaves(tree), jax.tree.leaves(other)
  np.testing.assert_equal(len(leaves), len(others))
  for leaf, own in zip(leaves, others):
    np.testing.assert_array_equal(leaf, own)


def present_by_loops(config, weights, registers, pixels, label, enable):
  """Presents a sample neuron by neuron, in Python integers.

  Returns the weights and registers after it, its votes, and each tick: forward
  spikes, error spikes, winner, g, m, D, a.
  """
  sizes, fractions = config.layer_sizes, config.fractions
  last = len(sizes) - 2
  weights = [w.astype(int) for w in weights]
  limit, has_label = 2 ** (config.weight_bits - 1), 0 <= label < sizes[-1]
  m, d_sum, a = ([np.zeros(n, int) for n in sizes[1:]] for _ in range(3))
  word, winners, enables = int(registers[0]), *registers[1:]
  votes, ticks = np.zeros(sizes[-1], int), []
  worths = [
    2 ** (fractions[k + 1] + (0 if k + 1 == last else 2)) // 4
    for k in range(last)
  ]
  for t in range(config.num_steps):
    # The first Sobol dimension reverses the bits of the tick.
    point = int(f'{t % 256:08b}'[::-1], 2)
    x, own = [[]], word
    for i, p in enumerate(map(int, pixels)):
      own = own if i % 16 or not i else _xorshift(own)
      turned = (own << 2 * (i % 16)) % 2**32 | own >> 32 - 2 * (i % 16)
      x[0].append((point ^ turned >> 24) < p + (p >= 128))
    x[0] = np.array(x[0])
    e = []
    for k in range(last):
      x.append(np.array([own > 2 ** (fractions[k] - 1) for own in m[k]]))
      number = [
        sum(abs(value) > half * worths[k] for half in (0.5, 1.5, 2.5))
        for value in a[k]
      ]
      e.append(np.sign(a[k]) * number)
    scores = [
      value
      + max(t - last, 1)
      * config.gumbel_table[int(winners[c // 4]) >> 8 * (c % 4) & 255]
      for c, value in enumerate(d_sum[last])
    ]
    winner = np.argmax(scores if has_label else d_sum[last])
    e.append(np.zeros(sizes[-1], int))
    if has_label and t > last:
      e[last][winner] += 1
      e[last][label] -= 1
    if t >= max(last + 1, config.num_steps // 2):
      votes[winner] += 1
    old, g = [w.copy() for w in weights], []
    for k, w in enumerate(weights):
      drive = np.zeros(sizes[k + 1], int)
      for i, spikes in enumerate([*x[k], True]):
        if not spikes:
          continue
        drive += old[k][i]
        bits = int(enables[k]) >> 16 ^ (i + 1) * 0x9E37 % 2**16
        if bits < enable[k]:
          w[i] = np.clip(w[i] - e[k], -limit, limit - 1)
      d_sum[k] += drive * (t >= k)
      if k == last:
        continue
      m[k] += drive * (t >= k) - 2 ** fractions[k] * x[k + 1]
      g.append(old[k + 1][:-1] @ e[k + 1])
      a[k] -= worths[k] * e[k]
      for j, total in enumerate(d_sum[k]):
        if 0 < total < (t + 1 - k) << fractions[k]:
          a[k][j] += g[k][j]
    state = jax.tree.map(np.copy, (m[:-1], d_sum, a[:-1]))
    ticks.append((x, e, winner, g, state))
    winners, enables = (
      np.array(list(map(_xorshift, r)), np.uint32) for r in (winners, enables)
    )
  for _ in range(sizes[0] // 16 + 1):
    word = _xorshift(word)
  registers = word, winners, enables
  trace = jax.tree.map(lambda *each: np.stack(each), *ticks)
  return weights, registers, votes, d_sum[last], trace


def _xorshift(x):
  x = int(x)
  x ^= x << 13 & 0xFFFFFFFF
  x ^= x >> 17
  return x ^ x << 5 & 0xFFFFFFFF


@functools.cache
def compiled(name):
  return jax.jit(functools.partial(chip.present, CONFIGS[name]))


class RulesTest(parameterized.TestCase):
  @parameterized.parameters(*CONFIGS)
  def test_rules_equal_an_oracle_with_loops(self, name):
    config = CONFIGS[name]
    weights, registers, *data = make(name)
    for sample in zip(*data):
      after = jax.device_get(compiled(name)(weights, registers, *sample))
      expected = present_by_loops(config, weights, registers, *sample)
      response = after.response.votes, after.response.drive
      assert_equal(after._replace(response=response), expected)
      weights, registers = after[:2]
    if name == 'three_layers':  # some neuron sends several spikes in a tick
      self.assertGreater(np.abs(after.trace.errors[0]).max(), 1)

  @parameterized.parameters('three_layers', 'saturated')
  def test_samples_of_two_chips_are_presented_one_after_another(self, name):
    """Of the second chip, whose weights move in a loop over rows."""
    weights, registers, *data = make(name)
    present = functools.partial(rules.present_samples, CONFIGS[name])
    with mock.patch.object(rules, '_MANY_WEIGHTS', 0):
      made = make(name)
      reverse = lambda x: x[::-1]
      other = (*made[:2], *map(reverse, made[2:]))
      two = jax.tree.map(lambda *own: np.stack(own), other, made)
      found = jax.jit(jax.vmap(present))(*two)
    responses = []
    for sample in zip(*data):
      after = compiled(name)(weights, registers, *sample)
      weights, registers, response, trace = jax.device_get(after)
      responses.append(response)
      count = lambda spikes: np.abs(np.int32(spikes)).sum(axis=0)
      assert_equal(response.spikes, [*map(count, trace.forward)])
      assert_equal(response.errors, [*map(count, trace.errors)])
    stacked = jax.tree.map(lambda *own: np.stack(own), *responses)
    found = jax.tree.map(lambda leaf: leaf[1], found)
    assert_equal(found, (weights, registers, stacked))
    moved = list(map(np.not_equal, weights, made[0]))
    self.assertGreater(min(map(np.mean, moved)), 0.05)
    if name == 'saturated':
      reached = np.concatenate([np.ravel(own) for own in weights])
      self.assertContainsSubset({-4, 3}, reached)

  @parameterized.parameters(*CONFIGS)
  def test_there_is_no_float_on_the_chip(self, name):
    config = CONFIGS[name]
    weights, registers, *data = make(name)
    made = jax.make_jaxpr(functools.partial(chip.present, config))(
      weights, registers, *(x[0] for x in data)
    )
    self.assertRegex(str(made), r'\bi16\[')
    self.assertNotRegex(str(made), r'\b(bf|f|c)\d+\[')
