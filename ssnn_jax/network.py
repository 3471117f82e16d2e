"""The spiking network: composite layers under a winner-take-all.

What one block of windows does to one sample (`presentation`) is lifted over the
batch by `vmap`; a scan over blocks makes the whole presentation, and
coincidences are counted after each block.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import backward
from ssnn_jax.simulation import forward
from ssnn_jax.simulation import inputs as input_lib
from ssnn_jax.simulation import updates
from ssnn_jax.spikes import thresholds

_SAMPLES_PER_COUNT = 128


def ssnn(
  config: NetworkConfig,
  *,
  separate: bool = False,
  axis_name: str | None = None,
  feedback: types.Params | None = None,
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
    feedback: what errors are read back through in the place of the parameters
      (`feedback_alignment`), with their structure; None for the parameters.

  Returns:
    The network's pure functions. Where the configuration has `forward`,
    `backward` and `update` on rates, `learn` counts what makes
    `coincidence.as_gradient` the exact gradient of backpropagation.

  Example:
    >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((4, 8, 3), num_steps=32))
    >>> images, labels = jnp.array([[0.0, 0.2, 0.5, 1.0]]), jnp.array([2])
    >>> params = network.init(jax.random.key(0))
    >>> update, _ = network.learn(params, jax.random.key(1), images, labels)
    >>> [layer.weights.shape for layer in ssnn_jax.as_gradient(update)]
    [(4, 8), (8, 3)]
    >>> said = network.infer(params, jax.random.key(2), images)
    >>> said.winner_counts.sum()  # one winner a tick
    Array(32, dtype=int32)
  """
  return types.Network(
    init=functools.partial(init, config),
    infer=functools.partial(_infer, config, axis_name),
    learn=functools.partial(_learn, config, separate, axis_name, feedback),
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


def _infer(config, axis_name, params, key, inputs):
  """Implements `Network.infer`."""
  config = dataclasses.replace(config, dropout=0.0)
  inputs = input_lib.encode_batch(config, params, inputs)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  positions = input_lib.batch_positions(len(inputs.rates), axis_name)
  kept = input_lib.dropout_masks(config, key, positions)

  def step(membranes, index):
    block = spikes.block(config.schedule, index)

    def present(position, inputs, kept, membranes):
      sources = forward.make_sources(config, keys, position, block.words)
      return forward.forward(
        config, params, sources, inputs, kept, membranes, block
      ).membranes

    return jax.vmap(present)(positions, inputs, kept, membranes), None

  membranes, _ = jax.lax.scan(
    step,
    forward.at_rest(config, len(positions)),
    jnp.arange(config.schedule.num_blocks),
  )
  return types.Inference(membranes.winner_counts, membranes.output)


def _learn(
  config,
  separate,
  axis_name,
  feedback,
  params,
  key,
  inputs,
  labels,
  *,
  pulse_gradient=None,
):
  """Implements `Network.learn`."""
  inputs = input_lib.encode_batch(config, params, inputs, labels)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  positions = input_lib.batch_positions(len(inputs.rates), axis_name)
  kept = input_lib.dropout_masks(config, key, positions)
  batch_size = len(positions)
  if axis_name:
    batch_size *= jax.lax.axis_size(axis_name)
  plan = updates.make_plan(config, batch_size, pulse_gradient)
  back = params if feedback is None else feedback

  def present_block(membranes, index):
    block = spikes.block(config.schedule, index)

    def present(position, inputs, label, kept, membranes):
      sources = forward.make_sources(config, keys, position, block.words)
      sent = forward.forward(
        config, params, sources, inputs, kept, membranes, block
      )
      errors = backward.errors(
        config, back, sources, label, kept, sent, block.windows
      )
      return sent.membranes, updates.synapse_ends(
        config, plan, sources, sent.signals, errors, block.windows
      )

    return jax.vmap(present)(positions, inputs, labels, kept, membranes)

  def present_group(carry, indices):
    membranes, counts = carry
    membranes, ends = jax.lax.scan(present_block, membranes, indices)
    # For counting, the same sample in another block is another sample.
    ends = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), ends)
    return (membranes, updates.count(config, counts, ends)), None

  num_blocks = config.schedule.num_blocks
  group_size = _blocks_per_count(num_blocks, len(positions))
  (membranes, counts), _ = jax.lax.scan(
    present_group,
    (
      forward.at_rest(config, len(positions)),
      updates.no_counts(config, params, separate, batch_size),
    ),
    jnp.arange(num_blocks).reshape(-1, group_size),
  )
  if axis_name:
    counts = jax.lax.psum(counts, axis_name)
  if separate:
    counts = updates.part_signs(counts)
  return (
    types.Update(counts.positive, counts.negative, plan.unit, plan.pulses),
    types.Inference(membranes.winner_counts, membranes.output),
  )


def _blocks_per_count(num_blocks, batch_size):
  """Chooses after how many blocks a batch's coincidences are counted.

  Going through all counts takes a time of its own, which a small batch shares
  among blocks; their trains take no more memory than a large batch's.
  """
  most = max(1, _SAMPLES_PER_COUNT // max(1, batch_size))
  return max(size for size in range(1, most + 1) if num_blocks % size == 0)
