"""Follows one composite neuron through one presentation, and draws it.

Spikes are those of `Network.learn` for a batch of one sample, with the same key
and no unit dropped.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from matplotlib import figure
import numpy as np

from experiments import figures
import ssnn_jax
from ssnn_jax import network
from ssnn_jax import spikes
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.simulation import backward

POSITIVE, NEGATIVE = figures.VERMILION, figures.PURPLE  # streams


class Trace(NamedTuple):
  """What a hidden neuron receives and sends, tick by tick.

  Error spikes are signed: 1 is a spike of the positive stream, which asks to
  fire less, -1 one of the negative stream.
  """

  presynaptic: np.ndarray  # [T, I] spikes that enter its synapses
  potential: np.ndarray  # [T] v, as read at the end of the tick's window
  rate: np.ndarray  # [T] spikes per tick that it fires at
  spikes: np.ndarray  # [T]
  next_errors: np.ndarray  # [T, J] of the neurons that it sends spikes to
  arriving: np.ndarray  # [T] what the transposed read makes of them
  gate: np.ndarray  # [T] factor on what arrives
  errors: np.ndarray  # [T] its own error spikes

  @property
  def coincidences(self) -> np.ndarray:
    """`[T, I]` what its synapses count: presynaptic times error spikes."""
    return self.presynaptic * self.errors[:, None]


def trace(
  config: ssnn_jax.NetworkConfig,
  params: ssnn_jax.Params,
  key: jax.Array,
  image: np.ndarray,
  label: int,
  neuron: int,
) -> Trace:
  """Presents one sample and follows a neuron of the first hidden layer.

  Args:
    config: the network.
    params: its parameters.
    key: PRNG key of the presentation; consumed.
    image: the sample, without a batch axis.
    label: its class.
    neuron: which neuron of the layer.

  Returns:
    What it receives and sends.
  """
  blocks, sent, errors = _present(config, params, key, image, label)

  def arrive(error, window):
    rates = backward.propagated_error(config, 1, error, window)
    return composite.transposed_drive(params[1], config.read_gains[1], rates)

  arriving = jax.vmap(jax.vmap(arrive))(errors[1], blocks.windows)
  potential = sent.potentials[0][..., neuron]
  gate = firing.find(config.firing_function).derivative(potential)
  length = np.ravel(blocks.windows.length)

  def over_ticks(of_windows):
    return np.repeat(np.ravel(of_windows), length)

  def by_tick(trains):
    return _by_tick(config, blocks.words, trains)

  def signed(streams):
    return by_tick(streams.positive) - by_tick(streams.negative)

  return Trace(
    presynaptic=by_tick(sent.signals[0].train),
    potential=over_ticks(potential),
    rate=over_ticks(sent.signals[1].rates[..., neuron]),
    spikes=by_tick(sent.signals[1].train)[:, neuron],
    next_errors=signed(errors[1].streams),
    arriving=over_ticks(arriving[..., neuron]),
    gate=over_ticks(gate),
    errors=signed(errors[0].streams)[:, neuron],
  )


@functools.partial(jax.jit, static_argnums=0)
def _present(config, params, key, image, label):
  """Presents one sample; returns the `[blocks, ...]` signals of all blocks."""
  observer = network.Observer(
    observe=lambda draw, block, sent, errors: (block, sent, errors)
  )
  inputs, labels = jnp.asarray(image)[None], jnp.asarray(label)[None]
  config = dataclasses.replace(config, dropout=0.0)
  _, observations = network.simulate(
    config, params, key, inputs, labels, observer=observer
  )
  return jax.tree.map(lambda x: x[:, 0], observations)


def _by_tick(config, words, trains):
  """Lays trains of blocks, `[blocks, W, K, N]`, out as `[T, N]` spikes."""
  joined = jax.vmap(spikes.join)(trains)
  num_words = spikes.count_words(config.num_steps)
  # Blocks that share a word share no tick of it.
  train = jnp.zeros((num_words, joined.shape[-1]), jnp.uint32)
  train = train.at[words].add(joined, mode='drop')
  return np.asarray(spikes.unpack(train))[: config.num_steps]


def draw(told: Trace) -> figure.Figure:
  """Draws rasters of a neuron, forward above and backward below.

  Args:
    told: what it receives and sends.

  Returns:
    The figure; a notebook shows it.
  """
  sheet = figure.Figure(figsize=(10, 9.5), layout='constrained')
  panels = sheet.subplots(
    nrows=6, sharex=True, height_ratios=(4, 2, 0.5, 2.4, 0.7, 4)
  )
  ticks = np.arange(len(told.spikes))
  raster(panels[0], told.presynaptic)
  plot_potential(panels[1], told)
  low, high = told.potential.min(), told.potential.max()
  panels[1].set_ylim(min(low, 0) - 0.1, max(high, 1) + 0.1)
  raster(panels[2], told.spikes[:, None], figures.BLUE)
  raster_signed(panels[3], told.next_errors)
  raster_signed(panels[4], told.errors[:, None])
  raster(panels[5], told.coincidences > 0, POSITIVE)
  raster(panels[5], told.coincidences < 0, NEGATIVE)
  titles = (
    'spikes that enter its synapses',
    'membrane potential v; shaded where the gate is open',
    'spikes of the neuron',
    'error spikes of the next layer: orange positive, purple negative',
    'error spikes of the neuron',
    'coincidences at its synapses: what moves the weights',
  )
  for axes, title in zip(panels, titles):
    axes.set_title(title, loc='left', fontsize=11)
  for axes in (panels[2], panels[4]):
    axes.set_yticks([])
  for axes, rows in zip(panels[::3], ('synapse', 'neuron')):
    axes.set_ylabel(rows)
  panels[-1].set_ylabel('synapse')
  panels[-1].set_xlim(-1, len(ticks))
  panels[-1].set_xlabel('tick')
  return sheet


def raster(
  axes,
  train: np.ndarray,
  color: str = figures.BLACK,
  shift: float = 0.0,
  **look,
) -> None:
  """Draws spikes `[T, N]`, the first neuron's on top."""
  num_neurons = train.shape[1]
  look = {'linelengths': 0.8, 'linewidths': 1.5} | look
  axes.eventplot(
    [np.flatnonzero(row) for row in train.T],
    lineoffsets=np.arange(num_neurons) + shift,
    colors=color,
    **look,
  )
  axes.set_ylim(num_neurons - 0.4, -0.6)


def raster_signed(axes, train: np.ndarray, **look) -> None:
  """Draws signed spikes `[T, N]`, positive ones above negative ones."""
  look = {'linelengths': 0.45, 'linewidths': 1.8} | look
  raster(axes, train > 0, POSITIVE, -0.23, **look)
  raster(axes, train < 0, NEGATIVE, 0.23, **look)


def plot_potential(axes, told: Trace) -> None:
  """Plots the potential, and shades the ticks at which the gate is open."""
  shade_gate(axes, told)
  ticks = np.arange(len(told.potential))
  axes.step(ticks, told.potential, where='mid', color=figures.BLUE)


def shade_gate(axes, told: Trace) -> None:
  """Shades the ticks at which the gate is open."""
  axes.bar(
    np.flatnonzero(told.gate),
    *(1, 1),
    color='#D5EFE6',  # a light `figures.GREEN`
    transform=axes.get_xaxis_transform(),
    zorder=0,
  )
