"""Tests for convolutions in loops."""

from absl.testing import absltest
from absl.testing import parameterized
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax

PLAIN = {'dimension_numbers': ('NHWC', 'HWIO', 'NHWC')}


def draw(*shape):
  # Multiples of 1/4, whose sums are exact in any order.
  return np.float32(np.random.default_rng(0).integers(-8, 9, shape) / 4)


class ConvolutionTest(parameterized.TestCase):
  @parameterized.parameters(
    ('SAME', (3, 2), (2, 3)),
    ('VALID', (1, 1), (1, 1)),
    (((2, 1), (0, 3)), (3, 2), (1, 1)),
    (((3, 0), (-1, 2)), (3, 2), (2, 3)),
  )
  def test_derivatives_are_those_of_jax(self, padding, size, strides):
    x, kernel = draw(2, 6, 5, 3), draw(*size, 3, 4)

    @jax.jit
    def run():
      def differentiate(convolve):
        sums, send_back = jax.vjp(
          lambda *own: convolve(*own, strides, padding, **PLAIN), x, kernel
        )
        return sums, *send_back(draw(*sums.shape))

      convolutions = ssnn_jax.convolve, jax.lax.conv_general_dilated
      return list(map(differentiate, convolutions))

    found = run()
    for own, expected in zip(*found, strict=True):
      np.testing.assert_array_equal(own, expected)

  @parameterized.parameters(
    {'strides': 2, 'kernel_dilation': 2},
    {'input_dilation': 2, 'padding': 1, 'feature_group_count': 2},
    {},
  )
  def test_serves_layers_of_flax(self, **options):
    layers = [
      nn.Conv(4, (3, 3), conv_general_dilated=own, **options)
      for own in (None, ssnn_jax.convolve)
    ]
    x = draw(2, 6, 5, 4)

    @jax.jit
    def run():
      params = layers[0].init(jax.random.key(0), x)
      loss = lambda params, layer: jnp.sum(layer.apply(params, x) ** 2)
      return [jax.grad(loss)(params, layer) for layer in layers]

    found = jax.device_get(run())
    jax.tree.map(
      lambda *own: np.testing.assert_allclose(*own, rtol=1e-4, atol=1e-3),
      *found,
    )

  def test_signals_have_one_axis(self):
    x, kernel = draw(2, 9, 3), draw(3, 3, 4)
    convolve = jax.jit(ssnn_jax.convolve, static_argnums=(2, 3))
    found = convolve(x, kernel, (1,), 'SAME')
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    taps = (padded[:, i : i + 9] @ kernel[i] for i in range(3))
    np.testing.assert_array_equal(found, sum(taps))

  def test_spikes_pass_it(self):
    x, kernel = draw(2, 6, 5, 3), draw(3, 3, 3, 3)

    def learn(convolve):
      layer = lambda kernel, x: convolve(x, kernel, (1, 1), 'SAME', **PLAIN)
      apply = lambda kernel, x: layer(kernel, jax.nn.relu(layer(kernel, x)))
      loss = lambda kernel: jnp.sum(ssnn_jax.spike(apply)(kernel, x))
      return jax.jit(jax.grad(loss))(kernel)

    found = learn(ssnn_jax.convolve)
    np.testing.assert_array_equal(found, learn(jax.lax.conv_general_dilated))
    self.assertTrue(np.all(found))


if __name__ == '__main__':
  absltest.main()
