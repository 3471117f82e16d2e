"""Batches of samples, checked and encoded."""

import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import checks
from ssnn_jax import temporal
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.functions import Function
from ssnn_jax.trains import encoding


class Batch(NamedTuple):
  """Samples of a presentation."""

  position: jax.Array  #: [B] int32 position in the global batch
  inputs: types.Inputs  #: [B, ...] encoded inputs
  label: jax.Array | None  #: [B] or [B, L] integer class; None in inference


def prepare(
  network: NetworkConfig,
  params: Any,
  key: jax.Array,
  inputs: jax.Array | np.ndarray,
  labels: jax.Array | None = None,
  axis_name: str | None = None,
) -> Batch:
  """Checks and encodes a batch.

  Args:
    network: the configuration.
    params: its parameters.
    key: PRNG key of the presentation.
    inputs: `[B, ...]` images or `[B, K, I]` spike trains, as for `Network`.
    labels: `[B]` or `[B, L]` integer classes, or None.
    axis_name: axis of a mesh whose devices share the batch; None without one.

  Returns:
    The batch of this device.

  Raises:
    UserError: if a shape, a dtype or, outside `jax.jit`, a value is wrong.
  """
  checks.check_key(key)
  check_params(network, params)
  encoded = encoding.encode(inputs, network.num_steps)
  expected = network.input_shape
  if expected is None:
    expected = network.layer_sizes[:1]
  shape = tuple(inputs.shape[1:])
  if inputs.dtype != jnp.uint32:
    # A single channel may have an axis or none, and pixels may be flat.
    given, wanted = ([n for n in own if n > 1] for own in (shape, expected))
    if given != wanted and len(given) > 1 and len(wanted) > 1:
      raise types.UserError(
        f'images have shape {shape}, but input_shape is {expected}; make the '
        'two agree, with the same order of axes.'
      )
  batch_size, num_inputs = encoded.rates.shape
  size = int(np.prod(expected))
  if num_inputs != size:
    raise types.UserError(
      f'inputs have {num_inputs} values of a sample, but the network has '
      f'{size} inputs; make the two agree: image[None] is a batch of one.'
    )
  first = jax.lax.axis_index(axis_name) * batch_size if axis_name else 0
  return Batch(first + jnp.arange(batch_size), encoded, labels)


class Asked(NamedTuple):
  """The answers that a batch asks for, `[B]`, or `[B, L]` of moments."""

  position: jax.Array  #: int32 in the global batch, different ones
  label: jax.Array | None  #: integer class; None in inference
  weight: jax.Array | None  #: in the loss of a sample; None is 1
  total: jax.Array | None = None  #: of all weights; None is their sum


def ask(
  batch: Batch,
  shape: tuple[int, ...],
  answers: str,
  axis_name: str | None = None,
) -> Asked:
  """Returns the answers of logits `[B, C]` or `[B, L, C]` of a batch.

  A label of a sample is that of all its moments; `answers` are those of
  `functions.Function`. Devices of an axis share the total of their weights.
  """
  label = batch.label
  if len(shape) == 2:
    return Asked(batch.position, label, None)
  position = batch.position[:, None] * shape[1] + jnp.arange(shape[1])[None]
  if label is None:
    return Asked(position, None, None)
  label = temporal.spread(jnp.asarray(label), shape[1])
  weight = temporal.weigh(label, answers)[0]
  total = jnp.sum(jnp.any(label >= 0, axis=1), dtype=jnp.float32)
  if axis_name:
    total = jax.lax.pmean(total, axis_name)
  return Asked(position, label, weight, total)


def check_params(network: Function | NetworkConfig, params: Any) -> None:
  """Refuses parameters of another network."""
  expected = find_shapes(network)
  structures = [jax.tree.structure(own) for own in (params, expected)]
  shapes = [
    list(map(np.shape, jax.tree.leaves(own))) for own in (params, expected)
  ]
  if structures[0] != structures[1] or shapes[0] != shapes[1]:
    found, expected = (
      jax.tree.map(np.shape, own) for own in (params, expected)
    )
    raise types.UserError(
      f'params have the shapes {found!s:.300}, but the network has '
      f'{expected!s:.300}; pass the params of this network, as of init, or '
      'state.params of a result of fit.'
    )


@functools.lru_cache(maxsize=64)
def find_shapes(network: Function | NetworkConfig) -> Any:
  """Returns the shapes of the parameters of a network, in their structure."""
  if isinstance(network, NetworkConfig):
    shape = lambda *own: jax.ShapeDtypeStruct(own, jnp.float32)
    shapes = [wiring.weights_shape for wiring in network.wirings]
    return tuple(
      types.LayerParams(shape(*own), shape(own[1])) for own in shapes
    )
  return jax.eval_shape(network.init, jax.random.key(0))
