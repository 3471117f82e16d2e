"""Loops of static length."""

from collections.abc import Callable
from typing import Any

import jax


def scan(
  step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, inputs: Any
) -> tuple[Any, Any]:
  """Works as `jax.lax.scan`, without a loop for a single step.

  The compiler would remove that loop, but `jax.vmap` traces the body of a loop
  several times, and that of a loop within a loop more often still.

  Args:
    step: `(carry, inputs) -> (carry, outputs)`.
    carry: the carry before the first step.
    inputs: inputs of all steps, with a leading axis.

  Returns:
    The last carry, and the outputs of all steps.
  """
  if len(jax.tree.leaves(inputs)[0]) != 1:
    return jax.lax.scan(step, carry, inputs)
  carry, outputs = step(carry, jax.tree.map(lambda x: x[0], inputs))
  return carry, jax.tree.map(lambda x: x[None], outputs)
