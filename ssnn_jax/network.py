"""The spiking network: composite layers under a winner-take-all.

What one block of windows does to one sample (`presentation`) is lifted over the
batch by `vmap`; a scan over blocks makes the whole presentation, and
coincidences are counted after each block.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from ssnn_jax import coincidence
from ssnn_jax import encoding
from ssnn_jax import presentation
from ssnn_jax import spikes
from ssnn_jax import thresholds
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig


def ssnn(config: NetworkConfig, *, separate: bool = False) -> types.Network:
  """Builds the spiking network of a configuration.

  Args:
    config: architecture and use of spikes.
    separate: whether `learn` counts coincidences with positive and with
      negative errors apart, as an asymmetric device needs; else only their
      difference.

  Returns:
    The network's pure functions. Where the configuration has `forward`,
    `backward` and `update` on rates, `learn` counts what makes
    `coincidence.as_gradient` the exact gradient of backpropagation.
  """
  return types.Network(
    init=functools.partial(init, config),
    infer=functools.partial(_infer, config),
    learn=functools.partial(_learn, config, separate),
  )


def init(config: NetworkConfig, key: jax.Array) -> types.Params:
  """Draws normal weights of variance 1 / fan-in, and biases of 0.

  Args:
    config: the architecture.
    key: PRNG key; consumed.

  Returns:
    float32 parameters, first layer first.
  """
  draw = jax.nn.initializers.lecun_normal()

  def layer(index, fan_in, fan_out):
    weights_key = jax.random.fold_in(key, index)
    return types.LayerParams(
      weights=draw(weights_key, (fan_in, fan_out), jnp.float32),
      biases=jnp.zeros(fan_out, jnp.float32),
    )

  shapes = zip(config.layer_sizes[:-1], config.layer_sizes[1:])
  return tuple(layer(index, *shape) for index, shape in enumerate(shapes))


def dropout_masks(
  config: NetworkConfig, key: jax.Array, batch_size: int
) -> tuple[jax.Array, ...]:
  """Draws which hidden units take part in the presentation of each sample.

  Args:
    config: dropout and the architecture.
    key: PRNG key of the presentation.
    batch_size: B.

  Returns:
    For each hidden layer `[B, J]` float32, 1 where a unit takes part and 0
    where it is silent.
  """
  sizes = config.layer_sizes[1:-1]
  if not config.dropout:
    return tuple(jnp.ones((batch_size, size), jnp.float32) for size in sizes)
  draw = thresholds.SAMPLERS[config.sampler]

  def mask(position, layer, size):
    stream = thresholds.stream_key(key, thresholds.Role.DROPOUT, layer)
    planes = draw(stream, jnp.int32(0), position, size)
    train = spikes.compare(planes, jnp.full(size, 1.0 - config.dropout))
    return (train & jnp.uint32(1)).astype(jnp.float32)

  def masks(position):
    return tuple(mask(position, *layer) for layer in enumerate(sizes))

  return jax.vmap(masks)(jnp.arange(batch_size))


def _infer(config, params, key, images):
  """Implements `Network.infer`."""
  config = dataclasses.replace(config, dropout=0.0)
  rates = encoding.encode_batch(config.layer_sizes, params, images)
  kept = dropout_masks(config, key, rates.shape[0])
  positions = jnp.arange(rates.shape[0])

  def step(membranes, index):
    block = spikes.block(config.schedule, index)

    def present(position, image, kept, membranes):
      planes = presentation.make_planes(config, key, position, block.words)
      return presentation.forward(
        config, params, planes, image, kept, membranes, block.windows
      ).membranes

    return jax.vmap(present)(positions, rates, kept, membranes), None

  membranes, _ = jax.lax.scan(
    step,
    presentation.at_rest(config, len(positions)),
    jnp.arange(config.schedule.num_blocks),
  )
  return types.Inference(membranes.winner_counts, membranes.output)


def _learn(config, separate, params, key, images, labels):
  """Implements `Network.learn`."""
  rates = encoding.encode_batch(config.layer_sizes, params, images, labels)
  kept = dropout_masks(config, key, rates.shape[0])
  positions = jnp.arange(rates.shape[0])

  def step(carry, index):
    membranes, counts = carry
    block = spikes.block(config.schedule, index)

    def present(position, image, label, kept, membranes):
      planes = presentation.make_planes(config, key, position, block.words)
      sent = presentation.forward(
        config, params, planes, image, kept, membranes, block.windows
      )
      errors = presentation.backward(
        config, params, planes, label, kept, sent, block.windows
      )
      return sent.membranes, list(zip(sent.signals, errors))

    membranes, synapses = jax.vmap(present)(
      positions, rates, labels, kept, membranes
    )
    more = _count(config, separate, synapses, block.windows)
    return (membranes, jax.tree.map(jnp.add, counts, more)), None

  dtype = jnp.float32 if config.update == 'rates' else jnp.int32
  zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, dtype), params)
  (membranes, counts), _ = jax.lax.scan(
    step,
    (
      presentation.at_rest(config, len(positions)),
      (zeros, zeros if separate else None),
    ),
    jnp.arange(config.schedule.num_blocks),
  )
  return (
    types.Update(*counts, _unit(config, len(positions))),
    types.Inference(membranes.winner_counts, membranes.output),
  )


def _count(config, separate, synapses, windows):
  """Counts a block's coincidences, given the signals at each layer's two ends.

  Returns the counts with positive and with negative errors, or their difference
  and None.
  """

  def layers(part):
    return tuple(
      _count_layer(config, gain, signal, part(error), windows)
      for gain, (signal, error) in zip(config.gains, synapses)
    )

  if not separate:
    return layers(lambda error: error), None
  return layers(_positive_part), layers(_negative_part)


def _positive_part(error):
  positive = error.streams.positive
  streams = types.ErrorStreams(positive, jnp.zeros_like(positive))
  return types.ErrorSignal(jax.nn.relu(error.rates), streams)


def _negative_part(error):
  streams = types.ErrorStreams(*reversed(error.streams))
  return _positive_part(types.ErrorSignal(-error.rates, streams))


def _count_layer(config, gain, signal, error, windows):
  """Counts the signed coincidences of a block at one layer's synapses."""
  if config.update == 'rates':
    return coincidence.multiply_rates(
      signal.rates, gain * error.rates, windows.length
    )
  join = jax.vmap(spikes.join)
  streams = types.ErrorStreams(*map(join, error.streams))
  return coincidence.count_coincidences(
    join(signal.train), streams, config.representation
  )


def _unit(config, batch_size):
  """The gradient that one coincidence stands for, in each layer."""
  samples = config.num_steps * batch_size
  return tuple(
    types.LayerParams(
      weights=jnp.float32(read_gain / (samples * gain)),
      biases=jnp.float32(1.0 / (samples * gain)),
    )
    for read_gain, gain in zip(config.read_gains, config.gains)
  )
