"""Tells how large the flaws of devices may be, from records alone.

The sweep `device_tolerance` varies one flaw at a time; `tiki_taka` shows what
makes up for steps that are not the same up and down.
"""

import collections
from collections.abc import Sequence
import dataclasses
from typing import Any
from typing import NamedTuple

import numpy as np

from experiments import grid_summary
from experiments import summary
from experiments.config import synapses
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.hardware.presets import PRESETS

QUANTITY = 'test_accuracy'  # by winner counts
# Those of which more is worse, in the order of tables and figures.
FLAWS = (
  *('dw_min', 'dw_min_dtod', 'dw_min_std', 'up_down', 'up_down_dtod'),
  *('gamma_up', 'gamma_up_dtod', 'gamma_down', 'gamma_down_dtod'),
  *('w_max_dtod', 'w_min_dtod', 'corrupt_devices_prob', 'out_noise'),
)
RULES = {
  ('sgd', False): 'sgd',
  ('sgd', True): 'sgd + zero shifting',
  ('tiki_taka', False): 'Tiki-Taka',
  ('tiki_taka', True): 'Tiki-Taka + zero shifting',
}
_BASES = ('sgd', False), ('sgd', True)
# Accuracies are rounded to float32, by much less than a sample makes.
_LIMIT = -0.01 - 1e-6
_PARAMETERS = {
  field.name: field.default for field in dataclasses.fields(DeviceConfig)
}
_NAMES = [name for name in synapses.NAMES if name != 'device']


class Tolerance(NamedTuple):
  """The settings of a sweep over devices, by what is wrong with them."""

  anns: list[summary.Setting]
  ideal: summary.Setting
  flawless: list[summary.Setting]  # custom devices, as they are in common
  flaws: dict[str, list[summary.Setting]]  # of each flaw, in order of strength
  presets: list[summary.Setting]
  common: dict[str, Any]  # what custom devices have in common


def parameters(setting: summary.Setting) -> dict[str, Any]:
  """Tells all parameters of a custom device and its reads, defaults too."""
  given = {name: setting.config[name] for name in _NAMES}
  return {
    name: _PARAMETERS.get(name) if value is None else value
    for name, value in given.items()
  }


def num_states(setting: summary.Setting) -> float:
  """Tells how many steps lie between the bounds of a custom device."""
  found = parameters(setting)
  values = {name: found[name] for name in _PARAMETERS}
  return DeviceConfig(**values).num_states


def sort_out(settings: Sequence[summary.Setting]) -> Tolerance | None:
  """Sorts the settings of a sweep by the flaws of their devices.

  Custom devices are compared with what most of them have, parameter by
  parameter: one that is as common has no flaw.

  Args:
    settings: those of `grid_summary.group`.

  Returns:
    The settings, sorted; None if they are not one ideal device beside presets
    and devices of one flaw each, of which more is worse.
  """
  anns, spiking = grid_summary.part(settings)
  ideals, customs, presets = (
    [setting for setting in spiking if setting.config['device'] in names]
    for names in ([synapses.IDEAL], [synapses.CUSTOM], PRESETS)
  )
  if len(ideals) != 1 or not _is_of_devices(settings):
    return None
  common = _common(customs or ideals)
  if not _is_as_others(ideals[0], presets, common):
    return None
  flaws = {name: [] for name in ('', *FLAWS)}
  for setting in customs:
    found = _flaws(setting, common)
    is_one = len(found) <= 1 and found.keys() <= flaws.keys()
    if not is_one or 0 in found.values():
      return None
    flaws[next(iter(found), '')].append(setting)
  flawless = flaws.pop('')
  flaws = {
    name: sorted(flawed, key=lambda setting, name=name: strength(setting, name))
    for name, flawed in flaws.items()
    if flawed
  }
  return Tolerance(anns, ideals[0], flawless, flaws, presets, common)


def strength(setting: summary.Setting, flaw: str) -> float:
  """Tells how strong a flaw of a custom device is; its sign is left out."""
  return abs(parameters(setting)[flaw])


def is_tolerance(settings: Sequence[summary.Setting]) -> bool:
  """Tells whether settings vary several flaws one by one, or have presets."""
  found = sort_out(settings)
  return found is not None and bool(found.presets or len(found.flaws) > 1)


def table(settings: Sequence[summary.Setting]) -> str:
  """Lays out what each flaw costs, and how much of it may be.

  Args:
    settings: those of a sweep of which `is_tolerance` holds.

  Returns:
    Two tables: accuracies in percent, mean and standard deviation over seeds,
    and their differences to the ideal device in points, paired by seed; and for
    each flaw the largest value up to which the mean difference is within a
    point of it, up to which the whole interval is, and the smallest value from
    which on none of the interval is.
  """
  found = sort_out(settings)

  def row(label, value, setting):
    difference = ''
    if setting is not found.ideal:
      difference = summary.points(*_minus(setting, found.ideal))
    cells = _accuracy(setting), difference, str(len(setting.seeds))
    return label, value, *cells

  rows = [('flaw', 'value', 'accuracy', 'minus ideal (95 %)', 'seeds')]
  rows += [row('ANN (BP)', '', setting) for setting in found.anns]
  rows.append(row('ideal device', '', found.ideal))
  rows += [row('custom, no flaw', '', setting) for setting in found.flawless]
  for flaw, flawed in found.flaws.items():
    rows += [row(flaw, _write(setting, flaw), setting) for setting in flawed]
  rows += [row('preset', s.config['device'], s) for s in found.presets]
  parts = [summary.layout(rows)]
  if found.flaws:
    parts.append(summary.layout(_limits(found)))
  common = [
    f'{name} = {value}'
    for name, value in found.common.items()
    if name in _PARAMETERS and value != _PARAMETERS[name]
  ]
  if common:
    parts.append(f'Custom devices have in common: {", ".join(common)}.')
  return '\n\n'.join(parts)


