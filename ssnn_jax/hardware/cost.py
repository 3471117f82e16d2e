"""What one presentation of one sample costs on a chip, and as backpropagation.

Counts follow from the configuration and from averages of `activity`, as numbers
or as arrays of one shape (seeds, say). A chip is a crossbar a layer: a row for
each input, one more for the biases, which an input drives that is always on,
and a column for each neuron. At every tick it is read once forward and, but for
the first one, once backward: of a neuron's two error streams at most one
spikes, so that one read of signed pulses carries both.

What NeuroBench defines has its name.
"""

from collections.abc import Sequence
import dataclasses
import json
import math
import os
import pathlib
from typing import NamedTuple

import numpy as np

from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.training import activity

TABLES = ('loihi', 'crossbar')  # that come with the library
_BYTES = 4  # of a parameter or a membrane, float32

Count = float | np.ndarray


class Events(NamedTuple):
  """What a chip does in one presentation; averages, so no whole numbers."""

  spikes: Count  # that neurons and inputs send; biases need none
  synaptic_events: Count  # a spike, or an always-on input, at a device
  device_reads: Count  # devices in the crossbars that are read, spike or none
  crossbar_reads: Count  # reads of a whole crossbar by a vector of spikes
  membrane_reads: Count  # of potentials and of errors that have arrived
  update_pulses: Count  # coincidences, at weights and biases


class Metrics(NamedTuple):
  """NeuroBench's metrics of inference; it leaves biases out of operations."""

  effective_macs: Count  # with activations that are not binary: none
  effective_acs: Count  # with spikes, at weights that are not 0: all are taken
  dense: Count  # as if every neuron spiked at every tick
  activation_sparsity: Count  # ticks without a spike, hidden and output neurons
  footprint: Count  # bytes of parameters and membranes, in float32


class Cost(NamedTuple):
  """What one presentation of one sample costs; layers as in `Activity`."""

  forward_spikes: tuple[Count, ...]  # inputs, hidden layers, winners
  positive_error_spikes: tuple[Count, ...]  # hidden layers, output
  negative_error_spikes: tuple[Count, ...]
  weight_pulses: tuple[Count, ...]  # coincidences at the weights
  bias_pulses: tuple[Count, ...]  # every error spike meets the always-on input
  inference: Events
  learning: Events  # all of it, the forward part too
  # ticks from the first input to the last winner, or to the last coincidence;
  # the next presentation may follow after T
  inference_latency: int
  learning_latency: int
  # bits that wait for their errors: spikes, and gates, one a window
  delay_bits: int
  metrics: Metrics


class Backprop(NamedTuple):
  """What plain backpropagation does for one sample, at the weights."""

  forward_macs: int
  backward_macs: int  # none for errors of the inputs
  gradient_macs: int  # of the weights

  @property
  def learning_macs(self) -> int:
    """Those of all three passes."""
    return sum(self)

  @property
  def learning_words(self) -> int:
    """Words that they read, one each, and those of gradients written."""
    return self.learning_macs + self.gradient_macs


@dataclasses.dataclass(frozen=True)
class Energies:
  """Picojoules that each event takes; a table says where each comes from."""

  spike: float
  synaptic_event: float
  device_read: float
  crossbar_read: float
  membrane_read: float
  update_pulse: float
  mac: float  # of backpropagation, 32 bits: the arithmetic
  memory_access: float  # of a 32-bit word, for backpropagation


