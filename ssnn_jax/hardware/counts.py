"""Counts of one presentation of one sample: spikes, synaptic events, memory.

A synaptic event is the arrival of a spike, or of the always-on input of the
biases, at a synapse. Memory is what is stored of one sample from one window to
the next, or from the forward to the backward pass, and counters of coincidences
that wait for the update: neither weights, sources of randomness nor inputs.
Real values have 32 bits.
"""

from typing import NamedTuple

from ssnn_jax import types
from ssnn_jax.baselines import bp_stdp
from ssnn_jax.config import NetworkConfig

WORD = 32  # bits of a real value


class Events(NamedTuple):
  """Events of one presentation; means over samples."""

  spikes: float  #: of inputs, neurons and winners, or of errors
  synaptic_events: float


def spiking_events(
  config: NetworkConfig, activity: types.Activity
) -> tuple[Events, Events]:
  """Counts the events of inference, and those that learning adds.

  Updates are not counted. The activity is that of `training.activity`, without
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
  """Counts the memory of a spiking network.

  A bipolar neuron stores what it has received, D and A, and counts what it has
  sent, X and E. Trains of stochastic neurons wait for their errors, too: one
  bit for each neuron and tick, and for each gate and window. Counters at the
  synapses wait for the update; weights that move at once need none. A
  `UserError` refuses `rates`.

  Example:
    >>> config = ssnn_jax.NetworkConfig((784, 256, 10), num_steps=8)
    >>> bits = ssnn_jax.hardware.counts.spiking_memory(config)
    >>> bits.total - bits.counters
    26240
  """
  if config.rates:
    raise types.UserError(
      f'rates is {config.rates}, for which the memory of spikes is not '
      'defined; pass a network with rates=().'
    )
  sizes = config.layer_sizes
  hidden = sum(sizes[1:-1])
  num_synapses = sum(map(_count_synapses, config.wirings))
  if config.neuron == 'bipolar':
    most = int(config.num_steps * config.ceiling + 0.5)  # spikes that stay
    return StoredBits(
      potentials=WORD * sum(sizes[1:]),
      errors=WORD * (hidden + sum(sizes[1:])),  # A, and E
      spikes=hidden * most.bit_length(),
      dropout_masks=_count_masks(config),
      counters=WORD * num_synapses,
    )
  window = config.schedule.window
  spikes = gates = 0
  # With L layers of weights, the spikes of layer l start after l windows and
  # wait for errors that start after 2 L - l - 1 windows. Its gates are set
  # when it fires, and used after 2 L - l windows.
  for layer, size in list(enumerate(sizes))[1:-1]:
    latency = 2 * (len(sizes) - 1 - layer)
    spikes += size * (latency - 1) * window
    gates += size * latency
  counters = 0
  for wiring in config.wirings:
    most = wiring.num_positions * config.num_steps  # of either sign
    counters += _count_synapses(wiring) * (2 * most).bit_length()
  return StoredBits(
    potentials=WORD * sum(sizes[1:]),
    errors=WORD * hidden,
    inhibition=WORD * (config.winner == 'race'),
    spikes=spikes,
    gates=gates,
    dropout_masks=_count_masks(config),
    counters=counters,
  )


def backprop_memory(config: NetworkConfig) -> StoredBits:
  """Counts the activations of hidden layers, which wait for their errors.

  The weights move at once; gates and masks follow from the activations.
  """
  return StoredBits(activations=WORD * sum(config.layer_sizes[1:-1]))


def surrogate_gradient_memory(config: NetworkConfig) -> StoredBits:
  """Counts spikes and potentials of all ticks, which wait to go back in time.

  The logits are means over ticks, one value for each output neuron.
  """
  *_, num_classes = config.layer_sizes
  num_hidden = config.num_steps * sum(config.layer_sizes[1:-1])
  return StoredBits(
    potentials=WORD * (num_hidden + num_classes),
    spikes=num_hidden,
    dropout_masks=_count_masks(config),
  )


def bp_stdp_memory(config: NetworkConfig) -> StoredBits:
  """Counts membranes, the spikes of a sub-interval, and sums of real values."""
  waiting = min(bp_stdp.SUB_INTERVAL, config.num_steps)
  return StoredBits(
    potentials=WORD * sum(config.layer_sizes[1:]),
    spikes=waiting * sum(config.layer_sizes[1:-1]),
    dropout_masks=_count_masks(config),
    counters=WORD * sum(map(_count_synapses, config.wirings)),
  )


def _count_synapses(wiring):
  return wiring.num_weights + wiring.num_columns


def _count_masks(config):  # silent neurons, for a whole presentation
  return sum(config.layer_sizes[1:-1]) if config.dropout else 0
