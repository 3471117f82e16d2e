"""Checks of the layers of a network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ssnn_jax.types import check_field
from ssnn_jax.types import is_integer


def find_sizes(config: Any) -> tuple[int, ...]:
  """Returns the neurons of each layer, from the inputs to the classes.

  Args:
    config: the network, with its layers or its layer sizes.

  Returns:
    Whole numbers.

  Raises:
    UserError: if the description of the layers is wrong.
  """
  if config.layers is not None:
    return _connect(config)
  is_valid = config.input_shape is None
  check_field(config, 'input_shape', is_valid, 'none, without layers')
  sizes = config.layer_sizes
  is_valid = _are_counts(sizes) and len(sizes) >= 2
  expected = 'at least two whole numbers (inputs and classes), each 1 or more'
  check_field(config, 'layer_sizes', is_valid, expected)
  return tuple(map(int, sizes))


def _connect(config):
  """Connects the layers of a network and returns their sizes."""
  layers, shape = config.layers, config.input_shape
  is_valid = isinstance(layers, tuple) and len(layers) > 0
  is_valid = is_valid and all(hasattr(layer, 'connect') for layer in layers)
  expected = 'a tuple of layers, as (layers.Dense(10),)'
  check_field(config, 'layers', is_valid, expected)
  is_valid = isinstance(shape, tuple) and _are_counts(shape)
  expected = 'a tuple of whole numbers, each 1 or more, as (28, 28)'
  check_field(config, 'input_shape', is_valid, expected)
  wirings = config.wirings
  is_valid = wirings[-1].num_positions == 1
  expected = 'layers of which the last has one position, as layers.Dense'
  check_field(config, 'layers', is_valid, expected)
  sizes = wirings[0].num_inputs, *(wiring.num_neurons for wiring in wirings)
  is_valid = config.layer_sizes in (None, sizes)
  expected = f'none, or the sizes of the layers, {sizes}'
  check_field(config, 'layer_sizes', is_valid, expected)
  return sizes


def _are_counts(sizes):
  """Returns whether sizes are whole numbers, 1 or more."""
  if not isinstance(sizes, Sequence | np.ndarray) or not len(sizes):
    return False
  return all(is_integer(size) and size >= 1 for size in sizes)
