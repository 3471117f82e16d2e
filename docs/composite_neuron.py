"""Figures of a composite neuron, simulated forward and backward.

  python -m docs.composite_neuron

makes the figure of the documentation. Traced spikes equal the spikes of
`Network.learn` for a batch of one sample, with the same key, without dropout.
"""

import functools
import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
from matplotlib import figure
import numpy as np

from experiments.analysis import figures
from experiments.config import command
import ssnn_jax
from ssnn_jax import spikes
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.simulation import rules
from ssnn_jax.training import raster
from ssnn_jax.training import raster_plot

STEM = pathlib.Path('docs', 'composite_neuron')
# The leaky membrane is read at every tick, so that its potential varies.
CONFIG = ssnn_jax.NetworkConfig(
  (5, 6, 4),
  num_steps=30,
  window=1,
  integration='leaky',
  tau=4.0,
  sampler='bernoulli',
)
IMAGE, LABEL, NEURON = np.float32([0.5, 0.2, 0.6, 0.3, 0.4]), 2, 3
# Chosen so that few ticks contain every case.
_WEIGHTS_SEED, _SPIKES_SEED, _SCALE = 23, 123, 1.6
_STREAMS = figures.VERMILION, figures.PURPLE  # positive, negative
_FORWARD, _BACKWARD, _FAINT = figures.BLUE, '#8A3800', '0.75'
# Left edges and widths of columns, bottom edges and heights of rows, as
# fractions of the figure.
_SYNAPSES, _ARRAY, _NEURON = (0.025, 0.225), (0.29, 0.065), (0.425, 0.205)
_FIRING, _AXON = (0.68, 0.07), (0.785, 0.205)
_TOP, _MIDDLE, _BOTTOM = (0.65, 0.21), (0.38, 0.19), (0.1, 0.15)
_SMALL, _LARGE = 11.5, 14  # points


class Trace(NamedTuple):
  """Signals of a hidden neuron; error spikes are 1, to fire less, or -1."""

  presynaptic: np.ndarray  # [T, I] spikes entering the synapses
  potential: np.ndarray  # [T] v, read at the end of the tick's window
  spikes: np.ndarray  # [T]
  next_errors: np.ndarray  # [T, J] error spikes of the next layer
  drive: np.ndarray  # [T] transposed read of the error spikes
  gate: np.ndarray  # [T] derivative of the firing function
  errors: np.ndarray  # [T] error spikes of the neuron

  @property
  def coincidences(self) -> np.ndarray:
    """`[T, I]` presynaptic times error spikes, as counted by the synapses."""
    return self.presynaptic * self.errors[:, None]


def trace(
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  key: jax.Array,
  image: np.ndarray,
  label: int,
  neuron: int,
) -> Trace:
  """Traces a neuron of the first hidden layer while a sample is presented."""
  words, signals = raster.present(config, params, key, image, label)
  errors = signals.errors
  length, drive = _find_drive(config, params, errors[1])
  potential = signals.potentials[0][..., neuron]
  gate = firing.find(config.firing_function).derivative(potential)
  length = np.ravel(length)
  by_tick = functools.partial(raster.by_tick, config, words)

  def over_ticks(window_values):
    return np.repeat(np.ravel(window_values), length)

  def signed(streams):
    return by_tick(streams.positive) - by_tick(streams.negative)

  return Trace(
    presynaptic=by_tick(signals.forward[0].train),
    potential=over_ticks(potential),
    spikes=by_tick(signals.forward[1].train)[:, neuron],
    next_errors=signed(errors[1].streams),
    drive=over_ticks(drive[..., neuron]),
    gate=over_ticks(gate),
    errors=signed(errors[0].streams)[:, neuron],
  )


@functools.partial(jax.jit, static_argnums=0)
def _find_drive(config, params, errors):
  """Returns the length and the transposed drive of each window."""
  blocks = jax.vmap(functools.partial(spikes.block, config.schedule))(
    jnp.arange(config.schedule.num_blocks)
  )

  def transposed_drive(error, streams, window):
    positive, negative = (
      spikes.count(words & window.mask[:, None]) for words in streams
    )
    error = rules.mean_errors(config, 1, error, positive - negative, window)
    return composite.transposed_drive(params[1], config.read_gains[1], error)

  over_windows = jax.vmap(transposed_drive, in_axes=(0, None, 0))
  drive = jax.vmap(over_windows)(errors.errors, errors.streams, blocks.windows)
  return blocks.windows.length, drive


