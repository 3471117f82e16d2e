"""Spiking network: composite layers with a winner-take-all output.

All its functions are one simulation, `simulation.presentation`, with different
observers or none.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import presentation
from ssnn_jax.simulation import samples
from ssnn_jax.simulation import updates


class Options(NamedTuple):
  """Keyword arguments of `ssnn`."""

  separate_signs: bool = False
  axis_name: str | None = None
  feedback: types.Params | None = None


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
    >>> learn, infer = jax.jit(network.learn), jax.jit(network.infer)
    >>> update, _ = learn(params, jax.random.key(1), images, labels)
    >>> [layer.weights.shape for layer in ssnn_jax.as_gradient(update)]
    [(4, 8), (8, 3)]
    >>> inference = infer(params, jax.random.key(2), images)
    >>> inference.winner_counts.sum()  # one winner per tick
    Array(32, dtype=int32)
  """
  checks.check_type('config', config, NetworkConfig, 'a NetworkConfig')
  if feedback is not None:
    samples.check_params(config, feedback)
  options = Options(separate_signs, axis_name, feedback)
  learn_online = None
  if config.update_every == 'window':
    learn_online = functools.partial(_learn_online, config, options)
  return types.Network(
    init=functools.partial(init, config),
    infer=functools.partial(_infer, config, options),
    learn=functools.partial(_learn, config, options),
    learn_online=learn_online,
    name='ssnn' if feedback is None else 'ssnn with feedback weights',
    config=config,
  )


def init(config: NetworkConfig, key: jax.Array) -> types.Params:
  """Draws truncated normal weights of variance 1 / fan-in; biases are 0.

  The fan-in of a layer is the number of rows of its crossbar.

  Args:
    config: the architecture.
    key: PRNG key; consumed.

  Returns:
    float32 parameters, first layer first.

  Raises:
    UserError: if they are larger than the memory of the device.
  """
  checks.check_key(key)
  draw = jax.nn.initializers.lecun_normal()

  def layer(index, shape):
    weights_key = jax.random.fold_in(key, index)
    return types.LayerParams(
      weights=draw(weights_key, shape, jnp.float32),
      biases=jnp.zeros(shape[1], jnp.float32),
    )

  shapes = [wiring.weights_shape for wiring in config.wirings]
  checks.check_weights(shapes)
  return tuple(layer(*item) for item in enumerate(shapes))


def _infer(config, options, params, key, inputs):
  """Implements `Network.infer`."""
  config = dataclasses.replace(config, dropout=0.0)
  return presentation.simulate(
    config, params, key, inputs, axis_name=options.axis_name
  )[0]


def _learn(
  config, options, params, key, inputs, labels, *, pulse_gradient=None
):
  """Implements `Network.learn`."""
  plan = _plan(config, options, labels, pulse_gradient)
  observer = presentation.Observer(
    observe=functools.partial(updates.pre_post, config, plan),
    accumulate=functools.partial(updates.count, config),
    initial=updates.init_counts(config, params, options.separate_signs),
  )
  inference, counts = _simulate(
    config, options, params, key, inputs, labels, observer
  )
  return _sum_over_devices(options, plan, counts), inference


def _learn_online(
  config,
  options,
  params,
  key,
  inputs,
  labels,
  update,
  update_state,
  *,
  pulse_gradient=None,
):
  """Implements `Network.learn_online`."""
  plan = _plan(config, options, labels, pulse_gradient)
  silent = updates.init_counts(config, params, options.separate_signs)

  def apply(total, ends):
    index, update_state, params = total
    counts = updates.count(config, silent, ends)
    counts = _sum_over_devices(options, plan, counts)
    params, update_state = update(index, counts, update_state, params)
    return index + 1, update_state, params

  observer = presentation.Observer(
    observe=functools.partial(updates.pre_post, config, plan),
    accumulate=apply,
    initial=(jnp.int32(0), update_state, params),
    params=lambda total: total[2],
  )
  inference, (_, update_state, params) = _simulate(
    config, options, params, key, inputs, labels, observer
  )
  return (params, update_state), inference


def _simulate(config, options, params, key, inputs, labels, observer):
  """Simulates a presentation with the options of the network."""
  return presentation.simulate(
    config,
    params,
    key,
    inputs,
    labels,
    observer=observer,
    feedback=options.feedback,
    axis_name=options.axis_name,
  )


def _plan(config, options, labels, pulse_gradient):
  """Plans the pulses of the full batch, on all devices."""
  checks.check_array('labels', labels)
  batch_size = labels.size
  if options.axis_name:
    batch_size *= jax.lax.axis_size(options.axis_name)
  return updates.plan_pulses(config, batch_size, pulse_gradient)


def _sum_over_devices(options, plan, counts):
  """Makes the update of the full batch from the counts of one device."""
  if options.axis_name:
    counts = jax.lax.psum(counts, options.axis_name)
  return types.Update(counts.positive, counts.negative, plan.unit, plan.pulses)
