"""Counts of one presentation of one sample: spikes, synaptic events, memory.

Spikes and synaptic events are means over samples, of measured activity. A
synaptic event is the arrival of a spike at a synapse, or of the always-on input
of the biases at a bias; updates are not counted.

Memory is what is stored of one sample from one window to the next, or from the
forward pass to the backward pass, and the counters of coincidences at weights
and biases, which wait for the end of a presentation. Weights are not counted,
nor sources of randomness, nor inputs: they are presented until their last use.
Real values have 32 bits.
"""

from typing import NamedTuple

import jax

from ssnn_jax import types
from ssnn_jax.baselines import bp_stdp
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import membrane as membrane_lib

WORD = 32  # bits of a real value


class Events(NamedTuple):
  """Events of one presentation; means over samples."""

  spikes: float  #: of inputs and neurons, and the winners
  synaptic_events: float


def forward_events(config: NetworkConfig, activity: types.Activity) -> Events:
  """Counts the events of inference in a spiking network.

  Args:
    config: the network; dropout is ignored.
    activity: mean activity of `training.activity.make_observe`;
      `firing_rates` and, with `layers`, `row_spikes` are used.

  Returns:
    The events; each layer works from its first spike on, with one winner a
    tick.
  """
  sizes, ticks = config.layer_sizes, config.active_steps
  spikes = [
    float(rate) * size * config.num_steps
    for rate, size in zip(activity.firing_rates, sizes)
  ]
  # In a dense layer each spike reaches one row.
  reached = spikes if config.layers is None else map(float, activity.row_spikes)
  arrivals = sum(n * w.num_columns for n, w in zip(reached, config.wirings))
  always_on = sum(size * t for size, t in zip(sizes[1:], ticks))
  return Events(sum(spikes) + ticks[-1], arrivals + always_on)


def backward_events(config: NetworkConfig, activity: types.Activity) -> Events:
  """Counts the events that learning adds: spikes of errors.

  Args:
    config: the network; dropout is ignored.
    activity: mean activity of `training.activity.make_observe`; `error_rates`
      are used.

  Returns:
    The events, without updates.
  """
  errors = [
    float(rate) * size * config.num_steps
    for rate, size in zip(activity.error_rates, config.layer_sizes[1:])
  ]
  arrivals = sum(n * w.num_rows for n, w in zip(errors[1:], config.wirings[1:]))
  return Events(sum(errors), arrivals)


class Macs(NamedTuple):
  """Multiply-accumulates of backpropagation for one sample."""

  forward: int
  learning: int  #: forward, backward and gradient; no errors of the inputs


def backprop_macs(config: NetworkConfig) -> Macs:
  """Counts the multiply-accumulates of backpropagation for one sample.

  Example:
    >>> config = ssnn_jax.NetworkConfig((784, 256, 10))
    >>> ssnn_jax.hardware.counts.backprop_macs(config).learning
    409088
  """
  products = [wiring.num_products for wiring in config.wirings]
  return Macs(sum(products), 2 * sum(products) + sum(products[1:]))


class StoredBits(NamedTuple):
  """Bits that are stored of one sample, by their kind."""

  potentials: int = 0  #: membranes
  errors: int = 0  #: error currents of hidden layers
  inhibition: int = 0  #: shared by the output neurons that race
  activations: int = 0  #: of hidden layers, for the backward pass
  spikes: int = 0  #: of hidden layers, for their errors
  gates: int = 0  #: of hidden layers, for their errors
  dropout_masks: int = 0  #: of hidden layers
  counters: int = 0  #: at weights and biases, for the update

  @property
  def total(self) -> int:
    """Bits of all kinds."""
    return sum(self)


