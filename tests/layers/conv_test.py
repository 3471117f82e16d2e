"""Tests for convolutions."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.layers import Conv
from ssnn_jax.layers import Dense
from ssnn_jax.simulation import samples
from tests.testing import networks

KEY = jax.random.key(2)
RATES = dict(neuron='stochastic', rates=('forward', 'backward', 'update'))
EXACT = dict(rates=('inputs', 'forward', 'backward'), winner='exact')
CONVOLUTIONS = (
  Conv(2, kernel=5, stride=3, padding=2),
  Conv(3, kernel=(2, 4), stride=(1, 3), padding=(0, 1)),
  Conv(3, kernel=1),
  Conv(3, kernel=2, stride=3),  # leaves pixels out
  Conv(3, kernel=3, channel_axis=0),
  Conv(3, kernel=(9, 8), channel_axis=0),  # the whole image
)


def convolve(conv, weights, images):
  """Convolves images `[B, H, W, C]` by the library of JAX."""
  channels = images.shape[-1]
  kernel = weights.reshape(*conv.kernel, channels, conv.features)
  return jax.lax.conv_general_dilated(
    images,
    kernel,
    conv.stride,
    [(padding, padding) for padding in conv.padding],
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    precision='highest',
  )


class ConvTest(parameterized.TestCase):
  @parameterized.parameters(*CONVOLUTIONS)
  def test_reads_equal_a_convolution_and_its_transpose(self, conv):
    shape = (2, 9, 8) if conv.channel_axis == 0 else (9, 8, 2)
    wiring = conv.connect(shape)
    rng = np.random.default_rng(0)
    params = types.LayerParams(
      jnp.float32(rng.normal(size=wiring.weights_shape)),
      jnp.float32(rng.normal(size=wiring.num_columns)),
    )
    values = jnp.float32(rng.normal(size=(5, wiring.num_inputs)))

    def drive(values):
      images = values.reshape(-1, *shape)
      if conv.channel_axis == 0:
        images = jnp.moveaxis(images, 1, -1)
      outputs = convolve(conv, params.weights, images)
      self.assertEqual(outputs.shape[1:], wiring.output_shape)
      return 0.5 * outputs.reshape(len(values), -1)

    errors = jnp.float32(
      rng.normal(size=(5, wiring.num_positions * conv.features))
    )

    @jax.jit
    def compare(params, values, errors):
      expected, pull = jax.vjp(drive, values)
      expected += jnp.tile(params.biases, wiring.num_positions)[None]
      read, derivative = jax.vjp(lambda x: wiring.drive(params, 0.5, x), values)
      transposed = jax.vmap(lambda x: wiring.transposed_drive(params, 0.5, x))
      # The derivative of the ANN is the transposed read.
      found = read, transposed(errors), *derivative(errors)
      return found, (expected, *pull(errors), *pull(errors))

    networks.assert_close(*compare(params, values, errors))

  @parameterized.parameters(RATES, EXACT)
  def test_learning_by_rates_equals_backpropagation(self, **rates):
    first, second = Conv(4, 3, stride=2, padding=1), Conv(5, 3)
    config = ssnn_jax.NetworkConfig(
      layers=(first, second, Dense(3)),
      input_shape=(8, 7),
      dropout=0.2,
      gain=0.5,
      **rates,
    )
    params = networks.make_params(config)
    images, labels = networks.batch(12, config.layer_sizes)
    scale = 1.0 / (1.0 - config.dropout)

    def loss(params):
      masks = samples.draw_dropout_masks(config, KEY, jnp.arange(12))
      hidden = images.reshape(-1, 8, 7, 1)
      for conv, mask, (weights, biases) in zip((first, second), masks, params):
        outputs = convolve(conv, weights, hidden) + biases[None, None, None]
        outputs = jnp.clip(outputs, 0.0, 1.0)
        hidden = scale * mask.reshape(outputs.shape) * outputs
      logits = hidden.reshape(12, -1) @ params[-1].weights
      logits = jax.nn.log_softmax(logits + params[-1].biases[None])
      return -jnp.mean(logits[jnp.arange(12), labels])

    @jax.jit
    def learn(params):
      return jax.grad(loss)(params), *(
        jax.grad(built.loss, has_aux=True)(params, KEY, images, labels)[0]
        for built in (ssnn_jax.ssnn(config), ssnn_jax.ann(config))
      )

    exact, *gradients = learn(params)
    for gradient in gradients:
      networks.assert_close(gradient, exact)

  @parameterized.parameters(
    # One patch, and one pixel.
    ((3, 4, 2), ssnn_jax.ssnn, dict(neuron='stochastic', num_steps=40)),
    ((3, 4, 2), ssnn_jax.ssnn, dict(num_steps=8)),
    ((1, 1, 6), ssnn_jax.ann, {}),
  )
  def test_single_position_equals_a_dense_layer_bit_for_bit(
    self, shape, build, options
  ):
    conv = ssnn_jax.NetworkConfig(
      layers=(Conv(5, kernel=shape[:2]), Dense(3)),
      input_shape=shape,
      **options,
    )
    sizes = (np.prod(shape), 5, 3)
    dense = ssnn_jax.NetworkConfig(sizes, **options)
    self.assertEqual(conv.layer_sizes, sizes)
    learn = lambda config: jax.jit(jax.grad(build(config).loss, has_aux=True))
    found, expected = (
      (params, learn(config)(params, KEY, *batch))
      for config in (conv, dense)
      for params in (networks.make_params(config),)
      for batch in (networks.batch(7, sizes),)
    )
    jax.tree.map(np.testing.assert_array_equal, found, expected)

  def test_gathering_sees_only_its_patch(self):
    wiring = Conv(1, kernel=2, stride=2, padding=1).connect((3, 3))
    image = np.arange(1, 10, dtype=np.uint32)
    self.assertEqual(
      jax.jit(wiring.gather)(image).tolist(),
      [[0, 0, 0, 1], [0, 0, 2, 3], [0, 4, 0, 7], [5, 6, 8, 9]],
    )
