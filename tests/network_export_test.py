"""Tests that networks can be exported, and multiply floats precisely."""

import re

from absl.testing import parameterized
import jax

import ssnn_jax
from tests.testing import networks
from tests.testing.networks import SIZES
from tests.testing.networks import batch
from tests.testing.networks import make_params


class NetworkExportTest(parameterized.TestCase):
  def export(self, config, builder='ssnn'):
    """Exports what a network learns, for all platforms."""
    network = getattr(ssnn_jax, builder)(config)
    function = network.learn or jax.grad(network.loss, has_aux=True)
    params = make_params(config)
    bits = jax.random.key_data(jax.random.key(0))

    def on_bits(params, bits, *arguments):  # typed keys are not exported
      return function(params, jax.random.wrap_key_data(bits), *arguments)

    platforms = 'cpu', 'cuda', 'tpu'
    exported = jax.export.export(jax.jit(on_bits), platforms=platforms)(
      params, bits, *batch()
    )
    self.assertEqual(exported.platforms, platforms)
    return exported.mlir_module()

  @parameterized.parameters(
    networks.stochastic(SIZES, num_steps=40),
    networks.stochastic(SIZES, num_steps=40, winner='race'),
    ssnn_jax.NetworkConfig(SIZES, num_steps=40),
  )
  def test_learning_is_exported(self, config):
    self.export(config)

  @parameterized.parameters(
    (networks.stochastic(SIZES, rates=('update',)), 'ssnn'),
    (ssnn_jax.NetworkConfig(SIZES), 'ssnn'),
    (ssnn_jax.NetworkConfig(SIZES), 'ann'),
  )
  def test_float_matmuls_use_highest_precision(self, config, builder):
    # Accelerators would otherwise multiply in TF32 or bfloat16. Learning
    # multiplies all that inference does.
    module = self.export(config, builder)
    products = re.findall(r'stablehlo.dot_general.*', module)
    floats = [line for line in products if 'xf32>' in line]
    self.assertGreaterEqual(len(floats), len(SIZES) - 1)
    for line in floats:
      self.assertIn('precision = [HIGHEST, HIGHEST]', line)