def is_remedy(settings: Sequence[summary.Setting]) -> bool:
  """Tells whether Tiki-Taka is set beside sgd over the asymmetry of steps."""
  _, spiking = grid_summary.part(settings)
  varied = set(grid_summary.varied(spiking))
  return (
    _is_of_devices(settings)
    and all(s.config['device'] == synapses.CUSTOM for s in spiking)
    and varied <= {'up_down', 'zero_shifting', 'update_rule'}
    and varied >= {'up_down', 'update_rule'}
    and len({(asymmetry(s), rule(s)) for s in spiking}) == len(spiking)
  )


def asymmetry(setting: summary.Setting) -> float:
  """Tells how much larger a device's step up is than its step down."""
  return parameters(setting)['up_down']


def rule(setting: summary.Setting) -> tuple[str, bool]:
  """Tells by what a device is changed, as a key of `RULES`."""
  found = parameters(setting)
  return found['update_rule'], found['zero_shifting']


def remedy_table(settings: Sequence[summary.Setting]) -> str:
  """Lays out what Tiki-Taka and zero shifting gain, a line a setting.

  Args:
    settings: those of a sweep of which `is_remedy` holds.

  Returns:
    The table: accuracies in percent, differences in points to sgd, and to sgd
    with zero shifting, at the same asymmetry, paired by seed.
  """
  anns, spiking = grid_summary.part(settings)
  gains = [f'minus {RULES[base]} (95 %)' for base in _BASES]
  rows = [('up_down', 'update', 'accuracy', *gains, 'seeds')]
  for ann in anns:
    rows.append(('', 'ANN (BP)', _accuracy(ann), '', '', str(len(ann.seeds))))
  found = {(asymmetry(s), rule(s)): s for s in spiking}
  for place, own in sorted(found):  # of a place sgd first
    setting = found[place, own]
    gains = [
      summary.points(*_minus(setting, found[place, base]))
      if base < own and (place, base) in found
      else ''
      for base in _BASES
    ]
    seeds = str(len(setting.seeds))
    rows.append((f'{place:g}', RULES[own], _accuracy(setting), *gains, seeds))
  return summary.layout(rows)


def _is_of_devices(settings):
  """Tells whether settings differ in devices alone, with one ANN at most."""
  varied = set(grid_summary.varied(settings))
  return len(grid_summary.part(settings)[0]) <= 1 and varied <= {
    'method',
    *synapses.NAMES,
  }


def _common(customs):
  """Finds the value that most devices have; where several do, the default."""
  common = {}
  for name in _NAMES:
    counts = collections.Counter(parameters(s)[name] for s in customs)
    ranked = counts.most_common(2)
    is_clear = len(ranked) == 1 or ranked[0][1] > ranked[1][1]
    default = _PARAMETERS.get(name, getattr(synapses.SynapseFields, name))
    common[name] = ranked[0][0] if is_clear else default
  return common


def _flaws(setting, common):
  """Finds the parameters in which a device is not as others are."""
  found = parameters(setting)
  return {n: value for n, value in found.items() if value != common[n]}


def _is_as_others(ideal, presets, common):
  """Tells whether the ideal device is read as others, and presets as it is."""
  own, *others = ([s.config[n] for n in _NAMES] for s in (ideal, *presets))
  reads = [name for name in _NAMES if name not in _PARAMETERS]
  is_read_alike = all(ideal.config[name] == common[name] for name in reads)
  return is_read_alike and all(other == own for other in others)


def _accuracy(setting):
  return summary.spread(setting, QUANTITY, 100, 2)


def _minus(setting, baseline):
  return summary.paired_difference(setting, baseline, QUANTITY)


def _write(setting, flaw):
  """Writes the value of a flaw; for steps also how many states they make."""
  text = f'{parameters(setting)[flaw]:g}'
  states = num_states(setting)
  if flaw == 'dw_min' and np.isfinite(states):
    text += f' ({states:.4g} states)'
  return text


def _limits(found):
  """Makes the rows that tell how much of each flaw may be."""
  heading = 'within 1 point of ideal up to', 'surely (95 %) up to'
  rows = [('flaw', *heading, 'surely not from')]
  for flaw, flawed in found.flaws.items():
    values = [_write(setting, flaw) for setting in flawed]
    means, half_widths = np.transpose(
      [_minus(setting, found.ideal) for setting in flawed]
    )
    cells = ['one seed only'] * 3
    if not np.any(np.isnan(means)):
      is_beyond = means + half_widths < _LIMIT
      cells = [
        _last(means >= _LIMIT, values),
        _last(means - half_widths >= _LIMIT, values),
        _last(is_beyond[::-1], values[::-1], '>≤'),
      ]
    rows.append((flaw, *cells))
  return rows


def _last(holds, values, signs='<≥'):
  """Tells up to which value something holds; none or all get their sign."""
  number = int(np.sum(np.cumprod(holds)))
  if number == 0:
    return f'{signs[0]} {values[0]}'
  is_all = number == len(values)
  return f'{signs[1]} {values[-1]}' if is_all else values[number - 1]
