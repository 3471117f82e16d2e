"""Spiking network: composite layers with a winner-take-all output.

The forward and backward pass of one sample in one block of windows are lifted
over the batch by `vmap`, and scanned over the blocks of the presentation.
`learn`, `infer` and `training.activity` run the same simulation, with different
observers or none.
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import backward as backward_lib
from ssnn_jax.simulation import forward as forward_lib
from ssnn_jax.simulation import inputs as input_lib
from ssnn_jax.simulation import updates
from ssnn_jax.spikes import thresholds

_SAMPLES_PER_COUNT = 128


class Options(NamedTuple):
  """Keyword arguments of `ssnn`."""

  separate_signs: bool = False
  axis_name: str | None = None
  feedback: types.Params | None = None


_DEFAULTS = Options()


def ssnn(
  config: NetworkConfig,
  *,
  separate_signs: bool = False,
  axis_name: str | None = None,
  feedback: types.Params | None = None,
) -> types.Network:
  """Builds the spiking network of a configuration.

  Args:
    config: architecture and use of spikes.
    separate_signs: whether `learn` counts coincidences with positive and with
      negative errors separately, as asymmetric devices require; otherwise it
      counts their difference.
    axis_name: axis of a mesh whose devices share each batch, in order: each
      device receives its shard, and all return the counts of the whole batch.
    feedback: weights of the transposed reads, with the structure of the
      parameters (`feedback_alignment`); None uses the parameters.

  Returns:
    The network's pure functions. With `forward`, `backward` and `update` on
    rates, an ideal periphery, no feedback and errors of the softmax or winner,
    `as_gradient` of the counts is the exact gradient of backpropagation.

  Example:
    >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((4, 8, 3), num_steps=32))
    >>> images, labels = jnp.array([[0.0, 0.2, 0.5, 1.0]]), jnp.array([2])
    >>> params = network.init(jax.random.key(0))
    >>> update, _ = network.learn(params, jax.random.key(1), images, labels)
    >>> [layer.weights.shape for layer in ssnn_jax.as_gradient(update)]
    [(4, 8), (8, 3)]
    >>> inference = network.infer(params, jax.random.key(2), images)
    >>> inference.winner_counts.sum()  # one winner per tick
    Array(32, dtype=int32)
  """
  options = Options(separate_signs, axis_name, feedback)
  return types.Network(
    init=functools.partial(init, config),
    infer=functools.partial(_infer, config, options),
    learn=functools.partial(_learn, config, options),
  )


def init(config: NetworkConfig, key: jax.Array) -> types.Params:
  """Draws truncated normal weights of variance 1 / fan-in; biases are 0.

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


def _infer(config, options, params, key, inputs):
  """Implements `Network.infer`."""
  config = dataclasses.replace(config, dropout=0.0)
  return simulate(config, params, key, inputs, options=options)[0]


def _learn(
  config, options, params, key, inputs, labels, *, pulse_gradient=None
):
  """Implements `Network.learn`."""
  batch_size = labels.size
  if options.axis_name:
    batch_size *= jax.lax.axis_size(options.axis_name)
  plan = updates.plan_pulses(config, batch_size, pulse_gradient)
  observer = Observer(
    observe=functools.partial(updates.synapse_ends, config, plan),
    accumulate=functools.partial(updates.count, config),
    initial=updates.init_counts(config, params, options.separate_signs),
  )
  inference, counts = simulate(
    config, params, key, inputs, labels, observer=observer, options=options
  )
  if options.axis_name:
    counts = jax.lax.psum(counts, options.axis_name)
  update = types.Update(
    counts.positive, counts.negative, plan.unit, plan.pulses
  )
  return update, inference


