"""Draws one composite neuron, forward and backward, as the front picture.

  python -m experiments.measurements.neuron_figure

Its rasters are those of a small network that is simulated for the picture.
"""

import pathlib

import jax
from matplotlib import figure
from matplotlib import patches
import numpy as np

from experiments import figures
from experiments.config import command as cli
from experiments.measurements import neuron_trace
import ssnn_jax

STEM = pathlib.Path('docs', 'composite_neuron')
# A leaky membrane that is read at every tick, so that it moves in the picture.
CONFIG = ssnn_jax.NetworkConfig(
  (5, 6, 4), num_steps=30, window=1, integration='leaky', tau=4.0
)
IMAGE, LABEL, NEURON = np.float32([0.5, 0.2, 0.6, 0.3, 0.4]), 2, 3
# Chosen so that all that is to be seen happens within the few ticks.
_WEIGHTS_SEED, _SPIKES_SEED, _SCALE = 23, 123, 1.6
_FORWARD, _BACKWARD, _FAINT = figures.BLUE, '#8A3800', '0.75'
_SIZE = 10, 6.0  # inches
# Left edges and widths of the columns, and heights of the rows, in shares.
_SYNAPSES, _ARRAY, _NEURON, _FIRING, _AXON = (
  *((0.025, 0.225), (0.29, 0.065), (0.425, 0.205)),
  *((0.68, 0.07), (0.785, 0.205)),
)
_TOP, _BETWEEN, _BOTTOM = (0.65, 0.21), (0.38, 0.19), (0.1, 0.15)
_SMALL, _LARGE = 11.5, 14  # points


def simulate() -> tuple[ssnn_jax.Params, neuron_trace.Trace]:
  """Simulates the network of the picture.

  Returns:
    Its parameters, and what the neuron of the picture receives and sends.
  """
  params = ssnn_jax.ssnn(CONFIG).init(jax.random.key(_WEIGHTS_SEED))
  params = jax.tree.map(lambda values: _SCALE * values, params)
  key = jax.random.key(_SPIKES_SEED)
  return params, neuron_trace.trace(CONFIG, params, key, IMAGE, LABEL, NEURON)


def draw() -> figure.Figure:
  """Draws the picture.

  Returns:
    The figure.
  """
  params, told = simulate()
  sheet = figure.Figure(figsize=_SIZE)
  _draw_synapses(sheet, told)
  _draw_array(
    _axes(sheet, _ARRAY, _TOP, 'weights'), params[0].weights[:, NEURON]
  )
  _draw_neuron(sheet, told)
  _draw_next_layer(sheet, told, params[1].weights[NEURON])
  _draw_flow(sheet)
  return sheet


def main() -> None:
  """Draws the picture into its files."""
  STEM.parent.mkdir(exist_ok=True)
  print('figure: ' + ', '.join(map(str, figures.save(draw(), STEM))))


def _draw_synapses(sheet, told):
  """Draws what meets at the synapses, and the ticks at which it does."""
  spikes_in = _axes(sheet, _SYNAPSES, _TOP, 'presynaptic spikes')
  meeting = _axes(sheet, _SYNAPSES, _BETWEEN)
  errors = _axes(sheet, _SYNAPSES, _BOTTOM, 'its error spikes')
  is_met = told.coincidences != 0
  look = {'linelengths': 0.75, 'linewidths': 1.8}
  neuron_trace.raster(spikes_in, told.presynaptic * ~is_met, '0.6', **look)
  neuron_trace.raster(spikes_in, told.presynaptic * is_met, **look)
  streams = np.stack([told.errors > 0, told.errors < 0], axis=1)
  colors = neuron_trace.POSITIVE, neuron_trace.NEGATIVE
  neuron_trace.raster(errors, streams, colors, **look | {'linewidths': 2.4})
  for sign, color, marker in zip((1, -1), colors, 'v^'):
    ticks, rows = np.nonzero(told.coincidences == sign)
    meeting.plot(ticks, rows, marker, color=color, markersize=6)
  meeting.set_ylim(told.presynaptic.shape[1] - 0.4, -0.6)
  for axes in (spikes_in, meeting, errors):
    axes.set_xlim(-1, CONFIG.num_steps)
    for tick in np.flatnonzero(told.errors):
      axes.axvline(tick, color=_FAINT, linewidth=0.8, zorder=0)
  errors.set_yticks([0, 1], ['+', '\N{MINUS SIGN}'], fontsize=_LARGE)
  errors.tick_params(length=0, pad=1)


def _draw_array(axes, weights):
  """Draws a column of a crossbar between two others; the size is |w|."""
  rows = range(len(weights))
  for row in rows:
    axes.axhline(row, color=_FAINT, linewidth=1, zorder=0)
  for column in (-1, 1):
    axes.axvline(column, color=_FAINT, linewidth=1, zorder=0)
    axes.scatter([column] * len(rows), rows, 14, _FAINT)
  axes.axvline(0, color=figures.BLACK, linewidth=1.6, zorder=1)
  for row, weight in enumerate(np.asarray(weights)):
    axes.scatter(
      *(0, row, 130 * abs(weight) / np.abs(weights).max() + 12),
      facecolor=figures.BLACK if weight > 0 else 'white',
      edgecolor=figures.BLACK,
      linewidth=1.4,
      zorder=2,
    )
  axes.set(xlim=(-1.6, 1.6), ylim=(len(rows) - 0.4, -0.6))
  axes.axis('off')


