"""Layers: crossbars of weights, and how they are connected to neurons.

The weights of a layer are those of one crossbar, `[M, F]`: M rows, which
presynaptic neurons drive, and a column for each of F features. A layer uses it
at P positions, a dense layer at one: in a convolution each position sees
another patch of its inputs. The weights are used in three ways::

  read             `gather` the rates of the inputs; one read of all positions
  transposed read  `split` the errors by position; one transposed read of all
                   positions; `scatter` what the rows receive
  coincidences     `gather` the spikes and `split` the error spikes: those of a
                   row and of a column meet at each position

A shared weight is thus one device, which the spikes of all positions pulse.
"""

from collections.abc import Sequence
import dataclasses
import functools
import math
from typing import Any
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types
from ssnn_jax.checks import COUNT
from ssnn_jax.checks import MAX_COUNT
from ssnn_jax.checks import check_field
from ssnn_jax.checks import is_count
from ssnn_jax.types import UserError

# The default of accelerators (TF32, bfloat16) would round potentials.
PRECISION = jax.lax.Precision.HIGHEST
SILENT = -1  # index of a row without an input
_Pair = int | tuple[int, int]


class Layer(Protocol):
  """A layer whose inputs are not known yet: `Dense`, `Conv`, or your own.

  It is hashable, as a frozen dataclass is.
  """

  def connect(self, input_shape: tuple[int, ...]) -> 'Wiring':
    """Connects the layer to inputs of a shape."""


@dataclasses.dataclass(frozen=True, eq=False)
class Wiring:
  """Connections of one layer; I and J are its numbers of neurons.

  Attributes:
    input_shape: shape of the presynaptic neurons; I is its product.
    output_shape: shape of the layer's neurons: its positions and, last, its F
      features; J is its product.
    inputs: `[P, M]` index from 0 to I - 1 of the input of each row at each
      position, or `SILENT`; None connects all inputs, at a single position.

  Raises:
    UserError: if `inputs` has another shape, other indices or none at all.
  """

  input_shape: tuple[int, ...]
  output_shape: tuple[int, ...]
  inputs: np.ndarray | None = None

  def __post_init__(self):
    for field in ('input_shape', 'output_shape'):
      is_valid = are_counts(getattr(self, field))
      check_field(self, field, is_valid, f'sizes, each {COUNT}')
    if self.inputs is None:
      expected = f'indices for each of {self.num_positions} positions'
      check_field(self, 'inputs', self.num_positions == 1, expected)
      return
    inputs, last = np.array(self.inputs), self.num_inputs - 1
    is_valid = inputs.ndim == 2 and len(inputs) == self.num_positions
    is_valid = is_valid and inputs.size and inputs.dtype.kind in 'iu'
    if not is_valid or inputs.min() < SILENT or not 0 <= inputs.max() <= last:
      raise UserError(
        f'inputs of a wiring are {inputs.dtype} of shape {inputs.shape}; '
        f'expected a row of indices for each of {self.num_positions} '
        f'positions, from 0 to {last} or, but not for all, {SILENT} for none.'
      )
    inputs.flags.writeable = False  # wirings are shared
    object.__setattr__(self, 'inputs', inputs)

  @property
  def num_inputs(self) -> int:
    """I, number of presynaptic neurons."""
    return math.prod(self.input_shape)

  @property
  def num_neurons(self) -> int:
    """J, number of neurons of the layer."""
    return math.prod(self.output_shape)

  @property
  def num_positions(self) -> int:
    """P, number of positions at which the crossbar is used."""
    return math.prod(self.output_shape[:-1])

  @property
  def num_rows(self) -> int:
    """M, number of rows of the crossbar."""
    return self.num_inputs if self.inputs is None else self.inputs.shape[1]

  @property
  def num_columns(self) -> int:
    """F, number of columns of the crossbar: features of each position."""
    return self.output_shape[-1]

  @property
  def weights_shape(self) -> tuple[int, int]:
    """Shape of the weights, `[M, F]`."""
    return self.num_rows, self.num_columns

  def gather(self, values: jax.Array) -> jax.Array:
    """Gathers the inputs of all rows, `[..., I]` to `[..., P, M]`; 0 if silent.

    Of patches, reverse mode differentiates it.
    """
    if self.inputs is None:
      return values[..., None, :]
    return _gather(self, jnp.asarray(values))

  def scatter(self, rows: jax.Array) -> jax.Array:
    """Adds up what reaches each input, `[..., P, M]` to `[..., I]`."""
    rows = rows.reshape(*rows.shape[:-2], -1)
    if self.inputs is None:
      return rows
    return sum(_take(rows, listed) for listed in self._rows_of_inputs)

  @functools.cached_property
  def _rows_of_inputs(self):
    """Lists the `[P, M]` rows of each input, `[n, I]`, or `SILENT`."""
    flat = self.inputs.reshape(-1)
    order = np.argsort(flat, kind='stable')
    first, last = (
      np.searchsorted(flat[order], np.arange(self.num_inputs), side)
      for side in ('left', 'right')
    )
    places = first + np.arange(max(last - first))[:, None]
    index = order[np.minimum(places, flat.size - 1)]
    return np.where(places < last, index, SILENT)

  def split(self, neurons: jax.Array) -> jax.Array:
    """Splits the layer's neurons by position, `[..., J]` to `[..., P, F]`."""
    shape = *neurons.shape[:-1], self.num_positions, self.num_columns
    return neurons.reshape(shape)

  def read(
    self, params: types.LayerParams, gain: float, rates: jax.Array
  ) -> jax.Array:
    """Reads the crossbar: input currents `[..., J]` of rates `[..., I]`.

    The gain is a factor on the product with the weights; a bias is an input
    that is always on.
    """
    # One product for all samples and positions.
    rows = self.gather(rates).reshape(-1, self.num_rows)
    product = jnp.matmul(rows, params.weights, precision=PRECISION)
    biases = jnp.broadcast_to(params.biases, product.shape)
    currents = gain * product + biases
    return currents.reshape(*rates.shape[:-1], self.num_neurons)

  def read_transposed(
    self, params: types.LayerParams, gain: float, errors: jax.Array
  ) -> jax.Array:
    """Reads the crossbar backwards: `[..., P, M]` rows of errors `[..., J]`.

    `scatter` adds up the errors of the inputs.
    """
    columns = self.split(errors)
    return gain * jnp.matmul(columns, params.weights.T, precision=PRECISION)


