"""Functions as jaxprs for `spike`: kinds of arrays, lines, refusals."""

from collections.abc import Callable
import pathlib
import sysconfig
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types

OWN = str(pathlib.Path(__file__).parents[1])
LIBRARIES = (
  OWN,
  *{sysconfig.get_path(own) for own in ('purelib', 'platlib', 'stdlib')},
)
INDEX = 'an index has no derivative; use jnp.max, or jax.nn.softmax'
REMEDIES = {
  'argmax': INDEX,
  'argmin': INDEX,
  'cond': 'use jnp.where',
  'custom_vjp_call': (
    'its derivative would be lost; use it for one array and its elements, or '
    'leave out jax.custom_vjp'
  ),
  'sort': 'use jnp.max, or weights',
  'top_k': 'use jnp.max, or weights',
  'while': 'use jax.lax.scan, or a fixed number of rounds',
}


class Traced(NamedTuple):
  """A function as a jaxpr, of arrays of which each is of a kind.

  Attributes:
    jaxpr: closed, from arrays to the leaves of outputs.
    arrays: the arguments.
    kinds: 'weight', 'signal' or 'constant' of each.
    structure: tree of the outputs.
  """

  jaxpr: Any
  arrays: list
  kinds: list[str]
  structure: Any


def trace(
  function: Callable, params: Any, signals: Any, *rest: Any, **options: Any
) -> Traced:
  """Traces a function by its arrays; what is no array is static."""
  leaves, structure = jax.tree.flatten((params, signals, rest, options))
  own = len(jax.tree.leaves(params)), len(jax.tree.leaves(signals))
  kinds = ['weight'] * own[0] + ['signal'] * own[1]
  kinds += ['constant'] * (len(leaves) - sum(own))
  is_array = [
    isinstance(x, jax.Array | np.ndarray | np.generic) for x in leaves
  ]
  arrays = [jnp.asarray(x) for x, is_own in zip(leaves, is_array) if is_own]
  kinds = [kind for kind, is_own in zip(kinds, is_array) if is_own]

  def call(*arrays):
    arrays = iter(arrays)
    full = [
      next(arrays) if is_own else x for x, is_own in zip(leaves, is_array)
    ]
    params, signals, rest, options = jax.tree.unflatten(structure, full)
    return function(params, signals, *rest, **options)

  jaxpr, outputs = jax.make_jaxpr(call, return_shape=True)(*arrays)
  return Traced(jaxpr, arrays, kinds, jax.tree.structure(outputs))


def refusal(eqn: Any, where: str, remedy: str = '') -> types.UserError:
  """Returns the error of an operation that no neuron does, with its line."""
  name = eqn.primitive.name
  remedy = remedy or REMEDIES.get(
    name, 'write it by sums, products and functions of elements'
  )
  return types.UserError(
    f'{where}: {name} of a signal is no sum, product or function of '
    f'elements, which neurons are; {remedy}.'
  )


def find_line(eqn: Any) -> str:
  """Returns the user's line of an equation, as 'model.py:12'."""
  traceback = eqn.source_info.traceback
  frames = traceback.frames if traceback else []
  for frame in frames:
    path = frame.file_name
    if not path.startswith(LIBRARIES) and not path.startswith('<'):
      return f'{path}:{frame.line_num}'
  return ''


def is_of(jaxpr: Any, *paths: str) -> bool:
  """Returns whether a function of a library was traced, once for all calls."""
  origin = str(
    getattr(getattr(jaxpr, 'jaxpr', jaxpr).debug_info, 'func_src_info', '')
  )
  return any(own in origin for own in paths)


def bind(eqn: Any, operands: list | tuple) -> Any:
  """Applies the operation of an equation to other operands."""
  bound = eqn.primitive.get_bind_params(eqn.params)
  # Of jax 0.10 the operands may begin with functions.
  functions, params = bound if isinstance(bound, tuple) else ((), bound)
  return eqn.primitive.bind(*functions, *operands, **params)
