"""Integrate and fire: the composite neuron of real time, which throws no dice.

A hidden neuron is two accumulators and a gate. It fires forward when its
residue m exceeds 1/2, and a spike takes 1 away; then it integrates the current
d of the tick. Backward an error spike is worth 1/G: the neuron sends as many as
its error a is worth, rounded, with the sign of a, but at most three in a tick,
and what it sends is taken away; then it integrates the error g of the tick,
where its gate is open: 0 < D < k, with D the drive of its k ticks so far.

Their number is D - m: a spike that came too late is made up for, and one that
came too early delays the next. Of a constant drive from 0 to 1 it is within one
of D. A spike is never taken back, so that a drive which falls later leaves too
many. Errors that do not fit into a tick are sent in the next ones.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax.spikes import kernels
from ssnn_jax.types import ErrorStreams

# Error spikes of a neuron in a tick, at most: with fewer the large errors of
# short trains would not be sent before the presentation ends.
MAX_ERROR_SPIKES = 3


class Neurons(NamedTuple):
  """State of the neurons of a layer that integrate and fire forward."""

  residue: jax.Array  #: [J] drive that was not sent as spikes, m
  drive: jax.Array  #: [J] the whole drive so far, D


def init(num_neurons: int) -> Neurons:
  """Returns neurons at the start of a presentation."""
  return Neurons(jnp.zeros(num_neurons), jnp.zeros(num_neurons))


def fire_forward(
  neurons: Neurons,
  currents: jax.Array,
  is_open: jax.Array,
  elapsed: jax.Array,
  use_kernels: bool = True,
) -> tuple[Neurons, jax.Array, jax.Array]:
  """Emits spikes and integrates, tick by tick.

  Args:
    neurons: their state before the word.
    currents: `[W, J]` drive in each tick of a word.
    is_open: uint32 ticks of the word in which they integrate.
    elapsed: ticks in which they integrated before the first of the word.
    use_kernels: whether a compiled kernel may be used, on CPU.

  Returns:
    The neurons after the word, their `[J]` uint32 spikes, and the `[J]` uint32
    ticks after which their gates are open.

  Example:
    >>> from ssnn_jax.neuron import integrate_and_fire
    >>> neurons = integrate_and_fire.init(1)
    >>> currents = jnp.array([[0.4], [0.4], [0.4], [0.4]])
    >>> _, spikes, gates = integrate_and_fire.fire_forward(
    ...   neurons, currents, jnp.uint32(0b1111), jnp.int32(0))
    >>> spikes.tolist(), gates.tolist()  # 0.8 is sent after two ticks
    ([4], [15])
  """
  fire = _find('ssnn_fire_forward', currents, (1, 0), use_kernels)
  is_open = jnp.broadcast_to(is_open, neurons.residue.shape)
  worth = jnp.float32(1.0)
  residue, drive, spikes, _, gates = fire(
    *neurons, currents, is_open, elapsed, worth
  )
  return Neurons(residue, drive), spikes[0], gates


def fire_back(
  residue: jax.Array,
  errors: jax.Array,
  gates: jax.Array,
  gain: float,
  use_kernels: bool = True,
) -> tuple[jax.Array, ErrorStreams]:
  """Emits error spikes and integrates errors, tick by tick.

  Args:
    residue: `[J]` errors that were not sent before the word, a.
    errors: `[W, J]` errors that arrive in each tick of a word.
    gates: `[J]` uint32 ticks in which errors are integrated.
    gain: error spikes for one unit of error.
    use_kernels: whether a compiled kernel may be used, on CPU.

  Returns:
    The residue after the word, and uint32 streams `[MAX_ERROR_SPIKES, J]`: of
    the first spike of each tick, the second and the third.
  """
  most = MAX_ERROR_SPIKES, MAX_ERROR_SPIKES
  fire = _find('ssnn_fire_back', errors, most, use_kernels)
  elapsed, worth = jnp.int32(0), jnp.float32(1.0 / gain)
  residue, _, *streams, _ = fire(
    residue, residue, errors, gates, elapsed, worth
  )
  return residue, ErrorStreams(*streams)


def _find(kernel, currents, most, use_kernels):
  """Returns the function that fires, of so many spikes of either sign."""
  size = currents.shape[-1:]
  value = jax.ShapeDtypeStruct(size, jnp.float32)
  trains = [jax.ShapeDtypeStruct((n, *size), jnp.uint32) for n in (*most, 1)]

  def fire(residue, drive, currents, is_open, elapsed, worth):
    thresholds = [
      (jnp.arange(n, dtype=jnp.float32)[:, None] + 0.5) * worth for n in most
    ]

    def advance(carry, tick):
      residue, drive = carry
      current, place = tick
      is_more = residue[None] > thresholds[0]
      is_less = -residue[None] > thresholds[1]
      for fires in is_more:
        residue = residue - jnp.where(fires, worth, 0.0)
      for fires in is_less:
        residue = residue + jnp.where(fires, worth, 0.0)
      current = jnp.where(is_open >> place & 1, current, 0.0)
      residue, drive = residue + current, drive + current
      ticks = (elapsed + 1 + place.astype(jnp.int32)).astype(jnp.float32)
      is_gate = (drive > 0.0) & (drive < ticks)
      return (residue, drive), (is_more, is_less, is_gate)

    places = jnp.arange(len(currents), dtype=jnp.uint32)
    state, ticks = jax.lax.scan(advance, (residue, drive), (currents, places))
    return *state, *(_pack(each) for each in ticks)

  shapes = value, value, *trains[:2], jax.ShapeDtypeStruct(size, jnp.uint32)
  return kernels.find(kernel, shapes, fire, use_kernel=use_kernels)


def _pack(ticks):
  """Packs `[W, ...]` ticks of a word, as `spikes.pack`, to uint32."""
  places = jnp.arange(len(ticks), dtype=jnp.uint32)
  places = places.reshape(-1, *[1] * (ticks.ndim - 1))
  return jnp.sum(ticks.astype(jnp.uint32) << places, axis=0, dtype=jnp.uint32)
