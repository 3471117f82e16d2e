"""Tiki-Taka: an update rule for devices with asymmetric steps.

T. Gokmen and W. Haensch, "Algorithm for training neural networks on resistive
device arrays", Frontiers in Neuroscience 14:103 (2020). Coincidences change a
fast array, whose weights decay towards the symmetry points of its devices, so
that they are a running mean of recent gradients. The fast array is read line by
line and transferred, by pulses, to the slow array, whose weights the network
uses. The symmetry point should be weight 0 (`zero_shifting`).
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import types
from ssnn_jax.checks import COUNT
from ssnn_jax.checks import POSITIVE
from ssnn_jax.checks import check_field
from ssnn_jax.checks import is_count
from ssnn_jax.checks import is_positive
from ssnn_jax.hardware import devices
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware.device_config import DeviceConfig


@dataclasses.dataclass(frozen=True)
class TransferConfig:
  """Transfer from the fast array to the slow array.

  Attributes:
    transfer_lines: presynaptic lines that are transferred after each batch, in
      turn. Biases are a line of their own: all biases are transferred after
      each batch, at a proportionally lower rate.
    transfer_rate: change of a slow weight for a fast weight of 1.

  Raises:
    UserError: if a field is out of range.
  """

  transfer_lines: int = 1
  transfer_rate: float = 1.0

  def __post_init__(self):
    is_valid = is_count(self.transfer_lines)
    check_field(self, 'transfer_lines', is_valid, COUNT)
    is_valid = is_positive(self.transfer_rate)
    check_field(self, 'transfer_rate', is_valid, POSITIVE)


class TikiTakaState(NamedTuple):
  """State of the fast and the slow arrays, except the slow weights."""

  fast: types.Params  #: weights of the fast arrays
  fast_state: devices.ResistiveState
  slow_state: devices.ResistiveState


def make_tiki_taka(
  config: DeviceConfig,
  transfer: TransferConfig,
  learning_rate: jax.Array | float,
  schedule: optax.Schedule | None = None,
) -> devices.Device:
  """Builds a fast and a slow array for each layer; `dw_min` must be above 0.

  The other arguments are those of `make_resistive`, for the fast array.
  """
  expected = 'a step above 0, as Tiki-Taka transfers weights by pulses'
  check_field(config, 'dw_min', config.dw_min > 0, expected)
  arrays = devices.make_resistive(config, learning_rate, schedule)

  return devices.Device(
    init=functools.partial(_init, arrays),
    pulse_gradient=functools.partial(_pulse_gradient, arrays),
    update=functools.partial(_update, arrays, config, transfer),
    separate_signs=True,
  )


def _init(arrays, key, params):
  fast_key, slow_key = jax.random.split(key)
  params, slow_state = arrays.init(slow_key, params)
  zeros = jax.tree.map(jnp.zeros_like, params)
  fast, fast_state = arrays.init(fast_key, zeros)
  return params, TikiTakaState(fast, fast_state, slow_state)


def _pulse_gradient(arrays, state):
  return arrays.pulse_gradient(state.fast_state)


def _update(arrays, config, transfer, key, update, state, params):
  fast_key, slow_key = jax.random.split(key)
  fast, fast_state = arrays.update(
    fast_key, update, state.fast_state, state.fast
  )
  slow = jax.tree.map(
    functools.partial(
      _transfer_lines, config, transfer, state.fast_state.num_updates
    ),
    params,
    state.slow_state.constants,
    state.slow_state.pulse_counts,
    devices.noise_keys(slow_key, params),
    fast,
    tuple(types.LayerParams(*(len(own.weights),) * 2) for own in params),
  )
  params, _, pulse_counts = devices.split_arrays(params, slow)
  slow_state = state.slow_state._replace(pulse_counts=pulse_counts)
  return params, TikiTakaState(fast, fast_state, slow_state)


def _transfer_lines(
  config, transfer, turn, weights, constants, pulse_count, keys, fast, total
):
  """Decays a slow array and transfers some of `total` lines to it."""
  weights = resistive.decay(constants, weights)
  slow = resistive.DeviceArray(weights, constants, pulse_count)
  num_read = min(transfer.transfer_lines, total)
  lines, rate = slice(None), transfer.transfer_rate
  if fast.ndim == 1:  # all biases, at a lower rate
    rate = rate * num_read / total
  else:
    lines = (turn * num_read + jnp.arange(num_read)) % total
  read = fast[lines]
  written = resistive.apply_pulses(
    config,
    keys,
    jax.tree.map(lambda x: x[lines] if x.ndim else x, slow),
    resistive.Pulses(up=jnp.maximum(read, 0.0), down=jnp.maximum(-read, 0.0)),
    rate / config.dw_min,
  )
  if pulse_count is not None:
    pulse_count = pulse_count.at[lines].set(written.pulse_count)
  weights = weights.at[lines].set(written.weights)
  return slow._replace(weights=weights, pulse_count=pulse_count)
