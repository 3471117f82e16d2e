"""Spiking network: composite layers with a winner-take-all output."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.simulation import presentation
from ssnn_jax.simulation import samples
from ssnn_jax.simulation import updates


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
    The network's pure functions, the same for equal arguments. With exact
    `rates` of 'forward', 'backward' and 'update', no read noise and no
    feedback, `as_gradient` of the counts is the exact gradient of
    backpropagation.

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
  if feedback is None:
    return _build_once(config, separate_signs, axis_name)
  samples.check_params(config, feedback)
  network = _build(config, separate_signs, axis_name, feedback)
  return network._replace(name='ssnn with feedback weights')


def _build(config, separate_signs, axis_name, feedback=None):
  """Builds the functions of a network."""
  without_dropout = dataclasses.replace(config, dropout=0.0)
  recognize = presentation.make_simulate(without_dropout, axis_name=axis_name)
  simulate = presentation.make_simulate(
    config, feedback=feedback, axis_name=axis_name
  )

  def infer(params, key, inputs):
    return recognize(params, key, inputs)[0]

  def learn(params, key, inputs, labels, *, pulse_gradient=None):
    checks.check_array('labels', labels)
    batch_size = labels.size  # on all devices
    if axis_name:
      batch_size *= jax.lax.axis_size(axis_name)
    plan = updates.plan_pulses(config, batch_size, pulse_gradient)
    observe = updates.make_observe(config, plan)
    inference, ends = simulate(params, key, inputs, labels, observe=observe)
    counts = updates.count(config, ends, separate_signs)
    if axis_name:
      counts = jax.lax.psum(counts, axis_name)
    return types.Update(*counts, plan.unit, plan.pulses), inference

  return types.Network(
    init=functools.partial(init, config),
    infer=infer,
    learn=learn,
    name='ssnn',
    config=config,
  )


# Programs are cached by their functions.
_build_once = functools.lru_cache(maxsize=64)(_build)


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
  shapes = [wiring.weights_shape for wiring in config.wirings]
  checks.check_weights(shapes)
  return tuple(
    types.LayerParams(
      weights=draw(jax.random.fold_in(key, layer), shape, jnp.float32),
      biases=jnp.zeros(shape[1], jnp.float32),
    )
    for layer, shape in enumerate(shapes)
  )
