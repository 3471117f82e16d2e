"""Presentation of a batch: the one simulation behind all functions.

The rules of one sample in one block of windows are lifted over the batch by
`vmap`, and scanned over the blocks of the presentation. What is learned or
measured is what an observer keeps of it.
"""

from collections.abc import Callable
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import blocks
from ssnn_jax.simulation import loops
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import samples
from ssnn_jax.spikes import thresholds

_SAMPLES_PER_COUNT = 128


class Observer(NamedTuple):
  """Observation of a simulation, block by block.

  Attributes:
    observe: `(sources, block, signals) -> observation`; called for one sample
      and block with its `rules.Sources`, `spikes.Block` and `types.Signals`.
    accumulate: `(total, observations) -> total`; adds the observations of
      several blocks, `[blocks, B, ...]`. With None, `simulate` returns the
      observations of all blocks.
    initial: the total before the presentation.
    params: `(total) -> params`; parameters of the next block, where the
      observer changes them. With None they are constant.
  """

  observe: Callable[..., Any] | None = None
  accumulate: Callable[[Any, Any], Any] | None = None
  initial: Any = None
  params: Callable[[Any], types.Params] | None = None


_NOTHING = Observer()


def simulate(
  config: NetworkConfig,
  params: types.Params,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array | None = None,
  *,
  observer: Observer = _NOTHING,
  feedback: types.Params | None = None,
  axis_name: str | None = None,
) -> tuple[types.Inference, Any]:
  """Simulates one presentation of a batch.

  Args:
    config: the network.
    params: its parameters.
    key: PRNG key of the presentation; consumed.
    inputs: `[B, ...]` images or `[B, K, I]` spike trains, as for `Network`.
    labels: `[B]` integer classes; required with an observer.
    observer: observation of the forward and error signals; the default
      simulates the forward pass only.
    feedback: weights of the transposed reads; None uses the parameters.
    axis_name: axis of a mesh whose devices share the batch; None without one.

  Returns:
    The response of the output layer, and the total of the observer; without
    `accumulate`, the observations of all blocks, `[blocks, B, ...]`.

  Raises:
    UserError: if the batch does not fit the network, or labels are missing.
  """
  if observer.observe is not None and labels is None:
    raise types.UserError(
      'labels are None; an observer receives error signals, so pass labels.'
    )
  batch = samples.prepare(config, params, key, inputs, labels, axis_name)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  batch_size, num_blocks = len(batch.position), config.schedule.num_blocks
  run_group = functools.partial(
    _run_group, config, params, feedback, keys, observer, batch
  )
  group_size = _blocks_per_group(observer, num_blocks, batch_size)
  (_, inference, total), observations = loops.scan(
    run_group,
    (*_init(config, batch_size), observer.initial),
    jnp.arange(num_blocks).reshape(-1, group_size),
  )
  if observations is not None:
    total = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), observations)
  return inference, total


def _init(config, batch_size):
  """Returns the state and the response of a batch before a presentation."""
  no_votes = jnp.zeros(config.layer_sizes[-1], jnp.int32)
  response = types.Inference(
    winner_counts=no_votes,
    potential=jnp.zeros(config.layer_sizes[-1]),
    largest_counts=no_votes,
  )
  return jax.tree.map(
    lambda x: jnp.broadcast_to(x, (batch_size, *x.shape)),
    (blocks.init_state(config), response),
  )


def _blocks_per_group(observer, num_blocks, batch_size):
  """Returns the number of blocks whose observations are accumulated at once.

  Each accumulation passes over all weights, whatever the batch size. With a
  small batch, several blocks share one pass: at most `_SAMPLES_PER_COUNT` pairs
  of a sample and a block.
  """
  if observer.params is not None:  # which change with each block
    return 1
  largest = max(1, _SAMPLES_PER_COUNT // max(1, batch_size))
  return max(size for size in range(1, largest + 1) if num_blocks % size == 0)


def _run_group(config, params, feedback, keys, observer, batch, carry, indices):
  """Runs a group of blocks and accumulates their observations."""
  state, response, total = carry
  if observer.params is not None:
    params = observer.params(total)
  weights = types.Weights(params, params if feedback is None else feedback)
  run_block = functools.partial(
    _run_block, config, weights, keys, observer, batch
  )
  (state, response), observations = loops.scan(
    run_block, (state, response), indices
  )
  if observer.accumulate is None:
    return (state, response, total), observations
  total = observer.accumulate(total, observations)
  return (state, response, total), None


def _run_block(config, weights, keys, observer, batch, carry, index):
  """Runs one block of a batch."""
  state, response = carry
  block = spikes.block(config.schedule, index)
  state, latest, observations = _run_sample(
    config, weights, keys, observer, block, batch, state
  )
  response = types.Inference(
    response.winner_counts + latest.winner_counts,
    latest.potential,
    response.largest_counts + latest.largest_counts,
  )
  return (state, response), observations


@functools.partial(jax.vmap, in_axes=(None,) * 5 + (0, 0))
def _run_sample(config, weights, keys, observer, block, sample, state):
  """Runs one block of one sample."""
  sources = rules.make_sources(config, keys, block.words, sample.position)
  if observer.observe is None:
    sample = sample._replace(label=None)  # no errors are needed
  state, signals = blocks.run_block(
    config, weights, sources, sample, state, block
  )
  observation = None
  if observer.observe is not None:
    observation = observer.observe(sources, block, signals)
  return state, signals.response, observation