def draw_trace(traced: Trace) -> figure.Figure:
  """Plots the signals of a neuron, forward above and backward below."""
  fig = figure.Figure(figsize=(10, 9.5), layout='constrained')
  panels = fig.subplots(
    nrows=6, sharex=True, height_ratios=(4, 2, 0.5, 2.4, 0.7, 4)
  )
  titles = (
    'presynaptic spikes of each synapse',
    'membrane potential v; shaded where the gate is open',
    'spikes of the neuron',
    'error spikes of the next layer (orange positive, purple negative)',
    'error spikes of the neuron',
    'coincidences at each synapse, which move the weights',
  )
  for axes, title in zip(panels, titles):
    axes.set_title(title, loc='left', fontsize=11)
  raster_plot.plot_spikes(panels[0], traced.presynaptic, figures.BLACK)
  _plot_potential(panels[1], traced)
  raster_plot.plot_spikes(panels[2], traced.spikes[:, None], _FORWARD)
  raster_plot.plot_errors(panels[3], traced.next_errors)
  raster_plot.plot_errors(panels[4], traced.errors[:, None])
  raster_plot.plot_errors(panels[5], traced.coincidences)
  for axes in (panels[2], panels[4]):
    axes.set_yticks([])
  panels[-1].set_xlabel('tick')
  return fig


def _plot_potential(axes, traced):
  _shade_gate(axes, traced)
  axes.plot(traced.potential, color=figures.BLUE, drawstyle='steps-mid')


def _shade_gate(axes, traced):
  """Shades the ticks where the gate is open."""
  for tick in np.flatnonzero(traced.gate):
    axes.axvspan(tick - 0.5, tick + 0.5, color='#D5EFE6', linewidth=0)


def simulate() -> tuple[ssnn_jax.Params, Trace]:
  """Simulates the network of the documentation's figure."""
  params = ssnn_jax.ssnn(CONFIG).init(jax.random.key(_WEIGHTS_SEED))
  params = jax.tree.map(lambda values: _SCALE * values, params)
  key = jax.random.key(_SPIKES_SEED)
  return params, trace(CONFIG, params, key, IMAGE, LABEL, NEURON)


def draw() -> figure.Figure:
  """Plots the figure of the documentation."""
  params, traced = simulate()
  fig = figure.Figure(figsize=(10, 6.0))
  _draw_synapses(fig, traced)
  _draw_array(_axes(fig, _ARRAY, _TOP, 'weights'), params[0].weights[:, NEURON])
  _draw_neuron(fig, traced)
  output = _axes(fig, _AXON, _TOP, 'output spikes')
  raster_plot.plot_spikes(output, traced.spikes[:, None], _FORWARD)
  output.set_ylim(1.2, -1.2)
  errors = _axes(fig, _AXON, _BOTTOM, 'error spikes, next layer')
  raster_plot.plot_errors(errors, traced.next_errors)
  transposed = _axes(fig, _FIRING, _BOTTOM, 'transposed read')
  _draw_array(transposed, params[1].weights[NEURON])
  _draw_flow(fig)
  return fig


def _axes(fig, column, row, title=''):
  """Adds axes over all ticks without spines and ticks."""
  axes = fig.add_axes((column[0], row[0], column[1], row[1]))
  axes.set_title(title, fontsize=_SMALL)
  axes.set(xticks=[], yticks=[], xlim=(-1, CONFIG.num_steps))
  axes.spines[:].set_visible(False)
  return axes


def _draw_synapses(fig, traced):
  """Plots presynaptic spikes, error spikes and their coincidences."""
  presynaptic = _axes(fig, _SYNAPSES, _TOP, 'presynaptic spikes')
  coincidences = _axes(fig, _SYNAPSES, _MIDDLE)
  errors = _axes(fig, _SYNAPSES, _BOTTOM, 'error spikes')
  coincide = traced.coincidences != 0
  for mask, color in ((~coincide, '0.6'), (coincide, figures.BLACK)):
    raster_plot.plot_spikes(presynaptic, traced.presynaptic * mask, color)
  streams = np.stack([traced.errors > 0, traced.errors < 0], axis=1)
  raster_plot.plot_spikes(errors, streams, _STREAMS)
  for sign, color, marker in zip((1, -1), _STREAMS, 'v^'):
    ticks, rows = np.nonzero(traced.coincidences == sign)
    coincidences.plot(ticks, rows, marker, color=color, markersize=6)
  coincidences.set_ylim(traced.presynaptic.shape[1] - 0.4, -0.6)
  for axes in (presynaptic, coincidences, errors):
    for tick in np.flatnonzero(traced.errors):
      axes.axvline(tick, color=_FAINT, linewidth=0.8, zorder=0)
  errors.set_yticks([0, 1], ['+', '\N{MINUS SIGN}'], fontsize=_LARGE)


