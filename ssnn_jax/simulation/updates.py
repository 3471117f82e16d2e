"""Updates: the coincidences that the synapses of all layers count.

A synapse counts coincidences of the spikes at its own two ends. Devices change
their weights in discrete pulses: presynaptic spikes are therefore thinned at
random before they are counted, so that each counted coincidence is a whole
number of pulses. Error spikes are not thinned: a dropped presynaptic spike
affects the few neurons with an error in its tick, whereas a dropped error spike
would affect the whole fan-in of its neuron, and the update would be noisier.
"""

import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import coincidence
from ssnn_jax.simulation import rules
from ssnn_jax.spikes import trains
from ssnn_jax.spikes.thresholds import NUM_BITS
from ssnn_jax.spikes.thresholds import Role

# Signals at the synapses of a layer: trains, or with updates of rates
# the expected spikes in each window, `[..., W, N]`.
PrePost = tuple[Any, Any]

# Largest number of pairs of a sample and a word that are counted at once.
_WORDS_AT_ONCE = 512


class PulsePlan(NamedTuple):
  """Gradient and pulses of one coincidence, and thinning of the spikes."""

  unit: types.Params  #: scalars: gradient of one coincidence
  #: scalars: pulses of one coincidence; None without discrete pulses
  pulses: types.Params | None
  #: probability of each layer's presynaptic spikes to be counted; None: 1
  keep_probabilities: tuple[jax.Array | None, ...]


class Counts(NamedTuple):
  """Coincidences of a batch with positive and with negative errors.

  With `negative` None, `positive` holds signed differences.
  """

  positive: types.Params
  negative: types.Params | None


def plan_pulses(
  config: NetworkConfig, batch_size: int, pulse_gradient: jax.Array | None
) -> PulsePlan:
  """Computes the pulses of one coincidence and the thinning of spikes.

  Args:
    config: the network.
    batch_size: samples of a batch, on all devices.
    pulse_gradient: gradient of one pulse of a synapse; None for synapses
      without discrete pulses.

  Returns:
    The plan. With discrete pulses, let q be the gradient of one coincidence
    divided by the gradient of one pulse. At the weights, presynaptic spikes are
    kept with probability q / ceil(q), and each counted coincidence requests
    ceil(q) pulses. At the biases no spike is dropped, and each coincidence
    requests q pulses, which may be fractional.
  """
  check_counts(config, batch_size)
  unit = _unit_gradient(config, batch_size)
  if pulse_gradient is None or config.update == 'rates':
    return PulsePlan(unit, None, (None,) * len(unit))
  resolution = 2.0**-NUM_BITS  # of rates
  units, pulses, keep_probabilities = [], [], []
  for layer in unit:
    requested = jax.tree.map(lambda gradient: gradient / pulse_gradient, layer)
    # Rounding errors of a whole number must not request one more pulse.
    burst = jnp.ceil(requested.weights * (1.0 - 1e-6))
    keep = jnp.minimum(requested.weights / jnp.maximum(burst, 1.0), 1.0)
    keep = resolution * jnp.round(keep / resolution)
    unit_weights = layer.weights / jnp.maximum(keep, resolution)
    units.append(layer._replace(weights=unit_weights))
    pulses.append(requested._replace(weights=burst.astype(jnp.int32)))
    keep_probabilities.append(keep)
  return PulsePlan(tuple(units), tuple(pulses), tuple(keep_probabilities))


def check_counts(config: NetworkConfig, batch_size: int) -> None:
  """Refuses presentations whose coincidences could exceed an int32.

  A weight counts at most one coincidence in a tick of a sample and position.

  Args:
    config: the network.
    batch_size: samples of a batch, on all devices.

  Raises:
    UserError: if the presentation is too long.
  """
  positions = max(wiring.num_positions for wiring in config.wirings)
  longest = checks.MAX_COUNT // max(1, batch_size * positions)
  is_valid = config.update != 'spikes' or config.num_steps <= longest
  expected = f'at most {longest} ticks with batches of {batch_size} samples, '
  expected += 'as coincidences are counted in 32 bits'
  checks.check_field(config, 'num_steps', is_valid, expected)