class Observer(NamedTuple):
  """Observation of a simulation, block by block.

  Attributes:
    observe: `(draw, block, forward, errors) -> observation`; called for one
      sample and block with its `forward.Draw`, `spikes.Block`,
      `forward.Forward` and one `types.ErrorSignal` for each layer.
    accumulate: `(total, observations) -> total`; adds the observations of
      several blocks, `[blocks, B, ...]`. With None, `simulate` returns the
      observations of all blocks.
    initial: the total before the presentation.
  """

  observe: Callable[..., Any]
  accumulate: Callable[[Any, Any], Any] | None = None
  initial: Any = None


def simulate(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array | None = None,
  *,
  observer: Observer | None = None,
  options: Options = _DEFAULTS,
) -> tuple[types.Inference, Any]:
  """Simulates one presentation of a batch.

  Args:
    config: the network.
    params: its parameters.
    key: PRNG key of the presentation; consumed.
    inputs: `[B, ...]` images or `[B, K, I]` spike trains, as for `Network`.
    labels: `[B]` integer classes; required with an observer.
    observer: observation of the forward and error signals; None simulates the
      forward pass only.
    options: feedback and mesh axis of the network.

  Returns:
    The response of the output layer, and the total of the observer; without
    `accumulate`, the observations of all blocks, `[blocks, B, ...]`.

  Raises:
    UserError: if the batch does not fit the network, or labels are missing.
  """
  if observer is not None and labels is None:
    raise types.UserError(
      'labels are None; an observer receives error signals, so pass labels.'
    )
  batch = input_lib.prepare(
    config, params, key, inputs, labels, options.axis_name
  )
  feedback = params if options.feedback is None else options.feedback
  weights = Weights(params, feedback)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  batch_size, num_blocks = len(batch.position), config.schedule.num_blocks
  initial = None if observer is None else observer.initial
  run_group = functools.partial(
    _run_group, config, weights, keys, observer, batch
  )
  group_size = _blocks_per_group(num_blocks, batch_size)
  (membranes, total), observations = jax.lax.scan(
    run_group,
    (forward_lib.init_membranes(config, batch_size), initial),
    jnp.arange(num_blocks).reshape(-1, group_size),
  )
  if observations is not None:
    total = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), observations)
  inference = types.Inference(membranes.winner_counts, membranes.output)
  return inference, total


class Weights(NamedTuple):
  """Weights of the two reads."""

  forward: types.Params
  transposed: types.Params


def _blocks_per_group(num_blocks, batch_size):
  """Returns the number of blocks whose observations are accumulated at once.

  Each accumulation passes over all weights, whatever the batch size. With a
  small batch, several blocks share one pass: at most `_SAMPLES_PER_COUNT` pairs
  of a sample and a block.
  """
  largest = max(1, _SAMPLES_PER_COUNT // max(1, batch_size))
  return max(size for size in range(1, largest + 1) if num_blocks % size == 0)


def _run_group(config, weights, keys, observer, batch, carry, indices):
  """Runs a group of blocks and accumulates their observations."""
  membranes, total = carry
  run_block = functools.partial(
    _run_block, config, weights, keys, observer, batch
  )
  membranes, observations = jax.lax.scan(run_block, membranes, indices)
  if observer is None or observer.accumulate is None:
    return (membranes, total), observations
  return (membranes, observer.accumulate(total, observations)), None


def _run_block(config, weights, keys, observer, batch, membranes, index):
  """Runs one block of a batch."""
  block = spikes.block(config.schedule, index)
  return _run_sample(config, weights, keys, observer, block, batch, membranes)


@functools.partial(jax.vmap, in_axes=(None,) * 5 + (0, 0))
def _run_sample(config, weights, keys, observer, block, sample, membranes):
  """Runs one block of one sample, forward and backward."""
  draw = forward_lib.make_draw(config, keys, block.words, sample.position)
  forward = forward_lib.propagate(
    config, weights.forward, draw, sample, membranes, block
  )
  if observer is None:
    return forward.membranes, None
  errors = backward_lib.propagate(
    config, weights.transposed, draw, sample, forward, block.windows
  )
  return forward.membranes, observer.observe(draw, block, forward, errors)
