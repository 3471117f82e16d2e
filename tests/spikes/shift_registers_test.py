"""Tests for shift registers, against a register that steps bit by bit."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spikes
from ssnn_jax.spikes import shift_registers
from ssnn_jax.spikes import thresholds
from tests.testing import sources


def step(state, width, taps):
  """Returns the state after a step: a list of bits, the lowest first."""
  leaving, state = state[0], [*state[1:], 0]
  return [bit ^ (leaving & (taps >> i) & 1) for i, bit in enumerate(state)]


@functools.cache
def run(width, taps, num_steps, start=1):
  """Returns the states of a register, `[num_steps]`, from a first one."""
  state, states = [(start >> i) & 1 for i in range(width)], []
  for _ in range(num_steps):
    states.append(sum(bit << i for i, bit in enumerate(state)))
    state = step(state, width, taps)
  return np.array(states)


def as_threshold(states, width):
  """Returns the upper 16 bits of registers."""
  return states >> (width - 16) if width > 16 else states << (16 - width)


thresholds_of = jax.jit(lambda source: source.thresholds())


def draw(sampler, words, num_neurons, **options):
  """Returns the thresholds of words, `[32 K, N]`."""
  source = sources.make(words, num_neurons, sampler=sampler, **options)
  return np.asarray(thresholds_of(source), int)


class PeriodTest(parameterized.TestCase):
  @parameterized.parameters(8, 12, 16)
  def test_registers_run_through_all_states_but_0(self, width):
    states = run(width, shift_registers.TAPS[width], 2**width)
    self.assertEqual(states[-1], states[0])
    expected = np.arange(1, 2**width)
    np.testing.assert_array_equal(np.sort(states[:-1]), expected)

  @parameterized.parameters(*shift_registers.TAPS)
  def test_sampler_steps_the_register_bit_by_bit(self, width):
    drawn = draw(spikes.lfsr(width), jnp.arange(4), 2)
    taps = shift_registers.TAPS[width]
    if width <= 16:  # the state is known from its threshold
      for neuron, start in enumerate(drawn[0] >> (16 - width)):
        states = run(width, taps, 128, int(start))
        expected = as_threshold(states, width)
        np.testing.assert_array_equal(drawn[:, neuron], expected)
      return
    # All bits move down by one, and flip at the taps if the lowest one was set.
    flipped = drawn[1:] ^ (drawn[:-1] >> 1)
    self.assertEqual(set(flipped.ravel()), {0, taps >> (width - 16)})
    # Each bit follows from the same bit in the ticks before: the recurrence of
    # the taps.
    expected = np.zeros_like(drawn[width:])
    for bit in range(width):
      if (taps >> bit) & 1:
        lag = width - 1 - bit
        expected ^= drawn[lag : lag + len(expected)]
    np.testing.assert_array_equal(drawn[width:], expected)

  @parameterized.parameters(
    (16, 0x8000),  # a rotation
    (16, 0xD009),  # divisible by x + 1
    (8, 0x80B8),  # more taps than bits
    (16, 0x5008),  # the highest bit is not set
    (16, 0),
    (10, None),  # without known taps
    (1, 1),
    (33, None),
    (33, 1 << 32),
  )
  def test_taps_of_shorter_periods_are_refused(self, width, taps):
    with self.assertRaisesRegex(ssnn_jax.UserError, '^taps is .*expected'):
      spikes.lfsr(width, taps)

  @parameterized.parameters(0, 3, 15)  # 2**16 - 1 is 3 * 5 * 17 * 257
  def test_steps_that_skip_states_are_refused(self, steps):
    with self.assertRaisesRegex(ssnn_jax.UserError, '^steps is .*expected'):
      spikes.lfsr(16, steps=steps)

  def test_equal_arguments_are_one_sampler(self):
    self.assertIs(spikes.lfsr(), spikes.lfsr(width=16, taps=0xD008))

  @parameterized.parameters(3, 5, 6)
  def test_taps_are_accepted_if_the_period_is_maximal(self, width):
    for taps in range(2**width):
      states = run(width, taps, 2**width)
      is_maximal = len(np.unique(states)) == 2**width - 1 and states.all()
      self.assertEqual(shift_registers._is_maximal(width, taps), is_maximal)


class SamplerTest(parameterized.TestCase):
  @parameterized.parameters((8, 7, False), (16, 16, True), (32, 11, False))
  def test_random_access_equals_stepping(self, width, steps, is_shared):
    single = spikes.lfsr(width, is_shared=is_shared)
    ticks = draw(single, jnp.arange(2 * steps), 3)
    sampler = spikes.lfsr(width, steps=steps, is_shared=is_shared)
    np.testing.assert_array_equal(
      draw(sampler, jnp.arange(2), 3), ticks[::steps]
    )
    # A word is that of the whole, in any order.
    alone = draw(single, jnp.array([2 * steps - 1, 0]), 3)
    np.testing.assert_array_equal(alone[:32], ticks[-32:])
    np.testing.assert_array_equal(alone[32:], ticks[:32])

  def test_words_of_long_presentations_are_reached(self):
    # The period of 2**16 - 1 ticks divides the ticks of as many words.
    period = 2**16 - 1
    near, far = (
      draw(spikes.lfsr(), jnp.arange(2) + first, 5)
      for first in (0, 2**10 * period)
    )
    np.testing.assert_array_equal(near, far)

  @parameterized.parameters(8, 16)
  def test_counts_of_a_period_are_exact(self, width):
    period = 2**width - 1
    rates = np.float32([0, 2**-16, 1 / 3, 0.5, 0.9, 1 - 2**-16, 1])
    num_words = spikes.count_words(period)
    source = sources.make(
      jnp.arange(num_words), len(rates), sampler=spikes.lfsr(width)
    )
    mask = spikes.mask_before(period, source.words)[None]
    train = jax.jit(thresholds.sample_words)(source, rates[None], mask)
    # Each state but 0 occurs once: that of the lowest threshold is missing.
    levels = as_threshold(np.arange(1, 2**width), width)
    expected = (levels[:, None] < np.round(rates * 2**16)).sum(axis=0)
    np.testing.assert_array_equal(spikes.count(train), expected)
    self.assertLess(np.abs(expected - period * rates).max(), 1.5)

  def test_neurons_have_registers_of_their_own(self):
    starts = np.stack(
      [draw('lfsr', jnp.arange(1), 200, position=i)[0] for i in range(2)]
    )
    # Of n starts about n**2 / 2**17 pairs are equal, a Poisson number.
    pairs = starts.size**2 / 2**17
    repeated = starts.size - len(np.unique(starts))
    self.assertLess(repeated, pairs + 5 * np.sqrt(pairs) + 1)

  def test_shared_registers_differ_by_masks_that_are_fixed(self):
    drawn = [
      draw('lfsr_shared', jnp.arange(4), 50, position=position, seed=seed)
      for seed, position in ((0, 0), (0, 1), (1, 0))
    ]
    masks = [own[:, :1] ^ own for own in drawn]
    for own in masks:  # in all ticks, samples and presentations
      np.testing.assert_array_equal(
        own, np.broadcast_to(masks[0][0], own.shape)
      )
    self.assertLen(np.unique(masks[0]), 50)
    self.assertFalse((drawn[0] == drawn[1]).all())
    self.assertFalse((drawn[0] == drawn[2]).all())
    # Another layer and another role have other masks.
    for role, layer in ((spikes.Role.INPUT, 1), (spikes.Role.ERROR, 0)):
      own = draw('lfsr_shared', jnp.arange(1), 50, role=role, layer=layer)
      self.assertFalse(((own[:, :1] ^ own) == masks[0][:1]).all())
