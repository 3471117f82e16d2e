"""Updates: the coincidences that the synapses of all layers count.

A synapse counts coincidences of the spikes at its own two ends. Devices change
their weights in discrete pulses: presynaptic spikes are therefore thinned at
random before they are counted, so that each counted coincidence is a whole
number of pulses. Error spikes are not thinned: a dropped presynaptic spike
affects the few neurons with an error in its tick, whereas a dropped error spike
would affect the whole fan-in of its neuron, and the update would be noisier.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import coincidence
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes.thresholds import NUM_BITS
from ssnn_jax.spikes.thresholds import Role

# What is counted at once: patches of a convolution repeat spikes and rates.
_WORDS_AT_ONCE, _WORDS_OF_PATCHES_AT_ONCE, _SAMPLES_AT_ONCE = 4096, 512, 128


class PulsePlan(NamedTuple):
  """Gradient and pulses of one coincidence, and thinning of the spikes."""

  unit: types.Params  #: scalars: gradient of one coincidence
  #: scalars: pulses of one coincidence; None without discrete pulses
  pulses: types.Params | None
  #: probability of each layer's presynaptic spikes to be counted; None: 1
  keep_probabilities: tuple[jax.Array | None, ...]


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
  # A weight counts at most so many coincidences in a tick of a sample.
  most = max(wiring.num_positions for wiring in config.wirings)
  longest = checks.MAX_COUNT // max(1, batch_size * most)
  is_valid = 'update' in config.rates or config.num_steps <= longest
  expected = f'at most {longest} ticks with batches of {batch_size} samples, '
  expected += 'as coincidences are counted in 32 bits'
  checks.check_field(config, 'num_steps', is_valid, expected)
  unit = tuple(
    types.LayerParams(
      weights=jnp.float32(read_gain / (batch_size * config.num_steps * gain)),
      biases=jnp.float32(1.0 / (batch_size * config.num_steps * gain)),
    )
    for read_gain, gain in zip(config.read_gains, config.gains)
  )
  if pulse_gradient is None or 'update' in config.rates:
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


def make_observe(
  config: NetworkConfig, plan: PulsePlan
) -> Callable[..., list[tuple[Any, Any]]]:
  """Builds the function that observes the signals at all synapses.

  Args:
    config: the network.
    plan: thinning of the presynaptic spikes.

  Returns:
    `(sources, block, signals) -> ends`: of each layer of one sample in one
    block, the `[K, I]` words of presynaptic spikes and the `[K, J]` error
    streams; with exact updates the `[W, I]` rates and the streams of expected
    error spikes, `[W, J]`.
  """

  def observe(sources, block, signals):
    ends = []
    for layer, (signal, error) in enumerate(
      zip(signals.forward, signals.errors)
    ):
      if 'update' in config.rates:
        lengths = block.windows.length.astype(jnp.float32)[:, None]
        expected = config.gains[layer] * error.errors * lengths
        streams = types.ErrorStreams(
          jax.nn.relu(expected), jax.nn.relu(-expected)
        )
        ends.append((signal.rates, streams))
        continue
      words, keep = signal.words, plan.keep_probabilities[layer]
      if keep is not None:
        source = sources(Role.THINNING, layer, words.shape[1])
        rates = jnp.broadcast_to(keep, (1, words.shape[1]))
        all_ticks = jnp.full((1, len(words)), ~jnp.uint32(0))
        words = words & thresholds.sample_words(source, rates, all_ticks)
      ends.append((words, error.streams))
    return ends

  return observe


def count(
  config: NetworkConfig, ends: list[tuple[Any, Any]], separate_signs: bool
) -> tuple[types.Params, types.Params | None]:
  """Counts the coincidences of a batch.

  Args:
    config: the network.
    ends: signals at the synapses of each layer, with two leading axes, blocks
      and B.
    separate_signs: whether coincidences with positive and with negative errors
      are counted separately.

  Returns:
    The counts with positive and with negative errors, or their difference and
    None.
  """

  def count_layers(select):
    return tuple(
      _count(config, wiring, presynaptic, select(streams))
      for wiring, (presynaptic, streams) in zip(config.wirings, ends)
    )

  if not separate_signs:
    return count_layers(lambda streams: streams), None
  # The signed count of one stream alone is its own.
  return tuple(
    count_layers(
      lambda streams, sign=sign: types.ErrorStreams(
        streams[sign], jnp.zeros_like(streams[sign])
      )
    )
    for sign in range(2)
  )


def _count(config, wiring, presynaptic, streams):
  """Counts the signed coincidences of a layer, some samples at a time."""
  is_exact = 'update' in config.rates
  dtype = jnp.float32 if is_exact else jnp.int32

  def add(counts, signals):
    presynaptic, streams = signals
    rows = wiring.gather(presynaptic)
    errors = types.ErrorStreams(*map(wiring.split, streams))
    if is_exact:
      errors = errors.positive - errors.negative
      return coincidence.multiply_rates(counts, rows, errors), None
    return coincidence.count_coincidences(counts, rows, errors), None

  zeros = types.LayerParams(
    jnp.zeros(wiring.weights_shape, dtype), jnp.zeros(wiring.num_columns, dtype)
  )
  # The same sample at another time counts as another sample.
  signals = jax.tree.map(
    lambda x: x.reshape(-1, *x.shape[2:]), (presynaptic, streams)
  )
  num_samples, num_words = signals[0].shape[:2]
  words_at_once = _WORDS_OF_PATCHES_AT_ONCE
  if wiring.inputs is None:
    words_at_once = _WORDS_AT_ONCE
  at_once = _SAMPLES_AT_ONCE if is_exact else words_at_once // num_words
  num_parts = -(-num_samples // max(1, at_once))
  if num_parts <= 1:
    return add(zeros, signals)[0]
  size = -(-num_samples // num_parts)
  padding = num_parts * size - num_samples

  def split(x):
    padded = jnp.pad(x, ((0, padding), (0, 0), (0, 0)))
    return padded.reshape(num_parts, size, *x.shape[1:])

  return jax.lax.scan(add, zeros, jax.tree.map(split, signals))[0]
