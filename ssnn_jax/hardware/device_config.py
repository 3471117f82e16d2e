"""Parameters of resistive devices, and published ones.

Names and units are those of aihwkit, whose standard model it is, after Gokmen
and Vlasov, "Acceleration of deep neural network training with resistive
cross-point devices", Frontiers in Neuroscience 10:333 (2016). Weights, steps
and bounds are in units of the network's weights; `_dtod` is a standard
deviation from device to device, relative to the parameter where that has a
size, `_std` one from pulse to pulse.
"""

import dataclasses
import math
import numbers

from ssnn_jax import types

PROTOCOLS = ('fixed_rate', 'fixed_step')
_PROTOCOLS = 'one of ' + ', '.join(PROTOCOLS)
_CHECKED = ('up_down', 'w_min', 'w_max')  # that 0 does not part
_MAY_BE_INFINITE = ('w_max', 'w_min', 'endurance')
MOST_PULSES = 2**30  # that can be counted


@dataclasses.dataclass(frozen=True)
class DeviceConfig:
  """A resistive device that a pulse moves up or down; by default a perfect one.

  A pulse moves a device at weight w by

    up    dw_min a_up   (1 - gamma_up w / w_max),    a_up   = 1 + ...,
    down  dw_min a_down (1 - gamma_down w / w_min),  a_down = 1 + ...,

  times 1 + `dw_min_std` times a normal number, and not beyond its bounds. The
  factors a differ by `up_down` and from device to device. A gamma of 0 is a
  constant step, 1 are soft bounds, between them the step is linear in w.

  Attributes:
    dw_min: mean step of a pulse at weight 0. 0 is the limit of fine steps: each
      coincidence is one pulse, as large as the learning rate asks for.
    dw_min_dtod: relative spread of the step over devices.
    dw_min_std: relative spread of the step over the pulses of a device.
    mult_noise: whether that is relative to the step at w, or else at weight 0.
    up_down: how much larger the step up is than the step down; the larger one
      has the size `dw_min`.
    up_down_dtod: spread of half of that over devices.
    w_max: upper bound of a weight; infinite if there is none.
    w_max_dtod: its relative spread over devices.
    w_min: lower bound of a weight.
    w_min_dtod: its relative spread over devices.
    gamma_up: relative decrease of the step up from weight 0 to the upper bound.
    gamma_up_dtod: its spread over devices.
    gamma_down: that of the step down, to the lower bound.
    gamma_down_dtod: its spread over devices.
    mean_bound_reference: whether gammas refer to the mean bounds, or else to
      those of each device.
    lifetime: batches in which a weight decays to 1 / e; 0 is no decay.
    lifetime_dtod: its relative spread over devices.
    corrupt_devices_prob: share of devices that are stuck.
    corrupt_devices_range: they are at weights up to this size.
    endurance: pulses after which no other moves a device; 0 does not count
      them, infinity counts without a limit.
    endurance_dtod: its relative spread over devices.
    zero_shifting: whether a reference device is subtracted, which holds the
      weight at which steps up and down are equal, so that this is weight 0 (Kim
      et al., "Zero-shifting technique for deep neural network training on
      resistive cross-point arrays", arXiv:1907.10228); it is known exactly.
    protocol: 'fixed_rate' thins what writes, or repeats pulses, so that pulses
      of size `dw_min` make the step that the learning rate asks for;
      'fixed_step' makes a pulse of each coincidence, so that the length of the
      trains sets the learning rate.

  Raises:
    UserError: if a parameter is impossible.
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
  protocol: str = 'fixed_rate'

  def __post_init__(self):
    for field in dataclasses.fields(self):
      self._check_kind(field.name, getattr(self, field.name), field.default)
    is_fine = self.dw_min < min(self.w_max, -self.w_min)
    checks = (
      ('up_down', -1 < self.up_down < 1, 'a number within -1 and 1'),
      ('w_max', self.w_max > 0, 'a number above 0'),
      ('w_min', self.w_min < 0, 'a number below 0'),
      ('dw_min', is_fine, 'less than the bounds are from 0'),
      ('gamma_up', self.gamma_up <= 1, 'a number from 0 to 1'),
      ('gamma_down', self.gamma_down <= 1, 'a number from 0 to 1'),
      *self._check_gammas(),
      (
        'lifetime',
        self.lifetime == 0 or self.lifetime > 1,
        'more than 1 batch, or 0 for no decay',
      ),
      (
        'corrupt_devices_prob',
        self.corrupt_devices_prob <= 1,
        'a number from 0 to 1',
      ),
      (
        'endurance',
        self.endurance <= MOST_PULSES or self.endurance == math.inf,
        f'up to {MOST_PULSES} pulses, or infinity',
      ),
      ('protocol', self.protocol in PROTOCOLS, _PROTOCOLS),
      (
        'dw_min',
        self.protocol == 'fixed_rate' or self.dw_min > 0,
        'a step above 0, as protocol is fixed_step',
      ),
      (
        'zero_shifting',
        not self.zero_shifting or min(self.gamma_up, self.gamma_down) > 0,
        'False, unless gamma_up and gamma_down are above 0: at constant steps '
        'no weight makes up for their asymmetry',
      ),
    )
    for name, is_valid, expected in checks:
      self._refuse(name, is_valid, expected)

  def _refuse(self, name, is_valid, expected):
    if not is_valid:
      value = getattr(self, name)
      raise types.UserError(f'{name} is {value}; expected {expected}.')

  def _check_kind(self, name, value, default):
    """Refuses what is not of a parameter's kind, or out of all bounds."""
    if isinstance(default, bool):
      self._refuse(name, isinstance(value, bool), 'True or False')
    elif isinstance(default, float):
      is_number = isinstance(value, numbers.Real)
      self._refuse(name, is_number and not math.isnan(value), 'a number')
      is_finite = math.isfinite(value) or name in _MAY_BE_INFINITE
      self._refuse(name, is_finite, 'a finite number')
      self._refuse(name, value >= 0 or name in _CHECKED, 'a number from 0 up')

  def _check_gammas(self):
    """Lists what steps that depend on the weight need: a bound."""
    for gamma, bound in (('gamma_up', 'w_max'), ('gamma_down', 'w_min')):
      limit = getattr(self, bound)
      for name in (gamma, f'{gamma}_dtod'):
        is_valid = math.isfinite(limit) or not getattr(self, name)
        yield name, is_valid, f'0, as {bound} is {limit}'

  @property
  def is_linear(self) -> bool:
    """Whether the step depends on the weight."""
    gammas = self.gamma_up, self.gamma_down
    return any((*gammas, self.gamma_up_dtod, self.gamma_down_dtod))

  @property
  def num_states(self) -> float:
    """How many steps lie between the mean bounds."""
    return (self.w_max - self.w_min) / self.dw_min if self.dw_min else math.inf


