"""Configuration of a resistive device.

Most names and units follow aihwkit and its standard device model, after T.
Gokmen and Y. Vlasov, "Acceleration of deep neural network training with
resistive cross-point devices: design considerations", Frontiers in Neuroscience
10:333 (2016). Weights, steps and bounds are in units of the network's weights.
Variability is given as a standard deviation: fields that end in `_dtod` are
device-to-device variability, `dw_min_std` is cycle-to-cycle variability.
"""

import dataclasses
import math

import numpy as np

from ssnn_jax.types import check_field
from ssnn_jax.types import is_positive
from ssnn_jax.types import is_real

PULSE_SCHEMES = ('scaled', 'single')
MAX_PULSES = 2**30  # largest endurance; larger counts would overflow
_SIGNED = ('up_down', 'w_min', 'w_max')  # fields with ranges of their own
_MAY_BE_INFINITE = ('w_max', 'w_min', 'endurance')
_GAMMAS = {
  'gamma_up': 'w_max',
  'gamma_up_dtod': 'w_max',
  'gamma_down': 'w_min',
  'gamma_down_dtod': 'w_min',
}


@dataclasses.dataclass(frozen=True)
class DeviceConfig:
  """Resistive device programmed by up and down pulses; ideal by default.

  At weight w, one pulse changes the weight by

    up     dw_min a_up   (1 - gamma_up w / w_max)
    down  -dw_min a_down (1 - gamma_down w / w_min)

  with cycle-to-cycle variability `dw_min_std`, and clipped to the bounds. The
  means of a_up and a_down differ by `up_down`, and both vary from device to
  device. With gamma 0 the step is constant; with gamma above 0 it decreases
  linearly towards the bound, which is soft if gamma is 1.

  Attributes:
    dw_min: mean step of one pulse at weight 0. 0 is the limit of fine steps:
      each coincidence is one pulse, whose size is set by the learning rate.
    dw_min_dtod: device-to-device variability of the step, relative.
    dw_min_std: cycle-to-cycle variability of the step, relative.
    mult_noise: whether cycle-to-cycle variability is relative to the step at
      the present weight; otherwise it is relative to the step at weight 0.
    up_down: asymmetry: difference between the up and the down step at weight 0,
      relative to `dw_min`; the larger of the two steps is `dw_min`.
    up_down_dtod: variability of half the asymmetry, relative to `dw_min`.
    w_max: upper bound of the weight; may be infinite.
    w_max_dtod: variability of the upper bound, relative.
    w_min: lower bound of the weight; may be infinite.
    w_min_dtod: variability of the lower bound, relative.
    gamma_up: relative decrease of the up step from weight 0 to the upper bound.
    gamma_up_dtod: variability of `gamma_up`, absolute.
    gamma_down: relative decrease of the down step from 0 to the lower bound.
    gamma_down_dtod: variability of `gamma_down`, absolute.
    mean_bound_reference: whether the gammas refer to the mean bounds; otherwise
      they refer to the bounds of each device.
    lifetime: retention: the weight is multiplied by 1 - 1 / `lifetime` in each
      update, after a batch or a window; 0 disables the decay.
    lifetime_dtod: variability of the lifetime, relative.
    corrupt_devices_prob: fraction of devices that are stuck at a weight.
    corrupt_devices_range: largest absolute weight of stuck devices.
    endurance: number of pulses after which a device ignores the pulses of later
      batches. 0 disables the limit and the pulse counts; infinity counts pulses
      without a limit.
    endurance_dtod: variability of the endurance, relative.
    zero_shifting: whether the weight is measured from a reference device that
      is programmed to the symmetry point, where up and down steps are equal, so
      that the symmetry point is weight 0 (H. Kim et al., "Zero-shifting
      technique for deep neural network training on resistive cross-point
      arrays", arXiv:1907.10228). The symmetry point is known exactly.
    pulse_scheme: number of pulses per coincidence. With 'scaled', coincidences
      are thinned at random, or repeated, so that pulses of size `dw_min` sum to
      the step of the learning rate. With 'single', each coincidence is one
      pulse, so that the effective learning rate is proportional to T.

  Raises:
    UserError: if a field is out of range.
  """

  dw_min: float = 0.0
  dw_min_dtod: float = 0.0
  dw_min_std: float = 0.0
  mult_noise: bool = True
  up_down: float = 0.0
  up_down_dtod: float = 0.0
  w_max: float = math.inf
  w_max_dtod: float = 0.0
  w_min: float = -math.inf
  w_min_dtod: float = 0.0
  gamma_up: float = 0.0
  gamma_up_dtod: float = 0.0
  gamma_down: float = 0.0
  gamma_down_dtod: float = 0.0
  mean_bound_reference: bool = False
  lifetime: float = 0.0
  lifetime_dtod: float = 0.0
  corrupt_devices_prob: float = 0.0
  corrupt_devices_range: float = 1.0
  endurance: float = 0.0
  endurance_dtod: float = 0.0
  zero_shifting: bool = False
  pulse_scheme: str = 'scaled'

  def __post_init__(self):
    for field in dataclasses.fields(self):
      _check_type(self, field)
    for name, is_valid, expected in _range_checks(self):
      check_field(self, name, is_valid, expected)

  @property
  def has_weight_dependent_steps(self) -> bool:
    """Whether the step depends on the weight."""
    return any(getattr(self, name) for name in _GAMMAS)

  @property
  def num_states(self) -> float:
    """Number of mean steps between the mean bounds."""
    return (self.w_max - self.w_min) / self.dw_min if self.dw_min else math.inf


