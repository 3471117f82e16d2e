"""Figures of one sample: what a network answers, and how it gets there.

`present` presents the sample; `draw` makes a page of the image, the activity of
each layer and the answer, `animate` a film of all spikes.
"""

from collections.abc import Callable
import math
from typing import Any
from typing import NamedTuple

import jax
from matplotlib import animation
from matplotlib import axes as axes_lib
from matplotlib import figure
from matplotlib import lines
from matplotlib import ticker
import numpy as np

from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.datasets import Dataset
from ssnn_jax.figures import raster
from ssnn_jax.stochastic import observe
from ssnn_jax.training import metrics

_MAX_CLASSES = 10  # that are drawn
_MAX_NEURONS = 64  # of a layer in an animation
_GRAY, _PALE = '#777777', '#BFD9EA'
_MAX_FRAMES, _STILL = 40, 6  # of an animation, and of its last tick
_FRAMES_PER_SECOND = 1.5, 8  # of few frames, and of many
_GRID = {'left': 0.09, 'right': 0.97, 'top': 0.85, 'bottom': 0.17}
_GRID |= {'height_ratios': (2.2, 1), 'hspace': 0.28}


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


def animate(presented: Presented) -> animation.FuncAnimation:
  """Animates the spikes of a sample, tick by tick.

  A layer of many neurons has the most active ones, and each frame of a long
  presentation has several ticks. `save(file, 'pillow')` of the animation writes
  a GIF.

  Raises:
    UserError: if the network has signals that are no spikes.
  """
  recorded, num_steps = presented.recorded, presented.num_steps
  if recorded is None:
    raise types.UserError(
      'the network has signals that are no spikes; present the sample to a '
      'spiking network without exact rates.'
    )
  inputs, *hidden = recorded.spikes
  *errors, output_errors = recorded.errors
  wins = recorded.winners.cumsum(axis=0, dtype=int)
  layers = [_most_active(*own) for own in zip(hidden, errors)]
  num_ticks, num_columns = len(wins), 2 + len(hidden)
  space = 0.45 + 0.05 * max(map(len, presented.class_names))
  fig = figure.Figure(((1.4 + 1.5 * space) * num_columns, 4.4))
  grid = fig.add_gridspec(2, num_columns, wspace=space, **_GRID)
  panels = [fig.add_subplot(grid[0, place]) for place in range(num_columns)]
  panels.append(fig.add_subplot(grid[1, :]))
  _add_legend(fig)
  _add_arrows(fig, panels[:-1])

  def show(tick, step):
    """Draws the spikes of the ticks since the frame before."""
    now = slice(max(0, tick - step), tick)
    for axes in panels:
      axes.clear()
    first, *middle, last, below = panels
    _show_inputs(first, inputs, inputs[now])
    for number, (axes, layer) in enumerate(zip(middle, layers), 1):
      _show_neurons(axes, *(own[:tick] for own in layer), now, num_steps)
      size, shown = math.prod(hidden[number - 1].shape[1:]), layer[0].shape[1]
      of_all = f', {shown} of {size:,}' * (shown < size)
      axes.set_title(f'layer {number}{of_all}', fontsize=10)
    _show_wins(last, presented, wins[tick - 1], output_errors[now])
    _show_time(below, presented, wins, tick)
    words = f'tick {tick}'
    name = _name_leader(presented, wins[tick - 1])
    words += f': the answer is {name}' * bool(name)
    fig.suptitle(words, parse_math=False)

  return film(fig, show, num_ticks)


