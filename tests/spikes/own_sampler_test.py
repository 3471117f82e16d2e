"""Tests that a network takes a sampler of the user's own."""

import dataclasses

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spikes
from ssnn_jax.spikes import sobol
from tests.testing import networks


def draw_van_der_corput(source, word):
  """Reverses the bits of the tick, and flips them by a mask of the neuron."""
  first = spikes.TICKS_PER_WORD * jnp.asarray(word).astype(jnp.uint32)
  ticks = first + jnp.arange(spikes.TICKS_PER_WORD, dtype=jnp.uint32)
  points = jnp.zeros_like(ticks)
  for bit in range(16):
    points |= ((ticks >> bit) & 1) << (15 - bit)
  values = points[:, None] ^ (source.random_bits() & 0xFFFF)[None]
  return values.astype(jnp.uint16)


VAN_DER_CORPUT = spikes.Sampler(draw_van_der_corput)


def draw_own_or_sobol(source, word):
  """Draws the first Sobol dimension by the user's function."""
  is_own = sobol.dimension(source.role, source.layer) == 0
  draw = draw_van_der_corput if is_own else sobol.SAMPLER.thresholds
  return draw(source, word)


OWN_OR_SOBOL = spikes.Sampler(draw_own_or_sobol)


class OwnSamplerTest(absltest.TestCase):
  def test_equal_thresholds_learn_equal_counts(self):
    config = ssnn_jax.NetworkConfig(
      networks.SIZES,
      num_steps=40,
      timing='realtime',
      sampler='sobol',
      dropout=0.5,
    )
    params = networks.make_params(config)
    own = dataclasses.replace(config, sampler=OWN_OR_SOBOL)
    expected, found = (networks.learn(each, params) for each in (config, own))
    jax.tree.map(np.testing.assert_array_equal, found, expected)

  def test_winners_are_stratified_by_an_own_sequence(self):
    config = ssnn_jax.NetworkConfig(
      (12, 4), num_steps=64, sampler=VAN_DER_CORPUT
    )
    params = networks.zeros(config.layer_sizes)
    _, response = networks.learn(config, params)
    np.testing.assert_array_equal(response.winner_counts, 16)
