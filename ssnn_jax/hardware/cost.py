"""Cost of one presentation of one sample, on a chip and for backpropagation.

Costs follow from the configuration and from the mean activity, of numbers or of
arrays of one shape (for example, one entry per seed). The chip has one crossbar
per layer: a row for each input, one row for the biases, driven by an always-on
input, and a column for each neuron. At every tick, each crossbar is read once
forward and, except for the first crossbar, once backward: a neuron spikes in at
most one of its two error streams, so that one read of signed pulses carries
both streams. The crossbar of a convolution has a row for each input of a patch
and a column for each feature; it is read once for each position, and a tick is
long enough for all of them. In real time a layer works from the window on in
which the first spikes or errors reach it; before, its crossbar and membranes
are not read. One winner is counted at each tick, also for a race. NeuroBench
metrics keep their NeuroBench names.
"""

from collections.abc import Sequence
import operator
from typing import NamedTuple

import numpy as np

from ssnn_jax import types
from ssnn_jax.config import NetworkConfig

_BYTES = 4  # of a parameter or a membrane, float32

Count = float | np.ndarray


class Events(NamedTuple):
  """Events of a chip in one presentation; means over samples."""

  spikes: Count  # of inputs and neurons; the always-on input sends none
  synaptic_events: Count  # arrivals of spikes or always-on inputs at devices
  device_reads: Count  # devices of each crossbar read, with or without spikes
  crossbar_reads: Count  # matrix-vector products with a vector of spikes
  membrane_reads: Count  # of potentials and of backpropagated errors
  update_pulses: Count  # coincidences at weights and biases


class Metrics(NamedTuple):
  """NeuroBench metrics of inference; operations exclude biases."""

  effective_macs: Count  # 0: all activations are binary
  effective_acs: Count  # accumulates of spikes; all weights count as nonzero
  dense: Count  # operations if all inputs and neurons spiked at every tick
  activation_sparsity: Count  # fraction of (neuron, tick) without a spike
  footprint: Count  # bytes of parameters and membranes, in float32


class Cost(NamedTuple):
  """Cost of one presentation of one sample; layers as in `types.Activity`."""

  forward_spikes: tuple[Count, ...]  # inputs, hidden layers, winners
  positive_error_spikes: tuple[Count, ...]  # hidden layers, output
  negative_error_spikes: tuple[Count, ...]
  weight_pulses: tuple[Count, ...]  # coincidences at the weights
  bias_pulses: tuple[Count, ...]  # error spikes, with the always-on input
  inference: Events
  learning: Events  # forward pass, backward pass and update
  # Ticks from the first input to the last winner, or to the last coincidence.
  # Presentations are pipelined: the next presentation may start after T ticks.
  # In real time both are T: a presentation ends with its inputs.
  inference_latency: int
  learning_latency: int
  delay_bits: int  # buffers, from `count_delay_bits`; none in real time
  metrics: Metrics


class BackpropCost(NamedTuple):
  """Multiply-accumulates of backpropagation for one sample, at the weights."""

  forward_macs: int
  backward_macs: int  # without the errors of the inputs
  gradient_macs: int  # of the weights
  num_weights: int  # each of which all positions of a convolution share

  @property
  def learning_macs(self) -> int:
    """Multiply-accumulates of all three passes."""
    return self.forward_macs + self.backward_macs + self.gradient_macs

  @property
  def learning_words(self) -> int:
    """Memory accesses: one word read per operation, and gradients written.

    A weight is read again at each position.
    """
    return self.learning_macs + self.num_weights


def count_presentation(config: NetworkConfig, activity: types.Activity) -> Cost:
  """Counts the cost of one presentation of one sample.

  Args:
    config: the network, without rates; dropout is ignored.
    activity: mean activity, from `training.activity.make_observe` or from the
      record of a run; `firing_rates`, `error_rates`, `positive_error_rates`,
      `coincidences` and, with `layers`, `row_spikes` are used.

  Returns:
    The cost, as a mean over samples.

  Raises:
    UserError: if the network uses rates, a delay, or output errors that are not
      those of the winners.
  """
  check_spiking(config)
  sizes, num_steps = config.layer_sizes, config.num_steps
  num_layers, window = len(sizes) - 1, config.schedule.window
  is_buffered = config.timing == 'buffered'
  pipeline = window if is_buffered else 0
  spikes = _count_spikes(activity.firing_rates, sizes, num_steps)
  errors = _count_spikes(activity.error_rates, sizes[1:], num_steps)
  positive = _count_spikes(activity.positive_error_rates, sizes[1:], num_steps)
  pulses = tuple(map(_as_number, activity.coincidences))
  reached = spikes  # in a dense layer each spike reaches one row
  if config.layers is not None:
    reached = tuple(map(_as_number, _row_spikes(activity)))
  inference = _count_forward(config, spikes, reached)
  backward = _count_backward(config, errors, pulses)
  return Cost(
    forward_spikes=(*spikes, config.active_steps[-1]),
    positive_error_spikes=positive,
    negative_error_spikes=tuple(map(operator.sub, errors, positive)),
    weight_pulses=pulses,
    bias_pulses=errors,
    inference=inference,
    learning=Events._make(map(operator.add, inference, backward)),
    inference_latency=num_steps + num_layers * pipeline,
    learning_latency=num_steps + (2 * num_layers - 1) * pipeline,
    delay_bits=count_delay_bits(sizes, window) if is_buffered else 0,
    metrics=_neurobench_metrics(config, spikes, reached),
  )


