"""Checks of the layers of a network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ssnn_jax.types import COUNT
from ssnn_jax.types import MAX_COUNT
from ssnn_jax.types import check_field
from ssnn_jax.types import is_count
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
  is_valid = are_counts(sizes) and len(sizes) >= 2
  expected = 'at least two sizes (inputs and classes), each ' + COUNT
  check_field(config, 'layer_sizes', is_valid, expected)
  return tuple(map(int, sizes))


def _connect(config):
  """Connects the layers of a network and returns their sizes."""
  _set_tuple(config, 'layers', _are_layers, 'hashable layers, as Dense(10)')
  expected = f'sizes, each {COUNT}, as (28, 28)'
  _set_tuple(config, 'input_shape', are_counts, expected)
  for layer in config.layers[1:]:
    is_valid = getattr(layer, 'channel_axis', -1) == -1
    expected = 'layers of which only the first has channel_axis=0'
    check_field(config, 'layers', is_valid, expected)
  wirings = config.wirings
  is_valid = wirings[-1].num_positions == 1
  expected = 'layers of which the last has one position, as Dense(10)'
  check_field(config, 'layers', is_valid, expected)
  sizes = wirings[0].num_inputs, *(wiring.num_neurons for wiring in wirings)
  expected = f'layers of at most {MAX_COUNT} neurons, not {sizes}'
  check_field(config, 'layers', are_counts(sizes), expected)
  given = config.layer_sizes
  is_valid = given is None or (are_counts(given) and tuple(given) == sizes)
  expected = f'None, as the layers have the sizes {sizes}'
  check_field(config, 'layer_sizes', is_valid, expected)
  return sizes


def _set_tuple(config, name, is_valid, expected):
  """Checks a sequence of a configuration and makes it a tuple."""
  values = getattr(config, name)
  check_field(config, name, is_valid(values), f'a tuple of {expected}')
  values = [int(v) if is_integer(v) else v for v in values]
  object.__setattr__(config, name, tuple(values))


def _are_layers(layers):
  """Returns whether layers can be connected, and compared by their values."""
  if not isinstance(layers, Sequence) or not layers:
    return False
  return all(
    hasattr(layer, 'connect')
    and not isinstance(layer, type)
    and _is_hashable(layer)
    for layer in layers
  )


def _is_hashable(layer):
  """Returns whether a layer has a hash: a field may lack one."""
  try:
    hash(layer)
  except TypeError:
    return False
  return True


def are_counts(sizes: Any) -> bool:
  """Returns whether sizes are counts of neurons or pixels."""
  if not isinstance(sizes, Sequence | np.ndarray) or not len(sizes):
    return False
  return all(map(is_count, sizes))
