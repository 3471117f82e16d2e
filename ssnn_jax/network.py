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

_SAMPLES_PER_COUNT = 128


def ssnn(
  config: NetworkConfig, *, separate: bool = False, axis_name: str | None = None
) -> types.Network:
  """Builds the spiking network of a configuration.

  Args:
    config: architecture and use of spikes.
    separate: whether `learn` counts coincidences with positive and with
      negative errors apart, as an asymmetric device needs; else only their
      difference.
    axis_name: axis of a mesh whose devices share each batch, in order: a device
      is given its part, and all count what the whole batch counts; None where a
      device has all of it.

  Returns:
    The network's pure functions. Where the configuration has `forward`,
    `backward` and `update` on rates, `learn` counts what makes
    `coincidence.as_gradient` the exact gradient of backpropagation.
  """
  return types.Network(
    init=functools.partial(init, config),
    infer=functools.partial(_infer, config, axis_name),
    learn=functools.partial(_learn, config, separate, axis_name),
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


def batch_positions(batch_size: int, axis_name: str | None = None) -> jax.Array:
  """Numbers the samples that a device is given within the global batch.

  Args:
    batch_size: B, samples that each device is given.
    axis_name: axis of the mesh whose devices share the batch, if they do.

  Returns:
    `[B]` int32 positions.
  """
  first = jax.lax.axis_index(axis_name) * batch_size if axis_name else 0
  return first + jnp.arange(batch_size)


def dropout_masks(
  config: NetworkConfig, key: jax.Array, positions: jax.Array
) -> tuple[jax.Array, ...]:
  """Draws which hidden units take part in the presentation of each sample.

  Args:
    config: dropout and the architecture.
    key: PRNG key of the presentation.
    positions: `[B]` positions of the samples in the global batch.

  Returns:
    For each hidden layer `[B, J]` float32, 1 where a unit takes part and 0
    where it is silent.
  """
  sizes = config.layer_sizes[1:-1]
  if not config.dropout:
    shapes = [(len(positions), size) for size in sizes]
    return tuple(jnp.ones(shape, jnp.float32) for shape in shapes)
  make = thresholds.make_sampler(config.sampler, config.kernels)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  role, word, first_tick = thresholds.Role.DROPOUT, jnp.int32(0), jnp.uint32(1)

  def mask(position, layer, size):
    source = make(keys, role, layer, word, position, size)
    rates = jnp.full(size, 1.0 - config.dropout)
    return spikes.fire(source, rates, first_tick).astype(jnp.float32)

  def masks(position):
    return tuple(mask(position, *layer) for layer in enumerate(sizes))

  return jax.vmap(masks)(positions)


def _infer(config, axis_name, params, key, inputs):
  """Implements `Network.infer`."""
  config = dataclasses.replace(config, dropout=0.0)
  inputs = encoding.encode_batch(config, params, inputs)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  positions = batch_positions(len(inputs.rates), axis_name)
  kept = dropout_masks(config, key, positions)

  def step(membranes, index):
    block = spikes.block(config.schedule, index)

    def present(position, inputs, kept, membranes):
      sources = presentation.make_sources(config, keys, position, block.words)
      return presentation.forward(
        config, params, sources, inputs, kept, membranes, block
      ).membranes

    return jax.vmap(present)(positions, inputs, kept, membranes), None

  membranes, _ = jax.lax.scan(
    step,
    presentation.at_rest(config, len(positions)),
    jnp.arange(config.schedule.num_blocks),
  )
  return types.Inference(membranes.winner_counts, membranes.output)


def _learn(
  config,
  separate,
  axis_name,
  params,
  key,
  inputs,
  labels,
  *,
  pulse_gradient=None,
):
  """Implements `Network.learn`."""
  inputs = encoding.encode_batch(config, params, inputs, labels)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  positions = batch_positions(len(inputs.rates), axis_name)
  kept = dropout_masks(config, key, positions)
  batch_size = len(positions)
  if axis_name:
    batch_size *= jax.lax.axis_size(axis_name)
  unit = _unit(config, batch_size)
  pulses = written = None
  if pulse_gradient is not None and config.update == 'spikes':
    unit, pulses, written = _thin(config, unit, pulse_gradient)

  def present_block(membranes, index):
    block = spikes.block(config.schedule, index)

    def present(position, inputs, label, kept, membranes):
      sources = presentation.make_sources(config, keys, position, block.words)
      sent = presentation.forward(
        config, params, sources, inputs, kept, membranes, block
      )
      errors = presentation.backward(
        config, params, sources, label, kept, sent, block.windows
      )
      ends = [
        _synapse_ends(config, *end, block.windows)
        for end in zip(config.gains, sent.signals, errors)
      ]
      if written is not None:
        ends = _write(sources, written, ends)
      return sent.membranes, ends

    return jax.vmap(present)(positions, inputs, labels, kept, membranes)

  def present_group(carry, indices):
    membranes, counts = carry
    membranes, ends = jax.lax.scan(present_block, membranes, indices)
    # For counting, the same sample in another block is another sample.
    ends = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), ends)
    return (membranes, _count(config, counts, ends)), None

  num_blocks = config.schedule.num_blocks
  group_size = _blocks_per_count(num_blocks, len(positions))
  (membranes, counts), _ = jax.lax.scan(
    present_group,
    (
      presentation.at_rest(config, len(positions)),
      _no_counts(config, params, separate, batch_size),
    ),
    jnp.arange(num_blocks).reshape(-1, group_size),
  )
  if axis_name:
    counts = jax.lax.psum(counts, axis_name)
  positive, negative = _part_signs(*counts) if separate else (counts[0], None)
  return (
    types.Update(positive, negative, unit, pulses),
    types.Inference(membranes.winner_counts, membranes.output),
  )


