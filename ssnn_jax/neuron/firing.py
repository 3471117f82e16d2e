"""Firing functions: from a membrane potential to a firing probability."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


class FiringFunction(NamedTuple):
  """Response of a composite neuron to its membrane potential.

  Attributes:
    probability: `(potential) -> probability` of a spike in a tick, in [0, 1].
    derivative: `(potential) -> derivative` of the probability; the gate that
      scales the error of the neuron.
  """

  probability: Callable[[jax.Array], jax.Array]
  derivative: Callable[[jax.Array], jax.Array]


def clip(ceiling: float = 1.0) -> FiringFunction:
  """Returns the function that clips potentials to rates up to a ceiling."""
  return FiringFunction(
    probability=lambda v: jnp.clip(v, 0.0, ceiling),
    # Strictly in between: a saturated neuron has no derivative.
    derivative=lambda v: ((v > 0.0) & (v < ceiling)).astype(v.dtype),
  )


FIRING_FUNCTIONS = {'clip': clip()}


def find(function: str | FiringFunction) -> FiringFunction:
  """Returns a firing function by its name; a `FiringFunction` is unchanged."""
  return FIRING_FUNCTIONS[function] if isinstance(function, str) else function
