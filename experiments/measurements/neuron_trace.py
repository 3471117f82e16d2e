"""Signals of a composite neuron during a presentation, and their plots.

Spikes equal the spikes of `Network.learn` for a batch of one sample, with the
same key and without dropout.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from matplotlib import figure
import numpy as np

from experiments.analysis import style
import ssnn_jax
from ssnn_jax import network
from ssnn_jax import spikes
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.simulation import backward

POSITIVE, NEGATIVE = style.VERMILION, style.PURPLE  # streams


class Trace(NamedTuple):
  """Signals of a hidden neuron at each tick.

  Error spikes are signed: 1 is a spike of the positive stream, which asks the
  neuron to fire less, -1 a spike of the negative stream.
  """

  presynaptic: np.ndarray  # [T, I] spikes entering the synapses
  potential: np.ndarray  # [T] v, read at the end of the tick's window
  rate: np.ndarray  # [T] firing rate, spikes per tick
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
  """Traces a neuron of the first hidden layer during a presentation.

  Args:
    config: the network.
    params: parameters of the network.
    key: PRNG key of the presentation; consumed.
    image: the sample, without a batch axis.
    label: class of the sample.
    neuron: index of the neuron.

  Returns:
    The signals of the neuron.
  """
  blocks, signals, errors = _present(config, params, key, image, label)

  def transposed_drive(error, window):
    rates = backward.propagated_error(config, 1, error, window)
    return composite.transposed_drive(params[1], config.read_gains[1], rates)

  drive = jax.vmap(jax.vmap(transposed_drive))(errors[1], blocks.windows)
  potential = signals.potentials[0][..., neuron]
  gate = firing.find(config.firing_function).derivative(potential)
  length = np.ravel(blocks.windows.length)

  def over_ticks(window_values):
    return np.repeat(np.ravel(window_values), length)

  def by_tick(trains):
    return _by_tick(config, blocks.words, trains)

  def signed(streams):
    return by_tick(streams.positive) - by_tick(streams.negative)

  return Trace(
    presynaptic=by_tick(signals.signals[0].train),
    potential=over_ticks(potential),
    rate=over_ticks(signals.signals[1].rates[..., neuron]),
    spikes=by_tick(signals.signals[1].train)[:, neuron],
    next_errors=signed(errors[1].streams),
    drive=over_ticks(drive[..., neuron]),
    gate=over_ticks(gate),
    errors=signed(errors[0].streams)[:, neuron],
  )


@functools.partial(jax.jit, static_argnums=0)
def _present(config, params, key, image, label):
  """Presents one sample; returns the signals of all blocks."""
  observer = network.Observer(
    observe=lambda draw, block, signals, errors: (block, signals, errors)
  )
  inputs, labels = jnp.asarray(image)[None], jnp.asarray(label)[None]
  config = dataclasses.replace(config, dropout=0.0)
  _, observations = network.simulate(
    config, params, key, inputs, labels, observer=observer
  )
  return jax.tree.map(lambda x: x[:, 0], observations)


def _by_tick(config, words, trains):
  """Joins the trains of blocks, `[blocks, W, K, N]`, to `[T, N]` spikes."""
  joined = jax.vmap(spikes.join)(trains)
  num_words = spikes.count_words(config.num_steps)
  # Blocks can share a word, but no tick.
  train = jnp.zeros((num_words, joined.shape[-1]), jnp.uint32)
  train = train.at[words].add(joined, mode='drop')
  return np.asarray(spikes.unpack(train))[: config.num_steps]


def draw(trace: Trace) -> figure.Figure:
  """Plots the signals of a neuron, forward above and backward below."""
  fig = figure.Figure(figsize=(10, 9.5), layout='constrained')
  panels = fig.subplots(
    nrows=6, sharex=True, height_ratios=(4, 2, 0.5, 2.4, 0.7, 4)
  )
  raster(panels[0], trace.presynaptic)
  plot_potential(panels[1], trace)
  low, high = trace.potential.min(), trace.potential.max()
  panels[1].set_ylim(min(low, 0) - 0.1, max(high, 1) + 0.1)
  raster(panels[2], trace.spikes[:, None], style.BLUE)
  raster_signed(panels[3], trace.next_errors)
  raster_signed(panels[4], trace.errors[:, None])
  raster(panels[5], trace.coincidences > 0, POSITIVE)
  raster(panels[5], trace.coincidences < 0, NEGATIVE)
  titles = {
    'presynaptic spikes': 'synapse',
    'membrane potential v; shaded where the gate is open': '',
    'spikes of the neuron': '',
    'error spikes of the next layer (orange positive, purple negative)': '',
    'error spikes of the neuron': '',
    'coincidences at the synapses, which move the weights': 'synapse',
  }
  for axes, (title, label) in zip(panels, titles.items()):
    axes.set_title(title, loc='left', fontsize=11)
    axes.set_ylabel(label)
  panels[3].set_ylabel('neuron')
  for axes in (panels[2], panels[4]):
    axes.set_yticks([])
  panels[-1].set_xlim(-1, len(trace.spikes))
  panels[-1].set_xlabel('tick')
  return fig


def raster(
  axes,
  train: np.ndarray,
  color: str = style.BLACK,
  shift: float = 0.0,
  **options,
) -> None:
  """Plots spikes `[T, N]`, with the first neuron on top."""
  num_neurons = train.shape[1]
  options = {'linelengths': 0.8, 'linewidths': 1.5} | options
  axes.eventplot(
    [np.flatnonzero(row) for row in train.T],
    lineoffsets=np.arange(num_neurons) + shift,
    colors=color,
    **options,
  )
  axes.set_ylim(num_neurons - 0.4, -0.6)


def raster_signed(axes, train: np.ndarray, **options) -> None:
  """Plots signed spikes `[T, N]`, positive spikes above negative spikes."""
  options = {'linelengths': 0.45, 'linewidths': 1.8} | options
  raster(axes, train > 0, POSITIVE, -0.23, **options)
  raster(axes, train < 0, NEGATIVE, 0.23, **options)


def plot_potential(axes, trace: Trace) -> None:
  """Plots the potential and shades the ticks where the gate is open."""
  shade_gate(axes, trace)
  ticks = np.arange(len(trace.potential))
  axes.step(ticks, trace.potential, where='mid', color=style.BLUE)


def shade_gate(axes, trace: Trace) -> None:
  """Shades the ticks where the gate is open."""
  axes.bar(
    np.flatnonzero(trace.gate),
    1,
    1,
    color='#D5EFE6',  # a light `style.GREEN`
    transform=axes.get_xaxis_transform(),
    zorder=0,
  )
