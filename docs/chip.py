"""Block diagram of the chip.

  python -m docs.chip

makes the figure of docs/chip.md. Boxes are modules of `ssnn_jax/chip/rtl`.
"""

import pathlib

from matplotlib import figure
from matplotlib import patches

from experiments.analysis import figures
from experiments.config import command

STEM = pathlib.Path('docs', 'chip')
_FORWARD, _BACKWARD, _RANDOM = figures.BLUE, '#8A3800', figures.GREEN
_SMALL, _LARGE = 10, 12.5  # points
# Left edge, width and text of the boxes of the main row: spikes pass from left
# to right in one tick each, errors from right to left.
_ROW = (
  ('inputs', 0.2, 1.5, 'rates of the\nsample'),
  ('synapses', 2.6, 1.9, 'weights\n$w_0$ [i, j]'),
  ('neuron', 5.4, 1.9, 'potential $v_0$\ncurrent $g_0$'),
  ('synapses', 8.2, 1.9, 'weights\n$w_1$ [j, k]'),
  ('membrane', 11.0, 1.6, 'potential $v_1$\nof each class'),
  ('winner', 13.4, 1.6, 'argmax of\n$v_1$ + noise'),
)
_BOTTOM, _HEIGHT = 2.2, 1.7
_FORWARD_AT, _BACKWARD_AT = _BOTTOM + 1.25, _BOTTOM + 0.45


def draw() -> figure.Figure:
  """Draws the modules of a chip with one hidden layer, and its signals."""
  fig = figure.Figure(figsize=(11, 4.6))
  axes = fig.add_axes((0, 0, 1, 1))
  axes.set(xlim=(0, 16.6), ylim=(-0.35, 6.3))
  axes.axis('off')
  for name, left, width, text in _ROW:
    _box(axes, left, _BOTTOM, width, _HEIGHT, name, text)
  forward = (
    '$x_0$\nspikes',
    'sums',
    '$x_1$\nspikes',
    'sums',
    '$v_1$',
  )
  for text, before, after in zip(forward, _ROW, _ROW[1:]):
    _arrow(axes, before[1] + before[2], after[1], _FORWARD_AT, text, _FORWARD)
  backward = (None, '$e_0$\nerrors', '$g_0$', None, None)
  for text, before, after in zip(backward, _ROW, _ROW[1:]):
    if text:
      ends = after[1], before[1] + before[2]
      _arrow(axes, *ends, _BACKWARD_AT, text, _BACKWARD)
  # The errors of the output pass below the membranes, which they do not change.
  axes.plot([14.2, 14.2], [_BOTTOM, 1.75], color=_BACKWARD, linewidth=1.6)
  axes.plot([9.15, 14.2], [1.75, 1.75], color=_BACKWARD, linewidth=1.6)
  _vertical(axes, 9.15, 1.75, _BOTTOM, _BACKWARD)
  axes.text(
    11.7, 1.4, '$e_1$ = winner - label', color=_BACKWARD, fontsize=_SMALL,
    ha='center', va='center',
  )  # fmt: skip
  words = (
    (0.95, 'thresholds'),
    (3.55, 'enable bits'),
    (6.35, 'thresholds'),
    (9.15, 'enable bits'),
    (14.2, 'addresses of noise'),
  )
  _box(axes, 0.2, 5.1, 14.8, 0.8, 'generator, random_words, enables', '')
  for center, text in words:
    _vertical(axes, center, 5.1, _BOTTOM + _HEIGHT, _RANDOM)
    axes.text(center + 0.12, 4.5, text, color=_RANDOM, fontsize=_SMALL)
  _box(
    axes, 0.2, -0.15, 10.2, 0.8, 'schedule: tick, shift of the membranes', ''
  )
  _box(axes, 13.4, -0.15, 1.6, 0.8, 'votes', '')
  axes.annotate(
    '', (15.4, 0.25), (15.4, _FORWARD_AT),
    arrowprops={'arrowstyle': '-', 'color': _FORWARD, 'linewidth': 1.6},
  )  # fmt: skip
  axes.plot([15.0, 15.4], [_FORWARD_AT] * 2, color=_FORWARD, linewidth=1.6)
  _arrow(axes, 15.4, 15.0, 0.25, '', _FORWARD)
  axes.text(15.5, 1.8, 'winner', color=_FORWARD, fontsize=_SMALL)
  axes.text(
    3.55, 1.35,
    '$w$ moves by one unit where a spike of the row and\n'
    'an error of the column meet in a tick, if enabled',
    fontsize=_SMALL, ha='center', va='center',
  )  # fmt: skip
  return fig


def _box(axes, left, bottom, width, height, name, text):
  axes.add_patch(
    patches.FancyBboxPatch(
      (left, bottom),
      width,
      height,
      boxstyle='round,pad=0,rounding_size=0.12',
      facecolor='#F3F6FA',
      edgecolor=figures.BLACK,
    )
  )
  center, top = left + width / 2, bottom + height
  look = {'ha': 'center', 'fontsize': _LARGE, 'family': 'monospace'}
  if text:
    axes.text(center, top - 0.12, name, va='top', **look)
    axes.text(
      center, bottom + 0.62, text, ha='center', va='center', fontsize=_SMALL
    )
  else:
    axes.text(center, bottom + height / 2, name, va='center', **look)


def _arrow(axes, start, end, height, text, color):
  look = {'arrowstyle': '-|>', 'color': color, 'linewidth': 1.6}
  look |= {'shrinkA': 0, 'shrinkB': 0, 'mutation_scale': 12}
  axes.annotate('', (end, height), (start, height), arrowprops=look)
  above = color == _FORWARD
  axes.text(
    (start + end) / 2, height + (0.1 if above else -0.1), text, color=color,
    fontsize=_SMALL, ha='center', va='bottom' if above else 'top',
  )  # fmt: skip


def _vertical(axes, center, start, end, color):
  look = {'arrowstyle': '-|>', 'color': color, 'linewidth': 1.6}
  look |= {'shrinkA': 0, 'shrinkB': 0, 'mutation_scale': 12}
  axes.annotate('', (center, end), (center, start), arrowprops=look)


def main() -> None:
  """Saves the figure."""
  print(f'figure: {figures.save(draw(), STEM)}')


if __name__ == '__main__':
  command.launch(main)
