"""Tests for coincidences; `layers_test` has those of convolutions."""

import functools
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import trains
from ssnn_jax.stochastic import coincidences
from ssnn_jax.stochastic import layers

BACKENDS = 'cpu', 'gpu'  # whose products are of other types


@functools.partial(jax.jit, static_argnums=0)
def count(backend, spikes, errors, signs):
  wiring = layers.Dense(errors.shape[-1]).connect(spikes.shape[-1:])
  with mock.patch.object(jax, 'default_backend', lambda: backend):
    return coincidences.count_coincidences(
      wiring, trains.pack(spikes), trains.pack(errors)[:, None], signs < 0
    )


class CoincidencesTest(parameterized.TestCase):
  @parameterized.product(backend=BACKENDS, num_steps=(7, 100))
  def test_counts_match_their_definition(self, backend, num_steps):
    draw = np.random.default_rng(num_steps).integers
    spikes = draw(0, 2, (7, num_steps, 11))
    errors = draw(0, 2, (7, num_steps, 5))
    signs = 1 - 2 * draw(0, 2, (7, 1, 5))
    counts = count(backend, spikes, errors, signs)
    expected = np.einsum('bti,btj->ij', spikes, signs * errors)
    np.testing.assert_array_equal(counts.weights, expected)
    expected = np.sum(signs * errors, axis=(0, 1))
    np.testing.assert_array_equal(counts.biases, expected)
    self.assertEqual(counts.weights.dtype, jnp.int32)

  @parameterized.parameters(*BACKENDS)
  def test_full_counts_do_not_overflow(self, backend):
    ones = np.ones((1024, 32, 2), int)  # 2**15 coincidences
    counts = count(backend, ones, ones, -ones[:, :1])
    np.testing.assert_array_equal(counts.weights, -(2**15))
