"""Cost of one presentation of one sample: events, stored bits and energy.

Events. The chip has one crossbar per layer: a row for each input, one row for
the biases, driven by an always-on input, and a column for each neuron. At every
tick, each crossbar is read once forward and, except for the first crossbar,
once backward: a neuron spikes in at most one of its two error streams, so that
one read of signed pulses carries both streams. The crossbar of a convolution
has a row for each input of a patch and a column for each feature; it is read
once for each position, and a tick is long enough for all of them. In real time
a layer works from the window on in which the first spikes or errors reach it;
before, its crossbar and membranes are not read. One winner is counted at each
tick, also for a race.

Memory. Counted is what is stored of one sample from one window to the next, or
from the forward pass to the backward pass. Weights are not counted, nor what
accumulates at them (coincidences or gradients of a batch), nor inputs while
they are presented, clocks and sources of randomness. Real values have 32 bits.
Accesses are to 32-bit words of a digital memory; the membrane of an analog
neuron is a capacitor without accesses. The events may include accesses to
membranes, so that the energies of events and of accesses must not be added.

Energy. An `EnergyTable` has the picojoules of each event, arithmetic operation
and access.
"""

import dataclasses
import json
import os
import pathlib
from typing import NamedTuple

import jax
import numpy as np

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import membrane as membrane_lib

WORD = 32  # bits of a real value and of a memory access
TABLES = ('loihi', 'crossbar')  # energies of the library

Count = float | np.ndarray


class Events(NamedTuple):
  """Events of a chip in one presentation; means over samples."""

  spikes: Count  # of inputs and neurons; the always-on input sends none
  synaptic_events: Count  # arrivals of spikes or always-on inputs at devices
  device_reads: Count  # devices of each crossbar read, with or without spikes
  crossbar_reads: Count  # matrix-vector products with a vector of spikes
  membrane_reads: Count  # of potentials and of backpropagated errors
  update_pulses: Count  # coincidences at weights and biases


class Cost(NamedTuple):
  """Cost of one presentation of one sample.

  Latencies are ticks from the first input to the last winner, or to the last
  coincidence. Presentations are pipelined: the next presentation may start
  after T ticks. In real time both latencies are T: a presentation ends with its
  inputs.
  """

  inference: Events
  learning: Events  # forward pass, backward pass and update
  inference_latency: int
  learning_latency: int


