"""Functions of JAX that are trained as spiking networks, unchanged.

A `Function` is what `spike` takes, with its initial parameters: `network.ssnn`
trains it by spikes, and `network.ann` as it is.
"""

from collections.abc import Callable
import dataclasses
import sys
from typing import Any
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import temporal
from ssnn_jax import trains
from ssnn_jax import types


@dataclasses.dataclass(frozen=True)
class Function:
  """A model as a function, and what its neurons send, as of `spiking.spike`.

  Attributes:
    init: `(key) -> params`, any tree of float arrays.
    apply: `(params, inputs) -> outputs`, `[B, C]` logits of classes, or `[B, L,
      C]` of moments or positions. Inputs are those of the data, as of
      `as_signals`.
    train: `(params, inputs, key) -> outputs` in training, if it differs, as
      with dropout; None is `apply`.
    loss: `(outputs, labels) -> loss` of a batch; None is the mean
      cross-entropy.
    num_steps, digits, error_digits, output_digits: as of `spiking.spike`.
    bptt: the same; if not, the ANN too learns local in time.
    answers: of logits of moments or positions: 'last', a class of the whole
      signal, which the last moment with a label answers, on whose way errors
      grow; or 'each', a class of each moment (`temporal.weigh`).
  """

  init: Callable[[jax.Array], Any]
  apply: Callable[[Any, jax.Array], jax.Array]
  train: Callable[[Any, jax.Array, jax.Array], jax.Array] | None = None
  loss: Callable[[jax.Array, jax.Array], jax.Array] | None = None
  num_steps: int | None = None
  digits: int = 3
  error_digits: int = 2
  output_digits: int = 3
  bptt: bool = True
  answers: str = 'last'
  neuron: ClassVar[str] = 'bipolar'

  @property
  def codes(self) -> dict[str, Any]:
    """What its neurons send, as arguments of `spiking.spike`."""
    names = 'num_steps', 'digits', 'error_digits', 'output_digits', 'bptt'
    return {name: getattr(self, name) for name in names}

  def __post_init__(self):
    if self.answers not in temporal.ANSWERS:
      expected = ' or '.join(temporal.ANSWERS)
      raise types.UserError(
        f'answers is {self.answers!r}; expected {expected}.'
      )


def as_function(
  module: Any, example: jax.Array | np.ndarray, **fields: Any
) -> Function:
  """Makes a `Function` of a module, unchanged.

  Args:
    module: with `init(key, inputs)` and `apply(params, inputs)`, as of
      flax.linen; a module of flax.nnx, or of equinox, which takes one sample,
      each with the parameters that it has, of all seeds; or a pair of functions
      `(key) -> params` and `apply`.
    example: `[B, ...]` inputs, of which the shape and dtype count.
    **fields: others of the `Function`.

  Raises:
    UserError: if it is none of these.

  Example:
    >>> from flax import linen
    >>> digits = ssnn_jax.datasets.load('digits')
    >>> flat = lambda x: x.reshape(len(x), -1)
    >>> module = linen.Sequential([flat, linen.Dense(32), linen.gelu,
    ...                            linen.LayerNorm(), linen.Dense(10)])
    >>> function = ssnn_jax.as_function(module, digits.train.inputs[:1])
    >>> result = ssnn_jax.training.fit(
    ...   ssnn_jax.ssnn(function), 0.1, digits, num_epochs=3, progress=False)
    >>> bool(result.history.eval_accuracy[-1] > 0.9)
    True
  """
  if isinstance(module, tuple) and len(module) == 2:
    return Function(*module, **fields)
  if hasattr(module, 'init') and hasattr(module, 'apply'):
    zeros = np.zeros((1, *np.shape(example)[1:]), example.dtype)
    zeros = as_signals(jnp.asarray(zeros))
    return Function(lambda key: module.init(key, zeros), module.apply, **fields)
  nnx = sys.modules.get('flax.nnx')  # of which a module would be
  if nnx and isinstance(module, nnx.Module):
    graph, params, rest = nnx.split(module, nnx.Param, ...)
    apply = lambda params, x: nnx.merge(graph, params, rest)(x)
    return Function(lambda key: params, apply, **fields)
  leaves, structure = jax.tree.flatten(module)
  if callable(module) and not jax.tree_util.all_leaves([module]):
    is_param = [
      isinstance(own, jax.Array) and jnp.issubdtype(own.dtype, jnp.floating)
      for own in leaves
    ]

    def apply(params, inputs):
      own = iter(params)
      own = [next(own) if yes else x for yes, x in zip(is_param, leaves)]
      return jax.vmap(jax.tree.unflatten(structure, own))(inputs)

    params = [own for yes, own in zip(is_param, leaves) if yes]
    return Function(lambda key: params, apply, **fields)
  raise types.UserError(
    f'module is of type {type(module).__name__}; expected a module of flax or '
    'equinox, or a pair of functions (init, apply).'
  )


def as_signals(inputs: jax.Array) -> jax.Array:
  """Returns inputs of data as signals: grey values of uint8 as 0 to 1.

  Spike trains `[B, K, I]` uint32 are counts of events `[B, I]`; others are as
  they are.
  """
  if inputs.dtype == jnp.uint8:
    return inputs.astype(jnp.float32) / 255
  if inputs.dtype == jnp.uint32:
    return trains.count(inputs).astype(jnp.float32)
  return inputs
