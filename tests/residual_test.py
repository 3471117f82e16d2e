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
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.params = jax.device_get(jax.jit(MODEL.init)(KEY))
    cls.images = np.random.default_rng(0).random((6, 8, 8, 3), np.float32)

  def test_kernels_are_standardized(self):
    ann = ssnn_jax.ann(MODEL)

    def answer(own):
      potential = ann.infer(own, KEY, self.images).potential
      return jnp.sum(potential**2), potential

    def change(path, own):
      return 3.0 * own + 2.0 if 'kernel' in str(path) and own.ndim == 4 else own

    changed = jax.tree_util.tree_map_with_path(change, self.params)
    # The derivative along what leaves the network as it is.
    learn = jax.jit(jax.grad(answer, has_aux=True))
    gradient, potential = learn(self.params)
    other = learn(changed)[1]
    np.testing.assert_allclose(other, potential, rtol=1e-4, atol=1e-4)
    for kernel, own in zip(*map(jax.tree.leaves, (self.params, gradient))):
      if kernel.ndim == 4:
        size = np.linalg.norm(kernel) * np.linalg.norm(own)
        self.assertGreater(size, 0.1)
        self.assertLess(np.abs(np.vdot(kernel, own)), 1e-3 * size)

  def test_batch_norm_is_no_network_of_spikes(self):
    model = residual.make((8, 8, 3), width=4, batch_norm=True)
    params = jax.device_get(jax.jit(model.init)(KEY))
    infer = jax.jit(ssnn_jax.ann(model).infer)
    found, darker = (
      infer(params, KEY, own).potential
      for own in (self.images, self.images / 2)
    )
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
