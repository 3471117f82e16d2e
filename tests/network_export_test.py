"""Tests that networks can be exported, and multiply floats precisely."""

import re

from absl.testing import parameterized
import jax

import ssnn_jax
from ssnn_jax.spikes import kernels
from tests.testing import networks
from tests.testing.networks import SIZES
from tests.testing.networks import batch
from tests.testing.networks import make_params


class NetworkExportTest(parameterized.TestCase):
  def export(self, config, builder='ssnn'):
    """Exports what a network learns; with CPU kernels for CPU only."""
    network = getattr(ssnn_jax, builder)(config)
    function = network.learn or jax.grad(network.loss, has_aux=True)
    params = make_params(config)
    bits = jax.random.key_data(jax.random.key(0))

    def on_bits(params, bits, *arguments):  # typed keys are not exported
      return function(params, jax.random.wrap_key_data(bits), *arguments)

    names = 'ssnn_count', 'ssnn_sample_hashed', 'ssnn_sample_sobol'
    has_kernels = config.neuron == 'stochastic' and config.kernels
    platforms = ('cpu',) if has_kernels else ('cpu', 'cuda', 'tpu')
    exported = jax.export.export(
      jax.jit(on_bits),
      platforms=platforms,
      disabled_checks=map(jax.export.DisabledSafetyCheck.custom_call, names),
    )(params, bits, *batch())
    self.assertEqual(exported.platforms, platforms)
    return exported.mlir_module()

  @parameterized.parameters(
    networks.stochastic(SIZES, num_steps=40),
    networks.stochastic(SIZES, num_steps=40, kernels=False, winner='race'),
    ssnn_jax.NetworkConfig(SIZES, num_steps=40),
  )
  def test_learning_is_exported(self, config):
    self.export(config)

  def test_kernels_are_not_exported_unnoticed(self):
    if not kernels.is_available('ssnn_sample_hashed'):
      self.skipTest('ssnn_sample_hashed is not compiled')
    config = networks.stochastic(SIZES, num_steps=8, sampler='bernoulli')
    key = jax.random.key(0)
    params = make_params(config)
    run = jax.jit(ssnn_jax.ssnn(config).infer)
    with self.assertRaisesRegex(ValueError, 'ssnn_sample_hashed'):
      jax.export.export(run, platforms=('cuda',))(params, key, batch()[0])

  @parameterized.parameters(
    (networks.stochastic(SIZES, rates=('update',), kernels=False), 'ssnn'),
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
