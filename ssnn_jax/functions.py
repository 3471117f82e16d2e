"""Functions of JAX that are trained as spiking networks, unchanged.

A `Function` is what `spike` takes, with its initial parameters: `network.ssnn`
trains it by spikes, and `network.ann` as it is.
"""

from collections.abc import Callable
import dataclasses
from typing import Any
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import temporal
from ssnn_jax import types


@dataclasses.dataclass(frozen=True)
class Function:
  """A model as a function, and what its neurons send, as of `spiking.spike`.

  Attributes:
    init: `(key) -> params`, any tree of float arrays.
    apply: `(params, inputs) -> outputs`, `[B, C]` logits of classes, or `[B, L,
      C]` of moments or positions. Inputs are those of the data; grey values of
      uint8 are divided by 255.
    loss: `(outputs, labels) -> loss` of a batch; None is the mean
      cross-entropy.
    num_steps, digits, error_digits, output_digits: as of `spiking.spike`.
    answers: of logits of moments, as of `model.Model`.
  """

  init: Callable[[jax.Array], Any]
  apply: Callable[[Any, jax.Array], jax.Array]
  loss: Callable[[jax.Array, jax.Array], jax.Array] | None = None
  num_steps: int | None = None
  digits: int = 3
  error_digits: int = 2
  output_digits: int = 3
  answers: str = 'last'
  neuron: ClassVar[str] = 'bipolar'

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
      flax.linen; or a pair of functions `(key) -> params` and `apply`.
    example: `[B, ...]` inputs, of which the shape and dtype count.
    **fields: others of the `Function`.

  Raises:
    UserError: if it is neither.

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
  if (
    isinstance(module, tuple)
    and len(module) == 2
    and all(map(callable, module))
  ):
    return Function(*module, **fields)
  if not (hasattr(module, 'init') and hasattr(module, 'apply')):
    raise types.UserError(
      f'module is of type {type(module).__name__}; expected one with init and '
      'apply, as of flax.linen, or a pair of functions (init, apply).'
    )
  zeros = as_signals(jnp.zeros((1, *np.shape(example)[1:]), example.dtype))
  return Function(lambda key: module.init(key, zeros), module.apply, **fields)


def as_signals(inputs: jax.Array) -> jax.Array:
  """Returns inputs of data as signals: grey values as rates, others as are."""
  is_grey = inputs.dtype == jnp.uint8
  return inputs.astype(jnp.float32) / 255 if is_grey else inputs