def _draw_array(axes, weights):
  """Plots a column of a crossbar; areas are proportional to |w|."""
  weights = np.asarray(weights)
  rows = np.arange(len(weights))
  axes.hlines(rows, -1.6, 1.6, color=_FAINT, linewidth=1)
  axes.axvline(0, color=figures.BLACK, linewidth=1.6)
  axes.scatter(
    np.zeros(len(rows)),
    rows,
    130 * np.abs(weights) / np.abs(weights).max() + 12,
    facecolor=np.where(weights > 0, figures.BLACK, 'white'),
    edgecolor=figures.BLACK,
    zorder=2,
  )
  axes.set(xlim=(-1.6, 1.6), ylim=(len(rows) - 0.4, -0.6))


def _draw_neuron(fig, traced):
  """Plots the membrane potential, the firing function and the gate."""
  membrane = _axes(fig, _NEURON, _TOP, 'membrane potential v')
  _plot_potential(membrane, traced)
  membrane.set_yticks([0, 1])
  membrane.grid(axis='y')
  rate = _axes(fig, _FIRING, _TOP, 'firing rate')
  rate.plot([-0.7, 0, 1, 1.7], [0, 0, 1, 1], color=_FORWARD, linewidth=2)
  rate.set(xlim=(-0.8, 1.8), ylim=(-0.15, 1.15), xticks=[0, 1], yticks=[0, 1])
  rate.set_xlabel('clip(v, 0, 1)', fontsize=_SMALL)
  gate = _axes(fig, _NEURON, _BOTTOM, 'gate: open if 0 < v < 1')
  _shade_gate(gate, traced)
  ticks = np.flatnonzero(traced.drive)
  colors = np.where(traced.gate[ticks] > 0, _BACKWARD, '0.65')
  gate.vlines(ticks, 0, traced.drive[ticks], colors, linewidth=2.4)
  gate.axhline(0, color='0.5', linewidth=0.8)


def _draw_flow(fig):
  """Draws the directions of spikes and the rule of the weights."""
  top, bottom = (row[0] + row[1] / 2 for row in (_TOP, _BOTTOM))
  canvas = fig.add_axes((0, 0, 1, 1))
  canvas.axis('off')
  columns = _SYNAPSES, _ARRAY, _NEURON, _FIRING, _AXON
  for before, after in zip(columns, columns[1:]):
    _arrow(canvas, sum(before), after[0] - 0.015, top, _FORWARD)
  for before, after in ((_SYNAPSES, _NEURON), *zip(columns[2:], columns[3:])):
    _arrow(canvas, after[0], sum(before), bottom, _BACKWARD)
  look = {'fontsize': _LARGE, 'fontweight': 'bold'}
  canvas.text(0.02, 0.94, 'forward: activation', color=_FORWARD, **look)
  canvas.text(0.78, 0.02, 'backward: error', color=_BACKWARD, **look)
  rule = (
    'coincidence: presynaptic spike and error spike in the same tick\n'
    'moves the weight down (\N{BLACK DOWN-POINTING TRIANGLE}) or up '
    '(\N{BLACK UP-POINTING TRIANGLE})'
  )
  canvas.text(_ARRAY[0], _MIDDLE[0] + 0.08, rule, fontsize=_SMALL + 1)


def _arrow(canvas, start, end, height, color):
  look = {'arrowstyle': '-|>', 'mutation_scale': 14, 'linewidth': 1.8}
  look |= {'color': color, 'shrinkA': 6, 'shrinkB': 6}
  canvas.annotate('', (end, height), (start, height), arrowprops=look)


def main() -> None:
  """Saves the figure."""
  print(f'figure: {figures.save(draw(), STEM)}')


if __name__ == '__main__':
  command.launch(main)
