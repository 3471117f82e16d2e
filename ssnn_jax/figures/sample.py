"""Figures of one sample: what a network answers, and how it gets there.

`present` presents the sample; `draw` makes a page of the image, the activity of
each layer and the answer.
"""

import math
from typing import Any
from typing import NamedTuple

import jax
from matplotlib import axes as axes_lib
from matplotlib import figure
from matplotlib import ticker
import numpy as np

from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.datasets import Dataset
from ssnn_jax.figures import raster
from ssnn_jax.stochastic import observe
from ssnn_jax.training import metrics

_MAX_CLASSES = 10  # that are drawn
_PALE = '#BFD9EA'


class Presented(NamedTuple):
  """A sample that a network was presented, and its answer."""

  image: np.ndarray  #: [H, W] or [H, W, F], of events their numbers
  num_steps: int | None  #: T, ticks of trains; None of a function's digits
  label: int | None  #: the true class, if known
  predicted: int  #: class, by the readout of the network
  probabilities: np.ndarray  #: [C] as of `metrics.probabilities`
  class_names: tuple[str, ...]
  #: all spikes, those of the inputs in the shape of the image; without error
  #: spikes if there is no label; None if signals are no spikes
  recorded: observe.Raster | None

  @property
  def ranking(self) -> np.ndarray:
    """Classes, the most probable first."""
    return np.argsort(-self.probabilities, stable=True)

  @property
  def title(self) -> str:
    """The class, and what the network takes the sample for."""
    probability = self.probabilities[self.predicted]
    name = self.class_names[self.predicted]
    words = f'classified as {name}, probability {probability:.2f}'
    if self.label is None:
      return words
    return f'class {self.class_names[self.label]}, {words}'


def present(
  network: types.Network,
  params: Any,
  key: jax.Array,
  image: np.ndarray,
  label: int | None = None,
  dataset: Dataset | None = None,
) -> Presented:
  """Presents a sample to a network.

  Args:
    network: the network, spiking or not.
    params: its parameters.
    key: PRNG key of the presentation; consumed.
    image: an image, or the spike trains of one recording.
    label: its class, if known.
    dataset: data set with the names of the classes and the shape of inputs that
      are flat; None: classes are numbers.

  Raises:
    UserError: if image, label or parameters do not fit the network.

  Example:
    >>> from ssnn_jax import figures
    >>> digits = ssnn_jax.datasets.load('digits')
    >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((64, 10), num_steps=8))
    >>> images, labels = digits.test
    >>> presented = figures.sample.present(
    ...   network, network.init(jax.random.key(0)), jax.random.key(1),
    ...   images[0], labels[0], digits)
    >>> presented.recorded.winners.sum()
    np.int64(8)
    >>> page = figures.sample.draw(presented)
  """
  config, image = network.config, np.asarray(image)
  inference = jax.jit(network.infer)(params, key, image[None])
  readout = network.readout
  probabilities = np.asarray(metrics.probabilities(inference, readout)[0])
  recorded = None
  if network.has_spikes:
    target = 0 if label is None else label
    recorded = observe.record(config, params, key, image, target)
    if label is None:
      none = tuple(map(np.zeros_like, recorded.errors))
      recorded = recorded._replace(errors=none)
  is_recording = image.dtype == np.uint32
  if is_recording:
    image = np.asarray(trains.count(image))
  shape = getattr(config, 'input_shape', None) or image.shape
  shape = dataset.input_shape if dataset else shape

  def to_map(values, *axes):
    values = values.reshape(*axes, *(shape if len(shape) > 1 else (1, *shape)))
    # Channels come last, those of a camera for events off and on as well.
    is_first = is_recording and len(shape) == 3
    return np.moveaxis(values, -3, -1) if is_first else values

  if recorded is not None:
    inputs, *hidden = recorded.spikes
    inputs = to_map(inputs, len(inputs))
    recorded = recorded._replace(spikes=(inputs, *hidden))
  numbers = tuple(map(str, range(len(probabilities))))
  return Presented(
    to_map(image),
    config.num_steps,
    None if label is None else int(label),
    int(metrics.predict(inference, readout)[0]),
    probabilities,
    dataset.class_names if dataset else numbers,
    recorded,
  )