def check_spiking(config: NetworkConfig) -> None:
  """Raises a UserError unless spikes carry all signals of the network."""
  for field in ('forward', 'backward', 'update'):
    if getattr(config, field) == 'rates':
      raise types.UserError(
        f'{field} is rates, for which costs are not defined; pass a network '
        f"with {field}='spikes'."
      )
  if config.delay or config.output_errors != 'winner':
    raise types.UserError(
      'costs are defined for errors of the winners without delay; pass a '
      "network with delay=0 and output_errors='winner'."
    )


def _row_spikes(activity):
  """Returns the spikes that reach rows, which depend on where neurons fire."""
  if activity.row_spikes is None:
    raise types.UserError(
      'the activity lacks row_spikes; measure it by training.activity with the '
      'layers of the network.'
    )
  return activity.row_spikes


def _as_number(value):
  return np.asarray(value, np.float64)[()]


def _count_spikes(rates, sizes, num_steps):
  """Converts spikes per neuron and tick to spikes per presentation."""
  return tuple(
    _as_number(rate) * size * num_steps for rate, size in zip(rates, sizes)
  )


def _count_reads(config, sizes, ticks):
  """Counts the reads of membranes of layers that are active for some ticks."""
  window = config.schedule.window
  return sum(size * -(-t // window) for size, t in zip(sizes, ticks))


def _count_forward(config, spikes, reached):
  """Counts the events of inference."""
  sizes, ticks = config.layer_sizes, config.active_steps
  # A crossbar is read while its presynaptic neurons fire.
  always_on = sum(map(operator.mul, sizes[1:], ticks))
  return Events(
    spikes=sum(spikes) + ticks[-1],  # one winner per tick
    synaptic_events=_count_arrivals(config, reached) + always_on,
    device_reads=_count_devices(config.wirings, ticks) + always_on,
    crossbar_reads=_count_crossbar_reads(config.wirings, ticks),
    membrane_reads=_count_reads(config, sizes[1:], ticks[1:]),
    update_pulses=0,
  )


def _count_backward(config, errors, pulses):
  """Counts the events of the backward pass and of the update."""
  hidden_sizes, ticks = config.layer_sizes[1:-1], config.error_steps
  wirings = config.wirings[1:]  # the first crossbar is not read backward
  rows = [wiring.num_rows for wiring in wirings]
  return Events(
    spikes=sum(errors),
    synaptic_events=sum(map(operator.mul, errors[1:], rows)),
    device_reads=_count_devices(wirings, ticks[1:]),
    crossbar_reads=_count_crossbar_reads(wirings, ticks[1:]),
    membrane_reads=_count_reads(config, hidden_sizes, ticks),
    update_pulses=sum(pulses) + sum(errors),  # at weights, at biases
  )


def _neurobench_metrics(config, spikes, reached):
  """Computes the NeuroBench metrics."""
  sizes, ticks = config.layer_sizes, config.active_steps
  num_neurons, num_spikes = sum(sizes[1:]), sum(spikes[1:]) + ticks[-1]
  parameters = sum((w.num_rows + 1) * w.num_columns for w in config.wirings)
  return Metrics(
    effective_macs=0,
    effective_acs=_count_arrivals(config, reached),
    dense=_count_devices(config.wirings, ticks),
    activation_sparsity=1 - num_spikes / (num_neurons * config.num_steps),
    footprint=_BYTES * (parameters + num_neurons),  # and membranes
  )


def _count_arrivals(config, reached):
  """Counts the arrivals at weights of spikes that reach rows of crossbars."""
  columns = [wiring.num_columns for wiring in config.wirings]
  return sum(map(operator.mul, reached, columns))


def _count_crossbar_reads(wirings, ticks):
  """Counts the reads of all crossbars, at each position for some ticks."""
  return sum(wiring.num_positions * t for wiring, t in zip(wirings, ticks))


def _count_devices(wirings, ticks):
  """Counts the weights that are read, at each position for some ticks."""
  return sum(wiring.num_products * t for wiring, t in zip(wirings, ticks))


def count_delay_bits(layer_sizes: Sequence[int], window: int) -> int:
  """Counts the bits of the buffers that align spikes with their errors.

  There is one bit for each neuron and tick, and for each gate and window.

  Example:
    >>> ssnn_jax.hardware.cost.count_delay_bits((784, 256, 10), window=32)
    83968
  """
  # With L layers of weights, the spikes of layer l start after l windows and
  # wait for errors that start after 2 L - l - 1 windows. Its gates are set when
  # it fires, and used after 2 L - l windows.
  num_layers = len(layer_sizes) - 1
  return sum(
    size * (2 * (num_layers - layer) - 1) * window
    + (size * 2 * (num_layers - layer) if layer else 0)
    for layer, size in enumerate(layer_sizes[:-1])
  )


def connection_sparsity(params: types.Params) -> float:
  """Returns the fraction of weights that are 0, as NeuroBench defines it."""
  weights = np.concatenate([np.ravel(layer.weights) for layer in params])
  return float(np.mean(weights == 0))


def count_backprop(config: NetworkConfig) -> BackpropCost:
  """Counts the multiply-accumulates of backpropagation for one sample.

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
  return BackpropCost(
    forward_macs=sum(products),
    backward_macs=sum(products[1:]),
    gradient_macs=sum(products),
    num_weights=sum(wiring.num_weights for wiring in config.wirings),
  )
