"""Figures of what lines of a model cost in spikes, and of neurons that rest."""

import pathlib

from matplotlib import figure
from matplotlib import ticker
import numpy as np

from ssnn_jax.spiking.explain import Explanation

# From the palette of Okabe and Ito for colour-blind readers.
ADDITIONS = {'forward': '#0072B2', 'back': '#D55E00', 'synapses': '#E69F00'}
SHARES = {'silent': ('s', '#000000'), 'closed': ('x', '#D55E00'),
          'rounded': ('o', '#0072B2')}  # fmt: skip
_PRODUCTS = '#999999'


def draw(explained: Explanation) -> figure.Figure:
  """Draws the additions of each line, products of the ANN, and shares.

  The grey bar of a line has the products of the ANN with learning. Marks are
  the shares of each kind of neurons of the line.
  """
  lines = {}
  for row in explained.rows:
    if row.where:
      lines.setdefault(row.where, []).append(row)
  find_sums = lambda name: np.array(
    [sum(getattr(row, name) for row in rows) for rows in lines.values()]
  )
  places, ends = np.arange(len(lines)), np.zeros(len(lines))
  fig = figure.Figure((8.5, 1.5 + 0.36 * len(lines)), layout='constrained')
  left, right = fig.subplots(1, 2, sharey=True, width_ratios=(2, 1))
  for name, color in ADDITIONS.items():
    sums = find_sums(name)
    left.barh(places - 0.12, sums, 0.5, ends, color=color, label=name)
    ends += sums
  products = find_sums('learning_products')
  left.barh(
    places + 0.26, products, 0.22, color=_PRODUCTS, label='products of the ANN'
  )
  for name, (marker, color) in SHARES.items():
    marks = [
      (getattr(row, name), place)
      for place, rows in zip(places, lines.values())
      for row in rows
    ]
    right.plot(
      *zip(*marks), marker, color=color, fillstyle='none', label=name,
      markersize={'s': 9, 'o': 5}.get(marker, 6), clip_on=False,
    )  # fmt: skip
  names = [pathlib.Path(where).name[-20:] for where in lines]
  left.set_yticks(places, names, parse_math=False)
  left.set(ylim=(len(lines) - 0.4, -0.6), xlabel='additions for a sample')
  left.xaxis.set_major_formatter(ticker.EngFormatter(sep=''))
  right.set(xlim=(0, 1), xlabel='share of the neurons')
  right.xaxis.set_major_formatter(ticker.PercentFormatter(1))
  for axes in (left, right):
    axes.tick_params(labelsize=8)
    axes.grid(axis='x', alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
  forward, learning = explained.ratios
  fig.suptitle(
    f'Additions for a product of the ANN: {forward:.2f} forward, '
    f'{learning:.2f} with learning',
    fontsize=10,
  )
  fig.legend(loc='outside lower center', ncols=7, fontsize=8)
  return fig
