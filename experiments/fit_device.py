"""Fits the model of resistive devices to measured pulse responses.

  python -m experiments.fit_device --csv=measured.csv --file=own.json
  python -m experiments.run --device=own.json

The columns of the CSV file are `pulse`, `conductance` in any unit, and
optionally `direction` (up or down), `cycle` and `device`. Without directions,
the curves of a device begin where the pulse number restarts, and alternate, up
first. The parameters are written to the file, and curves and fit are drawn next
to the file.
"""

from collections.abc import Sequence
import json

from absl import flags
import jax
import jax.numpy as jnp
from matplotlib import figure
import numpy as np
import pandas as pd

from experiments.analysis import figures
from experiments.analysis import grid_table
from experiments.config import command
from experiments.config import field
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax import hardware
from ssnn_jax.hardware import device_config
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware.fit import ZEROS
from ssnn_jax.runs import files

_NUM_DEVICES = 400  # that are simulated
_WEIGHTS = 'dw_min', 'w_max', 'w_min'


def _new_files(text):
  """Returns the paths of the file of the device and of its figure."""
  if not device_config.is_device_path(text):
    raise ssnn_jax.UserError(
      f'--file={text} does not end in .json; give a name as own.json.'
    )
  path = command.folder(text)
  for new in (path, path.with_suffix('.png')):
    if new.exists():
      raise ssnn_jax.UserError(
        f'{new} exists already and is not overwritten; choose another --file.'
      )
  return path, path.with_suffix('.png')


def describe(fit: hardware.PulseFit, source: str) -> str:
  """Returns the text of the file of a fitted device.

  Args:
    fit: the fit.
    source: name of the file with the measurement.

  Returns:
    JSON: the parameters, and notes on the measurement with 6 digits.
  """
  contents = {
    'parameters': device_config.changed_fields(fit.config),
    'fit': {
      'source': source,
      'units': 'parameters are in units of weights',
      'conductance_of_weight_0': float(f'{fit.zero:.6g}'),
      'conductance_of_unit_weight': float(f'{fit.scale:.6g}'),
      'read_noise': float(f'{fit.read_noise:.6g}'),
      'num_devices': fit.num_devices,
      'intervals_95_percent': {
        name: '{:.6g} to {:.6g}'.format(*ends)
        for name, ends in fit.intervals.items()
      },
      'notes': fit.notes,
    },
  }
  return json.dumps(contents, indent=2) + '\n'


def table(fit: hardware.PulseFit) -> pd.DataFrame:
  """Makes the table of the fitted parameters: cells of text."""
  rows = []
  for name, value in device_config.changed_fields(fit.config).items():
    ends = ''
    if name in fit.intervals:
      low, high = fit.intervals[name]
      ends = f'{low:.4g} to {high:.4g}'
    unit = '' if isinstance(value, bool) else 'relative'
    unit = 'weight' if name in _WEIGHTS else unit
    rows.append((name, f'{value:.4g}', ends, unit))
  one = fit.zero + fit.scale
  rows += [
    ('read noise', f'{fit.read_noise:.4g}', '', 'weight'),
    ('read noise', f'{fit.read_noise * fit.scale:.4g}', '', 'conductance'),
    ('number of states', f'{fit.config.num_states:.4g}', '', ''),
    ('weight 0', f'{fit.zero:.4g}', '', 'conductance'),
    ('weight 1', f'{one:.4g}', '', 'conductance'),
  ]
  columns = ['parameter', 'value', '95% interval', 'unit']
  return pd.DataFrame(rows, columns=columns)


