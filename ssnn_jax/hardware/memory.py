"""Memory: bits that a network stores of one sample, for each way of learning.

Counted is what is stored from one window to the next, or from the forward pass
to the backward pass. Weights are not counted, nor what accumulates at them
(coincidences or gradients of a batch), nor inputs while they are presented,
clocks and sources of randomness. All real values have the same number of bits.

Accesses are words of 32 bits, written or read, in one presentation of one
sample, if the bits are in a digital memory; the membrane of an analog neuron is
a capacitor without accesses. An `energy.EnergyTable` prices an access by its
`memory_access`. The events of `cost` may include accesses to membranes, so that
the two energies must not be added.
"""

from typing import NamedTuple

import jax

from ssnn_jax.config import NetworkConfig
from ssnn_jax.hardware import cost
from ssnn_jax.neuron import membrane as membrane_lib

WORD = 32  # bits of a memory access


class StoredBits(NamedTuple):
  """Bits that are stored of one sample, by their kind."""

  potentials: int = 0  # membranes
  errors: int = 0  # error currents of hidden layers
  inhibition: int = 0  # shared by the output neurons
  activations: int = 0  # of inputs and hidden layers, for the backward pass
  spikes: int = 0  # of inputs and hidden layers, for their errors
  gates: int = 0  # of hidden layers, for their errors
  dropout_masks: int = 0  # of hidden layers

  @property
  def total(self) -> int:
    """Bits of all kinds."""
    return sum(self)


class Memory(NamedTuple):
  """Memory of a network that learns."""

  stored: StoredBits
  accesses: float  # to the stored bits, in 32-bit words per presentation
  # Bits of fixed feedback weights: static, and shared by all samples.
  feedback_weights: int = 0


def count_spiking(config: NetworkConfig, value_bits: int = 32) -> Memory:
  """Counts the memory of a spiking network that learns by coincidences.

  In real time, all that neurons store is their state: the membranes of all
  layers, the error currents of hidden layers and, in a race with adaptive
  inhibition, the inhibition. With buffered timing, the layers of a pipeline
  have the same state, and spikes and gates wait for the errors of their window:
  `cost.count_delay_bits`. Dropout adds one bit for each hidden neuron.

  The state is read and written once a window; of each waiting spike and gate,
  one bit is written and read once.

  Args:
    config: the network, without rates.
    value_bits: bits of a real value.

  Returns:
    The memory.

  Raises:
    UserError: if the network uses rates, a delay, or output errors that are not
      those of the winners.

  Example:
    >>> config = ssnn_jax.NetworkConfig((784, 256, 10), timing='realtime')
    >>> ssnn_jax.hardware.memory.count_spiking(config).stored.total
    16704
  """
  cost.check_spiking(config)
  sizes, num_windows = config.layer_sizes, config.schedule.num_windows
  sending, num_hidden = sum(sizes[:-1]), sum(sizes[1:-1])
  is_adaptive = config.winner == 'race' and config.race.inhibition == 'adaptive'
  state = StoredBits(
    potentials=_count_membrane_values(config) * value_bits,
    errors=num_hidden * value_bits,
    inhibition=is_adaptive * value_bits,
    dropout_masks=_count_dropout(config),
  )
  accessed = 2 * state.total * num_windows
  if config.timing == 'realtime':
    return Memory(state, accessed / WORD)
  waiting = cost.count_delay_bits(sizes, config.schedule.window)
  gates = cost.count_delay_bits(sizes, 0)  # without spikes
  accessed += 2 * (sending * config.num_steps + num_hidden * num_windows)
  stored = state._replace(spikes=waiting - gates, gates=gates)
  return Memory(stored, accessed / WORD)


def _count_membrane_values(config):
  """Counts the values in the state of all membranes."""
  membrane = membrane_lib.find(config.integration, config.tau)
  state = jax.eval_shape(
    lambda: [membrane.init(size) for size in config.layer_sizes[1:]]
  )
  return sum(leaf.size for leaf in jax.tree.leaves(state))