def _unit_gradient(config, batch_size):
  """Returns the gradient of one coincidence in each layer."""
  layers = zip(config.error_steps, config.read_gains, config.gains)
  return tuple(
    types.LayerParams(
      weights=jnp.float32(read_gain / (batch_size * ticks * gain)),
      biases=jnp.float32(1.0 / (batch_size * ticks * gain)),
    )
    for ticks, read_gain, gain in layers
  )


def pre_post(
  config: NetworkConfig,
  plan: PulsePlan,
  sources: rules.Sources,
  block: spikes.Block,
  signals: types.Signals,
) -> list[PrePost]:
  """Returns the signals at the synapses of one sample in one block.

  Args:
    config: the network.
    plan: thinning of the presynaptic spikes.
    sources: thresholds of the sample in the block.
    block: words and windows of the block.
    signals: signals of the block.

  Returns:
    Presynaptic and postsynaptic signals of each layer's synapses.
  """
  layers = zip(config.gains, plan.keep_probabilities, *signals[:2])
  ends = []
  for layer, (gain, keep, signal, error) in enumerate(layers):
    if config.update == 'rates':
      lengths = block.windows.length.astype(jnp.float32)[:, None]
      expected = gain * error.errors * lengths
      streams = types.ErrorStreams(
        jax.nn.relu(expected), jax.nn.relu(-expected)
      )
      ends.append((signal.rates, streams))
      continue
    train = signal.train
    if keep is not None:
      num_inputs = config.layer_sizes[layer]
      source = sources(Role.THINNING, layer, num_inputs)
      all_ticks = jnp.full((1, len(block.words)), ~jnp.uint32(0))
      rates = jnp.broadcast_to(keep, (1, num_inputs))
      train = trains.thinned(train, trains.sampled(source, rates, all_ticks))
    ends.append((train, error.streams))
  return ends


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


def count(config: NetworkConfig, counts: Counts, ends: list[PrePost]) -> Counts:
  """Adds the coincidences of several blocks of a batch.

  Args:
    config: the network.
    counts: counts so far.
    ends: signals at each layer's synapses, with two leading axes, blocks and B.

  Returns:
    The counts.
  """
  # The same sample in another block counts as another sample.
  ends = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), ends)
  if config.update == 'rates':
    return _add(config, counts, ends)
  num_samples = len(jax.tree.leaves(ends)[0])
  return trains.fold(
    functools.partial(_add, config),
    counts,
    lambda *words: jax.vmap(lambda own: trains.words(own, *words))(ends),
    config.schedule.words_per_block,
    at_once=max(1, _WORDS_AT_ONCE // max(1, num_samples)),
  )


def _add(config, counts, ends):
  """Adds the coincidences of spikes `[B, K, N]`."""
  if counts.negative is None:
    return Counts(_count_layers(config, counts.positive, ends), None)
  positive = [(pre, _as_positive(errors.positive)) for pre, errors in ends]
  negative = [(pre, _as_positive(errors.negative)) for pre, errors in ends]
  return Counts(
    positive=_count_layers(config, counts.positive, positive),
    negative=_count_layers(config, counts.negative, negative),
  )


def _as_positive(stream):
  """Wraps one stream, so that the signed count is the count of the stream."""
  return types.ErrorStreams(positive=stream, negative=jnp.zeros_like(stream))


def _count_layers(config, counts, ends):
  """Adds the signed coincidences of a batch to the counts of all layers."""
  add = functools.partial(
    coincidence.count_coincidences,
    representation=config.representation,
    use_kernels=config.kernels,
  )
  if config.update == 'rates':
    add = coincidence.multiply_rates
  layers = zip(config.wirings, counts, ends)
  return tuple(
    add(layer, wiring.gather(presynaptic), jax.tree.map(wiring.split, errors))
    for wiring, layer, (presynaptic, errors) in layers
  )