def count_presentation(config: NetworkConfig, activity: types.Activity) -> Cost:
  """Counts the events of one presentation of one sample.

  Numbers of the activity may be arrays of one shape, for example with one entry
  per seed, and so are the counts.

  Args:
    config: the network, without rates; dropout is ignored.
    activity: mean activity, from `training.activity.make_observe` or from the
      record of a run; `firing_rates`, `error_rates`, `coincidences` and, with
      `layers`, `row_spikes` are used.

  Returns:
    The cost, as a mean over samples.

  Raises:
    UserError: if the network uses rates, or output errors that are not those of
      the winners.
  """
  _check_spiking(config)
  sizes, wirings = config.layer_sizes, config.wirings
  num_steps, window = config.num_steps, config.schedule.window

  def per_presentation(rates, sizes):
    return [rate * size * num_steps for rate, size in zip(rates, sizes)]

  def count_reads(wirings, ticks):  # of devices, and of crossbars
    used = list(zip(wirings, ticks))
    devices = sum(wiring.num_products * t for wiring, t in used)
    return devices, sum(wiring.num_positions * t for wiring, t in used)

  def count_membrane_reads(sizes, ticks):
    return sum(size * -(-t // window) for size, t in zip(sizes, ticks))

  activity = jax.tree.map(lambda n: np.asarray(n, np.float64)[()], activity)
  spikes = per_presentation(activity.firing_rates, sizes)
  # In a dense layer each spike reaches one row.
  reached = spikes if config.layers is None else activity.row_spikes
  # A crossbar is read while its presynaptic neurons fire.
  ticks = config.active_steps
  always_on = sum(size * t for size, t in zip(sizes[1:], ticks))
  devices, crossbars = count_reads(wirings, ticks)
  arrivals = (n * w.num_columns for n, w in zip(reached, wirings))
  inference = Events(
    spikes=sum(spikes) + ticks[-1],  # one winner per tick
    synaptic_events=sum(arrivals) + always_on,
    device_reads=devices + always_on,
    crossbar_reads=crossbars,
    membrane_reads=count_membrane_reads(sizes[1:], ticks[1:]),
    update_pulses=0,
  )

  errors = per_presentation(activity.error_rates, sizes[1:])
  ticks = config.error_steps
  devices, crossbars = count_reads(wirings[1:], ticks[1:])
  backward = Events(
    spikes=sum(errors),
    synaptic_events=sum(
      n * wiring.num_rows for n, wiring in zip(errors[1:], wirings[1:])
    ),
    device_reads=devices,
    crossbar_reads=crossbars,
    membrane_reads=count_membrane_reads(sizes[1:-1], ticks),
    update_pulses=sum(activity.coincidences) + sum(errors),  # and of biases
  )

  num_layers = len(wirings)
  pipeline = window if config.timing == 'buffered' else 0
  return Cost(
    inference=inference,
    learning=Events(*(a + b for a, b in zip(inference, backward))),
    inference_latency=num_steps + num_layers * pipeline,
    learning_latency=num_steps + (2 * num_layers - 1) * pipeline,
  )


def _check_spiking(config):
  for field in ('forward', 'backward', 'update'):
    if getattr(config, field) == 'rates':
      raise types.UserError(
        f'{field} is rates, for which costs are not defined; pass a network '
        f"with {field}='spikes'."
      )
  if config.output_errors != 'winner':
    raise types.UserError(
      f'output_errors is {config.output_errors}, for which costs are not '
      "defined; pass a network with output_errors='winner'."
    )


class BackpropCost(NamedTuple):
  """Operations of backpropagation for one sample, at the weights.

  Each multiply-accumulate (MAC) reads one word, also where the positions of a
  convolution share a weight, and each gradient is written.
  """

  forward_macs: int
  learning_macs: int  # without the errors of the inputs
  learning_words: int  # memory accesses


def count_backprop(config: NetworkConfig) -> BackpropCost:
  """Counts the operations of backpropagation for one sample.

  Args:
    config: the network; only its layers are used.

  Returns:
    The cost.

  Example:
    >>> config = ssnn_jax.NetworkConfig((784, 256, 10))
    >>> ssnn_jax.hardware.cost.count_backprop(config).learning_macs
    409088
  """
  products = [wiring.num_products for wiring in config.wirings]
  forward, backward, gradient = sum(products), sum(products[1:]), sum(products)
  learning = forward + backward + gradient
  num_weights = sum(wiring.num_weights for wiring in config.wirings)
  return BackpropCost(forward, learning, learning + num_weights)


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
  accesses: float  # words written or read in one presentation


def spiking_memory(config: NetworkConfig) -> Memory:
  """Counts the memory of a spiking network that learns by coincidences.

  In real time, all that neurons store is their state: the membranes of all
  layers, the error currents of hidden layers and, in a race with adaptive
  inhibition, the inhibition. Dropout adds one bit for each hidden neuron. With
  buffered timing, the layers of a pipeline have the same state, and spikes and
  gates wait for the errors of their window: one bit for each neuron and tick,
  and for each gate and window.

  The state is read and written once a window; each waiting spike and gate is
  written and read once.

  Args:
    config: the network, without rates.

  Returns:
    The memory.

  Raises:
    UserError: if the network uses rates, or output errors that are not those of
      the winners.

  Example:
    >>> config = ssnn_jax.NetworkConfig((784, 256, 10), timing='realtime')
    >>> ssnn_jax.hardware.cost.spiking_memory(config).stored.total
    16704
  """
  _check_spiking(config)
  sizes, schedule = config.layer_sizes, config.schedule
  membrane = membrane_lib.find(config.integration, config.tau)
  state = jax.eval_shape(lambda: [membrane.init(size) for size in sizes[1:]])
  num_values = sum(leaf.size for leaf in jax.tree.leaves(state))
  is_adaptive = config.winner == 'race' and config.race.inhibition == 'adaptive'
  stored = StoredBits(
    potentials=num_values * WORD,
    errors=sum(sizes[1:-1]) * WORD,
    inhibition=is_adaptive * WORD,
    dropout_masks=_dropout_masks(config),
  )
  accessed = 2 * stored.total * schedule.num_windows
  if config.timing == 'buffered':
    # With L layers of weights, the spikes of layer l start after l windows and
    # wait for errors that start after 2 L - l - 1 windows. Its gates are set
    # when it fires, and used after 2 L - l windows.
    latencies = [2 * (len(sizes) - 1 - layer) for layer in range(len(sizes))]
    waiting = list(zip(sizes, latencies))[:-1]
    stored = stored._replace(
      spikes=sum(size * (n - 1) * schedule.window for size, n in waiting),
      gates=sum(size * n for size, n in waiting[1:]),
    )
    accessed += 2 * sum(sizes[:-1]) * config.num_steps
    accessed += 2 * sum(sizes[1:-1]) * schedule.num_windows
  return Memory(stored, accessed / WORD)


def _dropout_masks(config):
  """Counts the bits of the masks: silent neurons, for a whole presentation."""
  return sum(config.layer_sizes[1:-1]) if config.dropout else 0


def backprop_memory(config: NetworkConfig) -> Memory:
  """Counts the memory of backpropagation in the same network.

  The activations of inputs and hidden layers wait for the backward pass, which
  multiplies them by the errors of the next layer. Gates, and masks of dropout,
  follow from the activations: of clip and hard sigmoid, the derivative is 0
  where the activation is 0 or 1. Each activation is written and read once. If
  the inputs are presented in both phases, only hidden activations wait.

  Args:
    config: the network; only the layer sizes are used.

  Returns:
    The memory.

  Example:
    >>> config = ssnn_jax.NetworkConfig((784, 256, 10))
    >>> ssnn_jax.hardware.cost.backprop_memory(config).stored.total
    33280
  """
  stored = StoredBits(activations=sum(config.layer_sizes[:-1]) * WORD)
  return Memory(stored, 2 * stored.total / WORD)


def surrogate_gradient_memory(config: NetworkConfig) -> Memory:
  """Counts the memory of surrogate gradients, back through time.

  The spikes of inputs and hidden layers and the potentials of hidden neurons
  wait in all T ticks: an error needs the derivative at each potential. The
  logits are means over ticks, one value for each output neuron. Each bit is
  written and read once: a lower bound, as a tick also needs the potentials of
  the tick before.

  Args:
    config: the network; layer sizes, `num_steps` and `dropout` are used.

  Returns:
    The memory.
  """
  _, *hidden_sizes, num_classes = config.layer_sizes
  num_steps = config.num_steps
  stored = StoredBits(
    potentials=(num_steps * sum(hidden_sizes) + num_classes) * WORD,
    spikes=num_steps * sum(config.layer_sizes[:-1]),
    dropout_masks=_dropout_masks(config),
  )
  return Memory(stored, 2 * stored.total / WORD)


def bp_stdp_memory(config: NetworkConfig, sub_interval: int) -> Memory:
  """Counts the memory of BP-STDP.

  Neurons keep their membranes, and the spikes of a sub-interval wait for its
  learning phase. Membranes are read and written once a tick, and each spike is
  written and read once.

  Args:
    config: the network; layer sizes, `num_steps` and `dropout` are used.
    sub_interval: ticks of a sub-interval.

  Returns:
    The memory.
  """
  sending, num_steps = sum(config.layer_sizes[:-1]), config.num_steps
  stored = StoredBits(
    potentials=sum(config.layer_sizes[1:]) * WORD,
    dropout_masks=_dropout_masks(config),
  )
  accessed = 2 * num_steps * (stored.total + sending)
  spikes = min(sub_interval, num_steps) * sending
  return Memory(stored._replace(spikes=spikes), accessed / WORD)


@dataclasses.dataclass(frozen=True)
class EnergyTable:
  """Energy of each kind of event, in picojoules.

  The fields up to `update_pulse` are the events of a chip (`Events`); the last
  two fields are the operations of backpropagation on a digital processor. The
  file of a table is a JSON object with an entry for each field: an object with
  `picojoules` and their `source`, the publication and what the number includes.
  """

  spike: float
  synaptic_event: float
  device_read: float
  crossbar_read: float
  membrane_read: float
  update_pulse: float
  mac: float  # arithmetic of one 32-bit multiply-accumulate
  memory_access: float  # of one 32-bit word


def chip_energy(events: Events, table: EnergyTable) -> Count:
  """Computes the energy of the events of a chip, in picojoules."""
  return sum(
    count * getattr(table, name.removesuffix('s'))
    for name, count in events._asdict().items()
  )


def load_table(table: str | os.PathLike) -> EnergyTable:
  """Loads one of `TABLES`, or the table in a file.

  Raises a UserError for unreadable files, and for wrong or unsourced entries.
  """
  path = pathlib.Path(table).expanduser()
  if table in TABLES:
    path = pathlib.Path(__file__).with_name('energies') / f'{table}.json'
  try:
    entries = json.loads(path.read_text())
    values = {name: entry.get('picojoules') for name, entry in entries.items()}
    sources = [entry.get('source') for entry in entries.values()]
    energies = EnergyTable(**values)
  except (OSError, ValueError, TypeError, AttributeError) as error:
    raise types.UserError(
      f'{path} cannot be read as a table of energies ({error}); pass one of '
      f'{", ".join(TABLES)}, or a file of the same format.'
    ) from None
  for (name, value), source in zip(values.items(), sources):
    if not checks.is_finite(value) or value < 0 or not source:
      raise types.UserError(
        f'{path}: {name} is {value}, from source {source!r}; expected '
        'picojoules, 0 or more, and their source.'
      )
  return energies
