"""Interception: a function whose neurons something else responds for.

`spiking.fire` makes rates of potentials. A function that calls it, such as a
model or its loss, is traced here to its operations, among which each call of
`fire` is one: below `jax.vmap`, `jax.checkpoint` and `jax.jit` as well, and in
each step of a `jax.lax.scan`. The operations are then computed with any
other response: rates with a probe of the errors (`observe`), or rates that are
given, while potentials are noted (`realtime`).
"""

from collections.abc import Callable
import contextlib
from typing import Any
from typing import NamedTuple

import jax
from jax.extend import core
from jax.interpreters import batching
import jax.numpy as jnp

from ssnn_jax import spiking


class Call(NamedTuple):
  """A call of `fire` while a function runs."""

  neurons: spiking.Neurons  #: arguments
  shape: tuple[int, ...]  #: of the potentials, axes of `jax.vmap` first


class Traced(NamedTuple):
  """A function that is traced to its operations.

  Attributes:
    calls: calls of `fire`, in their order.
    evaluate: `(respond, *args)` returns what the function returns of arguments
      of the same shapes, if `respond(number, potential)` returns the rates of
      each call, by its number in `calls`.
  """

  calls: tuple[Call, ...]
  evaluate: Callable[..., Any]


_call = core.Primitive('neurons')
_call.def_abstract_eval(lambda potential, neurons: potential)


def _batch(potentials, axes, *, neurons):
  (potential,), (axis,) = potentials, axes
  potential = jnp.moveaxis(potential, axis, 0)
  return _call.bind(potential, neurons=neurons), 0


batching.primitive_batchers[_call] = _batch


@contextlib.contextmanager
def _tracing():
  bind = lambda potential, neurons: _call.bind(potential, neurons=neurons)
  token = spiking.responding.set(bind)
  try:
    # Scans are steps, and compiled functions are traced again.
    with jax.disable_jit():
      yield
  finally:
    spiking.responding.reset(token)


def trace(function: Callable[..., Any], *args: Any) -> Traced:
  """Traces a function of arrays, whose values may be traced as well.

  What it does must not depend on values, as below `jax.jit`; loops whose length
  does cannot be traced.
  """
  with _tracing():
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
  structure, calls = jax.tree.structure(shapes), _find(closed.jaxpr)

  def evaluate(respond, *args):
    numbers = iter(range(len(calls)))
    answer = lambda potential: respond(next(numbers), potential)
    leaves = jax.tree.leaves(args)
    found = _evaluate(closed.jaxpr, closed.consts, leaves, answer)
    return jax.tree.unflatten(structure, found)

  return Traced(calls, evaluate)


class Observed(NamedTuple):
  """What all neurons of a loss received and sent, by the calls of `fire`."""

  potentials: list[jax.Array]
  rates: list[jax.Array]
  errors: list[jax.Array]  #: of the given loss, that the neurons send
  gradient: Any  #: of the loss by its first argument
  others: Any  #: what the loss returns besides


def observe(traced: Traced, *args: Any) -> Observed:
  """Differentiates a loss, and notes what its neurons do.

  Args:
    traced: of `(*args) -> (loss, others)`.
    *args: arrays.
  """

  def evaluate(probes, first, *rest):
    # The derivative by a current of 0 is the error of its neuron.
    noted = []

    def answer(number, potential):
      probed = potential + probes[number]
      rates = spiking.respond(probed, traced.calls[number].neurons)
      noted.append((potential, rates))
      return rates

    own, others = traced.evaluate(answer, first, *rest)
    return own, (noted, others)

  probes = [jnp.zeros(call.shape) for call in traced.calls]
  differentiate = jax.grad(evaluate, (0, 1), has_aux=True)
  (errors, gradient), (noted, others) = differentiate(probes, *args)
  potentials, rates = (list(own) for own in zip(*noted)) if noted else ([], [])
  return Observed(potentials, rates, errors, gradient, others)


def _inner(operation):
  """Returns the program that an operation, as of `jax.checkpoint`, runs."""
  for name in ('jaxpr', 'call_jaxpr'):
    inner = operation.params.get(name)
    if inner is not None:
      return inner if hasattr(inner, 'consts') else core.ClosedJaxpr(inner, ())
  return None


def _find(program):
  """Returns the calls of a program."""
  calls = ()
  for operation in program.eqns:
    if operation.primitive is _call:
      shape = operation.invars[0].aval.shape
      calls += (Call(operation.params['neurons'], shape),)
    elif (inner := _inner(operation)) is not None:
      calls += _find(inner.jaxpr)
  return calls


def _evaluate(program, consts, args, answer):
  """Computes the operations of a program, with another answer to calls."""
  values = dict(zip((*program.constvars, *program.invars), (*consts, *args)))
  read = lambda x: x.val if isinstance(x, core.Literal) else values[x]
  for operation in program.eqns:
    inputs, inner = map(read, operation.invars), _inner(operation)
    if operation.primitive is _call:
      outputs = [answer(*inputs)]
    elif inner is not None and _find(inner.jaxpr):
      outputs = _evaluate(inner.jaxpr, inner.consts, inputs, answer)
    else:
      params = operation.primitive.get_bind_params(operation.params)
      outputs = operation.primitive.bind(*inputs, **params)
      if not operation.primitive.multiple_results:
        outputs = [outputs]
    values |= zip(operation.outvars, outputs)
  return list(map(read, program.outvars))