def film(
  fig: figure.Figure, show: Callable[[int, int], Any], num_ticks: int
) -> animation.FuncAnimation:
  """Animates a figure by `show(tick, step)`, a step after the frame before."""
  step = -(-num_ticks // _MAX_FRAMES)
  frames = [*range(step, num_ticks, step), *[num_ticks] * _STILL]
  per_second = np.clip(len(frames) / 8, *_FRAMES_PER_SECOND)
  return animation.FuncAnimation(
    fig,
    lambda tick: show(tick, step),
    frames,
    lambda: None,
    interval=1000 / per_second,
  )


def _most_active(spikes, errors):
  """Flattens both to `[T, N]`, of the most active neurons of a layer."""
  trains = [train.reshape(len(train), -1) for train in (spikes, errors)]
  chosen = raster.most_active(trains, _MAX_NEURONS)
  return [train[:, chosen] for train in trains]


def _add_legend(fig):
  """Adds what the colors of spikes mean."""
  handles = [
    lines.Line2D([], [], linestyle='', marker=marker, color=color, label=label)
    for marker, color, label in (
      ('o', raster.SPIKE, 'spike'),
      ('<', raster.FIRE_LESS, 'error: fire less'),
      ('<', raster.FIRE_MORE, 'error: fire more'),
    )
  ]
  fig.legend(
    handles=handles, loc='lower center', ncols=3, frameon=False, fontsize=9
  )


def _add_arrows(fig, panels):
  """Adds an arrow between layers for spikes, and one for error spikes."""
  for number, axes in enumerate(panels[:-1]):
    place, look = axes.get_position(), {'fontsize': 15, 'ha': 'center'}
    x, y = place.x1 + 0.027, (place.y0 + place.y1) / 2
    fig.text(x, y, '→', color=raster.SPIKE, **look)
    if number:
      fig.text(x, y - 0.04, '←', color=raster.FIRE_LESS, **look)


def _show_inputs(axes, spikes, now):
  """Shows the counts of inputs, and those that fire now."""
  counts, fired = (_tile(own.sum(axis=0, dtype=int)) for own in (spikes, now))
  axes.imshow(counts, 'gray', vmin=0)
  rows, columns = np.nonzero(fired > 0)
  sent = fired[rows, columns]
  area = (60 / max(fired.shape)) ** 2
  axes.scatter(columns, rows, area * _share(sent, counts.max()), raster.SPIKE)
  axes.set_title('inputs', fontsize=10)
  axes.set_axis_off()


def _show_neurons(axes, spikes, errors, now, num_steps):
  """Shows the counts of neurons as greys, and above them what they send."""
  size = math.ceil(spikes.shape[1] ** 0.5)
  rows, columns = np.divmod(np.arange(spikes.shape[1]), size)
  places, area = np.stack([columns, rows]), (94 / size) ** 2
  counts = spikes.sum(axis=0, dtype=int) / num_steps
  look = {'s': area, 'linewidths': 0.6, 'edgecolors': _GRAY}
  axes.scatter(*places, c=counts, cmap='Greys', vmin=0, vmax=1.6, **look)
  sent = spikes[now].sum(axis=0, dtype=int)
  sizes = area * _share(sent[sent > 0], num_steps)
  axes.scatter(*places[:, sent > 0], s=sizes, c=raster.SPIKE)
  _show_errors(axes, places, errors[now], 0.35 * area)
  axes.set(xlim=(-0.7, size - 0.3), ylim=(size - 0.3, -0.7), aspect='equal')
  axes.set_axis_off()


def _share(sent, most):
  """Returns the areas of spikes of some ticks, which grow with their number."""
  return np.minimum(1, sent / max(1, most)) ** 0.5


def _show_errors(axes, places, errors, area):
  """Shows the sum of the error spikes of some ticks at places of neurons."""
  errors = errors.sum(axis=0)
  for is_sent, color in (
    (errors > 0, raster.FIRE_LESS),
    (errors < 0, raster.FIRE_MORE),
  ):
    look = {'linewidths': 0.5, 'edgecolors': 'white', 'clip_on': False}
    axes.scatter(*places[:, is_sent], area, color, marker='<', zorder=3, **look)


def _show_wins(axes, presented, wins, errors):
  """Shows the share of the winners of each class, and their errors."""
  chosen = choose_classes(presented)
  rows = np.arange(len(chosen))
  shares = wins[chosen] / max(1, wins.sum())
  bars = [raster.SPIKE if own else _PALE for own in shares == shares.max()]
  axes.barh(rows, shares, color=bars)
  places = np.stack([np.full(len(chosen), -0.07), rows])
  _show_errors(axes, places, errors[:, chosen], 40)
  axes.tick_params('y', length=0, pad=14)
  axes.set_xlim(0, 1)
  axes.xaxis.set_major_formatter(ticker.PercentFormatter(1))
  axes.tick_params(labelsize=8)
  name_classes(axes, presented, chosen)
  axes.spines[['top', 'right']].set_visible(False)
  axes.set_title('winners', fontsize=10)


def _name_leader(presented, wins):
  """Names the class with most wins; empty before the first."""
  return presented.class_names[np.argmax(wins)] if np.any(wins) else ''


def _show_time(axes, presented, wins, tick):
  """Shows the spikes of hidden neurons in each tick so far, and the answers.

  Forward spikes are above the axis and error spikes below, each to scale.
  """
  recorded, num_ticks = presented.recorded, len(wins)
  for layers, height, looks in (
    (recorded.spikes[1:], 1, (raster.SPIKE,)),
    (recorded.errors[:-1], -1, (raster.FIRE_LESS, raster.FIRE_MORE)),
  ):
    signed = [np.sign(own).reshape(num_ticks, -1) for own in layers]
    heights = [
      sum((sign * own).clip(0).sum(axis=1) for own in signed)
      for sign in (1, -1)
    ]
    scale = height / max(1, np.max(heights[0] + heights[1], initial=0))
    below = 0
    for own, color in zip(heights, looks):
      bars = scale * (own * np.ones(num_ticks))[:tick]
      axes.bar(np.arange(1, tick + 1), bars, 0.8, below, color=color)
      below = below + bars
  axes.axhline(0, color='black', linewidth=0.8)
  inputs = recorded.spikes[0].reshape(num_ticks, -1)
  last = np.max(np.flatnonzero(inputs.any(axis=1)), initial=-1)
  axes.axvline(last + 1.5, color=_GRAY, linestyle=':')
  axes.set(xlim=(0.4, num_ticks + 0.6), ylim=(-1.05, 1.5))
  # Long names have no space.
  is_named = (
    max(map(len, presented.class_names)) < 3 and num_ticks <= _MAX_FRAMES
  )
  for place, own in enumerate(wins[:tick] if is_named else (), 1):
    name = _name_leader(presented, own)
    is_last = name == presented.class_names[presented.predicted]
    look = {'fontsize': 9, 'parse_math': False}
    look |= {'color': 'black' if is_last else _GRAY}
    look |= {'fontweight': 'bold'} if is_last else {}
    axes.text(place, 1.25, name, ha='center', va='center', **look)
  labels = {1.25: 'answer'} if is_named else {}
  labels |= {0.5: 'spikes', -0.5: 'errors'}
  axes.set_yticks([*labels], [*labels.values()])
  axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
  axes.spines[['top', 'right', 'left', 'bottom']].set_visible(False)
  axes.tick_params(labelsize=8, length=0)
  words = 'tick; the inputs end at the dotted line'
  axes.set_xlabel(words, fontsize=8, labelpad=2)
