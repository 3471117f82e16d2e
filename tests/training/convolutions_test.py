"""Tests of the layout of convolutions."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
from jax import lax
import jax.extend
import jax.numpy as jnp
import numpy as np

from ssnn_jax.training import convolutions

IMAGES = np.random.default_rng(0).normal(size=(3, 9, 8, 4)).astype('f')
LAYOUT = ('NHWC', 'HWIO', 'NHWC')


def convolve(inputs, kernel, **options):
  options = {'window_strides': (1, 1), 'padding': 'SAME'} | options
  return lax.conv_general_dilated(
    inputs, kernel, dimension_numbers=LAYOUT, **options
  )


def strided(inputs, kernel):
  return convolve(inputs, kernel, window_strides=(2, 2))


def dilated(inputs, kernel):
  return convolve(inputs, kernel, rhs_dilation=(2, 1), padding='VALID')


def depthwise(inputs, kernel):
  kernel = kernel.reshape(3, 3, 1, 8)
  return convolve(inputs, kernel, feature_group_count=4)


def channels_first(inputs, kernel):
  return lax.conv(inputs.transpose(0, 3, 1, 2), kernel.T, (1, 1), 'SAME')


def called(inputs, kernel):
  return jax.jit(jax.nn.gelu)(jax.jit(strided)(inputs, kernel))


def list_layouts(jaxpr):
  """Yields the layouts of all convolutions, those of calls too."""
  for eqn in jaxpr.eqns:
    if eqn.primitive.name == 'conv_general_dilated':
      yield eqn.params['dimension_numbers']
    for own in jax.extend.core.jaxprs_in_params(eqn.params):
      yield from list_layouts(own)


class ConvolutionsTest(parameterized.TestCase):
  @parameterized.parameters(
    convolve, strided, dilated, depthwise, channels_first, called
  )
  def test_values_and_gradients_are_those_of_the_function(self, function):
    kernel = np.random.default_rng(1).normal(size=(3, 3, 4, 2)).astype('f')
    loss = lambda x, w: (function(x, w) ** 2).sum()
    step = jax.value_and_grad(loss, argnums=(0, 1))
    laid_out = convolutions.lay_out(step)
    expected, found = step(IMAGES, kernel), laid_out(IMAGES, kernel)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4),
      expected,
      found,
    )
    last = lax.conv_dimension_numbers((1,) * 4, (1,) * 4, LAYOUT)
    layouts = list(list_layouts(jax.make_jaxpr(laid_out)(IMAGES, kernel).jaxpr))
    self.assertLen(layouts, 3)
    self.assertEqual(set(layouts), {last})

  def test_other_functions_stay_bit_for_bit(self):
    step = jax.grad(lambda x: jnp.tanh(x).sum() ** 2)
    np.testing.assert_array_equal(
      jax.jit(convolutions.lay_out(step))(IMAGES), jax.jit(step)(IMAGES)
    )


if __name__ == '__main__':
  absltest.main()
