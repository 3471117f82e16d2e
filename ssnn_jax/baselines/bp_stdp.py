"""Integrate-and-fire neurons that approximate backpropagation by STDP.

Time is cut into sub-intervals, in each of which a phase forward, whose spikes
are counted, is followed by a phase of learning. In a sub-interval

  output   e = -1 for the target if it has not fired, 1 for others that have
  hidden   e = W e of the layer above where the neuron has fired, else 0
  weights  change by -e times the spikes that have entered,

which is STDP for the target and anti-STDP for the others; errors of hidden
layers are numbers, not spikes. The desired train of the target has a spike a
sub-interval, and those of the others none. Here weights change after the
presentations of a batch; published they do after each sub-interval.

Source: A. Tavanaei and A. Maida, "BP-STDP: approximating backpropagation using
spike timing dependent plasticity", Neurocomputing 330 (2019), arXiv 1711.04214,
equations 15 to 20.
"""

from collections.abc import Callable
import dataclasses
import functools

import jax
import jax.numpy as jnp

from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.baselines import integrate_and_fire
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.training import activity

SUB_INTERVAL = 4  # ticks
HIDDEN_THRESHOLD = 0.9
OUTPUT_THRESHOLD = 0.025  # for each neuron of the layer below


def make_network(
  config: NetworkConfig, *, axis_name: str | None = None
) -> types.Network:
  """Builds the network that learns by BP-STDP.

  Args:
    config: architecture, T, sampler of the inputs and dropout; what else
      concerns spikes is not used.
    axis_name: axis of a mesh whose devices share each batch, as for `ssnn`.

  Returns:
    The network's pure functions. The counts of `learn` are mean products of
    errors and entering spikes; a tick is won by each class that fires in it,
    and potentials are mean synaptic currents.
  """
  return types.Network(
    init=functools.partial(network.init, config),
    infer=functools.partial(_infer, config, axis_name),
    learn=functools.partial(_learn, config, axis_name),
  )


def make_observe(config: NetworkConfig) -> Callable[..., activity.Activity]:
  """Makes the function that observes forward spikes, as `activity` does."""
  return integrate_and_fire.make_observe(config, _send)


def _send(config, params, train, kept):
  return _present(config, params, train, kept)[0][:-1]


def _present(config, params, train, kept):
  """Presents one sample; returns the trains of all layers and a readout."""
  trains = [train]
  for layer, layer_params in enumerate(params):
    drives = integrate_and_fire.drive(
      layer_params, config.read_gains[layer], trains[layer]
    )
    is_output = layer == len(kept)
    threshold = HIDDEN_THRESHOLD
    if is_output:
      threshold = OUTPUT_THRESHOLD * config.layer_sizes[-2]
    spikes, _ = integrate_and_fire.integrate_and_fire(
      *(drives, 1.0),
      lambda v: (v >= threshold).astype(v.dtype),  # noqa: B023
      lambda v, spike: v * (1.0 - spike),
    )
    trains.append(spikes if is_output else kept[layer][None] * spikes)
  fired = jnp.sum(trains[-1], axis=0).astype(jnp.int32)
  return trains, types.Inference(fired, jnp.mean(drives, axis=0))


def _errors(config, params, counts, label):
  """Makes the errors of one sub-interval, from the spikes `[N]` counted in it.

  Returns them for the neurons behind each layer of weights.
  """
  has_fired = [count > 0 for count in counts]
  is_target = jnp.arange(len(has_fired[-1])) == label
  errors = [
    (has_fired[-1] & ~is_target).astype(jnp.float32)
    - (is_target & ~has_fired[-1]).astype(jnp.float32)
  ]
  for layer in reversed(range(1, len(params))):
    arriving = composite.transposed_drive(
      params[layer], config.read_gains[layer], errors[0]
    )
    errors.insert(0, jnp.where(has_fired[layer], arriving, 0.0))
  return errors


def _infer(config, axis_name, params, key, inputs):
  """Implements `Network.infer`."""
  config = dataclasses.replace(config, dropout=0.0)
  train, kept = integrate_and_fire.enter(
    config, params, key, inputs, axis_name=axis_name
  )

  def present(train, kept):
    return _present(config, params, train, kept)[1]

  return jax.vmap(present)(train, kept)


def _learn(
  config, axis_name, params, key, inputs, labels, *, pulse_gradient=None
):
  """Implements `Network.learn`."""
  del pulse_gradient  # errors are no spikes
  train, kept = integrate_and_fire.enter(
    config, params, key, inputs, labels, axis_name
  )

  def present(train, kept, label):
    trains, inference = _present(config, params, train, kept)
    counts = list(map(_count, trains))
    errors = jax.vmap(functools.partial(_errors, config, params), (0, None))(
      counts, label
    )
    return counts[:-1], errors, inference

  counts, errors, inference = jax.vmap(present)(train, kept, labels)
  ticks = _count(jnp.ones((config.num_steps, 1)))
  changes = tuple(
    types.LayerParams(
      weights=gain * jnp.einsum('bwi,bwj->ij', count, error),
      biases=jnp.einsum('bwj,wk->j', error, ticks),
    )
    for gain, count, error in zip(config.read_gains, counts, errors)
  )
  samples = config.num_steps * len(labels)
  mean = jax.tree.map(lambda change: change / samples, changes)
  if axis_name:
    mean = jax.lax.pmean(mean, axis_name)
  return types.exact_update(mean), inference


def _count(train):
  """Counts the spikes of a train `[T, N]` in each sub-interval: `[W, N]`."""
  padding = ((0, -len(train) % SUB_INTERVAL), (0, 0))
  cut = jnp.pad(train, padding).reshape(-1, SUB_INTERVAL, train.shape[1])
  return jnp.sum(cut, axis=1)
