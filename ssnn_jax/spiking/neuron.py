"""A neuron of one's own choice within a function: `fire`.

A neuron that takes spikes back integrates and fires in both directions at once.
A spike has a sign and an exponent: it is worth a power of two of counts, and a
count is worth 1 / N of a rate. A neuron stores four numbers: the potential v
and the error A that it has received, and the rate X and the error E that it has
sent. In each tick it sends the spike that brings what it has sent nearer to
what it has received asks for, so that an early, wrong spike is taken back::

  forward   X* = floor(N clip(v, a, c) + 1/2) / N
  backward  E* = the leading signed digits of A if a < v < c, otherwise 0
  send      the power of two nearest to N (X* - X), and to E* - E, until equal
  synapse   collects s_i E_j + X_i e_j as spikes s_i and e_j arrive

with N steps of the staircase X*, the ceiling c and the floor a. When all spikes
have arrived the network is silent, in whatever order and however late they
came, and holds X* and E* of what the same functions compute layer after layer
(docs/method.md has the proof, `reference` and `play` the ticks).
"""

import functools

import jax
from jax.ad_checkpoint import checkpoint_name
import jax.numpy as jnp
import numpy as np

from ssnn_jax import checks
from ssnn_jax import powers
from ssnn_jax import types

#: The name of the rates of `fire` in a jaxpr, which `spike` reads
FIRED = 'ssnn_jax.spiking.fire'


def fire(
  potential: jax.Array,
  num_steps: int,
  ceiling: float = 8.0,
  floor: float = 0.0,
  digits: int = 2,
) -> jax.Array:
  """Fires the neurons of a layer: an activation function of spikes.

  It is `floor(N clip(v, a, c) + 1/2) / N` of the potential v. Its derivative
  rounds the error that arrives to its leading signed digits, and sends them
  where a < v < c. All arguments but the potential are Python's, not traced. The
  derivative of the derivative is 0, as of a staircase.

  Args:
    potential: v of each neuron. Counts are computed in float32 at least.
    num_steps: N, steps of the staircase for a rate of 1: rates are multiples of
      1 / N.
    ceiling: c, the largest rate; c N, rounded, is the largest count, up to
      2^24, or 256 of bfloat16. Few potentials of trained ReLU networks exceed
      8.
    floor: a, the smallest rate, 0 or below, of signed neurons.
    digits: leading signed binary digits of an error that are sent: 1, 2, 3
      round it by at most 1/3, 1/11, 1/43 of it.

  Returns:
    Rates in the shape and dtype of the potential.

  Raises:
    UserError: if no count would be right, as of a ceiling without spikes, or
      of counts that the dtype of the potential cannot hold.

  Example:
    >>> from ssnn_jax.spiking import fire
    >>> v = jnp.array([[-0.2, 0.1, 0.3, 0.9, 9.0]])
    >>> fire(v, 4)
    Array([[0.  , 0.  , 0.25, 1.  , 8.  ]], dtype=float32)
    >>> jax.grad(lambda v: jnp.sum(fire(v, 4) * 0.3))(v)  # 1/4 + 1/16
    Array([[0.    , 0.3125, 0.3125, 0.3125, 0.    ]], dtype=float32)
  """
  potential = jnp.asarray(potential)
  if not checks.is_count(num_steps):
    raise types.UserError(
      f'num_steps is {num_steps!r}; expected an int, 1 step or more.'
    )
  if not checks.is_count(digits) or digits > 24:  # those of float32
    raise types.UserError(f'digits is {digits!r}; expected 1 to 24.')
  # Integers of NumPy would overflow.
  num_steps, ceiling, floor = int(num_steps), float(ceiling), float(floor)
  most = 2 ** (jnp.finfo(potential.dtype).nmant + 1)
  most_known = min(most, 2**24)
  counts = [num_steps * own for own in (ceiling, -floor) if own]
  is_range = floor <= 0 < ceiling
  if not is_range or not all(0.5 <= own <= most_known for own in counts):
    raise types.UserError(
      f'ceiling is {ceiling:g} and floor {floor:g}; expected numbers above and '
      f'below 0, a count of 1 to {most_known:,} in {num_steps} steps, as '
      f'{potential.dtype} holds.'
    )
  # bfloat16 has 8 bits, and would round counts.
  is_short = jnp.finfo(potential.dtype).bits < 32
  exact = potential.astype(jnp.float32 if is_short else potential.dtype)
  rates = _respond(exact, num_steps, ceiling, floor, digits)
  return checkpoint_name(rates, FIRED).astype(potential.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def _respond(potential, *neurons):
  return _settle(potential, *neurons)[0]


def _settle(potential, num_steps, ceiling, floor, digits):
  """Returns the rates, and whether errors pass."""
  del digits
  low, high = (np.float32(num_steps * bound) for bound in (floor, ceiling))
  drive = num_steps * potential
  is_open = (low < drive) & (drive < high)
  return jnp.floor(jnp.clip(drive, low, high) + 0.5) / num_steps, is_open


def _respond_backward(num_steps, ceiling, floor, digits, is_open, error):
  error = powers.leading_digits(error, digits)
  return (jnp.where(is_open, error, jnp.zeros_like(error)),)


_respond.defvjp(_settle, _respond_backward)
