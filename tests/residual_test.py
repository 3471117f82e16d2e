"""Tests of the residual network of color images."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from experiments.models import residual
import ssnn_jax

KEY = jax.random.key(0)
MODEL = residual.make((8, 8, 3), width=4)


class ResidualTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.params = MODEL.init(KEY)
    self.images = np.random.default_rng(0).random((6, 8, 8, 3), np.float32)

  def test_kernels_are_standardized(self):
    ann = ssnn_jax.ann(MODEL)
    infer = jax.jit(lambda own: ann.infer(own, KEY, self.images).potential)

    def change(path, own):
      return 3.0 * own + 2.0 if 'kernel' in str(path) and own.ndim == 4 else own

    changed = jax.tree_util.tree_map_with_path(change, self.params)
    np.testing.assert_allclose(
      infer(changed), infer(self.params), rtol=1e-4, atol=1e-4
    )
    # The derivative along what leaves the network as it is.
    learn = jax.jit(jax.grad(lambda own: jnp.sum(infer(own) ** 2)))
    gradient = learn(self.params)
    for kernel, own in zip(*map(jax.tree.leaves, (self.params, gradient))):
      if kernel.ndim == 4:
        size = jnp.linalg.norm(kernel) * jnp.linalg.norm(own)
        self.assertGreater(size, 0.1)
        self.assertLess(jnp.abs(jnp.vdot(kernel, own)), 1e-3 * size)

  def test_batch_norm_is_no_network_of_spikes(self):
    model = residual.make((8, 8, 3), width=4, batch_norm=True)
    params = model.init(KEY)
    found = ssnn_jax.ann(model).infer(params, KEY, self.images).potential
    darker = ssnn_jax.ann(model).infer(params, KEY, self.images / 2).potential
    np.testing.assert_allclose(found, darker, rtol=1e-3, atol=1e-3)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'not linear in the spikes'):
      ssnn_jax.realtime.check_model(model, params)

  def test_neurons_begin_in_the_range_of_rates(self):
    found = ssnn_jax.observe.diagnose(
      ssnn_jax.ssnn(MODEL), self.params, self.images, np.arange(6)
    )
    for neurons in found:
      self.assertBetween(neurons.rate, 0.1, MODEL.ceiling / 2)
      self.assertLess(neurons.saturated, 0.1)


if __name__ == '__main__':
  absltest.main()
