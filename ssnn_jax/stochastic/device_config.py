"""Parameters of a resistive device: fields, presets and files.

Most names and units follow aihwkit and its standard device model, after T.
Gokmen and Y. Vlasov, "Acceleration of deep neural network training with
resistive cross-point devices: design considerations", Frontiers in Neuroscience
10:333 (2016). Weights, steps and bounds are in units of the network's weights.
Variability is given as a standard deviation: fields that end in `_dtod` are
device-to-device variability, `dw_min_std` is cycle-to-cycle variability.
"""

import dataclasses
import json
import math
import os
import pathlib

from ssnn_jax import checks
from ssnn_jax.types import UserError

GAMMAS = {
  'gamma_up': 'w_max',
  'gamma_up_dtod': 'w_max',
  'gamma_down': 'w_min',
  'gamma_down_dtod': 'w_min',
}
_FLAGS = 'mult_noise', 'mean_bound_reference'


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

  Coincidences are thinned at random, or repeated, so that pulses of size
  `dw_min` sum to the step of the learning rate.

  Raises:
    UserError: if a field is out of range.
  """

  #: mean step of one pulse at weight 0. 0 is the limit of fine steps: each
  #: coincidence is one pulse, whose size is set by the learning rate
  dw_min: float = 0.0
  dw_min_dtod: float = 0.0  #: variability of the step, relative
  dw_min_std: float = 0.0  #: cycle-to-cycle variability, relative to the step
  #: whether cycle-to-cycle variability is relative to the step at the present
  #: weight; otherwise it is relative to the step at weight 0
  mult_noise: bool = True
  #: asymmetry: difference between the up and the down step at weight 0,
  #: relative to `dw_min`; the larger of the two steps is `dw_min`
  up_down: float = 0.0
  up_down_dtod: float = 0.0  #: of half the asymmetry, relative to `dw_min`
  w_max: float = math.inf  #: upper bound of the weight; may be infinite
  w_max_dtod: float = 0.0  #: relative
  w_min: float = -math.inf  #: lower bound of the weight; may be infinite
  w_min_dtod: float = 0.0  #: relative
  #: relative decrease of the up step from weight 0 to the upper bound
  gamma_up: float = 0.0
  gamma_up_dtod: float = 0.0  #: absolute
  #: relative decrease of the down step from weight 0 to the lower bound
  gamma_down: float = 0.0
  gamma_down_dtod: float = 0.0  #: absolute
  #: whether the gammas refer to the mean bounds; otherwise they refer to the
  #: bounds of each device
  mean_bound_reference: bool = False
  #: fraction of devices that are stuck at a random weight within the bounds and
  #: within [-1, 1]
  corrupt_devices_prob: float = 0.0

  def __post_init__(self):
    for name, value in vars(self).items():
      size = abs(value) if checks.is_real(value) else math.nan
      is_size = size == 0 or checks.is_positive(size)
      if name in _FLAGS:
        rule = value in (0, 1), 'True or False'
      elif name == 'up_down':
        rule = is_size and size < 1, 'a number between -1 and 1'
      elif name == 'w_max':
        rule = value == math.inf or is_size and value > 0, 'a number above 0'
      elif name == 'w_min':
        rule = value == -math.inf or is_size and value < 0, 'a number below 0'
      elif name in ('gamma_up', 'gamma_down', 'corrupt_devices_prob'):
        rule = is_size and 0 <= value <= 1, 'a number from 0 to 1'
      else:
        rule = is_size and value >= 0, 'a finite 32-bit number, 0 or more'
      checks.check_field(self, name, *rule)
    is_small = self.dw_min < min(self.w_max, -self.w_min)
    expected = 'a step smaller than w_max and -w_min'
    checks.check_field(self, 'dw_min', is_small, expected)
    for name, bound in GAMMAS.items():
      limit = getattr(self, bound)
      is_defined = math.isfinite(limit) or not getattr(self, name)
      checks.check_field(self, name, is_defined, f'0, as {bound} is {limit}')

  @property
  def num_states(self) -> float:
    """Number of mean steps between the mean bounds."""
    return (self.w_max - self.w_min) / self.dw_min if self.dw_min else math.inf


# Devices from the literature, with the numbers of aihwkit.
PRESETS = {
  # Specification of Gokmen and Vlasov (2016), with bounds scaled to 1 and 1250
  # states: GokmenVlasovPresetDevice.
  'gokmen_vlasov': DeviceConfig(
    dw_min=0.0016, dw_min_dtod=0.3, dw_min_std=0.3, up_down_dtod=0.01,
    w_max=1.0, w_max_dtod=0.3, w_min=-1.0, w_min_dtod=0.3,
  ),
  # ReRAM with soft bounds, shifted to its symmetry point; a loose fit to Gong
  # et al., Nature Communications 9:2102 (2018): ReRamSBPresetDevice, without
  # its write noise (`write_noise_std`).
  'reram': DeviceConfig(
    dw_min=0.002, dw_min_dtod=0.3, dw_min_std=3.75, mult_noise=False,
    up_down_dtod=0.01, w_max=1.25, w_max_dtod=0.3 / 1.25, w_min=-0.75,
    w_min_dtod=0.3 / 0.75, gamma_up=1.0, gamma_down=1.0,
  ),
  # Lithium-based ECRAM, shifted to its symmetry point; a fit to Tang et al.,
  # IEDM (2018): EcRamPresetDevice.
  'ecram': DeviceConfig(
    dw_min=0.002, dw_min_dtod=0.1, dw_min_std=0.3, up_down_dtod=0.01,
    w_max=1.1724, w_max_dtod=0.05, w_min=-0.8276, w_min_dtod=0.05,
    gamma_up=0.1153, gamma_up_dtod=0.05, gamma_down=0.5085,
    gamma_down_dtod=0.05, mean_bound_reference=True,
  ),
  # Metal-oxide ECRAM, shifted to its symmetry point; after Kim et al., IEDM
  # (2019): EcRamMOPresetDevice.
  'ecram_mo': DeviceConfig(
    dw_min=2.8214e-4, dw_min_dtod=0.1, dw_min_std=2.0, up_down_dtod=0.01,
    w_max=1.1714, w_max_dtod=0.05, w_min=-0.8286, w_min_dtod=0.05,
    gamma_up=0.4152, gamma_up_dtod=0.05, gamma_down=0.7342,
    gamma_down_dtod=0.05, mean_bound_reference=True,
  ),
}  # fmt: skip


def changed_fields(config: DeviceConfig) -> dict[str, float | bool]:
  """Returns the fields of a device that differ from their defaults."""
  ideal = vars(DeviceConfig())
  return {k: value for k, value in vars(config).items() if value != ideal[k]}


def remove_variability(config: DeviceConfig) -> DeviceConfig:
  """Returns the mean device: without variability between devices or cycles."""
  varying = [name for name in vars(config) if name.endswith(('_dtod', '_std'))]
  return dataclasses.replace(config, **dict.fromkeys(varying, 0.0))


def parse_params(text: str) -> dict[str, float]:
  """Parses parameters of a device, pairs as 'dw_min=0.01,mult_noise=false'.

  Returns fields of `DeviceConfig`; raises a `UserError` if a name is no field
  or is repeated, or a value is no number. True and false are 1 and 0.

  Example:
    >>> ssnn_jax.stochastic.parse_params('dw_min=0.01,mult_noise=false')
    {'dw_min': 0.01, 'mult_noise': 0.0}
  """
  fields, params = vars(DeviceConfig()), {}
  for pair in filter(str.strip, text.split(',')):
    name, _, value = map(str.strip, pair.partition('='))
    if name not in fields:
      raise UserError(
        f'{name} is not a parameter of devices; expected {", ".join(fields)}.'
      )
    if name in params:
      raise UserError(f'{name} is given twice; give it once.')
    try:
      params[name] = float({'true': 1, 'false': 0}.get(value.lower(), value))
    except ValueError:
      raise UserError(
        f'{name} is {value or "missing"}; expected a number, true or false.'
      ) from None
  return params


def is_device_path(name: object) -> bool:
  """Returns whether the name of a device is the path of a file."""
  return isinstance(name, str) and name.endswith('.json')


def read_device(path: str | os.PathLike) -> DeviceConfig:
  """Reads a device from a JSON file, as `experiments.fit_device` writes it.

  Its `parameters` are fields of `DeviceConfig`; missing fields have their
  defaults, and other entries are notes. Raises a `UserError` if the file is
  missing or damaged, or a parameter does not exist or is out of range.
  """
  path = pathlib.Path(path).expanduser()
  try:
    return DeviceConfig(**json.loads(path.read_text())['parameters'])
  except (OSError, ValueError, LookupError, TypeError) as error:
    raise UserError(f'{path} is not the file of a device: {error}') from None
