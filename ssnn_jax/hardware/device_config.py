"""Parameters of a resistive device: fields, presets and files.

Most names and units follow aihwkit and its standard device model, after T.
Gokmen and Y. Vlasov, "Acceleration of deep neural network training with
resistive cross-point devices: design considerations", Frontiers in Neuroscience
10:333 (2016). Weights, steps and bounds are in units of the network's weights.
Variability is given as a standard deviation: fields that end in `_dtod` are
device-to-device variability, `dw_min_std` is cycle-to-cycle variability.
"""

import dataclasses
import difflib
import json
import math
import os
import pathlib

import numpy as np

from ssnn_jax import checks
from ssnn_jax.types import UserError

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

  Coincidences are thinned at random, or repeated, so that pulses of size
  `dw_min` sum to the step of the learning rate.

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
    corrupt_devices_prob: fraction of devices that are stuck at a random weight
      within the bounds and within [-1, 1].

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
  corrupt_devices_prob: float = 0.0

  def __post_init__(self):
    for field in dataclasses.fields(self):
      name, value = field.name, getattr(self, field.name)
      if isinstance(field.default, bool):
        is_valid, expected = isinstance(value, bool | np.bool_), 'True or False'
      else:
        is_bound = name in ('w_max', 'w_min')
        size = abs(value) if checks.is_real(value) else math.nan
        is_valid = size == 0 or checks.is_positive(size)
        is_valid |= is_bound and size == math.inf
        is_valid = is_valid and (value >= 0 or is_bound or name == 'up_down')
        expected = 'a finite 32-bit number, 0 or more'
      checks.check_field(self, name, is_valid, expected)
    small = self.dw_min < min(self.w_max, -self.w_min)
    rules = [
      ('up_down', abs(self.up_down) < 1, 'a number between -1 and 1'),
      ('w_max', self.w_max > 0, 'a number above 0'),
      ('w_min', self.w_min < 0, 'a number below 0'),
      ('dw_min', small, 'a step smaller than w_max and -w_min'),
    ]
    for name in ('gamma_up', 'gamma_down', 'corrupt_devices_prob'):
      rules.append((name, getattr(self, name) <= 1, 'a number from 0 to 1'))
    for name, bound in _GAMMAS.items():
      limit = getattr(self, bound)
      is_defined = math.isfinite(limit) or not getattr(self, name)
      rules.append((name, is_defined, f'0, as {bound} is {limit}'))
    for rule in rules:
      checks.check_field(self, *rule)

  @property
  def has_weight_dependent_steps(self) -> bool:
    """Whether the step depends on the weight."""
    return any(getattr(self, name) for name in _GAMMAS)

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
  return {
    field.name: getattr(config, field.name)
    for field in dataclasses.fields(config)
    if getattr(config, field.name) != field.default
  }


def remove_variability(config: DeviceConfig) -> DeviceConfig:
  """Returns the mean device: without variability between devices or cycles."""
  names = [field.name for field in dataclasses.fields(config)]
  varying = [name for name in names if name.endswith(('_dtod', '_std'))]
  return dataclasses.replace(config, **dict.fromkeys(varying, 0.0))


def parse_params(text: str) -> dict[str, float | bool]:
  """Parses parameters of a device, pairs as 'dw_min=0.01,mult_noise=false'.

  Returns fields of `DeviceConfig`; raises a `UserError` if a name is no field
  or is repeated, or a value is wrong. True and false may be 1 and 0.

  Example:
    >>> ssnn_jax.hardware.parse_params('dw_min=0.01,mult_noise=false')
    {'dw_min': 0.01, 'mult_noise': False}
  """
  defaults = {f.name: f.default for f in dataclasses.fields(DeviceConfig)}
  params = {}
  for pair in filter(str.strip, text.split(',')):
    name, _, value = map(str.strip, pair.partition('='))
    if name not in defaults:
      (near,) = difflib.get_close_matches(name, defaults, n=1, cutoff=0.0)
      raise UserError(
        f'{name} is not a parameter of devices; did you mean {near}?'
      )
    if name in params:
      raise UserError(f'{name} is given twice; give it once.')
    is_bool = isinstance(defaults[name], bool)
    words = {'true': '1', 'false': '0'} if is_bool else {}
    try:
      number = float(words.get(value.lower(), value))
      params[name] = {0.0: False, 1.0: True}[number] if is_bool else number
    except (KeyError, ValueError):
      expected = 'true or false' if is_bool else f'a number, as {name}=0.1'
      raise UserError(
        f'{name} is {value or "missing"}; expected {expected}.'
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
  except UserError as error:
    raise UserError(f'{path}: {error}') from None
  except (OSError, ValueError, LookupError, TypeError) as error:
    raise UserError(
      f'{path} is not the file of a device ({error}); give a file that '
      'experiments.fit_device wrote.'
    ) from None
