"""Counts of one presentation of one sample: spikes, synaptic events, memory.

A synaptic event is the arrival of a spike, or of the always-on input of the
biases, at a synapse. Memory is what is stored of one sample from the forward to
the backward pass, and counters of coincidences that wait for the update:
neither weights, sources of randomness nor inputs.
Real values have 32 bits.
"""

from typing import NamedTuple

from ssnn_jax import observe
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig

WORD = 32  # bits of a real value


class Events(NamedTuple):
  """Events of one presentation; means over samples."""

  spikes: float  #: of inputs, neurons and winners, or of errors
  synaptic_events: float


def spiking_events(
  config: NetworkConfig, activity: observe.Activity
) -> tuple[Events, Events]:
  """Counts the events of inference, and those that learning adds.

  Updates are not counted. The activity is that of `observe`, without
  dropout; of bipolar neurons only spikes that are not taken back are counted
  (`realtime.play` has all).
  """
  sizes, wirings = config.layer_sizes, config.wirings

  def count(rates, sizes):
    return [float(r) * n * config.num_steps for r, n in zip(rates, sizes)]

  spikes = count(activity.firing_rates, sizes)
  errors = count(activity.error_rates, sizes[1:])
  # In a dense layer each spike reaches one row.
  reached = map(float, activity.row_spikes) if config.layers else spikes
  forward = sum(n * wiring.num_columns for n, wiring in zip(reached, wirings))
  forward += config.num_steps * sum(sizes[1:])
  backward = sum(n * w.num_rows for n, w in zip(errors[1:], wirings[1:]))
  winners = config.num_steps  # one a tick
  return Events(sum(spikes) + winners, forward), Events(sum(errors), backward)


class StoredBits(NamedTuple):
  """Bits that are stored of one sample; `sum` has all."""

  neurons: int  #: potentials, errors, spikes and gates that wait, dropout masks
  counters: int = 0  #: at weights and biases, for the update


def spiking_memory(config: NetworkConfig) -> StoredBits:
  """Counts the memory of a spiking network.

  A bipolar neuron stores what it has received, D and A, and counts what it has
  sent, X and E. Trains of stochastic neurons wait for their errors, too: one
  bit for each neuron and tick, and for each gate. Weights that move at once
  need no counters. A `UserError` refuses `rates`.

  Example:
    >>> config = ssnn_jax.NetworkConfig((784, 256, 10), num_steps=8)
    >>> ssnn_jax.hardware.counts.spiking_memory(config).neurons
    26240
  """
  if config.rates:
    raise types.UserError(
      f'rates is {config.rates}, for which the memory of spikes is not '
      'defined; pass a network with rates=().'
    )
  sizes, ticks = config.layer_sizes, config.num_steps
  neurons, hidden = sum(sizes[1:]), sum(sizes[1:-1])
  masks = hidden if config.dropout else 0  # for a whole presentation
  synapses = [(w.num_rows + 1) * w.num_columns for w in config.wirings]
  if config.neuron == 'bipolar':
    most = int(ticks * config.ceiling + 0.5)  # spikes that stay
    bits = WORD * (2 * neurons + hidden) + most.bit_length() * hidden
    return StoredBits(bits + masks, WORD * sum(synapses))
  bits = WORD * (neurons + hidden)
  bits += WORD * (config.winner == 'race')  # the inhibition that all share
  # Samples follow each other layer by layer. With L layers of weights, the
  # spikes of layer l start after l presentations, and wait for errors that
  # start after 2 L - l - 1. Its gates are set when it fires, and used after
  # 2 L - l presentations.
  for layer, size in list(enumerate(sizes))[1:-1]:
    latency = 2 * (len(sizes) - 1 - layer)
    bits += size * ((latency - 1) * ticks + latency)
  counters = sum(
    number * (2 * wiring.num_positions * ticks).bit_length()  # of either sign
    for number, wiring in zip(synapses, config.wirings)
  )
  return StoredBits(bits + masks, counters)


def backprop_memory(config: NetworkConfig) -> StoredBits:
  """Counts the activations of hidden layers, from which gates and masks follow.

  The weights move at once.
  """
  return StoredBits(WORD * sum(config.layer_sizes[1:-1]))
