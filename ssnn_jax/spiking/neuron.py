"""Backpropagation by spikes that can be taken back, as plain JAX functions.

A bipolar neuron integrates and fires in both directions at once. A spike has a
sign and an exponent: it is worth a power of two of counts, and a count is worth
1 / N of a rate. A neuron stores four numbers: the potential v and the error A
that it has received, and the rate X and the error E that it has sent. In each
tick it sends the spike that brings what it has sent nearer to what it has
received asks for, so that an early, wrong spike is taken back::

  forward   X* = floor(N clip(v, a, c) + 1/2) / N
  backward  E* = the two leading signed digits of A if a < v < c, otherwise 0
  send      the power of two nearest to N (X* - X), and to E* - E, until equal
  synapse   collects s_i E_j + X_i e_j as spikes s_i and e_j arrive

with N steps of the staircase X*, the ceiling c and the floor a. When all spikes
have arrived the network is silent, in whatever order and however late they
came, and then, of layer l with weights W_l and biases b_l::

  v_l = W_l X_(l-1) + b_l                X_l = X*(v_l)
  A_l = W_(l+1)^T E_(l+1)                E_l = E*(A_l, v_l)
  dW_l = X_(l-1) E_l^T

(docs/method.md has the proof, `reference` and `play` the ticks). These are
the matrix products of backpropagation, so that the settled network is a
function of JAX: `fire` is the activation function of a layer of neurons, and
`jax.grad` is what the synapses learn in real time. The digits of an error have
its scale, so that nothing is tuned to a loss, a batch or a depth.
"""

from collections.abc import Sequence
import functools
from typing import NamedTuple

import jax
from jax.ad_checkpoint import checkpoint_name
import jax.numpy as jnp
import numpy as np

from ssnn_jax import checks
from ssnn_jax import powers
from ssnn_jax import types


def fire(
  potential: jax.Array,
  num_steps: int,
  ceiling: float = 8.0,
  floor: float = 0.0,
  digits: int = 2,
  exact: Sequence[str] = (),
) -> jax.Array:
  """Fires the neurons of a layer: an activation function of spikes.

  It is `floor(N clip(v, a, c) + 1/2) / N` of the potential v. Its derivative
  rounds the error that arrives to its leading signed digits, and sends them
  where a < v < c. All arguments but the potential are Python's, not traced. The
  derivative of the derivative is 0, as of a staircase.

  Args:
    potential: v of each neuron, a sum of the rates of other neurons, or of
      products of rates of different layers, times weights. Counts are computed
      in float32 at least.
    num_steps: N, steps of the staircase for a rate of 1: rates are multiples of
      1 / N. A spike carries a power of two of them, so that N costs bits, not
      ticks; only unit spikes need N ticks.
    ceiling: c, the largest rate; c N, rounded, is the largest count, up to
      2^24, or 256 of bfloat16. Few potentials of trained ReLU networks exceed
      8.
    floor: a, the smallest rate, 0 or below, of signed neurons.
    digits: leading signed binary digits of an error that are sent: 1, 2, 3
      round it by at most 1/3, 1/11, 1/43 of it.
    exact: what is exact instead of spikes: 'forward', the rate clip(v, a, c);
      'backward', the error.

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
  check_exact(exact, 'forward', 'backward')
  check_neurons(num_steps, ceiling, floor, digits)
  potential = jnp.asarray(potential)
  # Integers of NumPy would overflow.
  num_steps, ceiling, floor = int(num_steps), float(ceiling), float(floor)
  most = 2 ** (jnp.finfo(potential.dtype).nmant + 1)
  if num_steps * max(ceiling, -floor) > most:
    raise types.UserError(
      f'potential is {potential.dtype}, which holds no count above {most:,}; '
      f'with {num_steps} steps and a ceiling of {ceiling:g} there are more: '
      'lower one of them, or use float32.'
    )
  fixed = Neurons(num_steps, ceiling, floor, digits, tuple(exact))
  # bfloat16 has 8 bits, and would round counts.
  exact_potential = potential.astype(_at_least_float32(potential))
  rates = checkpoint_name(respond(exact_potential, fixed), FIRED)
  return rates.astype(potential.dtype)


#: The name of the rates of `fire` in a jaxpr, which `spike` reads
FIRED = 'ssnn_jax.spiking.fire'


class Neurons(NamedTuple):
  """The neurons of a call of `fire`, by its arguments."""

  num_steps: int
  ceiling: float
  floor: float
  digits: int
  exact: tuple[str, ...]


def check_neurons(
  num_steps: int, ceiling: float, floor: float, digits: int
) -> None:
  """Refuses neurons of which no count would be right; raises `UserError`."""
  _check_steps(num_steps)
  is_range = checks.is_positive(ceiling) and checks.is_finite(floor)
  if not checks.is_count(digits) or digits > 24:  # those of float32
    raise types.UserError(f'digits is {digits!r}; expected 1 to 24.')
  if is_range:
    counts = [int(num_steps) * float(own) for own in (ceiling, -floor)]
    is_range = all(0.5 <= own <= 2**24 for own in counts if own)
  if not is_range or floor > 0:
    raise types.UserError(
      f'ceiling is {ceiling!r} and floor {floor!r}; expected numbers of Python '
      f'above and below 0, a count of 1 to 2^24 in {num_steps} steps.'
    )


def settle_counts(
  potential: jax.Array, num_steps: int, ceiling: float, floor: float
) -> tuple[jax.Array, jax.Array]:
  """Returns the counts N X* of neurons, and whether errors pass them."""
  low, high = (np.float32(num_steps * bound) for bound in (floor, ceiling))
  drive = num_steps * potential
  is_open = (low < drive) & (drive < high)
  return jnp.floor(jnp.clip(drive, low, high) + 0.5), is_open


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def respond(potential: jax.Array, neurons: Neurons) -> jax.Array:
  """Returns the rates of neurons of potentials, of float32 at least."""
  num_steps, ceiling, floor, _, exact = neurons
  if 'forward' in exact:
    return jnp.clip(potential, floor, ceiling)
  return settle_counts(potential, num_steps, ceiling, floor)[0] / num_steps


def _respond_forward(potential, neurons):
  num_steps, ceiling, floor, *_ = neurons
  gate = settle_counts(potential, num_steps, ceiling, floor)[1]
  return respond(potential, neurons), gate


def _respond_backward(neurons, gate, error):
  if 'backward' not in neurons.exact:
    error = powers.leading_digits(error, neurons.digits)
  return (jnp.where(gate, error, jnp.zeros_like(error)),)


respond.defvjp(_respond_forward, _respond_backward)


def _at_least_float32(array):
  is_short = jnp.finfo(array.dtype).bits < 32
  return jnp.float32 if is_short else array.dtype


def _check_steps(num_steps):
  if not checks.is_count(num_steps):
    raise types.UserError(
      f'num_steps is {num_steps!r}; expected an int, 1 step or more.'
    )


def check_exact(exact: Sequence[str], *names: str) -> None:
  """Refuses names of signals that would be spikes in silence."""
  if not set(exact) <= {*names}:
    raise types.UserError(
      f'exact is {exact!r}; expected a tuple of names among {", ".join(names)}.'
    )
