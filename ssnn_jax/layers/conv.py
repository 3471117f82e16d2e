"""Convolutions: one crossbar that all patches of an image share."""

from collections.abc import Sequence
import dataclasses
import math

import numpy as np

from ssnn_jax.layers.wiring import SILENT
from ssnn_jax.layers.wiring import Wiring
from ssnn_jax.types import COUNT
from ssnn_jax.types import MAX_COUNT
from ssnn_jax.types import UserError
from ssnn_jax.types import check_field
from ssnn_jax.types import is_count

_Pair = int | tuple[int, int]


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

    Args:
      input_shape: shape of the inputs; without channels there is one.

    Returns:
      The wiring, whose output has the shape `[H', W', F]`.

    Raises:
      UserError: if the inputs are not an image, or are smaller than a patch.
    """
    shape = self._image_shape(input_shape)
    sizes = [
      (size + 2 * padding - kernel) // stride + 1
      for size, kernel, stride, padding in zip(
        shape, self.kernel, self.stride, self.padding
      )
    ]
    if min(sizes) < 1:
      raise UserError(
        f'kernel is {self.kernel}, larger than its input of {shape[0]} x '
        f'{shape[1]} pixels; choose a smaller kernel, or fewer or smaller '
        'strides in the layers before.'
      )
    return Wiring(
      input_shape=input_shape,
      output_shape=(*sizes, self.features),
      inputs=self._patches(shape, sizes),
    )

  def _image_shape(self, input_shape):
    """Returns height, width and channels of the inputs."""
    if len(input_shape) == 2:
      return *input_shape, 1
    if len(input_shape) != 3:
      raise UserError(
        f'inputs of a convolution have shape {input_shape}; expected an image, '
        'of the data or of another convolution: place convolutions before '
        'dense layers.'
      )
    if self.channel_axis == 0:
      return *input_shape[1:], input_shape[0]
    return input_shape

  def _patches(self, shape, sizes):
    """Returns the indices of the inputs of each patch, `[P, M]`."""
    height, width, channels = shape
    index = np.arange(math.prod(shape))
    if self.channel_axis == 0:
      image = np.moveaxis(index.reshape(channels, height, width), 0, -1)
    else:
      image = index.reshape(shape)
    margins = [(size, size) for size in (*self.padding, 0)]
    image = np.pad(image, margins, constant_values=SILENT)
    patches = np.lib.stride_tricks.sliding_window_view(
      image, self.kernel, axis=(0, 1)
    )[:: self.stride[0], :: self.stride[1]]
    # From [H', W', channels, kernel height, kernel width].
    patches = np.moveaxis(patches, 2, -1)
    return patches.reshape(math.prod(sizes), -1)
