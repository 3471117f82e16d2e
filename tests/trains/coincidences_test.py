"""Tests for coincidences; `layers_test` has those of convolutions."""

import functools
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import layers
from ssnn_jax import trains
from ssnn_jax.trains import coincidences

MULTIPLY = {
  'packed': coincidences._multiply_packed,  # on CPUs
  'unpacked': coincidences._multiply_unpacked,  # on accelerators
}


@functools.partial(jax.jit, static_argnums=0)
def count(name, spikes, errors, signs):
  wiring = layers.Dense(errors.shape[-1]).connect(spikes.shape[-1:])
  with mock.patch.object(coincidences, '_multiply_packed', MULTIPLY[name]):
    return coincidences.count_coincidences(
      wiring, trains.pack(spikes), trains.pack(errors), signs[:, 0] < 0
    )


class CoincidencesTest(parameterized.TestCase):
  @parameterized.product(name=tuple(MULTIPLY), num_steps=(7, 32, 100))
  def test_counts_match_their_definition(self, name, num_steps):
    draw = np.random.default_rng(num_steps).integers
    spikes = draw(0, 2, (7, num_steps, 11))
    errors = draw(0, 2, (7, num_steps, 5))
    signs = 1 - 2 * draw(0, 2, (7, 1, 5))
    counts = count(name, spikes, errors, signs)
    expected = np.einsum('bti,btj->ij', spikes, signs * errors)
    np.testing.assert_array_equal(counts.weights, expected)
    expected = np.sum(signs * errors, axis=(0, 1))
    np.testing.assert_array_equal(counts.biases, expected)
    self.assertEqual(counts.weights.dtype, jnp.int32)

  @parameterized.parameters(*MULTIPLY)
  def test_full_counts_do_not_overflow(self, name):
    ones = np.ones((1024, 32, 2), int)  # 2**15 coincidences
    counts = count(name, ones, ones, -ones[:, :1])
    np.testing.assert_array_equal(counts.weights, -(2**15))