def _take(values, index):
  """Takes values along the last axis, 0 where the index is `SILENT`."""
  is_silent = index == SILENT
  safe = np.where(is_silent, 0, index)
  taken = values.at[..., safe].get(mode='promise_in_bounds')
  return jnp.where(is_silent, jnp.zeros_like(taken), taken)


# The derivative of an index would add up one value after another. With this one
# each input takes what it adds up, which is several times faster.
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gather(wiring, values):
  return _take(values, wiring.inputs)


_gather.defvjp(
  lambda wiring, values: (_take(values, wiring.inputs), None),
  lambda wiring, _, rows: (wiring.scatter(rows),),
)


@dataclasses.dataclass(frozen=True)
class Dense:
  """A layer of `units` neurons that are connected to all inputs.

  Attributes:
    units: number of neurons.
  """

  units: int

  def __post_init__(self):
    check_field(self, 'units', is_count(self.units), COUNT)
    object.__setattr__(self, 'units', int(self.units))

  def connect(self, input_shape: tuple[int, ...]) -> Wiring:
    """Connects the layer to inputs of any shape."""
    return Wiring(input_shape, (self.units,))


@dataclasses.dataclass(frozen=True)
class Conv:
  """A convolution over an image, with strides instead of pooling.

  A row of the crossbar is a pixel and a channel of the patch, in the order
  `[height, width, channels]`; a column is a feature. Sizes are one number, or
  those of height and width.

  Attributes:
    features: F, number of output channels.
    kernel: size of a patch.
    stride: distance between neighboring patches.
    padding: rows and columns of silent inputs around the image, on each side.
    channel_axis: axis of the channels in the input, last (-1) or first (0); in
      the output it is the last.

  Raises:
    UserError: if a field is out of range.

  Example:
    >>> wiring = ssnn_jax.layers.Conv(16, kernel=5, stride=2).connect((28, 28))
    >>> wiring.output_shape, wiring.weights_shape
    ((12, 12, 16), (25, 16))
  """

  features: int
  kernel: _Pair
  stride: _Pair = 1
  padding: _Pair = 0
  channel_axis: int = -1

  def __post_init__(self):
    check_field(self, 'features', is_count(self.features), COUNT)
    for name, smallest in (('kernel', 1), ('stride', 1), ('padding', 0)):
      pair = getattr(self, name)
      pair = tuple(pair) if isinstance(pair, Sequence) else (pair, pair)
      is_valid = len(pair) == 2 and all(
        is_count(size, smallest) for size in pair
      )
      expected = f'one or two whole numbers from {smallest} to {MAX_COUNT}'
      check_field(self, name, is_valid, expected)
      object.__setattr__(self, name, tuple(map(int, pair)))
    is_valid = self.channel_axis in (-1, 0)
    check_field(self, 'channel_axis', is_valid, '-1 or 0')
    object.__setattr__(self, 'features', int(self.features))

  def connect(self, input_shape: tuple[int, ...]) -> Wiring:
    """Connects the layer to an image, `[H, W]` or with channels.

    The output has the shape `[H', W', F]`. Raises a `UserError` if the inputs
    are not an image.
    """
    if len(input_shape) not in (2, 3):
      raise UserError(
        f'inputs of a convolution have shape {input_shape}; expected an image, '
        'of the data or of another convolution: place convolutions before '
        'dense layers.'
      )
    image = np.arange(math.prod(input_shape)).reshape(input_shape)
    if image.ndim == 2:
      image = image[..., None]
    elif self.channel_axis == 0:
      image = np.moveaxis(image, 0, -1)
    margins = [(size, size) for size in (*self.padding, 0)]
    image = np.pad(image, margins, constant_values=SILENT)
    if np.any(np.greater(self.kernel, image.shape[:2])):
      raise UserError(
        f'kernel is {self.kernel}, larger than the padded input of '
        f'{image.shape[:2]}; choose a smaller one, or more padding.'
      )
    patches = np.lib.stride_tricks.sliding_window_view(
      image, self.kernel, axis=(0, 1)
    )[:: self.stride[0], :: self.stride[1]]
    # From [H', W', channels, kernel height, kernel width].
    patches = np.moveaxis(patches, 2, -1)
    output_shape = *patches.shape[:2], self.features
    inputs = patches.reshape(math.prod(output_shape[:2]), -1)
    return Wiring(input_shape, output_shape, inputs)


