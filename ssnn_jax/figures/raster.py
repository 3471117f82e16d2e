"""Figures of rasters: the spikes of a layer of neurons, tick by tick."""

from typing import Any

from matplotlib import figure
from matplotlib import ticker
import numpy as np

from ssnn_jax import types
from ssnn_jax.stochastic.observe import Raster

# Of spikes, of error spikes to fire less, and to fire more, from the palette of
# Okabe and Ito for colour-blind readers.
COLORS = SPIKE, FIRE_LESS, FIRE_MORE = '#0072B2', '#D55E00', '#CC79A7'
_MAX_NEURONS = 32  # unless more are asked for
_MAX_AMONG_LAYERS = 12
_MAX_LABELS = 8  # of the neurons


def draw(
  recorded: Raster, layer: int | None = None, neurons: Any = None
) -> figure.Figure:
  """Draws the spikes of a layer of neurons, and beside them its error spikes.

  Each is a panel of neurons against ticks.

  Args:
    recorded: the spikes of a presentation.
    layer: layer of neurons, as in `layer_sizes`: 0 has the inputs, which have
      no error spikes; a spike of the last, the output layer, is the winner of
      the tick. None draws all layers, one below the other.
    neurons: index of an array in the shape of the layer, such as `slice(20)`
      or, for feature 3 of a convolution, `np.s_[..., 3]`. With None, the most
      active of a layer of more than 32 neurons, or of 12 among several layers.
  """
  last = len(recorded.errors)
  if layer not in (None, *range(last + 1)):
    raise types.UserError(
      f'layer is {layer}; expected 0 (inputs) to {last} (output layer), or '
      'None for all.'
    )
  chosen = range(last + 1) if layer is None else [layer]
  most = _MAX_NEURONS if layer is not None else _MAX_AMONG_LAYERS
  rows = [_choose(recorded, own, neurons, most) for own in chosen]
  heights = [np.clip(len(own[1]) / 10, 1.2, 4) for own in rows]  # inches
  num_columns = 1 + any(len(trains) > 1 for _, _, trains in rows)
  num_ticks = len(recorded.winners)
  width = num_columns * np.clip(num_ticks / 16, 4.2, 7.5)
  fig = figure.Figure((width, 1.3 + sum(heights)), layout='constrained')
  panels = fig.subplots(
    len(rows), num_columns, sharex=True, squeeze=False, height_ratios=heights
  )
  labels = {}
  for number, line, (title, names, trains) in zip(chosen, panels, rows):
    name = 'winner' if number == last else 'spike'
    _plot(line[0], trains[0] > 0, SPIKE, 0.0, 0.8, f'{name}s')
    for axes, train in zip(line[1:], trains[1:]):
      for sign, color, name in (
        (1, FIRE_LESS, 'less'),
        (-1, FIRE_MORE, 'more'),
      ):
        label = f'error spikes to fire {name}'
        _plot(axes, sign * train > 0, color, -0.23 * sign, 0.45, label)
    for axes, train, way in zip(line, trains, ('forward', 'backward')):
      places = np.arange(0, len(names), -(-len(names) // _MAX_LABELS))
      way += '' if train.any() else ': no spikes'
      axes.set_title(f'{title}, {way}', fontsize=9)
      axes.set_yticks(places, [names[place] for place in places])
      axes.set(ylim=(len(names) - 0.4, -0.6))
      for handle, label in zip(*axes.get_legend_handles_labels()):
        labels.setdefault(label, handle)
    line[0].set_ylabel('neuron')
    for axes in line[len(trains) :]:
      axes.set_axis_off()
  for axes in panels[-1]:
    axes.set(xlabel='tick', xlim=(0.5, num_ticks + 0.5))
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
  fig.legend(labels.values(), labels, loc='outside lower center', ncols=4)
  return fig


def _choose(recorded, layer, neurons, most):
  """Returns title, names and `[T, N]` trains of the neurons of a layer."""
  spikes = (*recorded.spikes, recorded.winners)[layer]
  trains = [spikes, *recorded.errors[layer - 1 : layer]]  # none of the inputs
  shape, num_ticks = spikes.shape[1:], len(spikes)
  trains = [train.reshape(num_ticks, -1) for train in trains]
  numbers = np.arange(np.prod(shape))
  described = f'{len(numbers)} neurons'
  if neurons is not None:
    numbers = np.ravel(numbers.reshape(shape)[neurons])
    described = f'{len(numbers)} of {described}'
  elif len(numbers) > most:
    numbers = _most_active(trains, most)
    described = f'the {most} most active of {described}'
  indices = zip(*np.unravel_index(numbers, shape))
  names = [', '.join(map(str, index)) for index in indices]
  title = f'layer {layer}: {described}'
  return title, names, [train[:, numbers] for train in trains]


def _most_active(trains: list[np.ndarray], most: int) -> np.ndarray:
  """Returns the numbers of the neurons `[N]` with most spikes in `[T, N]`."""
  activity = sum(np.count_nonzero(train, axis=0) for train in trains)
  return np.sort(np.argsort(-activity, stable=True)[:most])


def _plot(axes, train, color, shift, length, label):
  """Plots `[T, N]` spikes as vertical lines, with the first neuron on top."""
  ticks = [1 + np.flatnonzero(row) for row in train.T]
  rows = np.arange(train.shape[1]) + shift
  width = np.clip(100 / len(train), 1.5, 6)  # points
  lines = axes.eventplot(
    ticks,
    linewidths=width,
    lineoffsets=rows,
    linelengths=length,
    colors=color,
  )
  lines[0].set_label(label)
