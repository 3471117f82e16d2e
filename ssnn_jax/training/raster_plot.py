"""Figures of rasters: the spikes of a layer of neurons, tick by tick."""

from collections.abc import Sequence
import itertools
from typing import Any

from matplotlib import figure
from matplotlib.axes import Axes
import numpy as np

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.training.raster import Raster

# Of spikes, of error spikes to fire less, and to fire more: from the palette of
# Okabe and Ito for colour-blind readers.
COLORS = SPIKE, FIRE_LESS, FIRE_MORE = '#0072B2', '#D55E00', '#CC79A7'
_MAX_NEURONS = 32  # unless more are asked for
_MAX_LABELS = 8  # of the neurons
# Inches of a figure and of a panel, smallest and largest.
_WIDTHS, _TICKS_PER_INCH = (5.2, 10), 16
_HEIGHTS, _NEURONS_PER_INCH = (1.2, 4), 10
_OF_TEXTS = 1.2  # inches of title, legend and label of the ticks


def draw(
  recorded: Raster, layer: int = 1, neurons: Any = None
) -> figure.Figure:
  """Draws the spikes of a layer of neurons, and below them its error spikes.

  Args:
    recorded: the spikes of a presentation.
    layer: layer of neurons, as in `layer_sizes`: 0 has the inputs, which have
      no error spikes; a spike of the last, the output layer, is the winner of
      the tick.
    neurons: index of an array in the shape of the layer, such as `slice(20)`
      or, for feature 3 of a convolution, `np.s_[..., 3]`. With None, the most
      active of a layer of more than 32 neurons.

  Returns:
    The figure: neurons against ticks. Vertical lines are the borders of windows
    of several ticks.

  Raises:
    UserError: if there is no such layer, or there are no such neurons.

  Example:
    >>> from ssnn_jax.training import raster_plot
    >>> config = ssnn_jax.NetworkConfig((6, 80, 4), num_steps=40, window=8)
    >>> params = ssnn_jax.ssnn(config).init(jax.random.key(0))
    >>> recorded = ssnn_jax.training.raster.record(
    ...   config, params, jax.random.key(1), jnp.full(6, 0.5), label=2)
    >>> figure = raster_plot.draw(recorded, layer=1)
    >>> figure.get_suptitle()
    'layer 1: the 32 most active of 80 neurons'
    >>> figure.savefig('layer-1.png')  # doctest: +SKIP
  """
  last = len(recorded.errors)
  if not (checks.is_integer(layer) and 0 <= layer <= last):
    raise types.UserError(
      f'layer is {layer}; expected 0 (inputs) to {last} (output layer).'
    )
  spikes = (*recorded.spikes, recorded.winners)[layer]
  errors = recorded.errors[layer - 1 : layer]  # none of the inputs
  trains = [spikes, *errors]
  shape = trains[0].shape[1:]
  trains = [train.reshape(len(train), -1) for train in trains]
  numbers, described = _choose(trains, shape, neurons)
  trains = [train[:, numbers] for train in trains]
  fig, panels = _make_panels(trains, recorded.window)
  label = 'winners' if layer == last else 'spikes'
  plot_spikes(panels[0], trains[0], SPIKE, label=label)
  if errors:
    plot_errors(panels[-1], trains[-1])
    if not trains[-1].any():
      place = {'transform': panels[-1].transAxes, 'ha': 'center'}
      panels[-1].text(0.5, 0.5, 'no error spikes', **place)
  for axes in panels:
    _label_neurons(axes, shape, numbers)
  fig.suptitle(f'layer {layer}: {described}')
  fig.legend(loc='outside lower center', ncols=3)
  return fig


def plot_spikes(
  axes: Axes,
  train: np.ndarray,
  color: str | Sequence[str],
  shift: float = 0.0,
  length: float = 0.8,
  label: str | None = None,
) -> None:
  """Plots spikes as vertical lines, with the first neuron on top.

  Args:
    axes: the axes.
    train: `[T, N]` spikes, 0 where there is none.
    color: colour of the spikes, or of those of each neuron.
    shift: shift of the lines down, in distances of neurons.
    length: length of a line, in distances of neurons.
    label: label of the spikes in a legend.
  """
  num_neurons = train.shape[1]
  ticks = [np.flatnonzero(row) for row in train.T]
  rows = np.arange(num_neurons) + shift
  lines = axes.eventplot(
    ticks, lineoffsets=rows, linelengths=length, colors=color
  )
  lines[0].set_label(label)
  axes.set_ylim(num_neurons - 0.4, -0.6)


def plot_errors(axes: Axes, train: np.ndarray) -> None:
  """Plots `[T, N]` error spikes: to fire less, 1, above to fire more, -1."""
  less, more = 'error spikes to fire less', 'to fire more'
  plot_spikes(axes, train > 0, FIRE_LESS, -0.23, 0.45, less)
  plot_spikes(axes, train < 0, FIRE_MORE, 0.23, 0.45, more)


def _choose(trains, shape, neurons):
  """Returns the numbers of the neurons to draw, and their description."""
  numbers = np.arange(np.prod(shape))
  if neurons is not None:
    try:
      chosen = np.ravel(numbers.reshape(shape)[neurons])
    except IndexError:
      chosen = numbers[:0]
    if not chosen.size:
      raise types.UserError(
        f'neurons is {neurons}; expected an index of one or more neurons of an '
        f'array of shape {shape}.'
      )
    return chosen, f'{len(chosen)} of {len(numbers)} neurons'
  if len(numbers) <= _MAX_NEURONS:
    return numbers, f'{len(numbers)} neurons'
  activity = sum(np.count_nonzero(train, axis=0) for train in trains)
  most = np.argsort(-activity, stable=True)[:_MAX_NEURONS]
  described = f'the {_MAX_NEURONS} most active of {len(numbers)} neurons'
  return np.sort(most), described


def _make_panels(trains, window):
  """Makes a panel for each train, with the borders of windows."""
  num_ticks, num_neurons = trains[0].shape
  width = np.clip(num_ticks / _TICKS_PER_INCH, *_WIDTHS)
  height = np.clip(num_neurons / _NEURONS_PER_INCH, *_HEIGHTS)
  size = width, _OF_TEXTS + len(trains) * height
  fig = figure.Figure(figsize=size, layout='constrained')
  panels = fig.subplots(len(trains), sharex=True, squeeze=False)[:, 0]
  panels[-1].set(xlabel='tick', xlim=(-0.5, num_ticks - 0.5))
  borders = range(window, num_ticks, window)
  if window > 1 and borders:
    label = f'tick; lines are borders of windows of {window} ticks'
    panels[-1].set_xlabel(label)
    for axes, border in itertools.product(panels, borders):
      axes.axvline(border - 0.5, color='0.85', linewidth=0.8, zorder=0)
  return fig, panels


def _label_neurons(axes, shape, numbers):
  """Labels some neurons by their indices."""
  rows = np.arange(0, len(numbers), -(-len(numbers) // _MAX_LABELS))
  indices = zip(*np.unravel_index(numbers[rows], shape))
  labels = [', '.join(map(str, index)) for index in indices]
  axes.set_yticks(rows, labels)
  axes.set_ylabel('neuron')