@functools.lru_cache
def connect(
  layers: tuple[Layer, ...], input_shape: tuple[int, ...]
) -> tuple[Wiring, ...]:
  """Connects layers to each other; returns the wiring of each.

  Raises a `UserError` if a layer does not fit its inputs.
  """
  wirings = []
  for layer in layers:
    wiring = layer.connect(input_shape)
    if wiring.num_inputs != math.prod(input_shape):
      raise UserError(
        f'{layer} is not connected to its inputs of shape {input_shape}; its '
        'connect must return a layers.Wiring with this input_shape.'
      )
    wirings.append(wiring)
    input_shape = wiring.output_shape
  return tuple(wirings)


def find_sizes(
  layer_sizes: Sequence[int] | None,
  layers: tuple[Layer, ...] | None,
  input_shape: tuple[int, ...] | None,
) -> tuple[int, ...]:
  """Returns the neurons of each layer, from the inputs to the classes.

  Args:
    layer_sizes: of a dense network; with layers their sizes, or None.
    layers: layers of weights, or None.
    input_shape: shape of the inputs of the layers, or None.

  Raises:
    UserError: if the description of the layers is wrong.
  """

  def check(is_valid, expected):
    if not is_valid:
      raise UserError(
        f'layer_sizes is {layer_sizes}, layers are {layers} and input_shape is '
        f'{input_shape}; expected {expected}.'
      )

  if layers is None:
    is_valid = are_counts(layer_sizes) and len(layer_sizes) >= 2
    expected = f'at least two layer_sizes (inputs and classes), each {COUNT}'
    check(is_valid and input_shape is None, f'{expected}, or layers')
    return tuple(map(int, layer_sizes))
  is_first = all(getattr(own, 'channel_axis', -1) != 0 for own in layers[1:])
  check(is_first, 'channel_axis=0 in the first layer only')
  wirings = connect(layers, input_shape)
  sizes = wirings[0].num_inputs, *(wiring.num_neurons for wiring in wirings)
  is_valid = wirings[-1].num_positions == 1
  check(is_valid, 'a last layer with one position, as Dense(10)')
  is_valid = tuple(layer_sizes or sizes) == sizes
  check(is_valid, f'no layer_sizes, or those of the layers, {sizes}')
  return sizes


def are_counts(sizes: Any) -> bool:
  """Returns whether sizes are counts of neurons or pixels."""
  if not isinstance(sizes, Sequence | np.ndarray) or not len(sizes):
    return False
  return all(map(is_count, sizes))
