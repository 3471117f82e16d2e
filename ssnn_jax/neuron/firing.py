"""Firing functions: from a membrane potential to a rate and a gate."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


class FiringFunction(NamedTuple):
  """How a composite neuron answers to its membrane potential.

  Attributes:
    probability: the probability of a spike in a tick, in [0, 1].
    gate: the derivative of `probability`; it scales the error that passes
      back through the neuron.
  """

  probability: Callable[[jax.Array], jax.Array]
  gate: Callable[[jax.Array], jax.Array]


def clip() -> FiringFunction:
  """Clips the potential to [0, 1]; the gate is open strictly inside.

  Example:
    >>> clip, v = ssnn_jax.neuron.firing.clip(), jnp.array([-0.5, 0.25, 1.0])
    >>> clip.probability(v)
    Array([0.  , 0.25, 1.  ], dtype=float32)
    >>> clip.gate(v)
    Array([0., 1., 0.], dtype=float32)
  """
  return FiringFunction(
    probability=lambda v: jnp.clip(v, 0.0, 1.0),
    gate=lambda v: ((v > 0.0) & (v < 1.0)).astype(v.dtype),
  )


def hard_sigmoid() -> FiringFunction:
  """Clips v / 6 + 1/2 to [0, 1], as `jax.nn.hard_sigmoid` does.

  A silent potential fires at one half, so the unit has a two-sided response.
  """
  return FiringFunction(
    probability=lambda v: jnp.clip(v / 6.0 + 0.5, 0.0, 1.0),
    gate=lambda v: ((v > -3.0) & (v < 3.0)).astype(v.dtype) / 6.0,
  )


FIRING_FUNCTIONS = {'clip': clip, 'hard_sigmoid': hard_sigmoid}


def find(function: str | FiringFunction) -> FiringFunction:
  """Finds a firing function by its name; one that is given stays as it is.

  Args:
    function: a key of `FIRING_FUNCTIONS`, or a function of your own.

  Returns:
    The function.
  """
  if isinstance(function, str):
    return FIRING_FUNCTIONS[function]()
  return function