def _draw_neuron(sheet, told):
  """Draws the membrane, the firing function and the gate."""
  membrane = _axes(sheet, _NEURON, _TOP, 'membrane potential v')
  neuron_trace.plot_potential(membrane, told)
  membrane.set_yticks([0, 1])
  for level in (0, 1):
    membrane.axhline(level, color='0.5', linewidth=0.8, zorder=0)
  firing = _axes(sheet, _FIRING, _TOP, 'firing rate')
  firing.plot([-0.7, 0, 1, 1.7], [0, 0, 1, 1], color=_FORWARD, linewidth=2)
  firing.set(xticks=[0, 1], yticks=[0, 1], ylim=(-0.15, 1.15))
  firing.set_xlabel('clip(v, 0, 1)', fontsize=_SMALL)
  gate = _axes(sheet, _NEURON, _BOTTOM, 'gate: open if 0 < v < 1')
  neuron_trace.shade_gate(gate, told)
  passed = told.gate > 0
  for is_kept, color in ((passed, _BACKWARD), (~passed, '0.65')):
    ticks = np.flatnonzero(is_kept & (told.arriving != 0))
    gate.vlines(ticks, 0, told.arriving[ticks], color=color, linewidth=2.4)
  gate.axhline(0, color='0.5', linewidth=0.8)
  gate.set_yticks([])
  for axes in (membrane, firing, gate):
    axes.tick_params(labelsize=_SMALL, length=2)
  for axes in (membrane, gate):
    axes.set_xlim(-1, CONFIG.num_steps)


def _draw_next_layer(sheet, told, weights):
  """Draws what the neuron sends to the next layer, and what comes back."""
  sent = _axes(sheet, _AXON, _TOP, 'its spikes')
  neuron_trace.raster(sent, told.spikes[:, None], _FORWARD, linewidths=2.2)
  sent.set_ylim(1.2, -1.2)
  back = _axes(sheet, _AXON, _BOTTOM, 'error spikes, next layer')
  neuron_trace.raster_signed(back, told.next_errors, linewidths=2)
  for axes in (sent, back):
    axes.set_xlim(-1, CONFIG.num_steps)
  _draw_array(_axes(sheet, _FIRING, _BOTTOM, 'transposed read'), weights)


def _draw_flow(sheet):
  """Says which way spikes go, and what moves a weight."""
  top, bottom = (row[0] + row[1] / 2 for row in (_TOP, _BOTTOM))
  columns = _SYNAPSES, _ARRAY, _NEURON, _FIRING, _AXON
  for before, after in zip(columns, columns[1:]):
    ends = before[0] + before[1], after[0]
    # There are numbers in front of these two.
    shift = 0.02 if after in (_NEURON, _FIRING) else 0.0
    _arrow(sheet, (ends[0], ends[1] - shift), top, _FORWARD)
    if after is not _ARRAY and before is not _ARRAY:
      _arrow(sheet, ends[::-1], bottom, _BACKWARD)
  _arrow(sheet, (_NEURON[0], sum(_SYNAPSES)), bottom, _BACKWARD)
  look = {'fontsize': _LARGE, 'fontweight': 'bold', 'va': 'center'}
  sheet.text(0.02, 0.95, 'forward: activation', color=_FORWARD, **look)
  _arrow(sheet, (0.24, 0.985), 0.95, _FORWARD)
  sheet.text(
    *(0.985, 0.035, 'backward: error'),
    **look | {'color': _BACKWARD, 'ha': 'right'},
  )
  _arrow(sheet, (0.8, 0.02), 0.035, _BACKWARD)
  sheet.text(
    *(_ARRAY[0], _BETWEEN[0] + _BETWEEN[1] / 2),
    'coincidence: presynaptic spike and error spike in the same tick\n'
    'moves the weight down (\N{BLACK DOWN-POINTING TRIANGLE}) or up '
    '(\N{BLACK UP-POINTING TRIANGLE})',
    fontsize=_SMALL + 1,
    va='center',
    linespacing=1.5,
  )


def _arrow(sheet, ends, height, color):
  """Draws an arrow from one abscissa to another."""
  start, end = ends
  gap = 0.008 if end > start else -0.008
  sheet.add_artist(
    patches.FancyArrowPatch(
      (start + gap, height),
      (end - gap, height),
      arrowstyle='-|>',
      mutation_scale=14,
      color=color,
      linewidth=1.8,
      shrinkA=0,
      shrinkB=0,
    )
  )


def _axes(sheet, column, row, title=''):
  """Adds a bare panel."""
  axes = sheet.add_axes((column[0], row[0], column[1], row[1]))
  axes.set_title(title, fontsize=_SMALL)
  axes.set(xticks=[], yticks=[])
  axes.spines[:].set_visible(False)
  return axes


if __name__ == '__main__':
  cli.launch(main)
