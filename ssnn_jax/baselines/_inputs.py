"""Samples of a batch: checked and encoded, with their dropout masks."""

from typing import NamedTuple

import jax

from ssnn_jax import types
from ssnn_jax.simulation import inputs as input_lib


class Sample(NamedTuple):
  """One sample during a presentation; a batch has a leading axis B."""

  position: jax.Array
  inputs: types.Inputs
  label: jax.Array | None
  dropout_masks: tuple[jax.Array, ...]


def prepare(config, params, key, inputs, labels=None, axis_name=None):
  """Checks and encodes a batch, and draws its dropout masks."""
  encoded = input_lib.encode_batch(config, params, inputs, labels)
  positions = input_lib.batch_positions(len(encoded.rates), axis_name)
  masks = input_lib.dropout_masks(config, key, positions)
  return Sample(positions, encoded, labels, masks)
