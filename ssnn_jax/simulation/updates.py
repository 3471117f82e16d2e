"""Updates: the coincidences that the synapses of all layers count.

A synapse receives the spikes of its own two ends. Where synapses have steps of
their own, a fraction of the presynaptic spikes writes, so that a coincidence is
a whole number of pulses. Presynaptic spikes are dropped, not error spikes: a
dropped presynaptic spike affects the few neurons with an error in its tick,
whereas a dropped error spike would affect the whole fan-in of its neuron, and
the update would be noisier.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import coincidence
from ssnn_jax.simulation import forward as forward_lib
from ssnn_jax.spikes import thresholds

# Signals at the two ends of a layer's synapses: trains `[..., K, N]`, or
# expected spikes in each window, `[..., W, N]`.
Ends = tuple[jax.Array, types.ErrorStreams]


class WritePlan(NamedTuple):
  """Gradient and pulses of one coincidence, and the spikes that write."""

  unit: types.Params  # scalars: gradient of one coincidence
  # scalars: pulses of one coincidence; None for synapses without steps
  pulses: types.Params | None
  # fraction of each layer's presynaptic spikes that write; None: all
  fractions: tuple[jax.Array | None, ...]


class Counts(NamedTuple):
  """Coincidences of a batch with positive and with negative errors.

  With `negative` None, `positive` holds signed differences.
  """

  positive: types.Params
  negative: types.Params | None


def plan_writes(
  config: NetworkConfig, batch_size: int, pulse_gradient: jax.Array | None
) -> WritePlan:
  """Plans how the synapses of a network count and write.

  Args:
    config: the network.
    batch_size: samples of a batch, on all devices.
    pulse_gradient: gradient of one pulse of a synapse; None for synapses
      without steps of their own.

  Returns:
    The plan. With steps, a counted coincidence is the smallest sufficient whole
    number of pulses at the weights; at the biases, whose always-on input is not
    dropped, it is a fractional number.
  """
  unit = _unit_gradient(config, batch_size)
  if pulse_gradient is None or config.update == 'rates':
    return WritePlan(unit, None, (None,) * len(unit))
  resolution = 2.0**-thresholds.NUM_PLANES  # of rates
  units, pulses, fractions = [], [], []
  for layer in unit:
    requested = jax.tree.map(lambda gradient: gradient / pulse_gradient, layer)
    # Rounding errors of a whole number must not request one more pulse.
    burst = jnp.ceil(requested.weights * (1.0 - 1e-6))
    fraction = jnp.minimum(requested.weights / jnp.maximum(burst, 1.0), 1.0)
    fraction = resolution * jnp.round(fraction / resolution)
    unit_weights = layer.weights / jnp.maximum(fraction, resolution)
    units.append(layer._replace(weights=unit_weights))
    pulses.append(requested._replace(weights=burst.astype(jnp.int32)))
    fractions.append(fraction)
  return WritePlan(tuple(units), tuple(pulses), tuple(fractions))


def _unit_gradient(config, batch_size):
  """Returns the gradient of one coincidence in each layer."""
  ticks = config.error_steps * batch_size
  return tuple(
    types.LayerParams(
      weights=jnp.float32(read_gain / (ticks * gain)),
      biases=jnp.float32(1.0 / (ticks * gain)),
    )
    for read_gain, gain in zip(config.read_gains, config.gains)
  )


def synapse_ends(
  config: NetworkConfig,
  plan: WritePlan,
  draw: forward_lib.Draw,
  block: spikes.Block,
  forward: forward_lib.Forward,
  errors: list[types.ErrorSignal],
) -> list[Ends]:
  """Returns the signals at the synapses of one sample in one block.

  Args:
    config: the network.
    plan: which presynaptic spikes write.
    draw: thresholds of the sample in the block.
    block: words and windows of the block.
    forward: forward signals of the block.
    errors: error signal of each layer's postsynaptic neurons.

  Returns:
    Both ends of each layer's synapses.
  """
  layers = zip(config.gains, plan.fractions, forward.signals, errors)
  ends = []
  for layer, (gain, fraction, signal, error) in enumerate(layers):
    if config.update == 'rates':
      ends.append(_expected_ends(gain, signal, error, block.windows))
      continue
    train = spikes.join(signal.train)
    if fraction is not None:
      source = draw(thresholds.Role.WRITE, layer, train.shape[1])
      train = train & _sample_writes(source, fraction, train.shape[1])
    streams = types.ErrorStreams(
      positive=spikes.join(error.streams.positive),
      negative=spikes.join(error.streams.negative),
    )
    ends.append((train, streams))
  return ends


def _expected_ends(gain, signal, error, windows):
  """Returns the expected spikes in each window."""
  lengths = windows.length.astype(jnp.float32)[:, None]
  expected = gain * error.rates * lengths
  streams = types.ErrorStreams(
    positive=jax.nn.relu(expected), negative=jax.nn.relu(-expected)
  )
  return signal.rates, streams


def _sample_writes(source, fraction, num_inputs):
  """Samples the ticks at which presynaptic spikes write: `[K, I]` words."""
  rates = jnp.broadcast_to(fraction, num_inputs)
  fire = jax.vmap(spikes.fire, in_axes=(0, None, None))
  return fire(source, rates, ~jnp.uint32(0))


def init_counts(
  config: NetworkConfig, params: types.Params, separate_signs: bool
) -> Counts:
  """Returns the counts before a presentation.

  Args:
    config: the network.
    params: its parameters, for their shapes.
    separate_signs: whether coincidences with positive and with negative errors
      are counted separately.

  Returns:
    The counts.
  """
  dtype = jnp.float32 if config.update == 'rates' else jnp.int32
  zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, dtype), params)
  return Counts(zeros, zeros if separate_signs else None)


def count(config: NetworkConfig, counts: Counts, ends: list[Ends]) -> Counts:
  """Adds the coincidences of several blocks of a batch.

  Args:
    config: the network.
    counts: counts so far.
    ends: both ends of each layer's synapses, with two leading axes, blocks and
      B.

  Returns:
    The counts.
  """
  # The same sample in another block counts as another sample.
  ends = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), ends)
  if counts.negative is None:
    return Counts(_count_layers(config, counts.positive, ends), None)
  positive = [(pre, _unsigned(errors.positive)) for pre, errors in ends]
  negative = [(pre, _unsigned(errors.negative)) for pre, errors in ends]
  return Counts(
    positive=_count_layers(config, counts.positive, positive),
    negative=_count_layers(config, counts.negative, negative),
  )


def _unsigned(stream):
  """Returns error streams whose positive one is a stream of either sign."""
  return types.ErrorStreams(positive=stream, negative=jnp.zeros_like(stream))


def _count_layers(config, counts, ends):
  """Adds the signed coincidences of a batch to the counts of all layers."""
  if config.update == 'rates':
    return tuple(
      coincidence.multiply_rates(layer, presynaptic, errors)
      for layer, (presynaptic, errors) in zip(counts, ends)
    )
  return tuple(
    coincidence.count_coincidences(
      layer, presynaptic, errors, config.representation, config.kernels
    )
    for layer, (presynaptic, errors) in zip(counts, ends)
  )
