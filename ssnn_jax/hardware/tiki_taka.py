"""Tiki-Taka: a remedy for devices whose steps up and down differ.

T. Gokmen and W. Haensch, "Algorithm for training neural networks on resistive
device arrays", Frontiers in Neuroscience 14:103 (2020). Coincidences change a
fast array, which its asymmetry pulls towards its devices' symmetry point; what
it holds is a mean of recent gradients. Line by line it is read and passed on,
by pulses, to the slow array, which is what the network reads. The symmetry
point should be weight 0 (`zero_shifting`).
"""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import types
from ssnn_jax.hardware import devices
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware.device_config import DeviceConfig


@dataclasses.dataclass(frozen=True)
class TransferConfig:
  """How the fast array is passed on to the slow one.

  Attributes:
    transfer_lines: presynaptic lines that are read and passed on after each
      batch, in turns; biases, a line of their own, take their part each time.
    transfer_rate: change of a slow weight for a fast weight of 1 that is read.

  Raises:
    UserError: if a parameter is impossible.
  """

  transfer_lines: int = 1
  transfer_rate: float = 1.0

  def __post_init__(self):
    lines, rate = self.transfer_lines, self.transfer_rate
    if not isinstance(lines, int) or lines < 1:
      raise types.UserError(
        f'transfer_lines is {lines}; expected a whole number from 1 up.'
      )
    if not 0 < rate < math.inf:
      raise types.UserError(
        f'transfer_rate is {rate}; expected a number above 0.'
      )


class TikiTakaState(NamedTuple):
  """What is kept beside the weights of the slow arrays."""

  fast: types.Params  # weights of the fast arrays
  fast_state: devices.ResistiveState
  slow_state: devices.ResistiveState


def make_tiki_taka(
  config: DeviceConfig,
  transfer: TransferConfig,
  learning_rate: jax.Array | float,
  schedule: optax.Schedule | None = None,
) -> devices.Device:
  """Makes pairs of arrays of resistive devices, a fast and a slow one each.

  Args:
    config: the devices of both.
    transfer: how one is passed on to the other.
    learning_rate: step size of the fast arrays for the mean gradient of a
      batch.
    schedule: factor on it, over batches; None leaves it constant.

  Returns:
    The device.

  Raises:
    UserError: if the devices are not possible here.
  """
  if not config.dw_min:
    raise types.UserError(
      'dw_min is 0.0; expected a step above 0, as Tiki-Taka passes weights on '
      'by pulses.'
    )
  slow = fast = devices.make_resistive(config, learning_rate, schedule)

  def init(key, params):
    fast_key, slow_key = jax.random.split(key)
    params, slow_state = slow.init(slow_key, params)
    zeros = jax.tree.map(jnp.zeros_like, params)
    held, fast_state = fast.init(fast_key, zeros)
    return params, TikiTakaState(held, fast_state, slow_state)

  def update(key, update, state, params):
    fast_key, slow_key = jax.random.split(key)
    turn = state.fast_state.num_updates
    held, fast_state = fast.update(
      fast_key, update, state.fast_state, state.fast
    )

    def pass_on(key, weights, held, constants, so_far, num_lines):
      weights = resistive.decay(constants, weights)
      lines = min(transfer.transfer_lines, num_lines)
      chosen = (turn * lines + jnp.arange(lines)) % num_lines
      rate = transfer.transfer_rate
      if held.ndim == 1:  # biases, a little of them each time
        chosen, rate = slice(None), rate * lines / num_lines
      return _pass_on(
        config, key, chosen, rate, held, constants, so_far, weights
      )

    params, pulses = devices.map_arrays(
      *(devices.noise_keys(slow_key, params), pass_on, params, held),
      *(state.slow_state.constants, state.slow_state.pulses),
      _count_lines(params),
    )
    slow_state = state.slow_state._replace(pulses=pulses)
    return params, TikiTakaState(held, fast_state, slow_state)

  def pulse_gradient(state):
    return fast.pulse_gradient(state.fast_state)

  return devices.Device(init, pulse_gradient, update, is_separate=True)


def _count_lines(params):
  """Tells for each array how many presynaptic lines its layer has."""
  return tuple(
    types.LayerParams(*(len(layer.weights),) * len(layer)) for layer in params
  )


def _pass_on(config, key, chosen, rate, held, constants, so_far, weights):
  """Passes chosen lines of a fast array on to the slow one."""

  def take(values):
    return jax.tree.map(lambda x: x[chosen] if x.ndim else x, values)

  held = held[chosen]
  wanted = resistive.Pulses(jnp.maximum(held, 0.0), jnp.maximum(-held, 0.0))
  passed, pulses = resistive.give(
    *(config, key, take(constants), weights[chosen], take(so_far)),
    *(wanted, rate / config.dw_min, config.dw_min),
  )
  if so_far is not None:
    so_far = so_far.at[chosen].set(pulses)
  return weights.at[chosen].set(passed), so_far
