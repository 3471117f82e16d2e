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


def clip() -> FiringFunction:
  """Builds the clip to [0, 1], with derivative 1 strictly in between.

  Example:
    >>> clip = ssnn_jax.neuron.firing.clip()
    >>> potential = jnp.array([-0.5, 0.25, 1.0])
    >>> clip.probability(potential)
    Array([0.  , 0.25, 1.  ], dtype=float32)
    >>> clip.derivative(potential)
    Array([0., 1., 0.], dtype=float32)
  """
  return FiringFunction(
    probability=lambda v: jnp.clip(v, 0.0, 1.0),
    derivative=lambda v: ((v > 0.0) & (v < 1.0)).astype(v.dtype),
  )


def hard_sigmoid() -> FiringFunction:
  """Builds the function that clips v / 6 + 1/2, as `jax.nn.hard_sigmoid`.

  At potential 0 the firing probability is 1/2.
  """
  return FiringFunction(
    probability=lambda v: jnp.clip(v / 6.0 + 0.5, 0.0, 1.0),
    derivative=lambda v: ((v > -3.0) & (v < 3.0)).astype(v.dtype) / 6.0,
  )


FIRING_FUNCTIONS = {'clip': clip, 'hard_sigmoid': hard_sigmoid}


def find(function: str | FiringFunction) -> FiringFunction:
  """Returns a firing function by its name; a `FiringFunction` is unchanged.

  Args:
    function: a key of `FIRING_FUNCTIONS`, or a firing function.

  Returns:
    The firing function.
  """
  if isinstance(function, str):
    return FIRING_FUNCTIONS[function]()
  return function
