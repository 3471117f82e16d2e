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

import jax
import jax.numpy as jnp

from experiments.baselines import integrate_and_fire
import ssnn_jax
from ssnn_jax import network as network_lib

SUB_INTERVAL = 4  # ticks
HIDDEN_THRESHOLD = 0.9
OUTPUT_THRESHOLD = 0.025  # per neuron of the preceding layer


def make_network(
  config: ssnn_jax.NetworkConfig, *, axis_name: str | None = None
) -> ssnn_jax.Network:
  """Builds a network that learns by BP-STDP.

  Of the configuration the layers, `num_steps`, `sampler` of the inputs,
  `input_gain` and `dropout` have an effect. The gradient of `loss` is the
  product of errors and presynaptic spikes, averaged over samples and ticks.
  Each class that fires in a tick wins it; potentials are mean input currents.
  """

  def forward(params, key, batch):
    # The rule replaces the derivative of the spikes.
    fixed = jax.lax.stop_gradient(params)
    response = integrate_and_fire.present(
      config, fixed, key, batch, *make_neurons(config)
    )
    counts = jnp.sum(response.spikes, axis=1).astype(jnp.int32)
    inference = ssnn_jax.Inference(counts, jnp.mean(response.currents, axis=1))
    if batch.label is None:
      return None, inference
    change = _learn(config, fixed, batch.label, response)
    loss = network_lib.mean_loss(inference.potential, batch)
    # A term of value 0, whose gradient by the parameters is the change.
    term = sum(jax.tree.leaves(jax.tree.map(jnp.vdot, params, change)))
    return loss + (term - jax.lax.stop_gradient(term)), inference

  return network_lib.from_forward(config, forward, axis_name, kind='bp_stdp')


def make_neurons(
  config: ssnn_jax.NetworkConfig,
) -> tuple[integrate_and_fire.Neuron, integrate_and_fire.Neuron]:
  """Returns the hidden and the output neurons."""

  def neuron(threshold):  # without leak, reset to 0 by a spike
    return integrate_and_fire.Neuron(
      decay=1.0,
      fire=lambda potential: (potential >= threshold).astype(potential.dtype),
      reset=lambda potential, spike: potential * (1.0 - spike),
    )

  output = neuron(OUTPUT_THRESHOLD * config.layer_sizes[-2])
  return neuron(HIDDEN_THRESHOLD), output


def _learn(config, params, labels, response):
  """Computes the mean update of a batch."""
  count = jax.vmap(_count_spikes)
  presynaptic = [count(train) for train in response.trains]
  postsynaptic = presynaptic[1:] + [count(response.spikes)]
  find_errors = lambda counts, label: _errors(config, params, counts, label)
  intervals = jax.vmap(find_errors, in_axes=(0, None))
  errors = jax.vmap(intervals)(postsynaptic, labels)
  ticks = _count_spikes(jnp.ones((config.num_steps, 1)))  # a bias always fires
  layers = zip(config.wirings, config.read_gains, presynaptic, errors)
  changes = tuple(
    ssnn_jax.LayerParams(
      weights=gain
      * jnp.einsum('...i,...j->ij', wiring.gather(counts), wiring.split(error)),
      biases=jnp.einsum('bwpj,wk->j', wiring.split(error), ticks),
    )
    for wiring, gain, counts, error in layers
  )
  num_ticks = config.num_steps * len(labels)
  return jax.tree.map(lambda x: x / num_ticks, changes)


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
    wiring, gain = config.wirings[layer + 1], config.read_gains[layer + 1]
    rows = wiring.read_transposed(params[layer + 1], gain, errors[0])
    propagated = wiring.scatter(rows)
    errors.insert(0, jnp.where(hidden[layer], propagated, 0.0))
  return errors
