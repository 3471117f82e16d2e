"""Figures of rasters: the spikes of a layer of neurons, tick by tick."""

from typing import Any

from matplotlib import figure
from matplotlib import ticker
import numpy as np

from ssnn_jax import types
from ssnn_jax.observe import Raster

# Of spikes, of error spikes to fire less, and to fire more, from the palette of
# Okabe and Ito for colour-blind readers.
COLORS = SPIKE, FIRE_LESS, FIRE_MORE = '#0072B2', '#D55E00', '#CC79A7'
TAKEN_BACK = '#E69F00'
_PALE = 0.4  # opacity of an error spike that takes one of the other sign back
_MAX_NEURONS = 32  # unless more are asked for
_MAX_LABELS = 8  # of the neurons


def draw(
  recorded: Raster, layer: int = 1, neurons: Any = None
) -> figure.Figure:
  """Draws the spikes of a layer of neurons, and below them its error spikes.

  Each is a panel of neurons against ticks, whatever a spike is worth. Error
  spikes that take back one of the other sign are pale.

  Args:
    recorded: the spikes of a presentation.
    layer: layer of neurons, as in `layer_sizes`: 0 has the inputs, which have
      no error spikes; a spike of the last, the output layer, is the winner of
      the tick.
    neurons: index of an array in the shape of the layer, such as `slice(20)`
      or, for feature 3 of a convolution, `np.s_[..., 3]`. With None, the most
      active of a layer of more than 32 neurons.
  """
  last = len(recorded.errors)
  if layer not in range(last + 1):
    raise types.UserError(
      f'layer is {layer}; expected 0 (inputs) to {last} (output layer).'
    )
  spikes = (*recorded.spikes, recorded.winners)[layer]
  trains = [spikes, *recorded.errors[layer - 1 : layer]]  # none of the inputs
  shape, num_ticks = spikes.shape[1:], len(spikes)
  trains = [train.reshape(num_ticks, -1) for train in trains]
  numbers = np.arange(np.prod(shape))
  described = f'{len(numbers)} neurons'
  if neurons is not None:
    numbers = np.ravel(numbers.reshape(shape)[neurons])
    described = f'{len(numbers)} of {described}'
  elif len(numbers) > _MAX_NEURONS:
    numbers = most_active(trains, _MAX_NEURONS)
    described = f'the {_MAX_NEURONS} most active of {described}'
  trains = [train[:, numbers] for train in trains]

  height = np.clip(len(numbers) / 10, 1.2, 4)  # inches of a panel
  size = np.clip(num_ticks / 16, 5.2, 10), 1.2 + len(trains) * height
  fig = figure.Figure(figsize=size, layout='constrained')
  panels = fig.subplots(len(trains), sharex=True, squeeze=False)[:, 0]
  name = 'winner' if layer == last else 'spike'
  _plot(panels[0], trains[0] > 0, SPIKE, 0.0, 0.8, f'{name}s')
  if np.any(trains[0] < 0):
    back = trains[0] < 0
    _plot(panels[0], back, TAKEN_BACK, 0.0, 0.8, f'negative {name}s')
  takes_back = any(
    np.any(train < 0) for train in (*recorded.spikes, recorded.winners)
  )
  for axes, train in zip(panels[1:], trains[1:]):
    before = np.cumsum(train, axis=0) - train
    is_back = takes_back & (before * train < 0)
    for sign, color, name, other in (
      (1, FIRE_LESS, 'less', 'more'),
      (-1, FIRE_MORE, 'more', 'less'),
    ):
      is_sent, look = sign * train > 0, (color, -0.23 * sign, 0.45)
      label = f'error spikes to fire {name}'
      _plot(axes, is_sent & ~is_back, *look, label)
      if np.any(is_sent & is_back):
        label = f'takes back one to fire {other}'
        _plot(axes, is_sent & is_back, *look, label, _PALE)
  panels[-1].set(xlabel='tick', xlim=(0.5, num_ticks + 0.5))
  panels[-1].xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
  rows = np.arange(0, len(numbers), -(-len(numbers) // _MAX_LABELS))
  indices = zip(*np.unravel_index(numbers[rows], shape))
  labels = [', '.join(map(str, index)) for index in indices]
  for axes, train, name in zip(panels, trains, ('forward', 'backward')):
    axes.set_title(name if train.any() else f'{name}: no spikes', fontsize=10)
    axes.set_yticks(rows, labels)
    axes.set(ylabel='neuron', ylim=(len(numbers) - 0.4, -0.6))
  fig.suptitle(f'layer {layer}: {described}')
  fig.legend(loc='outside lower center', ncols=2)
  return fig


def most_active(trains: list[np.ndarray], most: int) -> np.ndarray:
  """Returns the numbers of the neurons `[N]` with most spikes in `[T, N]`."""
  activity = sum(np.count_nonzero(train, axis=0) for train in trains)
  return np.sort(np.argsort(-activity, stable=True)[:most])


def _plot(axes, train, color, shift, length, label, alpha=1.0):
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
    alpha=alpha,
  )
  lines[0].set_label(label)
