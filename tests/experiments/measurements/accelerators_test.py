"""Tests for the operations of traced programs."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp

from experiments.measurements import accelerators


def count(function, *arguments, platform='cuda'):
  jaxpr = jax.make_jaxpr(function)(*arguments)
  return accelerators.count(jaxpr.jaxpr, platform)


MATRIX = jnp.ones((3, 3))


class CountTest(parameterized.TestCase):
  def test_parts_of_loops_count_as_often_as_they_run(self):
    def inner(_, x):
      return x @ x

    def outer(_, x):
      return jax.lax.fori_loop(0, 4, inner, x) + jnp.sum(x)

    work = count(lambda x: jax.lax.fori_loop(0, 5, outer, x), MATRIX)
    self.assertEqual(work.loop_steps, 20)
    self.assertEqual(work.products, 20)
    self.assertEqual(work.reductions, 5)
    self.assertEqual(work.operations, 20 * 2 * 3**3)

  def test_unrolled_steps_are_no_loop(self):
    def step(_, x):
      return x @ x

    work = count(
      lambda x: jax.lax.fori_loop(0, 4, step, x, unroll=True), MATRIX
    )
    self.assertEqual((work.loop_steps, work.products), (0, 4))

  @parameterized.parameters(('cpu', 1), ('cuda', 2), ('tpu', 2))
  def test_the_branch_of_the_platform_is_counted(self, platform, products):
    def choose(x):
      return jax.lax.platform_dependent(
        x, cpu=lambda x: x @ x, default=lambda x: x @ x @ x
      )

    work = count(jax.jit(choose), MATRIX, platform=platform)
    self.assertEqual(work.products, products)

  def test_loops_of_unknown_length_are_refused(self):
    def run(x):
      return jax.lax.while_loop(lambda x: x < 3, lambda x: x + 1, x)

    with self.assertRaisesRegex(ValueError, 'while'):
      count(run, jnp.float32(0))