def draw(presented: Presented) -> figure.Figure:
  """Draws a page of a sample: the image, all layers, and the answer.

  Of each neuron its spikes are counted; of each class its probability is drawn,
  and the share of the winners that it is. Without spikes there are image and
  probabilities alone.
  """
  recorded = presented.recorded
  layers = () if recorded is None else recorded.spikes
  num_columns = min(4, len(layers)) or 1
  heights = [2.8, *[2.0] * -(-len(layers) // num_columns)]
  fig = figure.Figure(figsize=(7.6, sum(heights)), layout='constrained')
  parts = fig.subfigures(len(heights), height_ratios=heights, squeeze=False)
  top, *below = parts[:, 0]
  left, right = top.subplots(1, 2, width_ratios=(1, 1.7))
  image = presented.image
  if image.ndim == 3 and image.shape[2] not in (3, 4):
    image = image.mean(axis=2)
  left.imshow(image, 'gray', vmin=0, vmax=_find_white(presented.image))
  left.set_axis_off()
  _draw_classes(right, presented)
  fig.suptitle(presented.title, parse_math=False)
  panels = [
    axes for part in below for axes in np.ravel(part.subplots(1, num_columns))
  ]
  for axes in panels:
    axes.set_axis_off()
  for number, (axes, train) in enumerate(zip(panels, layers)):
    counts = train.sum(axis=0, dtype=int)
    words = f'layer {number}' if number else 'inputs'
    words += f': {counts.sum():,} spikes'
    shown = axes.imshow(_tile(counts), 'Blues', vmin=0, vmax=counts.max() or 1)
    axes.set_title(words, fontsize=9)
    places = ticker.MaxNLocator(3, integer=True)
    fig.colorbar(shown, ax=axes, ticks=places, shrink=0.8)
  return fig


def _find_white(image):
  """Returns the value of a white pixel."""
  if image.dtype == np.uint8:
    return 255
  return 1 if image.dtype.kind in 'fb' else image.max()  # of counts


def _tile(counts):
  """Returns the counts of a layer of any shape as one near-square map."""
  if counts.ndim < 3:
    size = counts.size
    width = counts.shape[-1] if counts.ndim == 2 else math.ceil(size**0.5)
    tiled = np.full((-(-size // width), width), np.nan)
    tiled.flat[:size] = counts.flat
    return tiled
  *shape, depth = counts.shape
  width = math.ceil(depth**0.5)
  num_maps = width * -(-depth // width)
  maps = np.full((num_maps, shape[0] + 1, shape[1] + 1), np.nan)  # with gaps
  maps[:depth, 1:, 1:] = np.moveaxis(counts, -1, 0)
  maps = maps.reshape(-1, width, *maps.shape[1:]).swapaxes(1, 2)
  return maps.reshape(-1, width * (shape[1] + 1))[1:, 1:]


def _draw_classes(axes, presented):
  """Draws bars of the probabilities, and points of the winners."""
  chosen, recorded = choose_classes(presented), presented.recorded
  rows, values = range(len(chosen)), presented.probabilities[chosen]
  axes.barh(rows, values, color=_PALE, label='probability')
  if recorded is not None:
    wins = recorded.winners.sum(axis=0, dtype=int)
    shares, name = wins[chosen] / max(1, wins.sum()), 'share of the winners'
    axes.plot(shares, rows, 'o', color=raster.SPIKE, label=name)
  name_classes(axes, presented, chosen)
  if presented.label is not None:
    axes.set_title('classes, the true one in a box', fontsize=9)
  axes.set_xlim(-0.02, 1.02)
  axes.xaxis.set_major_formatter(ticker.PercentFormatter(1))
  axes.grid(axis='x', alpha=0.3)
  axes.legend(fontsize=8)


def choose_classes(presented: Any) -> np.ndarray:
  """Returns the most probable classes and the true one, in their order."""
  chosen = presented.ranking[:_MAX_CLASSES].copy()
  if presented.label is not None and presented.label not in chosen:
    chosen[-1] = presented.label
  return np.sort(chosen)


def name_classes(
  axes: axes_lib.Axes, presented: Any, chosen: np.ndarray
) -> None:
  """Names the classes of rows, with a box around the true one."""
  names = [presented.class_names[number] for number in chosen]
  axes.set_yticks(range(len(chosen)), names, parse_math=False)
  axes.set_ylim(len(chosen) - 0.4, -0.6)
  for number, label in zip(chosen, axes.get_yticklabels()):
    if number == presented.label:
      label.set(fontweight='bold', bbox={'fill': False, 'pad': 1.5})
