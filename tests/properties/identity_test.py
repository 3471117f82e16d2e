"""Tests that the rule on rates instead of spikes equals backpropagation."""

import dataclasses

from absl.testing import parameterized
import jax

import ssnn_jax
from ssnn_jax.baselines import rpu
from tests.testing import networks
from tests.testing import oracle

KEY = jax.random.key(2)
ONE, TWO, THREE = (20, 15, 4), (20, 14, 12, 4), (20, 14, 12, 10, 4)
FOUR = 20, 13, 12, 11, 10, 4
BIPOLAR = {
  'neuron': 'bipolar',
  'rates': ('inputs', 'forward', 'backward'),
  'winner': 'exact',
}
STOCHASTIC = {
  'neuron': 'stochastic',
  'rates': ('forward', 'backward', 'update'),
}
ARCHITECTURES = (
  BIPOLAR | dict(layer_sizes=ONE, ceiling=0.5, num_steps=33),
  BIPOLAR | dict(layer_sizes=TWO, dropout=0.3, input_gain=1.5, ceiling=0.75),
  BIPOLAR | dict(layer_sizes=THREE, input_gain=1.5, gain=(0.7, 1.0, 3.0)),
  BIPOLAR | dict(layer_sizes=FOUR, dropout=0.2, ceiling=2.0, num_steps=1),
  STOCHASTIC | dict(layer_sizes=ONE, gain=0.5),
  STOCHASTIC | dict(layer_sizes=TWO, dropout=0.2, input_gain=1.5),
  STOCHASTIC | dict(layer_sizes=THREE, input_gain=1.5, gain=(0.7, 1.0, 3.0)),
  STOCHASTIC | dict(layer_sizes=FOUR, gain=2.0, dropout=0.3),
)
PRESENTATIONS = (
  dict(window=32, num_steps=33),
  dict(window=32, num_steps=80, gain=0.5, winner='exact'),
)


class IdentityTest(parameterized.TestCase):
  def assert_learns_by_bp(self, config, *builds):
    params = networks.make_params(config)
    batch = networks.batch(size=12, sizes=config.layer_sizes)

    @jax.jit
    def learn(*batch):
      losses = [built.loss for built in builds]
      gradients = [jax.grad(own, has_aux=True)(*batch)[0] for own in losses]
      return oracle.bp_gradient(config, *batch), gradients

    exact, gradients = learn(params, KEY, *batch)
    for gradient in gradients:
      networks.assert_close(gradient, exact)

  @parameterized.parameters(*ARCHITECTURES)
  def test_ssnn_and_ann_equal_bp(self, **options):
    config = ssnn_jax.NetworkConfig(**options)
    self.assert_learns_by_bp(
      config, ssnn_jax.ssnn(config), ssnn_jax.ann(config)
    )

  @parameterized.parameters(*PRESENTATIONS)
  def test_ssnn_equals_bp_for_any_window(self, **options):
    config = ssnn_jax.NetworkConfig(ONE, **STOCHASTIC, **options)
    self.assert_learns_by_bp(config, ssnn_jax.ssnn(config))

  def test_rpu_with_an_exact_update_equals_bp(self):
    # Fields of forward and backward spikes have no effect.
    config = ssnn_jax.NetworkConfig(
      ONE, **STOCHASTIC, window=32, num_steps=40, gain=0.5, dropout=0.2
    )
    exact = dataclasses.replace(rpu.rpu_config(config), rates=config.rates)
    self.assert_learns_by_bp(config, ssnn_jax.ssnn(exact))
