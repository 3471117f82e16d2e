"""Figure of the spikes of a feature map, forward and backward.

A feature map is the neurons of one feature of a convolution, at all positions.
"""

from matplotlib import colors
from matplotlib import figure
import numpy as np

from experiments.analysis import figures
from ssnn_jax.training import raster

_SIZE = 1.15  # inches of a panel
# Of spikes, and of error spikes to fire more, 0, and to fire less.
_GRAY = 'gray_r'
_SIGNED = colors.LinearSegmentedColormap.from_list(
  'signed', [figures.PURPLE, 'white', figures.VERMILION]
)


def draw(
  recorded: raster.Raster, layer: int, feature: int, num_ticks: int = 6
) -> figure.Figure:
  """Draws the spikes of a feature map in the first ticks and in all of them.

  Args:
    recorded: the spikes of a presentation of an image of one channel.
    layer: layer of neurons, a convolution; 0 has the inputs.
    feature: the feature.
    num_ticks: number of ticks that are drawn.

  Returns:
    The figure: the spikes of the inputs, the spikes of the feature map, and its
    error spikes of both streams. The last column has the sums over all ticks.
  """
  rows = {
    'input': recorded.spikes[0],
    'forward': recorded.spikes[layer][..., feature],
    'backward': recorded.errors[layer - 1][..., feature],
  }
  size = _SIZE * (num_ticks + 1), _SIZE * len(rows) + 0.5
  fig = figure.Figure(figsize=size, layout='constrained')
  panels = fig.subplots(len(rows), num_ticks + 1)
  for line, (name, trains) in zip(panels, rows.items()):
    _draw_row(line, trains[:num_ticks], is_signed=name == 'backward')
    total = trains.sum(axis=0, dtype=int)
    _draw_row(line[num_ticks:], [total], is_signed=name == 'backward')
    line[0].set_ylabel(name, fontsize=figures.LETTERS)
  for tick, axes in enumerate(panels[0]):
    is_sum = tick == num_ticks
    title = f'{len(rows["input"])} ticks' if is_sum else f'tick {tick}'
    axes.set_title(title, fontsize=figures.LETTERS)
  figures.set_title(
    fig,
    f'feature {feature} of layer {layer}: spikes, and error spikes to fire '
    'less (red) or more (purple)',
  )
  return fig


def _draw_row(line, maps, is_signed):
  """Draws maps with a common scale of colours."""
  largest = max(1, *(np.abs(shown).max() for shown in maps))
  smallest = -largest if is_signed else 0
  look = {'vmin': smallest, 'vmax': largest}
  for axes, shown in zip(line, maps):
    axes.imshow(shown, cmap=_SIGNED if is_signed else _GRAY, **look)
    axes.set(xticks=[], yticks=[])