def spiking_memory(config: NetworkConfig) -> StoredBits:
  """Counts the memory of a spiking network that learns by coincidences.

  In real time, all that neurons store is their state. With buffered timing, the
  layers of a pipeline have the same state, and spikes and gates wait for the
  errors of their window: one bit for each neuron and tick, and for each gate
  and window. Coincidences wait in counters, which weights that change at each
  coincidence, as those of a chip, do not need.

  Args:
    config: the network.

  Returns:
    The bits.

  Raises:
    UserError: if the network uses rates.

  Example:
    >>> config = ssnn_jax.NetworkConfig((784, 256, 10), timing='realtime')
    >>> bits = ssnn_jax.hardware.counts.spiking_memory(config)
    >>> bits.total - bits.counters
    16704
  """
  if config.rates:
    raise types.UserError(
      f'rates is {config.rates}, for which the memory of spikes is not '
      'defined; pass a network with rates=().'
    )
  sizes, window = config.layer_sizes, config.schedule.window
  membrane = membrane_lib.find(config.integration)
  state = jax.eval_shape(lambda: [membrane.init(size) for size in sizes[1:]])
  spikes = gates = 0
  if config.timing == 'buffered':
    # With L layers of weights, the spikes of layer l start after l windows and
    # wait for errors that start after 2 L - l - 1 windows. Its gates are set
    # when it fires, and used after 2 L - l windows.
    for layer, size in list(enumerate(sizes))[1:-1]:
      latency = 2 * (len(sizes) - 1 - layer)
      spikes += size * (latency - 1) * window
      gates += size * latency
  counters = 0
  for wiring, ticks in zip(config.wirings, config.error_steps):
    most = wiring.num_positions * ticks  # coincidences, of either sign
    counters += _count_synapses(wiring) * (2 * most).bit_length()
  return StoredBits(
    potentials=WORD * sum(leaf.size for leaf in jax.tree.leaves(state)),
    errors=WORD * sum(sizes[1:-1]),
    inhibition=WORD * (config.winner == 'race'),
    spikes=spikes,
    gates=gates,
    dropout_masks=_count_masks(config),
    counters=counters,
  )


def backprop_memory(config: NetworkConfig) -> StoredBits:
  """Counts the memory of backpropagation in the same network.

  The activations of hidden layers wait for the backward pass, which moves the
  weights at once. Gates, and masks of dropout, follow from the activations.

  Example:
    >>> config = ssnn_jax.NetworkConfig((784, 256, 10))
    >>> ssnn_jax.hardware.counts.backprop_memory(config).total
    8192
  """
  return StoredBits(activations=WORD * sum(config.layer_sizes[1:-1]))


def surrogate_gradient_memory(config: NetworkConfig) -> StoredBits:
  """Counts the memory of surrogate gradients, back through time.

  The spikes and potentials of hidden neurons wait in all T ticks: an error
  needs the derivative at each potential. The logits are means over ticks, one
  value for each output neuron.
  """
  *_, num_classes = config.layer_sizes
  num_hidden = config.num_steps * sum(config.layer_sizes[1:-1])
  return StoredBits(
    potentials=WORD * (num_hidden + num_classes),
    spikes=num_hidden,
    dropout_masks=_count_masks(config),
  )


def bp_stdp_memory(config: NetworkConfig) -> StoredBits:
  """Counts the memory of BP-STDP.

  Neurons keep their membranes, and the spikes of a sub-interval wait for its
  learning phase. The update of a presentation is a sum of real values at each
  weight.
  """
  waiting = min(bp_stdp.SUB_INTERVAL, config.num_steps)
  return StoredBits(
    potentials=WORD * sum(config.layer_sizes[1:]),
    spikes=waiting * sum(config.layer_sizes[1:-1]),
    dropout_masks=_count_masks(config),
    counters=WORD * sum(map(_count_synapses, config.wirings)),
  )


def _count_synapses(wiring):
  """Counts the weights and biases of a layer."""
  return wiring.num_weights + wiring.num_columns


def _count_masks(config):
  """Counts the bits of the masks: silent neurons, for a whole presentation."""
  return sum(config.layer_sizes[1:-1]) if config.dropout else 0
