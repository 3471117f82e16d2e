"""Samples of a batch: checked and encoded, with their dropout masks."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.trains import encoding
from ssnn_jax.trains import thresholds
from ssnn_jax.trains.thresholds import Role


class Sample(NamedTuple):
  """One sample during a presentation; a batch has a leading axis B."""

  position: jax.Array  #: [B] int32 position in the global batch
  inputs: types.Inputs  #: [B, ...] encoded inputs
  label: jax.Array | None  #: [B] integer class
  #: [B, J] float32 of each hidden layer: 0 where a unit is dropped, otherwise 1
  dropout_masks: tuple[jax.Array, ...]


def prepare(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  inputs: jax.Array | np.ndarray,
  labels: jax.Array | None = None,
  axis_name: str | None = None,
) -> Sample:
  """Checks and encodes a batch, and draws its dropout masks.

  Args:
    config: the network.
    params: its parameters.
    key: PRNG key of the presentation.
    inputs: `[B, ...]` images or `[B, K, I]` spike trains, as for `Network`.
    labels: `[B]` integer classes, or None.
    axis_name: axis of a mesh whose devices share the batch; None without one.

  Returns:
    The batch of this device.

  Raises:
    UserError: if a shape, a dtype or, outside `jax.jit`, a value is wrong.
  """
  check_params(config, params)
  checks.check_type('key', key, jax.Array | np.ndarray, 'jax.random.key(0)')
  checks.check_array('images', inputs)
  shape, expected = tuple(inputs.shape[1:]), config.input_shape
  if expected is not None and inputs.dtype != jnp.uint32:
    # A single channel may have an axis or none, and pixels may be flat.
    given, wanted = ([n for n in own if n > 1] for own in (shape, expected))
    if given != wanted and len(given) > 1:
      raise types.UserError(
        f'images have shape {shape}, but input_shape is {expected}; make the '
        'two agree, with the same order of axes.'
      )
  encoded = encoding.encode(inputs, config.num_steps)
  batch_size, num_inputs = encoded.rates.shape
  if num_inputs != config.layer_sizes[0]:
    kind = 'pixels' if encoded.train is None else 'trains'
    field = 'layer_sizes starts with'
    if config.layers is not None:
      field = f'input_shape {config.input_shape} has'
    remedy = 'make the two agree'
    if inputs.size == config.layer_sizes[0]:
      remedy = 'pass a batch: image[None] of a single image'
    raise types.UserError(
      f'inputs have {num_inputs} {kind}, but {field} {config.layer_sizes[0]} '
      f'inputs; {remedy}.'
    )
  if labels is not None:
    checks.check_array('labels', labels)
    checks.check_labels(labels, (batch_size,), config.layer_sizes[-1])
  first = jax.lax.axis_index(axis_name) * batch_size if axis_name else 0
  positions = first + jnp.arange(batch_size)
  masks = _draw_dropout_masks(config, key, positions)
  return Sample(positions, encoded, labels, masks)


def check_params(config: NetworkConfig, params: types.Params) -> None:
  """Refuses parameters of another network."""
  is_sequence = isinstance(params, tuple | list)
  if not is_sequence or any(
    not isinstance(x, types.LayerParams) for x in params
  ):
    raise types.UserError(
      f'params is of type {type(params).__name__}; expected the parameters, as '
      'of init, or state.params of a result of fit.'
    )
  field = 'layer_sizes asks' if config.layers is None else 'layers ask'
  expected = [wiring.weights_shape for wiring in config.wirings]
  for part in types.LayerParams._fields:
    shapes = [np.shape(getattr(layer, part)) for layer in params]
    if shapes != expected:
      raise types.UserError(
        f'params have {part} of shapes {shapes}, but {field} for {expected}; '
        'pass the params of this network.'
      )
    expected = [shape[-1:] for shape in expected]


def _draw_dropout_masks(config, key, positions):
  """Draws `[B, J]` masks of each hidden layer: 0 where a unit is silent."""
  sizes = config.layer_sizes[1:-1]
  if not config.dropout:
    return tuple(jnp.ones((len(positions), n), jnp.float32) for n in sizes)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  kept = thresholds.round_rates(jnp.float32(1.0 - config.dropout))

  def draw_masks(position):
    masks, role = [], Role.DROPOUT
    for layer, size in enumerate(sizes):
      key = keys[layer, role]
      source = thresholds.Source(key, position, role, layer, size)
      bits = source.random_bits() >> (32 - thresholds.NUM_BITS)
      masks.append((bits < kept).astype(jnp.float32))
    return tuple(masks)

  return jax.vmap(draw_masks)(positions)
