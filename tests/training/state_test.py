"""Tests for gradient descent with weight decay."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssnn_jax import training
from ssnn_jax import types


class OptimizerTest(absltest.TestCase):
  def test_decay_is_decoupled_and_excludes_biases(self):
    params = (types.LayerParams(jnp.full((2, 2), 3.0), jnp.full(2, 3.0)),)
    gradient = jax.tree.map(jnp.ones_like, params)
    schedule = optax.linear_schedule(1.0, 0.5, 1)
    optimizer = training.make_optimizer(0.5, schedule, weight_decay=0.1)
    opt_state = optimizer.init(params)
    steps, opt_state = optimizer.update(gradient, opt_state, params)
    np.testing.assert_allclose(steps[0].weights, -0.5 * (1 + 0.1 * 3.0))
    np.testing.assert_allclose(steps[0].biases, -0.5)
    steps, _ = optimizer.update(gradient, opt_state, params)
    np.testing.assert_allclose(steps[0].weights, -0.25 * (1 + 0.1 * 3.0))

  @jax.numpy_dtype_promotion('standard')
  def test_muon_steps_alike_in_all_directions(self):
    optimizer = training.make_optimizer(0.5, rule='muon')
    shapes = {'kernel': (3, 3, 2, 4), 'weights': (5, 4), 'biases': (4,)}
    params = {name: np.zeros(own, np.float32) for name, own in shapes.items()}
    draw = np.random.default_rng(0).normal
    gradient = {name: np.float32(draw(size=x)) for name, x in shapes.items()}

    @jax.jit
    def first_steps(gradient):
      return optimizer.update(gradient, optimizer.init(params), params)[0]

    steps = jax.device_get(first_steps(gradient))
    for name in ('kernel', 'weights'):
      matrix = np.reshape(steps[name], (-1, 4))
      sizes = np.linalg.svd(matrix, compute_uv=False)
      largest = 0.5 * 0.2 * np.sqrt(len(matrix))  # a rate, and steps of Adam
      # Within what five iterations leave (K. Jordan et al., 2024).
      self.assertBetween(min(sizes), 0.65 * largest, max(sizes))
      self.assertLess(max(sizes), 1.25 * largest)
      down = np.linalg.lstsq(np.reshape(gradient[name], (-1, 4)), matrix)[0]
      self.assertLess(max(np.linalg.eigvals(down).real), 0)
    # Of biases as Adam, with Nesterov momentum.
    signs = -np.sign(gradient['biases'])
    np.testing.assert_array_equal(np.sign(steps['biases']), signs)

  # Adam of optax raises floats to the number of updates.
  @jax.numpy_dtype_promotion('standard')
  def test_adam_is_that_of_optax(self):
    draw = np.random.default_rng(0).normal
    params = (types.LayerParams(jnp.ones((2, 2)), jnp.ones(2)),)
    ours = training.make_optimizer(0.5, weight_decay=0.1, rule='adam')
    mask = (types.LayerParams(weights=True, biases=False),)
    theirs = optax.adamw(0.5, weight_decay=0.1, mask=mask)
    states = [jax.jit(own.init)(params) for own in (ours, theirs)]
    updates = [jax.jit(own.update) for own in (ours, theirs)]
    for _ in range(3):
      drawn = np.float32(draw(size=(2, 2)))
      gradient = (types.LayerParams(drawn, drawn[0]),)
      (found, expected), states = zip(*(
        update(gradient, state, params)
        for update, state in zip(updates, states)
      ))  # fmt: skip
      jax.tree.map(np.testing.assert_allclose, found, expected)
