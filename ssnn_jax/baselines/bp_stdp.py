"""Baselines: integrate-and-fire neurons trained by BP-STDP.

Ticks are grouped into sub-intervals. In each sub-interval a forward phase, in
which the spikes of all neurons are counted, is followed by a learning phase::

  output   e = -1 for the target if it did not fire, 1 for other classes that
           fired, otherwise 0
  hidden   e = W e of the next layer if the neuron fired, otherwise 0
  weights  change by -e times the number of presynaptic spikes

This is STDP for the target, whose desired train has one spike in each
sub-interval, and anti-STDP for other classes, whose desired trains have none.
The errors of hidden layers are numbers, not spikes. Here weights change after
the presentation of a batch; in the published rule after each sub-interval.

Source: A. Tavanaei and A. Maida, "BP-STDP: approximating backpropagation using
spike timing dependent plasticity", Neurocomputing 330 (2019), arXiv 1711.04214,
equations 15 to 20.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ssnn_jax import types
from ssnn_jax.baselines import integrate_and_fire
from ssnn_jax.baselines import update_rules
from ssnn_jax.config import NetworkConfig

SUB_INTERVAL = 4  # ticks
HIDDEN_THRESHOLD = 0.9
OUTPUT_THRESHOLD = 0.025  # per neuron of the preceding layer


def make_network(
  config: NetworkConfig, *, axis_name: str | None = None
) -> types.Network:
  """Builds a network that learns by BP-STDP.

  Args:
    config: architecture, `num_steps`, `sampler` of the inputs, `input_gain` and
      `dropout`; other fields have no effect.
    axis_name: axis of a mesh whose devices share each batch; None without one.

  Returns:
    The network's pure functions. The gradient of `loss` is the product of
    errors and presynaptic spikes, averaged over samples and ticks. Each class
    that fires in a tick wins it; potentials are mean synaptic currents.
  """
  return update_rules.make_network(
    config,
    lambda config, params, batch: _read_out(_present(config, params, batch)),
    _learn,
    prepare=integrate_and_fire.prepare,
    axis_name=axis_name,
    name='bp_stdp',
  )


def make_observe(config: NetworkConfig) -> Callable[..., types.Activity]:
  """Builds `(params, key, inputs, labels) -> Activity` of forward spikes."""
  return integrate_and_fire.make_observe(config, _present)


def _present(config, params, batch):
  """Simulates the network during the presentation of a batch."""

  def neuron(threshold):  # without leak, reset to 0 by a spike
    return integrate_and_fire.Neuron(
      decay=1.0,
      fire=lambda potential: (potential >= threshold).astype(potential.dtype),
      reset=lambda potential, spike: potential * (1.0 - spike),
    )

  output = neuron(OUTPUT_THRESHOLD * config.layer_sizes[-2])
  return integrate_and_fire.present(
    config, params, batch, neuron(HIDDEN_THRESHOLD), output
  )


def _read_out(response):
  counts = jnp.sum(response.spikes, axis=1).astype(jnp.int32)
  return types.Inference(counts, jnp.mean(response.drives, axis=1), counts)


def _learn(config, params, batch):
  """Computes the mean update and the response of the output layer."""
  response = _present(config, params, batch)
  count = jax.vmap(_count_spikes)
  presynaptic = [count(train) for train in response.trains]
  postsynaptic = presynaptic[1:] + [count(response.spikes)]
  find_errors = lambda counts, label: _errors(config, params, counts, label)
  intervals = jax.vmap(find_errors, in_axes=(0, None))
  errors = jax.vmap(intervals)(postsynaptic, batch.label)
  ticks = _count_spikes(jnp.ones((config.num_steps, 1)))  # a bias always fires
  layers = zip(config.wirings, config.read_gains, presynaptic, errors)
  changes = tuple(
    types.LayerParams(
      weights=gain
      * jnp.einsum('...i,...j->ij', wiring.gather(counts), wiring.split(error)),
      biases=jnp.einsum('bwpj,wk->j', wiring.split(error), ticks),
    )
    for wiring, gain, counts, error in layers
  )
  num_ticks = config.num_steps * len(batch.label)
  return jax.tree.map(lambda x: x / num_ticks, changes), _read_out(response)


def _count_spikes(train):
  """Counts the spikes of a train `[T, N]` in each sub-interval: `[W, N]`."""
  padded = jnp.pad(train, ((0, -len(train) % SUB_INTERVAL), (0, 0)))
  return jnp.sum(padded.reshape(-1, SUB_INTERVAL, train.shape[1]), axis=1)


def _errors(config, params, counts, label):
  """Computes the `[J]` errors of each layer from its `[J]` spikes."""
  *hidden, output = [count > 0 for count in counts]
  is_target = jnp.arange(len(output)) == label
  wrong, missing = output & ~is_target, is_target & ~output
  errors = [wrong.astype(jnp.float32) - missing.astype(jnp.float32)]
  for layer in reversed(range(len(hidden))):
    propagated = config.wirings[layer + 1].transposed_drive(
      params[layer + 1], config.read_gains[layer + 1], errors[0]
    )
    errors.insert(0, jnp.where(hidden[layer], propagated, 0.0))
  return errors