def _check_type(config, field):
  """Checks the type and the sign of one field."""
  name, value = field.name, getattr(config, field.name)
  if isinstance(field.default, bool):
    is_bool = isinstance(value, bool | np.bool_)
    check_field(config, name, is_bool, 'True or False')
  elif isinstance(field.default, float):
    is_number = is_real(value) and value == value  # not NaN
    check_field(config, name, is_number, 'a number')
    is_valid = abs(value) == math.inf and name in _MAY_BE_INFINITE
    is_valid |= value == 0 or is_positive(abs(value))
    check_field(config, name, is_valid, 'a finite 32-bit number')
    is_valid = value >= 0 or name in _SIGNED
    check_field(config, name, is_valid, 'a number, 0 or more')


def _range_checks(config):
  """Lists (name of a field, whether its value is valid, expected value)."""
  yield 'up_down', -1 < config.up_down < 1, 'a number between -1 and 1'
  is_valid = config.pulse_scheme in PULSE_SCHEMES
  yield 'pulse_scheme', is_valid, 'one of ' + ', '.join(PULSE_SCHEMES)
  is_valid = config.pulse_scheme == 'scaled' or config.dw_min > 0
  yield 'dw_min', is_valid, 'a step above 0, as pulse_scheme is single'
  yield 'w_max', config.w_max > 0, 'a number above 0'
  yield 'w_min', config.w_min < 0, 'a number below 0'
  is_valid = config.dw_min < min(config.w_max, -config.w_min)
  yield 'dw_min', is_valid, 'a step smaller than w_max and -w_min'
  for name in ('gamma_up', 'gamma_down', 'corrupt_devices_prob'):
    yield name, getattr(config, name) <= 1, 'a number from 0 to 1'
  for gamma, bound in _GAMMAS.items():
    limit = getattr(config, bound)
    is_valid = math.isfinite(limit) or not getattr(config, gamma)
    yield gamma, is_valid, f'0, as {bound} is {limit}'
  has_point = min(config.gamma_up, config.gamma_down) > 0
  expected = (
    'False, unless gamma_up and gamma_down are above 0: constant steps '
  )
  expected += 'have no symmetry point'
  yield 'zero_shifting', has_point or not config.zero_shifting, expected
  is_valid = config.lifetime == 0 or config.lifetime > 1
  yield 'lifetime', is_valid, 'more than 1 batch, or 0 for no decay'
  is_valid = config.endurance <= MAX_PULSES or config.endurance == math.inf
  yield 'endurance', is_valid, f'at most {MAX_PULSES} pulses, or infinity'
