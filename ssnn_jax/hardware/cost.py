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
tick, also for a race. Spikes are sampled by thresholds, words of 16 random
bits: one for each neuron and tick, while the neurons of a Sobol train share the
point of a tick and flip its bits by a word of their own once a presentation.

Memory. Counted is what is stored of one sample from one window to the next, or
from the forward pass to the backward pass, and the counters of coincidences at
weights that wait for the end of a presentation. Weights are not counted, nor
clocks and sources of randomness, nor inputs: they are presented to every way of
learning until their last use. `Memory.inputs` has the bits of inputs that are
presented only once, and so wait for their errors. Samples are learned one after
another: a batch needs a sum of real values at each weight. Real values have 32
bits. Accesses are to 32-bit words of a digital memory, without those to
counters; the membrane of an analog neuron is a capacitor without accesses. The
events may include accesses to membranes, so that the energies of events and of
accesses must not be added.

Energy. An `EnergyTable` has the picojoules of each event of a chip and of each
operation of digital backpropagation, all in one technology node.
"""

import dataclasses
import functools
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
from ssnn_jax.spikes.thresholds import NUM_BITS

WORD = 32  # bits of a real value and of a memory access
FORMATS = {'fp32': 32, 'fp16': 16, 'int8': 8}  # bits of a value of BP
TABLES = ('loihi', 'crossbar')  # energies of the library

_FOLDER = pathlib.Path(__file__).with_name('energies')
Count = float | np.ndarray


class Events(NamedTuple):
  """Events of a chip in one presentation; means over samples."""

  spikes: Count  #: of inputs and neurons; the always-on input sends none
  synaptic_events: Count  #: arrivals of spikes or always-on inputs at devices
  device_reads: Count  #: devices of each crossbar read, with or without spikes
  crossbar_reads: Count  #: matrix-vector products with a vector of spikes
  membrane_reads: Count  #: of potentials and of backpropagated errors
  update_pulses: Count  #: coincidences at weights and biases
  random_bits: Count  #: of the thresholds that sample spikes


class Cost(NamedTuple):
  """Cost of one presentation of one sample.

  Latencies are ticks from the first input to the last winner, or to the last
  coincidence. Presentations are pipelined: the next presentation may start
  after T ticks. In real time both latencies are T: a presentation ends with its
  inputs.
  """

  inference: Events
  learning: Events  #: forward pass, backward pass and update
  inference_latency: int
  learning_latency: int


def count_presentation(
  config: NetworkConfig,
  activity: types.Activity,
  *,
  samples_inputs: bool = True,
  shares_thresholds: bool = False,
) -> Cost:
  """Counts the events of one presentation of one sample.

  Numbers of the activity may be arrays of one shape, for example with one entry
  per seed, and so are the counts.

  Args:
    config: the network, without rates; dropout is ignored.
    activity: mean activity, from `training.activity.make_observe` or from the
      record of a run; `firing_rates`, `error_rates`, `coincidences` and, with
      `layers`, `row_spikes` are used.
    samples_inputs: whether the spikes of the inputs are sampled, as those of
      images; False for recordings of spikes.
    shares_thresholds: whether all neurons of a layer and role share one random
      word in each tick, whose bits each neuron flips by a mask that is fixed
      forever, as in `ssnn_jax.chip`; otherwise the words are the sampler's.

  Returns:
    The cost, as a mean over samples.

  Raises:
    UserError: if the network uses rates, or output errors that are not those of
      the winners.
  """
  _check_spiking(config)
  sizes, wirings = config.layer_sizes, config.wirings
  num_steps, window = config.num_steps, config.schedule.window
  count_bits = functools.partial(_count_bits, config, shares_thresholds)

  def count_membrane_reads(sizes, ticks):
    return sum(size * -(-t // window) for size, t in zip(sizes, ticks))

  activity = jax.tree.map(lambda n: np.asarray(n, np.float64)[()], activity)
  spikes = _count_spikes(config, activity.firing_rates, sizes)
  # In a dense layer each spike reaches one row.
  reached = spikes if config.layers is None else activity.row_spikes
  # A crossbar is read while its presynaptic neurons fire.
  ticks = config.active_steps
  always_on = sum(size * t for size, t in zip(sizes[1:], ticks))
  devices, crossbars = _count_reads(wirings, ticks)
  arrivals = (n * w.num_columns for n, w in zip(reached, wirings))
  # The winner needs one threshold, or fresh noise for each neuron that races.
  first, is_race = int(not samples_inputs), config.winner == 'race'
  sampled = [*sizes[:-1], *([] if is_race else [1])]
  noise = is_race * NUM_BITS * sizes[-1] * ticks[-1]
  inference = Events(
    spikes=sum(spikes) + ticks[-1],  # one winner per tick
    synaptic_events=sum(arrivals) + always_on,
    device_reads=devices + always_on,
    crossbar_reads=crossbars,
    membrane_reads=count_membrane_reads(sizes[1:], ticks[1:]),
    update_pulses=0,
    random_bits=count_bits(sampled[first:], ticks[first:]) + noise,
  )

  errors = _count_spikes(config, activity.error_rates, sizes[1:])
  ticks = config.error_steps
  devices, crossbars = _count_reads(wirings[1:], ticks[1:])
  backward = Events(
    spikes=sum(errors),
    synaptic_events=sum(
      n * wiring.num_rows for n, wiring in zip(errors[1:], wirings[1:])
    ),
    device_reads=devices,
    crossbar_reads=crossbars,
    membrane_reads=count_membrane_reads(sizes[1:-1], ticks),
    update_pulses=sum(activity.coincidences) + sum(errors),  # and of biases
    random_bits=count_bits(sizes[1:-1], ticks),  # of hidden errors
  )

  num_layers = len(wirings)
  pipeline = window if config.timing == 'buffered' else 0
  return Cost(
    inference=inference,
    learning=Events(*(a + b for a, b in zip(inference, backward))),
    inference_latency=num_steps + num_layers * pipeline,
    learning_latency=num_steps + (2 * num_layers - 1) * pipeline,
  )


def count_rpu(
  config: NetworkConfig,
  activity: types.Activity,
  *,
  shares_thresholds: bool = False,
) -> Cost:
  """Counts the events of one sample on crossbars of resistive processing units.

  Each crossbar is read once forward and, except for the first, once backward,
  with a vector of real values; a read of values is counted like a read of
  spikes. Values and errors are then sampled as trains of T pulses, whose
  coincidences change the weights (`baselines.rpu`). A latency counts a read as
  a tick.

  Args:
    config: the network; its layers, `num_steps` and `sampler` are used.
    activity: mean activity of the pulses, as for `count_presentation`.
    shares_thresholds: as for `count_presentation`.

  Returns:
    The cost, as a mean over samples.
  """
  sizes, wirings = config.layer_sizes, config.wirings
  num_layers = len(wirings)
  activity = jax.tree.map(lambda n: np.asarray(n, np.float64)[()], activity)
  devices, crossbars = _count_reads(wirings, num_layers * [1])
  inference = Events(
    spikes=0,
    synaptic_events=0,
    device_reads=devices + sum(sizes[1:]),
    crossbar_reads=crossbars,
    membrane_reads=sum(sizes[1:]),
    update_pulses=0,
    random_bits=0,
  )
  devices, crossbars = _count_reads(wirings[1:], num_layers * [1])
  errors = sum(_count_spikes(config, activity.error_rates, sizes[1:]))
  ends = [*sizes[:-1], *sizes[1:]]  # presynaptic and postsynaptic
  backward = Events(
    spikes=sum(_count_spikes(config, activity.firing_rates, sizes)) + errors,
    synaptic_events=0,
    device_reads=devices,
    crossbar_reads=crossbars,
    membrane_reads=sum(sizes[1:-1]),
    update_pulses=sum(activity.coincidences) + errors,
    random_bits=_count_bits(
      config, shares_thresholds, ends, len(ends) * [config.num_steps]
    ),
  )
  return Cost(
    inference=inference,
    learning=Events(*(a + b for a, b in zip(inference, backward))),
    inference_latency=num_layers,
    learning_latency=2 * num_layers - 1 + config.num_steps,
  )


def _count_spikes(config, rates, sizes):
  """Counts the spikes of each layer in a presentation."""
  return [rate * size * config.num_steps for rate, size in zip(rates, sizes)]


def _count_reads(wirings, ticks):
  """Counts the reads of devices, and of crossbars."""
  used = list(zip(wirings, ticks))
  devices = sum(wiring.num_products * t for wiring, t in used)
  return devices, sum(wiring.num_positions * t for wiring, t in used)


def _count_bits(config, is_shared, sizes, ticks):
  """Counts the random bits of the thresholds of several layers.

  Args:
    config: the network, with its sampler.
    is_shared: whether the neurons of a layer share the word of a tick.
    sizes: neurons of each layer.
    ticks: ticks in which each layer samples.

  Returns:
    Bits of one presentation.
  """
  trains = list(zip(sizes, ticks))
  if is_shared:
    words = sum(t for _, t in trains)
  elif config.sampler == 'sobol':
    words = sum(size + t for size, t in trains)
  else:
    words = sum(size * t for size, t in trains)
  return NUM_BITS * words


def _check_spiking(config):
  if config.rates or config.winner == 'exact':
    raise types.UserError(
      f'rates are {config.rates} and winner is {config.winner}; costs are '
      "defined for spikes in all signals, with winner='softmax' or 'race'."
    )


class BackpropCost(NamedTuple):
  """Operations of backpropagation for one sample, at the weights.

  Each multiply-accumulate (MAC) reads one word, also where the positions of a
  convolution share a weight, and each gradient is written.
  """

  forward_macs: int
  learning_macs: int  #: without the errors of the inputs
  learning_words: int  #: memory accesses


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

  potentials: int = 0  #: membranes
  errors: int = 0  #: error currents of hidden layers
  inhibition: int = 0  #: shared by the output neurons
  activations: int = 0  #: of hidden layers, for the backward pass
  spikes: int = 0  #: of hidden layers, for their errors
  gates: int = 0  #: of hidden layers, for their errors
  dropout_masks: int = 0  #: of hidden layers
  counters: int = 0  #: at weights and biases, for the update

  @property
  def total(self) -> int:
    """Bits of all kinds."""
    return sum(self)


class Memory(NamedTuple):
  """Memory of a network that learns."""

  stored: StoredBits
  accesses: float  #: words written or read in one presentation
  inputs: int  #: bits of inputs that are presented only once; not in `stored`


def spiking_memory(config: NetworkConfig) -> Memory:
  """Counts the memory of a spiking network that learns by coincidences.

  In real time, all that neurons store is their state: the membranes of all
  layers, the error currents of hidden layers and, in a race with adaptive
  inhibition, the inhibition. Dropout adds one bit for each hidden neuron. With
  buffered timing, the layers of a pipeline have the same state, and spikes and
  gates wait for the errors of their window: one bit for each neuron and tick,
  and for each gate and window.

  With updates in each window, coincidences move the weights at once. With an
  update after the presentation, each weight and bias has a counter of its
  coincidences, with a sign.

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
    >>> ssnn_jax.hardware.cost.spiking_memory(config).stored.potentials
    8512
  """
  _check_spiking(config)
  sizes, schedule = config.layer_sizes, config.schedule
  membrane = membrane_lib.find(config.integration)
  state = jax.eval_shape(lambda: [membrane.init(size) for size in sizes[1:]])
  num_values = sum(leaf.size for leaf in jax.tree.leaves(state))
  stored = StoredBits(
    potentials=num_values * WORD,
    errors=sum(sizes[1:-1]) * WORD,
    inhibition=(config.winner == 'race') * WORD,
    dropout_masks=_dropout_masks(config),
  )
  accessed, inputs = 2 * stored.total * schedule.num_windows, 0
  if config.timing == 'buffered':
    # With L layers of weights, the spikes of layer l start after l windows and
    # wait for errors that start after 2 L - l - 1 windows. Its gates are set
    # when it fires, and used after 2 L - l windows.
    latencies = [2 * (len(sizes) - 1 - layer) for layer in range(len(sizes))]
    inputs, *spikes = [
      size * (latency - 1) * schedule.window
      for size, latency in zip(sizes[:-1], latencies)
    ]
    hidden = list(zip(sizes, latencies))[1:-1]
    stored = stored._replace(
      spikes=sum(spikes), gates=sum(size * n for size, n in hidden)
    )
    accessed += 2 * sum(sizes[1:-1]) * (config.num_steps + schedule.num_windows)
  stored = stored._replace(counters=_counters(config))
  return Memory(stored, accessed / WORD, inputs)


def _counters(config):
  """Counts the bits of a counter with a sign at each weight and bias."""
  total = 0
  for wiring, ticks in zip(config.wirings, config.error_steps):
    most = wiring.num_positions * ticks  # coincidences, of either sign
    total += _count_synapses(wiring) * (2 * most).bit_length()
  return total


def _count_synapses(wiring):
  """Counts the weights and biases of a layer."""
  return wiring.num_weights + wiring.num_columns


def _dropout_masks(config):
  """Counts the bits of the masks: silent neurons, for a whole presentation."""
  return sum(config.layer_sizes[1:-1]) if config.dropout else 0


def backprop_memory(config: NetworkConfig) -> Memory:
  """Counts the memory of backpropagation in the same network.

  The activations of hidden layers wait for the backward pass, which multiplies
  them by the errors of the next layer, and moves the weights at once. Gates,
  and masks of dropout, follow from the activations: of clip and hard sigmoid,
  the derivative is 0 where the activation is 0 or 1. Each activation is written
  and read once.

  Args:
    config: the network; only the layer sizes are used.

  Returns:
    The memory.

  Example:
    >>> config = ssnn_jax.NetworkConfig((784, 256, 10))
    >>> ssnn_jax.hardware.cost.backprop_memory(config).stored.total
    8192
  """
  num_inputs, *hidden_sizes, _ = config.layer_sizes
  stored = StoredBits(activations=sum(hidden_sizes) * WORD)
  return Memory(stored, 2 * stored.total / WORD, num_inputs * WORD)


def surrogate_gradient_memory(config: NetworkConfig) -> Memory:
  """Counts the memory of surrogate gradients, back through time.

  The spikes and potentials of hidden neurons wait in all T ticks: an error
  needs the derivative at each potential. The logits are means over ticks, one
  value for each output neuron. Each bit is written and read once: a lower
  bound, as a tick also needs the potentials of the tick before.

  Args:
    config: the network; layer sizes, `num_steps` and `dropout` are used.

  Returns:
    The memory.
  """
  num_inputs, *hidden_sizes, num_classes = config.layer_sizes
  num_hidden, num_steps = sum(hidden_sizes), config.num_steps
  stored = StoredBits(
    potentials=(num_steps * num_hidden + num_classes) * WORD,
    spikes=num_steps * num_hidden,
    dropout_masks=_dropout_masks(config),
  )
  return Memory(stored, 2 * stored.total / WORD, num_steps * num_inputs)


def bp_stdp_memory(config: NetworkConfig, sub_interval: int) -> Memory:
  """Counts the memory of BP-STDP.

  Neurons keep their membranes, and the spikes of a sub-interval wait for its
  learning phase. Membranes are read and written once a tick, and each spike is
  written and read once. The update of a presentation is a sum of real values at
  each weight.

  Args:
    config: the network; layer sizes, `num_steps` and `dropout` are used.
    sub_interval: ticks of a sub-interval.

  Returns:
    The memory.
  """
  num_inputs, *hidden_sizes, _ = config.layer_sizes
  num_hidden, num_steps = sum(hidden_sizes), config.num_steps
  stored = StoredBits(
    potentials=sum(config.layer_sizes[1:]) * WORD,
    dropout_masks=_dropout_masks(config),
  )
  accessed = 2 * num_steps * (stored.total + num_hidden)
  waiting = min(sub_interval, num_steps)
  stored = stored._replace(
    spikes=waiting * num_hidden,
    counters=sum(map(_count_synapses, config.wirings)) * WORD,
  )
  return Memory(stored, accessed / WORD, waiting * num_inputs)


@dataclasses.dataclass(frozen=True)
class EnergyTable:
  """Energy of each kind of event, in picojoules.

  The fields up to `random_bit` are the events of a chip (`Events`), and the
  last four the operations of backpropagation in digital circuits. The file of a
  table is a JSON object with an entry for each field: an object with
  `picojoules` and their `source`, the publication and what the number includes.
  Entries that a file lacks are those of `energies/digital.json`, for digital
  circuits in 14 nm: operations, memory and random bits.
  """

  spike: float
  synaptic_event: float
  device_read: float
  crossbar_read: float
  membrane_read: float
  update_pulse: float
  random_bit: float  #: pseudo-random, with its share of the comparison
  true_random_bit: float  #: of a physical source
  mac_fp32: float  #: arithmetic of one multiply-accumulate
  mac_fp16: float
  mac_int8: float
  memory_bit: float  #: read or written


def event_energies(events: Events, table: EnergyTable) -> Events:
  """Computes the energy of each kind of event of a chip, in picojoules."""
  return Events(
    *(
      count * getattr(table, name.removesuffix('s'))
      for name, count in events._asdict().items()
    )
  )


def chip_energy(events: Events, table: EnergyTable) -> Count:
  """Computes the energy of all events of a chip, in picojoules."""
  return sum(event_energies(events, table))


def digital_energy(
  macs: int, words: int, number_format: str, table: EnergyTable
) -> float:
  """Computes the energy of backpropagation in digital circuits.

  Args:
    macs: multiply-accumulates.
    words: numbers read from or written to memory.
    number_format: one of `FORMATS`.
    table: the energies.

  Returns:
    Picojoules.
  """
  mac = getattr(table, f'mac_{number_format}')
  return macs * mac + words * FORMATS[number_format] * table.memory_bit


def load_table(table: str | os.PathLike) -> EnergyTable:
  """Loads one of `TABLES`, or the table in a file (`EnergyTable`).

  Raises a UserError for unreadable files, and for wrong or unsourced entries.
  """
  path = pathlib.Path(table).expanduser()
  if table in TABLES:
    path = _FOLDER / f'{table}.json'
  try:
    digital = json.loads((_FOLDER / 'digital.json').read_text())
    entries = digital | json.loads(path.read_text())
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
