"""Interception: a function whose neurons something else responds for.

`spiking.fire` makes rates of potentials, and `temporal.trace` traces of rates.
A function that calls them, such as a model or its loss, is traced here to its
operations, among which each call is one: below `jax.vmap`, `jax.checkpoint` and
`jax.jit` as well, and in each step of a `jax.lax.scan`. The operations are then
computed with any other response: rates with a probe of the errors (`observe`),
rates that are given, while potentials are noted (`realtime`), or traces of what
was before (`streams`).
"""

from collections.abc import Callable
from collections.abc import Sequence
import contextlib
import itertools
from typing import Any
from typing import NamedTuple

import jax
from jax.extend import core
from jax.interpreters import batching
import jax.numpy as jnp

from ssnn_jax import spiking
from ssnn_jax import temporal
from ssnn_jax import types


class Call(NamedTuple):
  """A call of `fire` while a function runs."""

  neurons: spiking.Neurons  #: arguments
  shape: tuple[int, ...]  #: of the potentials, axes of `jax.vmap` first


class Recall(NamedTuple):
  """A call of `trace` while a function runs."""

  memory: temporal.Memory  #: arguments
  rates: jax.ShapeDtypeStruct  #: axes of `jax.vmap` first


class Traced(NamedTuple):
  """A function that is traced to its operations.

  Attributes:
    calls: calls of `fire`, in their order.
    recalls: calls of `trace`, in their order.
    evaluate: `(respond, *args, remember=None)` returns what the function
      returns of arguments of the same shapes, if `respond(number, potential)`
      returns the rates of each call, by its number in `calls`, and
      `remember(number, rates)` the traces of each of `recalls`; None is those
      from rest.
  """

  calls: tuple[Call, ...]
  recalls: tuple[Recall, ...]
  evaluate: Callable[..., Any]


_call = core.Primitive('neurons')


@_call.def_abstract_eval
def _find_shape(values, *, what):
  if not isinstance(what, temporal.Memory):
    return values
  return values.update(shape=temporal.join(values.shape, what))


def _batch(values, axes, *, what):
  (values,), (axis,) = values, axes
  if isinstance(what, temporal.Memory):
    what = what._replace(axis=what.axis + 1)
  return _call.bind(jnp.moveaxis(values, axis, 0), what=what), 0


batching.primitive_batchers[_call] = _batch


@contextlib.contextmanager
def _tracing():
  bind = lambda values, what: _call.bind(values, what=what)
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
  structure, found = jax.tree.structure(shapes), _find(closed.jaxpr)
  calls, recalls = (
    tuple(own for own in found if isinstance(own, kind))
    for kind in (Call, Recall)
  )

  def evaluate(respond, *args, remember=None):
    numbers, others = itertools.count(), itertools.count()

    def answer(values, what):
      if not isinstance(what, temporal.Memory):
        return respond(next(numbers), values)
      if remember is None:
        return temporal.recall(values, what)
      return remember(next(others), values)

    leaves = jax.tree.leaves(args)
    found = _evaluate(closed.jaxpr, closed.consts, leaves, answer)
    return jax.tree.unflatten(structure, found)

  return Traced(calls, recalls, evaluate)


def rest(recalls: Sequence[Recall], num_samples: int) -> tuple[jax.Array, ...]:
  """Returns the traces of calls before the first moment, of so many samples."""
  carry = []
  for rates, memory in ((own.rates, own.memory) for own in recalls):
    shape = num_samples, *rates.shape[1:]
    own = jax.ShapeDtypeStruct(shape, rates.dtype)
    carry.append(temporal.rest(own, memory))
  return tuple(carry)


def advance(
  recalls: Sequence[Recall], carry: Sequence[jax.Array]
) -> tuple[Callable[..., jax.Array], list[jax.Array]]:
  """Makes a `remember` of `Traced.evaluate`, whose traces go on from a carry.

  The list that is returned beside it fills with the traces after the calls.
  """
  after = []

  def remember(number, rates):
    memory = recalls[number].memory
    traces, last = temporal.advance(rates, memory, carry[number])
    after.append(last)
    return traces

  return remember, after


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


def inner(operation: core.JaxprEqn) -> core.ClosedJaxpr | None:
  """Returns the program that an operation, as of `jax.checkpoint`, runs."""
  for name in ('jaxpr', 'call_jaxpr'):
    own = operation.params.get(name)
    if own is not None:
      return own if hasattr(own, 'consts') else core.ClosedJaxpr(own, ())
  return None


def bind(operation: core.JaxprEqn, inputs: Sequence[Any]) -> Sequence[Any]:
  """Computes an operation."""
  params = operation.primitive.get_bind_params(operation.params)
  outputs = operation.primitive.bind(*inputs, **params)
  return outputs if operation.primitive.multiple_results else [outputs]


def _find(program):
  """Returns the calls of a program, of both kinds."""
  calls = ()
  for operation in program.eqns:
    if operation.primitive is _call:
      what, values = operation.params['what'], operation.invars[0].aval
      own = Call(what, values.shape)
      if isinstance(what, temporal.Memory):
        own = Recall(what, jax.ShapeDtypeStruct(values.shape, values.dtype))
      calls += (own,)
    elif (within := inner(operation)) is not None:
      calls += _find(within.jaxpr)
    elif any(map(_find, core.jaxprs_in_params(operation.params))):
      raise types.UserError(
        f'neurons are called below {operation.primitive.name}, whose course '
        'depends on values, as of a loop within a moment; call them always, '
        'and hear spikes of a loop one moment later, by their traces.'
      )
  return calls


def _evaluate(program, consts, args, answer):
  """Computes the operations of a program, with another answer to calls."""
  values = dict(zip((*program.constvars, *program.invars), (*consts, *args)))
  read = lambda x: x.val if isinstance(x, core.Literal) else values[x]
  for operation in program.eqns:
    inputs, own = map(read, operation.invars), inner(operation)
    if operation.primitive is _call:
      outputs = [answer(*inputs, operation.params['what'])]
    elif own is not None and _find(own.jaxpr):
      outputs = _evaluate(own.jaxpr, own.consts, inputs, answer)
    else:
      outputs = bind(operation, inputs)
    values |= zip(operation.outvars, outputs)
  return list(map(read, program.outvars))