def draw(
  curves: Sequence[hardware.PulseCurve], fit: hardware.PulseFit
) -> figure.Figure:
  """Draws measured curves, and the response of the fitted mean device."""
  fig, panels = figures.make(2, 2, height=3.4, sharey=True)
  for axes, is_up in zip(panels, (True, False)):
    same = [curve for curve in curves if curve.is_up == is_up]
    number = int(max(np.ptp(curve.pulses) for curve in same))
    pulses = np.linspace(0, number, min(number + 1, 1000), dtype=int)
    start = np.mean([curve.conductances[0] for curve in same])
    for curve in same:
      look = {'color': figures.BLUE, 'alpha': 0.5, 'label': 'measured'}
      passed = curve.pulses - curve.pulses[0]
      axes.plot(passed, curve.conductances, '.', markersize=4, **look)
    start = (start - fit.zero) / fit.scale
    weights = _respond(fit.config, start, pulses, is_up)
    fitted = fit.zero + fit.scale * np.asarray(weights)
    axes.plot(pulses, fitted, color=figures.VERMILION, lw=2, label='fit, mean')
    low, high = fit.zero + fit.scale * _simulate(fit, start, pulses, is_up)
    band = {'color': figures.VERMILION, 'alpha': 0.15, 'lw': 0}
    axes.fill_between(pulses, low, high, label='95 % of fitted devices', **band)
    for bound in (fit.config.w_min, fit.config.w_max):
      level = fit.zero + fit.scale * bound
      axes.axhline(level, color='0.5', lw=1, linestyle=':', label='bounds')
    figures.set_panel_title(axes, f'{"up" if is_up else "down"} pulses')
    axes.set_xlabel('pulses since the first reading')
  panels[0].set_ylabel('conductance')
  figures.legend_below(fig, panels)
  return fig


def _respond(config, start, pulses, is_up):
  """Returns the weights of the mean device after numbers of pulses."""
  config = device_config.remove_variability(config)
  constants = resistive.sample_constants(jax.random.key(0), config, ())
  numbers = jnp.asarray(pulses)
  applied = _make_pulses(numbers, is_up)
  weights = jnp.full(numbers.shape, start, jnp.float32)
  return resistive.move_weights(
    config, constants, weights, applied, config.dw_min, None
  )


def _make_pulses(numbers, is_up):
  none = jnp.zeros_like(numbers)
  return resistive.Pulses(*((numbers, none) if is_up else (none, numbers)))


def _simulate(fit, start, pulses, is_up):
  """Simulates readings of fitted devices; returns the ends of 95 % of them."""
  device_key, noise_key, read_key = jax.random.split(jax.random.key(0), 3)
  constants = resistive.sample_constants(
    device_key, fit.config, (_NUM_DEVICES,)
  )
  words = jax.random.bits(
    noise_key, (len(pulses), resistive.NUM_KEYS), jnp.uint32
  )

  def advance(weights, inputs):
    number, keys = inputs
    applied = _make_pulses(number, is_up)
    normals = resistive.sample_noise(keys, weights.shape).normals
    weights = resistive.move_weights(
      fit.config, constants, weights, applied, fit.config.dw_min, normals
    )
    return weights, weights

  numbers = jnp.diff(jnp.asarray(pulses, jnp.float32), prepend=0.0)
  first = jnp.full(_NUM_DEVICES, start, jnp.float32)
  _, weights = jax.lax.scan(advance, first, (numbers, words))
  noise = jax.random.normal(read_key, weights.shape)
  readings = weights + fit.read_noise * noise
  return np.percentile(readings, [2.5, 97.5], axis=1)


def main() -> None:
  """Fits the device that the flags describe."""
  values = flags.FLAGS.flag_values_dict()
  w_max = values['w_max']
  field.check('w_max', w_max, checks.is_positive(w_max), 'a number above 0')
  path, drawing = _new_files(values['file'])
  source = command.folder(values['csv'])
  curves = hardware.read_pulse_csv(source)
  options = {name: values[name] for name in ('zero', 'w_max')}
  print(f'{sum(len(curve.pulses) for curve in curves)} readings', flush=True)
  fit = hardware.fit_pulse_response(curves, progress=True, **options)
  files.write_new(path, describe(fit, source.name).encode())
  with files.convert_os_errors(drawing):
    figures.save(draw(curves, fit), drawing.with_suffix(''))
  print(grid_table.lay_out(table(fit)))
  print('', *fit.notes, sep='\n')
  print(
    f'figure: {drawing}\nnow train: python -m experiments.run --device={path}'
  )


if __name__ == '__main__':
  flags.DEFINE_string('csv', None, 'CSV file of the curves.', required=True)
  flags.DEFINE_string(
    'file', None, 'new file for the device, as own.json.', required=True
  )
  flags.DEFINE_enum(
    'zero',
    'middle',
    ZEROS,
    'conductance of weight 0: the middle of the bounds, or the symmetry '
    'point, where up and down steps are equal.',
  )
  flags.DEFINE_float(
    'w_max', 1.0, 'weight of the bound that is farther from weight 0.'
  )
  command.launch(main)
