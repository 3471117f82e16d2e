"""Figure of a composite neuron, forward and backward, for the documentation.

  python -m experiments.measurements.neuron_figure

The rasters are spikes of a small network that is simulated for the figure.
"""

import pathlib

import jax
from matplotlib import figure
from matplotlib import patches
import numpy as np

from experiments.analysis import style
from experiments.config import command
from experiments.measurements import neuron_trace
import ssnn_jax

STEM = pathlib.Path('docs', 'composite_neuron')
# The leaky membrane is read at every tick, so that its potential varies.
CONFIG = ssnn_jax.NetworkConfig(
  (5, 6, 4), num_steps=30, window=1, integration='leaky', tau=4.0
)
IMAGE, LABEL, NEURON = np.float32([0.5, 0.2, 0.6, 0.3, 0.4]), 2, 3
# Chosen so that few ticks contain every case.
_WEIGHTS_SEED, _SPIKES_SEED, _SCALE = 23, 123, 1.6
_FORWARD, _BACKWARD, _FAINT = style.BLUE, '#8A3800', '0.75'
# Left edges and widths of columns, bottom edges and heights of rows, as
# fractions of the figure.
_SYNAPSES, _ARRAY, _NEURON = (0.025, 0.225), (0.29, 0.065), (0.425, 0.205)
_FIRING, _AXON = (0.68, 0.07), (0.785, 0.205)
_TOP, _MIDDLE, _BOTTOM = (0.65, 0.21), (0.38, 0.19), (0.1, 0.15)
_SMALL, _LARGE = 11.5, 14  # points


def simulate() -> tuple[ssnn_jax.Params, neuron_trace.Trace]:
  """Simulates the figure's network; returns parameters and neuron trace."""
  params = ssnn_jax.ssnn(CONFIG).init(jax.random.key(_WEIGHTS_SEED))
  params = jax.tree.map(lambda values: _SCALE * values, params)
  key = jax.random.key(_SPIKES_SEED)
  return params, neuron_trace.trace(CONFIG, params, key, IMAGE, LABEL, NEURON)


def draw() -> figure.Figure:
  """Plots the figure."""
  params, trace = simulate()
  fig = figure.Figure(figsize=(10, 6.0))
  _draw_synapses(fig, trace)
  _draw_array(_axes(fig, _ARRAY, _TOP, 'weights'), params[0].weights[:, NEURON])
  _draw_neuron(fig, trace)
  _draw_next_layer(fig, trace, params[1].weights[NEURON])
  _draw_flow(fig)
  return fig


def main() -> None:
  """Saves the figure."""
  STEM.parent.mkdir(exist_ok=True)
  print(f'figure: {style.save(draw(), STEM)}')


def _draw_synapses(fig, trace):
  """Plots presynaptic spikes, error spikes and their coincidences."""
  presynaptic = _axes(fig, _SYNAPSES, _TOP, 'presynaptic spikes')
  coincidences = _axes(fig, _SYNAPSES, _MIDDLE)
  errors = _axes(fig, _SYNAPSES, _BOTTOM, 'error spikes')
  coincide = trace.coincidences != 0
  options = {'linelengths': 0.75, 'linewidths': 1.8}
  for mask, color in ((~coincide, '0.6'), (coincide, style.BLACK)):
    neuron_trace.raster(presynaptic, trace.presynaptic * mask, color, **options)
  streams = np.stack([trace.errors > 0, trace.errors < 0], axis=1)
  colors = neuron_trace.POSITIVE, neuron_trace.NEGATIVE
  neuron_trace.raster(errors, streams, colors, **options | {'linewidths': 2.4})
  for sign, color, marker in zip((1, -1), colors, 'v^'):
    ticks, rows = np.nonzero(trace.coincidences == sign)
    coincidences.plot(ticks, rows, marker, color=color, markersize=6)
  coincidences.set_ylim(trace.presynaptic.shape[1] - 0.4, -0.6)
  for axes in (presynaptic, coincidences, errors):
    axes.set_xlim(-1, CONFIG.num_steps)
    for tick in np.flatnonzero(trace.errors):
      axes.axvline(tick, color=_FAINT, linewidth=0.8, zorder=0)
  errors.set_yticks([0, 1], ['+', '\N{MINUS SIGN}'], fontsize=_LARGE)
  errors.tick_params(length=0, pad=1)


def _draw_array(axes, weights):
  """Plots a column of a crossbar; areas are proportional to |w|."""
  rows = range(len(weights))
  for row in rows:
    axes.axhline(row, color=_FAINT, linewidth=1, zorder=0)
  for column in (-1, 1):
    axes.axvline(column, color=_FAINT, linewidth=1, zorder=0)
    axes.scatter([column] * len(rows), rows, 14, _FAINT)
  axes.axvline(0, color=style.BLACK, linewidth=1.6, zorder=1)
  weights = np.asarray(weights)
  axes.scatter(
    np.zeros(len(rows)),
    rows,
    130 * np.abs(weights) / np.abs(weights).max() + 12,
    facecolor=np.where(weights > 0, style.BLACK, 'white'),
    edgecolor=style.BLACK,
    linewidth=1.4,
    zorder=2,
  )
  axes.set(xlim=(-1.6, 1.6), ylim=(len(rows) - 0.4, -0.6))
  axes.axis('off')


