"""Synaptic devices, ideal or resistive.

A `Device` consists of pure functions, in the style of an optax optimizer, and
an optax optimizer is the ideal device: `training.init_state` and
`training.make_train_epoch` accept either. The parameters are the weights that
both reads of the crossbar use, forward and transposed. A training loop over
batches, for any device, of stochastic neurons::

  network = ssnn(config, separate_signs=device.separate_signs)
  params, state = device.init(device_key, network.init(init_key))
  for each batch:
    update, _ = network.learn(
      params, learn_key, images, labels,
      pulse_gradient=device.pulse_gradient(state))
    params, state = device.update(pulse_key, update, state, params)

The weights are constant during a batch, after which its pulses are applied
together. On-chip learning corresponds to a batch size of 1.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.neuron import coincidence


class Device(NamedTuple):
  """Pure functions that store and update all weights of a network.

  Attributes:
    init: `(key, params) -> (params, state)`; programs the initial weights and
      samples the devices.
    pulse_gradient: `(state) -> scalar | None`; gradient for which an SGD step
      is one pulse, `dw_min / learning_rate`. `Network.learn` thins presynaptic
      spikes so that each counted coincidence is a whole number of pulses; None
      disables thinning.
    update: `(key, update, state, params) -> (params, state)`; applies the
      coincidences of one batch, an `Update`, to the weights.
    separate_signs: whether `update` requires separate counts of coincidences
      with positive and with negative errors (`ssnn(..., separate_signs=True)`).

  Example:
    Weights within [-1, 1], changed by one pulse of a fixed size in each batch
    (Manhattan rule):

    >>> def init(key, params):
    ...   clip = lambda weights: jnp.clip(weights, -1.0, 1.0)
    ...   return jax.tree.map(clip, params), None
    >>> def update(key, update, state, params):
    ...   gradient = ssnn_jax.as_gradient(update)
    ...   step = lambda weights, gradient: jnp.clip(
    ...     weights - 0.05 * jnp.sign(gradient), -1.0, 1.0)
    ...   return jax.tree.map(step, params, gradient), state
    >>> device = ssnn_jax.hardware.Device(
    ...   init, lambda state: None, update, separate_signs=False)
    >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((2, 2), num_steps=32))
    >>> state = ssnn_jax.training.init_state(network, device, seed=0)
    >>> train = ssnn_jax.training.make_train_epoch(network, device, 4)
  """

  init: Callable[..., tuple[types.Params, Any]]
  pulse_gradient: Callable[[Any], jax.Array | None]
  update: Callable[..., tuple[types.Params, Any]]
  separate_signs: bool


def as_device(device: Device | optax.GradientTransformation) -> Device:
  """Returns an optimizer as the ideal device, and a device unchanged."""
  if isinstance(device, Device):
    return device
  expected = 'an optax.GradientTransformation, or a hardware.Device, as '
  expected += 'make_resistive makes of a DeviceConfig'
  checks.check_type('optimizer', device, optax.GradientTransformation, expected)

  def update(key, update, state, params):
    del key
    gradient = coincidence.as_gradient(update)
    steps, state = device.update(gradient, state, params)
    return optax.apply_updates(params, steps), state

  return Device(
    init=lambda key, params: (params, device.init(params)),
    pulse_gradient=lambda state: None,
    update=update,
    separate_signs=False,
  )


class ResistiveState(NamedTuple):
  """State of all arrays of resistive devices, except their weights."""

  num_updates: jax.Array  #: int32 updates so far
  learning_rate: jax.Array  #: before the schedule
  constants: types.Params  #: `resistive.Constants` of each array


def make_resistive(
  config: DeviceConfig,
  learning_rate: jax.Array | float,
  schedule: optax.Schedule | None = None,
) -> Device:
  """Builds arrays of resistive devices; the biases are a row of each array.

  Args:
    config: the devices.
    learning_rate: step size for the mean gradient of a batch, 0 or more. It is
      part of the state, so that runs of several rates share a program.
    schedule: factor on the learning rate, as a function of the number of
      updates so far; None is constant.

  Example:
    >>> config = ssnn_jax.DeviceConfig(dw_min=0.125)
    >>> device = ssnn_jax.hardware.make_resistive(config, learning_rate=0.5)
    >>> layer = ssnn_jax.LayerParams
    >>> params = (layer(jnp.zeros((1, 1)), jnp.zeros(1)),)
    >>> params, state = device.init(jax.random.key(0), params)
    >>> update = ssnn_jax.Update(
    ...   positive=(layer(jnp.array([[3]]), jnp.array([3])),),
    ...   negative=(layer(jnp.array([[1]]), jnp.array([1])),),
    ...   unit=(layer(0.25, 0.25),))
    >>> write = jax.jit(device.update)
    >>> params, _ = write(jax.random.key(1), update, state, params)
    >>> params[0].weights  # 3 pulses down and 1 pulse up
    Array([[-0.25]], dtype=float32)
  """
  checks.check_rate('learning_rate', learning_rate)

  def init(key, params):
    structure = jax.tree.structure(params)
    keys = structure.unflatten(jax.random.split(key, structure.num_leaves))
    sample = lambda own, key: resistive.sample_constants(key, config, own.shape)
    constants = jax.tree.map(sample, params, keys)
    clip = lambda weights, own: jnp.clip(weights, own.w_min, own.w_max)
    params = jax.tree.map(clip, params, constants)
    rate = jnp.float32(learning_rate)
    return params, ResistiveState(jnp.int32(0), rate, constants)

  def current_rate(state):
    factor = schedule or optax.constant_schedule(1.0)
    return state.learning_rate * factor(state.num_updates)

  def pulse_gradient(state):
    return config.dw_min / current_rate(state) if config.dw_min else None

  def update(key, update, state, params):
    rate, step = current_rate(state), config.dw_min
    if step and update.pulses is not None:
      scales = update.pulses
    elif step:
      scales = jax.tree.map(lambda unit: rate * unit / step, update.unit)
    else:  # the learning rate sets the step
      scales = jax.tree.map(lambda unit: rate * unit, update.unit)

    def update_array(weights, own, keys, up, down, scale):
      pulses = resistive.Pulses(up, down)
      return resistive.apply_pulses(config, keys, own, weights, pulses, scale)

    structure = jax.tree.structure(params)
    shape = structure.num_leaves, resistive.NUM_KEYS
    keys = structure.unflatten(jax.random.bits(key, shape, jnp.uint32))
    counts = update.negative, update.positive
    params = jax.tree.map(
      update_array, params, state.constants, keys, *counts, scales
    )
    return params, state._replace(num_updates=state.num_updates + 1)

  return Device(init, pulse_gradient, update, separate_signs=True)