def _count_dropout(config):
  """Counts the bits of the masks: silent neurons, for a whole presentation."""
  return sum(config.layer_sizes[1:-1]) if config.dropout else 0


def count_backprop(config: NetworkConfig, value_bits: int = 32) -> Memory:
  """Counts the memory of backpropagation in the same network.

  The activations of inputs and hidden layers wait for the backward pass, which
  multiplies them by the errors of the next layer. Gates, and masks of dropout,
  follow from the activations: of clip and hard sigmoid, the derivative is 0
  where the activation is 0 or 1. Each activation is written and read once. If
  the inputs are presented in both phases, only hidden activations wait.

  Args:
    config: the network; only the layer sizes are used.
    value_bits: bits of a real value.

  Returns:
    The memory.

  Example:
    >>> config = ssnn_jax.NetworkConfig((784, 256, 10))
    >>> ssnn_jax.hardware.memory.count_backprop(config).stored.total
    33280
  """
  activations = sum(config.layer_sizes[:-1]) * value_bits
  return _access_once(StoredBits(activations=activations))


def count_feedback_alignment(
  config: NetworkConfig, value_bits: int = 32
) -> Memory:
  """Counts the memory of feedback alignment in two phases.

  Activations wait as in backpropagation: only the weights of the backward pass
  differ. These are fixed and separate from the forward weights, one for each
  weight after the first layer.

  Args:
    config: the network; only the layer sizes are used.
    value_bits: bits of a real value.

  Returns:
    The memory, with that of the feedback weights.
  """
  fed_back = [own.num_weights for own in config.wirings[1:]]
  phased = count_backprop(config, value_bits)
  return phased._replace(feedback_weights=sum(fed_back) * value_bits)


def count_surrogate_gradient(
  config: NetworkConfig, value_bits: int = 32
) -> Memory:
  """Counts the memory of surrogate gradients, back through time.

  The spikes of inputs and hidden layers and the potentials of hidden neurons
  wait in all T ticks: an error needs the derivative at each potential. The
  logits are means over ticks, one value for each output neuron. Each bit is
  written and read once: a lower bound, as a tick also needs the potentials of
  the tick before.

  Args:
    config: the network; layer sizes, `num_steps` and `dropout` are used.
    value_bits: bits of a real value.

  Returns:
    The memory.
  """
  _, *hidden_sizes, num_classes = config.layer_sizes
  num_steps = config.num_steps
  stored = StoredBits(
    potentials=(num_steps * sum(hidden_sizes) + num_classes) * value_bits,
    spikes=num_steps * sum(config.layer_sizes[:-1]),
    dropout_masks=_count_dropout(config),
  )
  return _access_once(stored)


def count_bp_stdp(
  config: NetworkConfig, sub_interval: int, value_bits: int = 32
) -> Memory:
  """Counts the memory of BP-STDP.

  Neurons keep their membranes, and the spikes of a sub-interval wait for its
  learning phase. Membranes are read and written once a tick, and each spike is
  written and read once.

  Args:
    config: the network; layer sizes, `num_steps` and `dropout` are used.
    sub_interval: ticks of a sub-interval.
    value_bits: bits of a real value.

  Returns:
    The memory.
  """
  sending, num_steps = sum(config.layer_sizes[:-1]), config.num_steps
  state = StoredBits(
    potentials=sum(config.layer_sizes[1:]) * value_bits,
    dropout_masks=_count_dropout(config),
  )
  accessed = 2 * num_steps * (state.total + sending)
  stored = state._replace(spikes=min(sub_interval, num_steps) * sending)
  return Memory(stored, accessed / WORD)


def _access_once(stored):
  """Returns the memory of bits that are written and read once."""
  return Memory(stored, 2 * stored.total / WORD)
