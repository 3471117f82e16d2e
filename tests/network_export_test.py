"""Tests that networks can be exported, and multiply floats precisely."""

import re

from absl.testing import parameterized
import jax

import ssnn_jax
from ssnn_jax.spikes import kernels
from tests.testing.networks import SIZES
from tests.testing.networks import batch
from tests.testing.networks import make_params


class NetworkExportTest(parameterized.TestCase):
  def export(self, config, name, *arguments, builder='ssnn'):
    """Exports a function of a network; with CPU kernels for CPU only."""
    function = getattr(getattr(ssnn_jax, builder)(config), name)
    params = make_params(config)
    bits = jax.random.key_data(jax.random.key(0))

    def on_bits(params, bits, *arguments):  # typed keys are not exported
      return function(params, jax.random.wrap_key_data(bits), *arguments)

    names = (
      ('ssnn_count', 'ssnn_sample_hashed', 'ssnn_sample_sobol')
      if config.kernels
      else ()
    )
    platforms = ('cpu',) if config.kernels else ('cpu', 'cuda', 'tpu')
    exported = jax.export.export(
      jax.jit(on_bits),
      platforms=platforms,
      disabled_checks=map(jax.export.DisabledSafetyCheck.custom_call, names),
    )(params, bits, *arguments)
    self.assertEqual(exported.platforms, platforms)
    return exported.mlir_module()

  @parameterized.parameters(True, False)
  def test_learn_is_exported(self, kernels):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=40, kernels=kernels)
    self.export(config, 'learn', *batch())

  def test_kernels_are_not_exported_unnoticed(self):
    if not kernels.is_available('ssnn_sample_hashed'):
      self.skipTest('ssnn_sample_hashed is not compiled')
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=8, sampler='bernoulli')
    key = jax.random.key(0)
    params = make_params(config)
    run = jax.jit(ssnn_jax.ssnn(config).infer)
    with self.assertRaisesRegex(ValueError, 'ssnn_sample_hashed'):
      jax.export.export(run, platforms=('cuda',))(params, key, batch()[0])

  def test_real_time_and_race_export_for_every_platform(self):
    config = ssnn_jax.NetworkConfig(
      SIZES, num_steps=40, timing='realtime', winner='race', kernels=False
    )
    self.export(config, 'learn', *batch())

  @parameterized.parameters('ssnn', 'ann')
  def test_float_matmuls_use_highest_precision(self, builder):
    # Accelerators would otherwise multiply in TF32 or bfloat16.
    config = ssnn_jax.NetworkConfig(SIZES, rates=('update',), kernels=False)
    # `learn` multiplies all that `infer` does.
    module = self.export(config, 'learn', *batch(), builder=builder)
    products = re.findall(r'stablehlo.dot_general.*', module)
    floats = [line for line in products if 'xf32>' in line]
    self.assertGreaterEqual(len(floats), len(SIZES) - 1)
    for line in floats:
      self.assertIn('precision = [HIGHEST, HIGHEST]', line)
