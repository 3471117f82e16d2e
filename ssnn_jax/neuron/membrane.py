"""Membranes: how a neuron integrates its drive over the windows."""

from collections.abc import Callable
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes


class Membrane(NamedTuple):
  """Membrane of a composite neuron as three pure functions of its state.

  The functions are for one sample and one window; `NetworkConfig` checks their
  shapes. A window without ticks must leave the state unchanged.

  Attributes:
    init: `(num_neurons) -> state`; state at the start of a presentation, any
      tree of arrays whose leaves start with the neurons' axis J.
    integrate: `(state, drive, window) -> state`, of the same shapes and dtypes;
      integrates the `[J]` mean synaptic current of one window.
    read: `(state, window) -> potential`; the `[J]` float32 potential v at the
      end of the window.
  """

  init: Callable[[int], Any]
  integrate: Callable[[Any, jax.Array, spikes.Window], Any]
  read: Callable[[Any, spikes.Window], jax.Array]


def mean() -> Membrane:
  """Builds a membrane that averages the drive over all ticks so far.

  Example:
    >>> membrane = ssnn_jax.neuron.membrane.mean()
    >>> first = ssnn_jax.spikes.Window(None, jnp.int32(4), jnp.int32(4))
    >>> state = membrane.integrate(membrane.init(1), jnp.array([1.0]), first)
    >>> second = ssnn_jax.spikes.Window(None, jnp.int32(4), jnp.int32(8))
    >>> membrane.integrate(state, jnp.array([0.5]), second)
    Array([0.75], dtype=float32)
  """

  def integrate(potential, drive, window):
    length = window.length.astype(drive.dtype)
    weight = length / window.elapsed.astype(drive.dtype)
    return potential + weight * (drive - potential)

  return Membrane(jnp.zeros, integrate, lambda potential, _: potential)


@functools.cache  # equal membranes are the same one
def leaky(tau: float) -> Membrane:
  """Builds a leaky membrane with bias correction, as the moments of Adam.

  The potential is divided by 1 - exp(-t / tau), t ticks after the start, so
  that a constant drive d gives v = d from the first window on.

  Args:
    tau: time constant, in ticks.

  Returns:
    The membrane.
  """

  def integrate(potential, drive, window):
    weight = -jnp.expm1(-window.length.astype(drive.dtype) / tau)
    return potential + weight * (drive - potential)

  def read(potential, window):
    elapsed = window.elapsed.astype(potential.dtype)
    return potential / -jnp.expm1(-elapsed / tau)

  return Membrane(jnp.zeros, integrate, read)


MEMBRANES = {'mean': mean()}


def find(integration: str | Membrane) -> Membrane:
  """Returns a membrane by its name; a `Membrane` is returned unchanged."""
  if isinstance(integration, Membrane):
    return integration
  return MEMBRANES[integration]
