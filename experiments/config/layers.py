"""Layers of a network as text, `conv16k5s2,conv32k5s2,10`.

A number is a dense layer of so many neurons. A convolution is `conv` with its
features, `k` with the size of the kernel, and where they differ from 1
and 0 `s` with the stride and `p` with the padding. Sizes that differ in height
and width are joined by `x`, as in `conv8k5x3`.
"""

from collections.abc import Sequence
import dataclasses
import math
import re
from typing import Any

from experiments.config import field
import ssnn_jax

NUM_HIDDEN = 256  # neurons of the hidden layer, by default
_SIZE = r'(\d+(?:x\d+)?)'
_CONV = re.compile(rf'conv(\d+)k{_SIZE}(?:s{_SIZE})?(?:p{_SIZE})?')


def check(
  texts: Sequence[str] | None, layer_sizes: Sequence[int] | None
) -> None:
  """Refuses invalid texts of layers, and layers in addition to sizes."""
  if texts is None:
    return
  expected = 'none, as --layer_sizes describes the layers'
  field.check('layers', texts, layer_sizes is None, expected)
  with field.named('layers'):
    parse(texts)


def parse(texts: Sequence[str]) -> tuple[ssnn_jax.layers.Layer, ...]:
  """Parses the text of each layer.

  Raises:
    UserError: if a text describes no layer, or a size is out of range.
  """
  return tuple(map(_parse, texts))


def _parse(text):
  text = text.strip()
  if text.isdecimal():
    return ssnn_jax.layers.Dense(int(text))
  found = _CONV.fullmatch(text)
  if not found:
    raise ssnn_jax.UserError(
      f"'{text}' is not a layer; expected a number of neurons, or a "
      'convolution as conv16k5s2p1: 16 features, kernel 5, stride 2, padding 1 '
      '(0 or more).'
    )
  features, kernel, stride, padding = found.groups()
  return ssnn_jax.layers.Conv(
    int(features), _size(kernel), _size(stride or '1'), _size(padding or '0')
  )


def _size(text):
  sizes = tuple(map(int, text.split('x')))
  return sizes if len(sizes) == 2 else sizes[0]


def connect(
  texts: Sequence[str], input_shape: Sequence[int], is_recorded: bool = False
) -> dict[str, Any]:
  """Returns the fields of a network's configuration that describe its layers.

  Args:
    texts: the text of each layer.
    input_shape: shape of the inputs, `[H, W]`, or with channels `[H, W, C]` of
      images and `[C, H, W]` of recordings.
    is_recorded: whether the inputs are recordings of events.

  Returns:
    The fields `layers` and `input_shape`.

  Raises:
    UserError: if a layer does not fit its inputs.
  """
  with field.named('layers'):
    first, *others = parse(texts)
    if is_recorded and isinstance(first, ssnn_jax.layers.Conv):
      first = dataclasses.replace(first, channel_axis=0)
    fields = {'layers': (first, *others), 'input_shape': tuple(input_shape)}
    ssnn_jax.layers.connect(**fields)
  return fields


def for_dataset(
  layer_sizes: Sequence[int] | None,
  texts: Sequence[str] | None,
  dataset: ssnn_jax.datasets.Dataset,
) -> dict[str, Any]:
  """Returns the fields that describe the layers of a network for a data set.

  Args:
    layer_sizes: neurons of each layer of a dense network; None for one hidden
      layer, or with texts.
    texts: the text of each layer.
    dataset: the data set.

  Returns:
    Fields of the configuration of the network.

  Raises:
    UserError: if the layers do not fit the data set.
  """
  classes = dataset.num_classes
  if texts is None:
    default = dataset.num_inputs, NUM_HIDDEN, classes
    layer_sizes = layer_sizes or default
    if (layer_sizes[0], layer_sizes[-1]) != (dataset.num_inputs, classes):
      raise ssnn_jax.UserError(
        f'--layer_sizes={",".join(map(str, layer_sizes))} does not fit '
        f'{dataset.name}; it must start with {dataset.num_inputs} inputs and '
        f'end with {classes} classes.'
      )
    return {'layer_sizes': layer_sizes}
  fields = connect(texts, dataset.input_shape, dataset.is_recorded)
  output_shape = ssnn_jax.layers.connect(**fields)[-1].output_shape
  if math.prod(output_shape) != classes or output_shape[-1] != classes:
    raise ssnn_jax.UserError(
      f'--layers={",".join(texts)} does not fit {dataset.name}; it must end '
      f'with {classes} classes.'
    )
  return fields
