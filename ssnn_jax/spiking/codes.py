"""What the neurons of `spike` send: leading digits, staircases, errors."""

from collections.abc import Callable
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import powers

LIMIT = 2.0**30  # of a value that is sent: poles are met before silence


class Codes(NamedTuple):
  """What neurons send; `num_steps` is None for digits alone.

  Values and errors without a number of digits are exact.
  """

  num_steps: int | None = None
  digits: int | None = 3
  error_digits: int | None = 2
  output_digits: int | None = 3
  bptt: bool = True

  def without_errors(self) -> 'Codes':
    """Returns codes of the same values, whose derivatives are exact."""
    return self._replace(error_digits=None, output_digits=None, bptt=True)


EXACT = Codes(None, None, None, None)


class Neuron(NamedTuple):
  """A layer of neurons that sends: a function of its potential, and a code.

  Attributes:
    function: of a potential and of `constants`, pointwise.
    constants: arrays that the function needs.
    steps: N of a staircase, None for digits; an array if it differs between
      neurons, of which those of 0 have digits.
    has_own_code: whether the function is what is sent, as of `fire`.
    where: the line of the user's code.
    kind: 'neurons', 'relay', 'inputs' or 'bits'.
  """

  function: Callable[..., jax.Array]
  constants: tuple
  steps: Any
  has_own_code: bool
  where: str
  kind: str

  @property
  def has_poles(self) -> bool:
    """Whether its function may be infinite, as 1 / v, and f(v) = v is not."""
    return self.kind == 'neurons'


def encode_value(
  value: jax.Array, cell: Neuron, codes: Codes, steps: Any
) -> jax.Array:
  """Returns what neurons send of the values of their function."""
  if cell.has_own_code:
    return value
  is_short = jnp.finfo(value.dtype).bits < 32
  exact = value.astype(jnp.float32 if is_short else value.dtype)
  if cell.has_poles:
    exact = jnp.clip(exact, -_limit(value), _limit(value))
  sent = round_to(exact, codes.digits)
  if steps is not None:
    counts = jnp.maximum(steps, 1).astype(exact.dtype)
    staircase = jnp.floor(counts * exact + 0.5) / counts
    sent = jnp.where(steps > 0, staircase, sent)
  return sent.astype(value.dtype)


def encode_error(
  error: jax.Array, value: jax.Array, cell: Neuron, codes: Codes
) -> jax.Array:
  """Returns what neurons send back of f'(v) A.

  Args:
    error: f'(v) A, of any shape.
    value: f(v), or what is sent of it: at poles nothing is sent back.
    cell: the neurons.
    codes: theirs.
  """
  if cell.has_own_code:
    return error
  if cell.has_poles:
    is_open = jnp.abs(value) < _limit(value)
    error = jnp.where(is_open, error, jnp.zeros_like(error))
  return round_to(error, codes.error_digits)


def round_to(value: jax.Array, digits: int | None) -> jax.Array:
  """Returns the leading digits of values, of None all."""
  return value if digits is None else powers.leading_digits(value, digits)


def _limit(value):
  return min(LIMIT, 2.0 ** (jnp.finfo(value.dtype).maxexp - 1))


def send(potential: jax.Array, cell: Neuron, codes: Codes) -> jax.Array:
  """Returns what neurons send when all is silent; differentiable."""

  @jax.custom_vjp
  def respond(potential, constants, steps):
    value = cell.function(potential, constants)
    return encode_value(value, cell, codes, steps)

  def forward(potential, constants, steps):
    value, pull = jax.vjp(lambda v: cell.function(v, constants), potential)
    sent = encode_value(value, cell, codes, steps)
    # Products keep what is sent anyway; f(v) would be one more array.
    return sent, (sent, pull)

  def backward(kept, error):
    sent, pull = kept
    (error,) = pull(error)
    return encode_error(error, sent, cell, codes), None, None

  respond.defvjp(forward, backward)
  return respond(potential, cell.constants, cell.steps)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def send_back(value: jax.Array, digits: int | None) -> jax.Array:
  """Returns a value, whose error is sent as its leading digits."""
  del digits
  return value


send_back.defvjp(
  lambda value, digits: (value, None),
  lambda digits, _, error: (round_to(error, digits),),
)