def _draw_neuron(fig, trace):
  """Plots the membrane potential, the firing function and the gate."""
  membrane = _axes(fig, _NEURON, _TOP, 'membrane potential v')
  neuron_trace.plot_potential(membrane, trace)
  membrane.set_yticks([0, 1])
  for level in (0, 1):
    membrane.axhline(level, color='0.5', linewidth=0.8, zorder=0)
  firing = _axes(fig, _FIRING, _TOP, 'firing rate')
  firing.plot([-0.7, 0, 1, 1.7], [0, 0, 1, 1], color=_FORWARD, linewidth=2)
  firing.set(xticks=[0, 1], yticks=[0, 1], ylim=(-0.15, 1.15))
  firing.set_xlabel('clip(v, 0, 1)', fontsize=_SMALL)
  gate = _axes(fig, _NEURON, _BOTTOM, 'gate: open if 0 < v < 1')
  neuron_trace.shade_gate(gate, trace)
  for is_open, color in ((True, _BACKWARD), (False, '0.65')):
    ticks = np.flatnonzero(((trace.gate > 0) == is_open) & (trace.drive != 0))
    gate.vlines(ticks, 0, trace.drive[ticks], color=color, linewidth=2.4)
  gate.axhline(0, color='0.5', linewidth=0.8)
  gate.set_yticks([])
  for axes in (membrane, firing, gate):
    axes.tick_params(labelsize=_SMALL, length=2)
  for axes in (membrane, gate):
    axes.set_xlim(-1, CONFIG.num_steps)


def _draw_next_layer(fig, trace, weights):
  """Plots spikes to the next layer and error spikes from it."""
  output = _axes(fig, _AXON, _TOP, 'output spikes')
  neuron_trace.raster(output, trace.spikes[:, None], _FORWARD, linewidths=2.2)
  output.set_ylim(1.2, -1.2)
  errors = _axes(fig, _AXON, _BOTTOM, 'error spikes, next layer')
  neuron_trace.raster_signed(errors, trace.next_errors, linewidths=2)
  for axes in (output, errors):
    axes.set_xlim(-1, CONFIG.num_steps)
  _draw_array(_axes(fig, _FIRING, _BOTTOM, 'transposed read'), weights)


def _draw_flow(fig):
  """Draws the directions of spikes and the rule of the weights."""
  top, bottom = (row[0] + row[1] / 2 for row in (_TOP, _BOTTOM))
  columns = _SYNAPSES, _ARRAY, _NEURON, _FIRING, _AXON
  for before, after in zip(columns, columns[1:]):
    ends = before[0] + before[1], after[0]
    # Leaves space for tick labels.
    shift = 0.02 if after in (_NEURON, _FIRING) else 0.0
    _arrow(fig, (ends[0], ends[1] - shift), top, _FORWARD)
    if after is not _ARRAY and before is not _ARRAY:
      _arrow(fig, ends[::-1], bottom, _BACKWARD)
  _arrow(fig, (_NEURON[0], sum(_SYNAPSES)), bottom, _BACKWARD)
  options = {'fontsize': _LARGE, 'fontweight': 'bold', 'va': 'center'}
  fig.text(0.02, 0.95, 'forward: activation', color=_FORWARD, **options)
  _arrow(fig, (0.24, 0.985), 0.95, _FORWARD)
  options |= {'color': _BACKWARD, 'ha': 'right'}
  fig.text(0.985, 0.035, 'backward: error', **options)
  _arrow(fig, (0.8, 0.02), 0.035, _BACKWARD)
  fig.text(
    _ARRAY[0],
    _MIDDLE[0] + _MIDDLE[1] / 2,
    'coincidence: presynaptic spike and error spike in the same tick\n'
    'moves the weight down (\N{BLACK DOWN-POINTING TRIANGLE}) or up '
    '(\N{BLACK UP-POINTING TRIANGLE})',
    fontsize=_SMALL + 1,
    va='center',
    linespacing=1.5,
  )


def _arrow(fig, ends, height, color):
  """Draws a horizontal arrow."""
  start, end = ends
  gap = 0.008 if end > start else -0.008
  arrow = patches.FancyArrowPatch(
    (start + gap, height),
    (end - gap, height),
    arrowstyle='-|>',
    mutation_scale=14,
    color=color,
    linewidth=1.8,
    shrinkA=0,
    shrinkB=0,
  )
  fig.add_artist(arrow)


def _axes(fig, column, row, title=''):
  """Adds axes without spines and ticks."""
  axes = fig.add_axes((column[0], row[0], column[1], row[1]))
  axes.set_title(title, fontsize=_SMALL)
  axes.set(xticks=[], yticks=[])
  axes.spines[:].set_visible(False)
  return axes


if __name__ == '__main__':
  command.launch(main)
