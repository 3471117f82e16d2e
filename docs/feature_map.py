"""Figure of the spikes of a feature map, forward and backward.

A feature map is the neurons of one feature of a convolution, at all positions.
"""

from matplotlib import colors
from matplotlib import figure
import numpy as np

from experiments.analysis import style
from ssnn_jax.training import raster

_SIGNS = colors.ListedColormap([style.PURPLE, 'white', style.VERMILION])
_SIZE = 1.15  # inches of a panel


def draw(
  recorded: raster.Raster, layer: int, feature: int, num_ticks: int = 6
) -> figure.Figure:
  """Draws the spikes of a feature map in the first ticks and in all of them.

  Args:
    recorded: the spikes of a presentation.
    layer: hidden layer, a convolution, from 0.
    feature: the feature.
    num_ticks: number of ticks that are drawn.

  Returns:
    The figure: the spikes of the inputs, the spikes of the feature map, and its
    error spikes of both streams. The last column has the sums over all ticks.
  """
  rows = {
    'input': recorded.spikes[0],
    'forward': recorded.spikes[layer + 1][..., feature],
    'backward': recorded.errors[layer][..., feature],
  }
  fig = figure.Figure(
    figsize=(_SIZE * (num_ticks + 1), _SIZE * len(rows) + 0.5),
    layout='constrained',
  )
  panels = fig.subplots(len(rows), num_ticks + 1)
  for line, (name, trains) in zip(panels, rows.items()):
    is_signed = name == 'backward'
    maps = [*trains[:num_ticks], trains.sum(axis=0, dtype=int)]
    for tick, (axes, shown) in enumerate(zip(line, maps)):
      is_sum = tick == num_ticks
      limit = max(1, np.abs(shown).max()) if is_sum else 1
      axes.imshow(
        shown,
        _colors(is_signed, is_sum),
        vmin=-limit if is_signed else 0,
        vmax=limit,
      )
      axes.set(xticks=[], yticks=[])
      if name == 'input':
        title = f'{len(trains)} ticks' if is_sum else f'tick {tick}'
        axes.set_title(title, fontsize=style.LETTERS)
    line[0].set_ylabel(name, fontsize=style.LETTERS)
  style.set_title(
    fig,
    f'feature {feature} of layer {layer}: spikes, and error spikes to fire '
    'less (red) or more (purple)',
  )
  return fig


def _colors(is_signed, is_sum):
  """Returns the colours of spikes, or of sums of spikes."""
  if not is_signed:
    return 'gray_r'
  if not is_sum:
    return _SIGNS
  ends = [style.PURPLE, 'white', style.VERMILION]
  return colors.LinearSegmentedColormap.from_list('signs', ends)
