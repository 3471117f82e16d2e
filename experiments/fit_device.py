"""Fits the model of resistive devices to measured pulse responses.

  python -m experiments.fit_device --csv=measured.csv --file=own.json
  python -m experiments.run --device=own.json

The columns of the CSV file are `pulse`, `conductance` in any unit, and
optionally `direction` (up or down), `cycle` and `device`. Without directions,
the curves of a device begin where the pulse number restarts, and alternate, up
first. The parameters are written to the file, and curves and fit are drawn next
to the file.
"""

import json

from absl import flags

from experiments.analysis import device_plot
from experiments.analysis import grid_table
from experiments.analysis import style
from experiments.config import command
from experiments.config import field
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax import hardware
from ssnn_jax.hardware import device_config
from ssnn_jax.hardware.fit import ZEROS
from ssnn_jax.runs import files


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


def main() -> None:
  """Fits the device that the flags describe."""
  values = flags.FLAGS.flag_values_dict()
  command.require(values, 'csv', 'file')
  w_max = values['w_max']
  field.check('w_max', w_max, checks.is_positive(w_max), 'a number above 0')
  path, figure = _new_files(values['file'])
  source = command.folder(values['csv'])
  curves = hardware.read_pulse_csv(source)
  options = {name: values[name] for name in ('zero', 'w_max')}
  fit = hardware.fit_pulse_response(curves, **options)
  files.write_new(path, describe(fit, source.name).encode())
  with files.convert_os_errors(figure):
    style.save(device_plot.draw(curves, fit), figure.with_suffix(''))
  print(grid_table.lay_out(device_plot.table(fit)))
  print('', *fit.notes, sep='\n')
  print(
    f'figure: {figure}\nnow train: python -m experiments.run --device={path}'
  )


if __name__ == '__main__':
  with command.group('Measurements'):
    flags.DEFINE_string('csv', None, 'CSV `file` of the curves; required.')
    flags.DEFINE_string(
      'file', None, 'new `file` for the device, as own.json; required.'
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
