"""Presentation of a batch to stochastic neurons: their one simulation.

A sample runs through the blocks of a presentation; `vmap` lifts it over the
batch, and a scan over the blocks. What is learned or measured is what is
observed of it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import buffered
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import samples
from ssnn_jax.spikes import thresholds


def make_simulate(
  config: NetworkConfig,
  *,
  feedback: types.Params | None = None,
  axis_name: str | None = None,
) -> Callable[..., tuple[types.Inference, Any]]:
  """Builds the simulation of one presentation of a batch.

  Args:
    config: the network.
    feedback: weights of the transposed reads; None uses the parameters.
    axis_name: axis of a mesh whose devices share the batch; None without one.

  Returns:
    `(params, key, inputs, labels=None, observe=None) -> (Inference, observed)`:
    the response of the output layer to images `[B, ...]` or spike trains `[B,
    K, I]`, as for `Network`, and what is observed of all blocks, `[blocks, B,
    ...]`. `observe` is `(sources, block, signals) -> observed`, for one sample
    and block with its `rules.Sources`, `spikes.Block` and `types.Signals`,
    which have errors if there are labels. It raises a `UserError` if the batch
    does not fit the network.
  """
  init, run = buffered.make_run(config)
  schedule, num_classes = config.schedule, config.layer_sizes[-1]

  def simulate(params, key, inputs, labels=None, observe=None):
    batch = samples.prepare(config, params, key, inputs, labels, axis_name)
    keys = thresholds.make_keys(key, len(config.layer_sizes))
    if 'forward' not in config.rates:
      params = checks.refuse_derivative(params)
    weights = types.Weights(params, params if feedback is None else feedback)

    def run_block(carry, index):
      before, response = carry
      block = spikes.block(schedule, index)

      def run_sample(sample, state):
        sources = rules.make_sources(config, keys, block.words, sample.position)
        state, signals = run(weights, sources, sample, state, block)
        observed = observe and observe(sources, block, signals)
        return state, signals.response, observed

      after, latest, observed = jax.vmap(run_sample)(batch, before)
      response = types.Inference(
        response.winner_counts + latest.winner_counts,
        latest.potential,
        response.largest_counts + latest.largest_counts,
      )
      return (after, response), observed

    no_votes = jnp.zeros(num_classes, jnp.int32)
    start = init(), types.Inference(no_votes, jnp.zeros(num_classes), no_votes)
    carry = jax.tree.map(
      lambda x: jnp.broadcast_to(x, (len(batch.position), *x.shape)), start
    )
    if schedule.num_windows == 1:  # `vmap` would trace a loop several times
      (_, response), observed = run_block(carry, 0)
      return response, jax.tree.map(lambda x: x[None], observed)
    (_, response), observed = jax.lax.scan(
      run_block, carry, jnp.arange(schedule.num_windows)
    )
    return response, observed

  return simulate
