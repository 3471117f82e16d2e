"""What holds the weights: ideal synapses, or resistive devices under pulses.

A device is a few pure functions, as an optimiser is, and the ideal device *is*
an optimiser of optax: `training.init_state` and `training.make_train_epoch`
take either. Parameters are the weights that both reads of the crossbar see,
forward and transposed. By hand:

  device = make_resistive(device_config.PRESETS['ecram'], learning_rate=0.5)
  network = ssnn(config, separate_signs=device.is_separate)
  params, state = device.init(device_key, network.init(key))
  for each batch:
    update, _ = network.learn(
      params, learn_key, images, labels,
      pulse_gradient=device.pulse_gradient(state))
    params, state = device.update(pulse_key, update, state, params)

A batch on a device: all its samples are read before any pulse, and then their
pulses come together, n up and m down for each device, in no order. A batch of 1
is what a chip does.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import types
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware import variability
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.neuron import coincidence


class Device(NamedTuple):
  """Synapses as three pure functions of their state.

  Attributes:
    init: `(key, params) -> (params, state)`; programs weights, as far as the
      devices can hold them.
    pulse_gradient: `(state) -> scalar | None`; the gradient that one pulse
      stands for, for `Network.learn` to thin what writes by; None where
      each coincidence is a pulse.
    update: `(key, update, state, params) -> (params, state)`; what the counts
      of a batch make of the weights.
    is_separate: whether `update` needs the counts with positive and negative
      errors apart (`ssnn(..., separate_signs=True)`).
  """

  init: Callable[..., tuple[types.Params, Any]]
  pulse_gradient: Callable[[Any], jax.Array | None]
  update: Callable[..., tuple[types.Params, Any]]
  is_separate: bool


class ResistiveState(NamedTuple):
  """What is kept of arrays of resistive devices, beside their weights."""

  num_updates: jax.Array  # int32
  learning_rate: jax.Array  # at first
  constants: types.Params  # `variability.Constants` of each array
  # [I, J] and [J] int32 pulses so far, of each device; None: not counted
  pulses: types.Params


def as_device(device: Device | optax.GradientTransformation) -> Device:
  """Makes an optimiser the ideal device; a device stays what it is."""
  if isinstance(device, Device):
    return device
  optimizer = device

  def init(key, params):
    del key
    return params, optimizer.init(params)

  def update(key, update, state, params):
    del key
    gradient = coincidence.as_gradient(update)
    steps, state = optimizer.update(gradient, state, params)
    return optax.apply_updates(params, steps), state

  return Device(init, lambda state: None, update, is_separate=False)


def make_resistive(
  config: DeviceConfig,
  learning_rate: jax.Array | float,
  schedule: optax.Schedule | None = None,
) -> Device:
  """Makes arrays of resistive devices; a bias is a row of its array.

  Args:
    config: the devices.
    learning_rate: step size for the mean gradient of a batch, where the
      protocol is 'fixed_rate'; kept in the state.
    schedule: factor on it, over batches; None leaves it constant.

  Returns:
    The device.

  Example:
    >>> config = ssnn_jax.DeviceConfig(dw_min=0.125, protocol='fixed_step')
    >>> device = ssnn_jax.hardware.make_resistive(config, learning_rate=0.5)
    >>> params = (ssnn_jax.LayerParams(jnp.zeros((1, 1)), jnp.zeros(1)),)
    >>> params, state = device.init(jax.random.key(0), params)
    >>> update = ssnn_jax.Update(  # 3 coincidences with positive errors and 1
    ...   *(jax.tree.map(lambda leaf: leaf + n, params) for n in (3, 1, 0.25)))
    >>> write = jax.jit(device.update)
    >>> params, _ = write(jax.random.key(1), update, state, params)
    >>> params[0].weights  # two steps down
    Array([[-0.25]], dtype=float32)
  """
  factor = schedule or optax.constant_schedule(1.0)

  def init(key, params):
    constants, pulses = map_arrays(
      jax.random.split(key, len(jax.tree.leaves(params))),
      lambda key, weights: (
        variability.draw(key, config, weights.shape),
        jnp.zeros(weights.shape, jnp.int32) if config.endurance else None,
      ),
      params,
    )
    params = map_arrays(
      None,
      lambda key, weights, own: jnp.clip(weights, own.w_min, own.w_max),
      *(params, constants),
    )
    state = ResistiveState(
      jnp.int32(0), jnp.float32(learning_rate), constants, pulses
    )
    return params, state

  def rate(state):
    return state.learning_rate * factor(state.num_updates)

  def pulse_gradient(state):
    if config.protocol == 'fixed_step' or not config.dw_min:
      return None
    return config.dw_min / rate(state)

  def pulses_of(update, rate_now):
    """Tells how many pulses a coincidence makes, and how large they are."""
    step = config.dw_min
    if not step:
      return jax.tree.map(lambda unit: (1, rate_now * unit), update.unit)
    if config.protocol == 'fixed_step':
      return jax.tree.map(lambda unit: (1, step), update.unit)
    if update.pulses is not None:
      return jax.tree.map(lambda each: (each, step), update.pulses)
    return jax.tree.map(
      lambda unit: (rate_now * unit / step, step), update.unit
    )

  def update(key, update, state, params):
    if update.negative is None:
      raise types.UserError(
        'the counts do not tell positive errors from negative ones, which '
        'resistive devices need; build the network by ssnn(config, '
        'separate_signs=True).'
      )
    rate_now = rate(state)

    def change(key, weights, constants, so_far, up, down, pulses):
      each, step = pulses
      weights = resistive.decay(constants, weights)
      return resistive.give(
        *(config, key, constants, weights, so_far),
        *(resistive.Pulses(up, down), each, step),
      )

    params, pulses = map_arrays(
      *(noise_keys(key, params), change, params, state.constants, state.pulses),
      *(update.negative, update.positive, pulses_of(update, rate_now)),
    )
    state = state._replace(num_updates=state.num_updates + 1, pulses=pulses)
    return params, state

  return Device(init, pulse_gradient, update, is_separate=True)


def noise_keys(key: jax.Array, params: types.Params) -> jax.Array:
  """Derives the keys of the noise of all arrays, `[arrays, 5]` uint32."""
  num_arrays = len(jax.tree.leaves(params))
  return jax.random.bits(key, (num_arrays, resistive.NUM_KEYS), jnp.uint32)


def map_arrays(
  keys: jax.Array | None,
  function: Callable[..., Any],
  params: types.Params,
  *others: Any,
) -> Any:
  """Applies a function to each array of devices, with a key of its own.

  Args:
    keys: `[arrays, ...]` keys; None if the function needs none.
    function: `(key, weights, *others) -> result`, or a tuple of results.
    params: weights of all arrays.
    *others: what there is of each array, with their structure.

  Returns:
    The results, with the structure of the parameters.
  """
  leaves, structure = jax.tree.flatten(params)
  keys = [None] * len(leaves) if keys is None else keys
  columns = [structure.flatten_up_to(other) for other in others]
  results = [function(*row) for row in zip(keys, leaves, *columns)]
  if type(results[0]) is tuple:
    return tuple(structure.unflatten(column) for column in zip(*results))
  return structure.unflatten(results)