def presentation(config: NetworkConfig, averages: activity.Activity) -> Cost:
  """Counts what one presentation of one sample asks of a chip.

  Args:
    config: the network, on spikes throughout; dropout silences no unit.
    averages: its `firing_rates`, `error_rates`, `positive_error_rates` and
      `coincidences`, of `activity.make_observe` or of a record.

  Returns:
    The counts, averages over samples.

  Raises:
    UserError: if the network uses rates in places.
  """
  _check_spiking(config)
  sizes, num_steps = config.layer_sizes, config.num_steps

  def totals(rates, sizes):
    return tuple(_number(r) * n * num_steps for r, n in zip(rates, sizes))

  fired = totals(averages.firing_rates, sizes)
  erred = totals(averages.error_rates, sizes[1:])
  positive = totals(averages.positive_error_rates, sizes[1:])
  pulses = tuple(map(_number, averages.coincidences))
  num_layers, window = len(sizes) - 1, config.schedule.window
  cut = sizes, num_steps, -(-num_steps // window)
  inference, backward = _forward(*cut, fired), _backward(*cut, erred, pulses)
  return Cost(
    forward_spikes=(*fired, num_steps),
    positive_error_spikes=positive,
    negative_error_spikes=tuple(e - p for e, p in zip(erred, positive)),
    weight_pulses=pulses,
    bias_pulses=erred,
    inference=inference,
    learning=Events(*(f + b for f, b in zip(inference, backward))),
    inference_latency=num_steps + num_layers * window,
    learning_latency=num_steps + (2 * num_layers - 1) * window,
    delay_bits=delay_bits(sizes, window),
    metrics=_metrics(sizes, num_steps, fired),
  )


def _check_spiking(config):
  for use in ('forward', 'backward', 'update'):
    if getattr(config, use) == 'rates':
      raise types.UserError(
        f'{use} is on rates, which no spike carries; count the cost of a '
        'network that has spikes throughout.'
      )
  if config.delay or config.output_errors != 'winner':
    raise types.UserError(
      'costs are of errors without delay that winners make; count those of a '
      "network with delay=0 and output_errors='winner'."
    )


def _number(value):
  return np.asarray(value, np.float64)[()]


def _forward(sizes, num_steps, num_windows, fired):
  """Counts what it takes to infer."""
  reached, num_biases = _reached(sizes, fired), sum(sizes[1:])
  return Events(
    spikes=sum(fired) + num_steps,  # one winner a tick
    synaptic_events=reached + num_biases * num_steps,
    device_reads=(_num_weights(sizes) + num_biases) * num_steps,
    crossbar_reads=(len(sizes) - 1) * num_steps,
    membrane_reads=num_biases * num_windows,
    update_pulses=0,
  )


def _backward(sizes, num_steps, num_windows, erred, pulses):
  """Counts what it takes to send errors back, and to update."""
  rows = sizes[1:-1]  # nothing is read behind the first layer of weights
  return Events(
    spikes=sum(erred),
    synaptic_events=sum(e * n for e, n in zip(erred[1:], rows)),
    device_reads=_num_weights(sizes[1:]) * num_steps,
    crossbar_reads=len(rows) * num_steps,
    membrane_reads=sum(rows) * num_windows,
    update_pulses=sum(pulses) + sum(erred),  # weights, biases
  )


def _metrics(sizes, num_steps, fired):
  spiking = sum(fired[1:]) + num_steps
  num_parameters = _num_weights(sizes) + sum(sizes[1:])
  return Metrics(
    effective_macs=0,
    effective_acs=_reached(sizes, fired),
    dense=_num_weights(sizes) * num_steps,
    activation_sparsity=1 - spiking / (sum(sizes[1:]) * num_steps),
    footprint=_BYTES * (num_parameters + sum(sizes[1:])),
  )


def delay_bits(layer_sizes: Sequence[int], window: int) -> int:
  """Counts what has to wait until the error of the same window is there.

  A layer fires a window after the one below it, the output's errors come with
  its winners, and those of a layer a window after the errors of the one above.
  So spikes of layer l, which start after l windows, meet errors that start
  after 2 L - l - 1; a gate is set as its layer fires, and used after 2 L - l.

  Args:
    layer_sizes: neurons of each layer.
    window: n, ticks of a window.

  Returns:
    The number of bits: a spike a tick, a gate a window.

  Example:
    >>> ssnn_jax.hardware.cost.delay_bits((784, 256, 10), window=32)
    83968
  """
  num_layers = len(layer_sizes) - 1
  return sum(
    size * (2 * (num_layers - layer) - 1) * window
    + (size * 2 * (num_layers - layer) if layer else 0)
    for layer, size in enumerate(layer_sizes[:-1])
  )


def _reached(sizes, fired):
  return sum(spikes * fan_out for spikes, fan_out in zip(fired, sizes[1:]))


def _num_weights(sizes):
  return sum(i * j for i, j in zip(sizes[:-1], sizes[1:]))


def connection_sparsity(params: types.Params) -> float:
  """Tells which share of the weights is 0, as NeuroBench does."""
  weights = np.concatenate([np.ravel(layer.weights) for layer in params])
  return float(np.mean(weights == 0))


def backprop(layer_sizes: Sequence[int]) -> Backprop:
  """Counts what plain backpropagation does for one sample.

  Example:
    >>> ssnn_jax.hardware.cost.backprop((784, 256, 10))
    Backprop(forward_macs=203264, backward_macs=2560, gradient_macs=203264)
  """
  num_weights = _num_weights(layer_sizes)
  return Backprop(num_weights, _num_weights(layer_sizes[1:]), num_weights)


def picojoules(events: Events, energies: Energies) -> Count:
  """Prices what a chip does, in picojoules."""
  return sum(
    count * getattr(energies, name.removesuffix('s'))
    for name, count in events._asdict().items()
  )


def backprop_picojoules(macs: int, words: int, energies: Energies) -> float:
  """Prices multiply-accumulates and the words they take, in picojoules."""
  return macs * energies.mac + words * energies.memory_access


def load_energies(table: str | os.PathLike) -> Energies:
  """Reads a table of energies.

  It is a JSON object with an entry for each field of `Energies`, made of its
  `picojoules` and their `source`: where they are from, and what they include.

  Args:
    table: one of `TABLES`, or a file.

  Returns:
    The energies.

  Raises:
    UserError: if the file cannot be read, or an entry is unknown, missing,
      negative or without source.
  """
  path = pathlib.Path(table).expanduser()
  if table in TABLES:
    path = pathlib.Path(__file__).with_name('energies') / f'{table}.json'
  try:
    entries = json.loads(path.read_text())
  except (OSError, ValueError) as error:
    reason = getattr(error, 'strerror', None) or error
    raise types.UserError(
      f'{path} cannot be read as JSON ({reason}); give one of '
      f'{", ".join(TABLES)}, or a file that is made like them.'
    ) from None
  names = [field.name for field in dataclasses.fields(Energies)]
  given = list(entries) if isinstance(entries, dict) else []
  wrong = [f'{name} is unknown' for name in given if name not in names]
  wrong += [f'{name} is missing' for name in names if name not in given]
  if wrong:
    raise types.UserError(
      f'{path}: {wrong[0]}; the entries are {", ".join(names)}.'
    )
  return Energies(
    **{name: _energy(path, name, entries[name]) for name in names}
  )


def _energy(path, name, entry):
  """Checks an entry of a table."""
  entry = entry if isinstance(entry, dict) else {'picojoules': entry}
  value, source = entry.get('picojoules'), entry.get('source')
  is_number = isinstance(value, int | float) and not isinstance(value, bool)
  if not is_number or not 0 <= value < math.inf:
    raise types.UserError(
      f'{path}: {name} is {value}; expected picojoules, 0 or more.'
    )
  if not isinstance(source, str) or not source.strip():
    raise types.UserError(
      f'{path}: {name} has no source; say where its {value} pJ are from.'
    )
  return float(value)