PRESETS = {
  # The baseline of Gokmen and Vlasov (2016), scaled to weights within 1, in
  # about 1200 states. Source: aihwkit, GokmenVlasovPresetDevice.
  'gokmen_vlasov': DeviceConfig(
    dw_min=0.0016,
    dw_min_dtod=0.3,
    dw_min_std=0.3,
    up_down_dtod=0.01,
    w_max=1.0,
    w_max_dtod=0.3,
    w_min=-1.0,
    w_min_dtod=0.3,
  ),
  # ReRAM with soft bounds, shifted to its symmetry point; a loose fit to Gong
  # et al., Nature Communications 9:2102 (2018). Source: aihwkit,
  # ReRamSBPresetDevice, without its write noise.
  'reram': DeviceConfig(
    dw_min=0.002,
    dw_min_dtod=0.3,
    dw_min_std=3.75,
    mult_noise=False,
    up_down_dtod=0.01,
    w_max=1.25,
    w_max_dtod=0.3 / 1.25,
    w_min=-0.75,
    w_min_dtod=0.3 / 0.75,
    gamma_up=1.0,
    gamma_down=1.0,
  ),
  # Lithium-based ECRAM, shifted to its symmetry point; a fit to Tang et al.,
  # IEDM (2018). Source: aihwkit, EcRamPresetDevice.
  'ecram': DeviceConfig(
    dw_min=0.002,
    dw_min_dtod=0.1,
    dw_min_std=0.3,
    up_down_dtod=0.01,
    w_max=1.1724,
    w_max_dtod=0.05,
    w_min=-0.8276,
    w_min_dtod=0.05,
    gamma_up=0.1153,
    gamma_up_dtod=0.05,
    gamma_down=0.5085,
    gamma_down_dtod=0.05,
    mean_bound_reference=True,
  ),
  # Metal-oxide ECRAM, shifted to its symmetry point; after Kim et al., IEDM
  # (2019). Source: aihwkit, EcRamMOPresetDevice.
  'ecram_mo': DeviceConfig(
    dw_min=2.8214e-4,
    dw_min_dtod=0.1,
    dw_min_std=2.0,
    up_down_dtod=0.01,
    w_max=1.1714,
    w_max_dtod=0.05,
    w_min=-0.8286,
    w_min_dtod=0.05,
    gamma_up=0.4152,
    gamma_up_dtod=0.05,
    gamma_down=0.7342,
    gamma_down_dtod=0.05,
    mean_bound_reference=True,
  ),
}
