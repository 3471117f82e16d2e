"""What the synapses of all layers see of a presentation, and count.

Of a sample they see the spikes at their two ends. Where synapses have steps of
their own, a share of the spikes that enter a layer writes, so that a
coincidence stands for a whole number of steps. A spike that does not write
spares the few neurons that err in its tick; an error spike that did not would
spare all lines at once, and the update would be noisier by far. Errors of both
signs are counted apart where that is asked for.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import coincidence
from ssnn_jax.simulation import forward
from ssnn_jax.spikes import thresholds

# At the two ends of a layer's synapses: trains `[..., K, N]`, or the spikes
# that are expected in each window, `[..., W, N]`.
Ends = tuple[jax.Array, types.ErrorStreams]


class Plan(NamedTuple):
  """What a coincidence stands for, and which spikes write."""

  unit: types.Params  # scalars: the gradient that one coincidence stands for
  # scalars: steps that one coincidence makes; None without steps
  pulses: types.Params | None
  # of the spikes that enter each layer; None for all
  shares: tuple[jax.Array | None, ...]


class Counts(NamedTuple):
  """Coincidences of a batch with errors of both signs.

  A layer whose negative counts are None has the difference in the others.
  """

  positive: types.Params
  negative: tuple[types.LayerParams | None, ...] | None


def make_plan(
  config: NetworkConfig, batch_size: int, pulse_gradient: jax.Array | None
) -> Plan:
  """Plans how the synapses of a network count.

  Args:
    config: the network.
    batch_size: samples of a batch, on all devices.
    pulse_gradient: the gradient that a step of a synapse stands for; None where
      synapses have no steps of their own.

  Returns:
    The plan. With steps, a coincidence that is counted makes the smallest whole
    number of them that suffices at the weights; at the biases, whose input is
    not dropped, it makes a number that is not whole.
  """
  unit = _unit(config, batch_size)
  if pulse_gradient is None or config.update == 'rates':
    return Plan(unit, None, (None,) * len(unit))
  finest = 2.0**-thresholds.NUM_PLANES  # that rates are rounded to
  units, pulses, shares = [], [], []
  for layer in unit:
    asked = jax.tree.map(lambda gradient: gradient / pulse_gradient, layer)
    # The last bits of a whole number ask for no pulse more.
    burst = jnp.ceil(asked.weights * (1.0 - 1e-6))
    share = jnp.minimum(asked.weights / jnp.maximum(burst, 1.0), 1.0)
    share = finest * jnp.round(share / finest)
    whole = layer.weights / jnp.maximum(share, finest)
    units.append(layer._replace(weights=whole))
    pulses.append(asked._replace(weights=burst.astype(jnp.int32)))
    shares.append(share)
  return Plan(tuple(units), tuple(pulses), tuple(shares))


def _unit(config, batch_size):
  """The gradient that one coincidence stands for, in each layer."""
  samples = config.error_steps * batch_size
  return tuple(
    types.LayerParams(
      weights=jnp.float32(read_gain / (samples * gain)),
      biases=jnp.float32(1.0 / (samples * gain)),
    )
    for read_gain, gain in zip(config.read_gains, config.gains)
  )


def synapse_ends(
  config: NetworkConfig,
  plan: Plan,
  sources: forward.Sources,
  signals: list[types.Signal],
  errors: list[types.ErrorSignal],
  windows: spikes.Window,
) -> list[Ends]:
  """Shows what synapses see of one sample in a block.

  Args:
    config: the network.
    plan: how they count.
    sources: makes thresholds.
    signals: what enters each layer.
    errors: those of its neurons.
    windows: `[W]` the windows of the block.

  Returns:
    Both ends of each layer's synapses.
  """
  layers = zip(config.gains, plan.shares, signals, errors)
  ends = []
  for layer, (gain, share, signal, error) in enumerate(layers):
    if config.update == 'rates':
      ends.append(_expected_ends(gain, signal, error, windows))
      continue
    train = spikes.join(signal.train)
    if share is not None:
      train = _drop(sources, layer, share, train)
    streams = types.ErrorStreams(*map(spikes.join, error.streams))
    ends.append((train, streams))
  return ends


def _expected_ends(gain, signal, error, windows):
  """Shows the spikes that are expected in each window."""
  lengths = windows.length.astype(jnp.float32)[:, None]
  expected = gain * error.rates * lengths
  return signal.rates, types.ErrorStreams(
    jax.nn.relu(expected), jax.nn.relu(-expected)
  )


def _drop(sources, layer, share, train):
  """Drops spikes of one sample `[K, I]`, all but a share."""
  num_inputs = train.shape[1]
  written = jax.vmap(spikes.fire, in_axes=(0, None, None))(
    sources(thresholds.Role.WRITE, layer, num_inputs),
    jnp.broadcast_to(share, num_inputs),
    ~jnp.uint32(0),
  )
  return train & written


def no_counts(
  config: NetworkConfig,
  params: types.Params,
  separate: bool,
  batch_size: int,
) -> Counts:
  """Makes the counts before a presentation.

  Args:
    config: the network.
    params: its parameters, for their shapes.
    separate: whether errors of both signs are to be counted apart.
    batch_size: samples of a batch, on all devices.

  Returns:
    The counts. Of one sample in one window a hidden neuron has an error of one
    sign, so that its difference tells both.
  """
  dtype = jnp.float32 if config.update == 'rates' else jnp.int32
  zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, dtype), params)
  if not separate:
    return Counts(zeros, None)
  num_steps, window = config.schedule
  has_one_sign = batch_size == 1 and num_steps <= window
  hidden = (None,) * (len(zeros) - 1) if has_one_sign else zeros[:-1]
  return Counts(zeros, (*hidden, zeros[-1]))


def count(config: NetworkConfig, counts: Counts, ends: list[Ends]) -> Counts:
  """Adds the coincidences of a batch.

  Args:
    config: the network.
    counts: those so far.
    ends: both ends of each layer's synapses, with an axis B in front.

  Returns:
    The counts.
  """

  def alone(stream):
    return types.ErrorStreams(stream, jnp.zeros_like(stream))

  positive = list(counts.positive)
  negative = list(counts.negative or (None,) * len(positive))
  for layer, (presynaptic, errors) in enumerate(ends):
    if negative[layer] is not None:
      negative[layer] = _count_layer(
        config, negative[layer], presynaptic, alone(errors.negative)
      )
      errors = alone(errors.positive)
    positive[layer] = _count_layer(config, positive[layer], presynaptic, errors)
  return Counts(tuple(positive), counts.negative and tuple(negative))


def _count_layer(config, counts, presynaptic, errors):
  """Adds the signed coincidences of a batch at one layer's synapses."""
  if config.update == 'rates':
    return coincidence.multiply_rates(counts, presynaptic, errors)
  return coincidence.count_coincidences(
    counts, presynaptic, errors, config.representation, config.kernels
  )


def part_signs(counts: Counts) -> Counts:
  """Parts differences that have been counted in the place of both signs."""

  def part(positive, negative):
    if negative is not None:
      return positive, negative
    falls = jax.tree.map(lambda signed: jnp.maximum(-signed, 0), positive)
    return jax.tree.map(lambda signed: jnp.maximum(signed, 0), positive), falls

  return Counts(*zip(*map(part, *counts)))