def _blocks_per_count(num_blocks, batch_size):
  """Chooses after how many blocks a batch's coincidences are counted.

  Going through all counts takes a time of its own, which a small batch shares
  among blocks; their trains take no more memory than a large batch's.
  """
  most = max(1, _SAMPLES_PER_COUNT // max(1, batch_size))
  return max(size for size in range(1, most + 1) if num_blocks % size == 0)


def _synapse_ends(config, gain, signal, error, windows):
  """Shows what a layer's synapses see of one sample in a block, at both ends.

  Those are trains `[K, N]`, or the spikes expected in each window, `[W, N]`.
  """
  if config.update == 'rates':
    lengths = windows.length.astype(jnp.float32)[:, None]
    expected = gain * error.rates * lengths
    return signal.rates, types.ErrorStreams(
      jax.nn.relu(expected), jax.nn.relu(-expected)
    )
  return spikes.join(signal.train), types.ErrorStreams(
    *map(spikes.join, error.streams)
  )


def _thin(config, unit, pulse_gradient):
  """Chooses which share of a layer's error spikes writes, and how often each.

  A coincidence that is counted makes a whole number of pulses at the weights,
  the smallest that suffices; a bias, whose reads have no gain, has its part.

  Args:
    config: the network.
    unit: the gradient that one coincidence stands for, in each layer.
    pulse_gradient: the gradient that a pulse stands for.

  Returns:
    The gradient that a coincidence stands for which is counted, the pulses that
    it makes, and the shares, rounded as all rates are.
  """
  finest = 2.0**-thresholds.NUM_PLANES
  units, pulses, shares = [], [], []
  for layer, read_gain in zip(unit, config.read_gains):
    asked = layer.weights / pulse_gradient
    burst = jnp.maximum(jnp.ceil(asked), 1.0)
    share = finest * jnp.maximum(jnp.round(asked / burst / finest), 1.0)
    units.append(types.LayerParams(*(whole / share for whole in layer)))
    pulses.append(types.LayerParams(burst.astype(jnp.int32), burst / read_gain))
    shares.append(share)
  return tuple(units), tuple(pulses), shares


def _write(sources, shares, ends):
  """Drops error spikes of one sample at the synapses, all but a share."""

  def layer(index, share, end):
    presynaptic, errors = end
    num_neurons = errors.positive.shape[1]
    written = jax.vmap(spikes.fire, in_axes=(0, None, None))(
      sources(thresholds.Role.WRITE, index, num_neurons),
      jax.lax.broadcast(share, (num_neurons,)),
      ~jnp.uint32(0),
    )
    streams = types.ErrorStreams(*(stream & written for stream in errors))
    return presynaptic, streams

  return [layer(*end) for end in zip(range(len(ends)), shares, ends)]


def _no_counts(config, params, separate, batch_size):
  """Makes the counts of all layers before a presentation.

  Those with negative errors are None in layers that count the difference. Of
  one sample in one window a hidden neuron has an error of one sign, so that the
  difference tells both.
  """
  dtype = jnp.float32 if config.update == 'rates' else jnp.int32
  zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, dtype), params)
  num_steps, window = config.schedule
  has_one_sign = batch_size == 1 and num_steps <= window
  hidden = (None,) * (len(zeros) - 1) if has_one_sign else zeros[:-1]
  if not separate:
    return zeros, (None,) * len(zeros)
  return zeros, (*hidden, zeros[-1])


def _part_signs(positive, negative):
  """Parts differences that have been counted in the place of both signs."""

  def part(positive, negative):
    if negative is not None:
      return positive, negative
    falls = jax.tree.map(lambda signed: jnp.maximum(-signed, 0), positive)
    return jax.tree.map(lambda signed: jnp.maximum(signed, 0), positive), falls

  return tuple(zip(*map(part, positive, negative)))


def _count(config, counts, ends):
  """Adds the coincidences of a batch at the synapses of all layers."""

  def alone(stream):
    return types.ErrorStreams(stream, jnp.zeros_like(stream))

  positive, negative = map(list, counts)
  for layer, (presynaptic, errors) in enumerate(ends):
    if negative[layer] is not None:
      negative[layer] = _count_layer(
        config, negative[layer], presynaptic, alone(errors.negative)
      )
      errors = alone(errors.positive)
    positive[layer] = _count_layer(config, positive[layer], presynaptic, errors)
  return tuple(positive), tuple(negative)


def _count_layer(config, counts, presynaptic, errors):
  """Adds the signed coincidences of a batch at one layer's synapses."""
  if config.update == 'rates':
    return coincidence.multiply_rates(counts, presynaptic, errors)
  return coincidence.count_coincidences(
    counts, presynaptic, errors, config.representation, config.kernels
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
