"""Models of modules of flax.linen, flax.nnx and equinox."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ssnn_jax import types
from ssnn_jax.model import Model
from ssnn_jax.model import Neuron


def from_linen(
  make: Callable[[Neuron], Any], input_shape: tuple[int, ...], **fields: Any
) -> Model:
  """Makes a model of a module of flax.linen.

  Args:
    make: `(neuron) -> module`, which calls `neuron` as its activation function.
    input_shape: shape of the inputs of a sample.
    **fields: other fields of the `Model`.

  Raises:
    UserError: if it is a module itself; when it is initialized, if it has
      variables other than 'params'.
  """
  if hasattr(make, 'apply') and not isinstance(make, type):
    raise types.UserError(
      f'make is a {type(make).__name__}; pass the class, or a function of '
      'neuron that makes the module.'
    )

  def init(key):
    rates = jnp.zeros((1, *input_shape))
    variables = make(_at_rest()).init(key, rates)
    _check_variables({*variables} - {'params'})
    return variables

  def apply(params, rates, neuron):
    return make(neuron).apply(params, rates)

  return Model(init, apply, input_shape, **fields)


def from_nnx(
  make: Callable[[Neuron, Any], Any],
  input_shape: tuple[int, ...],
  **fields: Any,
) -> Model:
  """Makes a model of a module of flax.nnx; parameters are a pure dictionary.

  Args:
    make: `(neuron, rngs) -> module`, which calls `neuron` as its activation
      function; `rngs` is an `nnx.Rngs`.
    input_shape: shape of the inputs of a sample.
    **fields: other fields of the `Model`.

  Raises:
    UserError: when it is initialized, if it has variables other than `Param`.
  """
  from flax import nnx

  def split(neuron, key):
    module = make(neuron, nnx.Rngs(key))
    graph, params, rest = nnx.split(module, nnx.Param, ...)
    others = nnx.to_flat_state(rest)
    _check_variables({type(leaf).__name__ for _, leaf in others})
    return graph, params

  def init(key):
    return nnx.to_pure_dict(split(_at_rest(), key)[1])

  def apply(params, rates, neuron):
    graph, state = split(neuron, jax.random.key(0))
    nnx.replace_by_pure_dict(state, params)
    return nnx.merge(graph, state)(rates)

  return Model(init, apply, input_shape, **fields)


def from_equinox(
  make: Callable[[Neuron, jax.Array], Any],
  input_shape: tuple[int, ...],
  **fields: Any,
) -> Model:
  """Makes a model of a module of equinox, of one sample.

  Parameters are a dictionary, by the names of the arrays of floats.

  Args:
    make: `(neuron, key) -> module`, which calls `neuron` as its activation
      function.
    input_shape: shape of the inputs of a sample, which the module takes.
    **fields: other fields of the `Model`.
  """

  def flatten(neuron, key):
    """Returns the leaves of a module by their names, and its structure."""
    leaves, structure = jax.tree.flatten_with_path(make(neuron, key))
    named = {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
    return named, structure

  def is_param(leaf):
    is_array = isinstance(leaf, jax.Array)
    return is_array and jnp.issubdtype(leaf.dtype, jnp.floating)

  def init(key):
    named, _ = flatten(_at_rest(), key)
    return {name: leaf for name, leaf in named.items() if is_param(leaf)}

  def apply(params, rates, neuron):
    named, structure = flatten(neuron, jax.random.key(0))
    leaves = [params.get(name, leaf) for name, leaf in named.items()]
    return jax.tree.unflatten(structure, leaves)(rates)

  return Model(init, apply, input_shape, is_single=True, **fields)


def _at_rest():
  """Returns neurons that only have a shape, for initialization."""
  return Neuron(lambda potential, ceiling, floor: potential)


def _check_variables(others):
  """Refuses what would be trained, or never change, in silence."""
  if others:
    raise types.UserError(
      f'the module has variables other than parameters ({sorted(others)}), as '
      'of normalization by batches or dropout; use neuron(v, dropout=...), and '
      'weights that are standardized.'
    )
