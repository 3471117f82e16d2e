"""Fits the model of resistive devices to measured pulse responses.

  python -m experiments.fit_device --csv=measured.csv --file=own.json
  python -m experiments.run --device=own.json

The columns of the CSV file are `pulse`, `conductance` in any unit, and
optionally `direction` (up or down), `cycle` and `device`. Without directions,
the curves of a device begin where the pulse number restarts, and alternate, up
first. The parameters are printed and written to the file, and curves and fit
are drawn next to it.
"""

import json

from absl import flags
import jax
from matplotlib import figure
import numpy as np

from experiments import command
import ssnn_jax
from ssnn_jax import figures
from ssnn_jax import stochastic
from ssnn_jax.stochastic import device_config
from ssnn_jax.stochastic import devices
from ssnn_jax.stochastic import fit as fit_lib


def describe(fit: stochastic.PulseFit, source: str) -> str:
  """Returns the JSON file of a fitted device, with notes on its measurement."""
  contents = {
    'parameters': device_config.changed_fields(fit.config),
    'fit': {
      'source': source,
      'units': 'parameters are in units of weights',
      'conductance_of_weight_0': float(f'{fit.zero:.6g}'),
      'conductance_of_unit_weight': float(f'{fit.scale:.6g}'),
      'read_noise': float(f'{fit.read_noise:.6g}'),
      'num_devices': fit.num_devices,
      'num_states': float(f'{fit.config.num_states:.4g}'),
      'intervals_95_percent': {
        name: '{:.6g} to {:.6g}'.format(*ends)
        for name, ends in fit.intervals.items()
      },
      'notes': fit.notes,
    },
  }
  return json.dumps(contents, indent=2) + '\n'


def draw(
  curves: list[stochastic.PulseCurve], fit: stochastic.PulseFit
) -> figure.Figure:
  """Draws measured curves, and the response of the fitted mean device."""
  fig = figure.Figure(figsize=(6.2, 4.0), layout='constrained')
  panels = fig.subplots(1, 2, sharey=True)
  blue, vermilion, _ = figures.raster.COLORS
  for axes, is_up in zip(panels, (True, False)):
    same = [curve for curve in curves if curve.is_up == is_up]
    for curve in same:
      passed = curve.pulses - curve.pulses[0]
      axes.plot(passed, curve.conductances, '.', color=blue, markersize=4)
    axes.lines[0].set_label('measured')
    number = int(max(np.ptp(curve.pulses) for curve in same))
    pulses = np.linspace(0, number, min(number + 1, 1000), dtype=int)
    start = np.mean([curve.conductances[0] for curve in same])
    readings = _simulate(fit, start, pulses, is_up)
    expected = np.mean(readings, axis=1)
    axes.plot(pulses, expected, color=vermilion, label='mean of fitted devices')
    band = np.percentile(readings, [2.5, 97.5], axis=1)
    look = {'color': vermilion, 'alpha': 0.15, 'lw': 0}
    axes.fill_between(pulses, *band, label='95 % of fitted devices', **look)
    for bound in (fit.config.w_min, fit.config.w_max):
      axes.axhline(fit.zero + fit.scale * bound, color='0.5', lw=1, ls=':')
    axes.lines[-1].set_label('bounds')
    axes.set_title('up pulses' if is_up else 'down pulses')
    axes.set_xlabel('pulses since the first reading')
  panels[0].set_ylabel('conductance')
  handles, labels = panels[0].get_legend_handles_labels()
  fig.legend(handles, labels, loc='outside lower center', ncols=2)
  return fig


def _simulate(fit, start, pulses, is_up):
  """Simulates `[pulses, devices]` readings of 400 devices."""
  number = np.diff(pulses, prepend=0).astype(np.int32)
  numbers = number * is_up, number * (not is_up)
  start = (start - fit.zero) / fit.scale
  key = jax.random.key(0)
  weights, _ = devices.simulate(key, fit.config, 400, *numbers, start)
  noise = np.random.default_rng(0).normal(size=weights.shape)
  return fit.zero + fit.scale * (np.asarray(weights) + fit.read_noise * noise)


def main() -> None:
  """Fits the device that the flags describe."""
  values = flags.FLAGS.flag_values_dict()
  source, path = command.folder(values['csv']), command.folder(values['file'])
  if path.suffix != '.json':
    raise ssnn_jax.UserError(
      f'--file={path} does not end in .json; give a name as own.json.'
    )
  drawing = path.with_suffix('.png')
  for new in (path, drawing):
    if new.exists():
      raise ssnn_jax.UserError(
        f'{new} exists already and is not overwritten; choose another --file.'
      )
  curves = stochastic.read_pulse_csv(source)
  print(f'{sum(len(curve.pulses) for curve in curves)} readings', flush=True)
  fit = stochastic.fit_pulse_response(
    curves, zero=values['zero'], w_max=values['w_max'], progress=True
  )
  described = describe(fit, source.name)
  path.write_text(described)
  draw(curves, fit).savefig(drawing, dpi=120)
  print(described, end='')
  line = f'{command.line("run")} --device={path}'
  print(f'figure: {drawing}\nnow train: {line}')


if __name__ == '__main__':
  flags.DEFINE_string('csv', None, 'CSV file of the curves', required=True)
  flags.DEFINE_string(
    'file', None, 'new file for the device, as own.json', required=True
  )
  flags.DEFINE_enum(
    'zero',
    'middle',
    fit_lib.ZEROS,
    'conductance of weight 0: the middle of the bounds, or the symmetry '
    'point, where up and down steps are equal',
  )
  flags.DEFINE_float(
    'w_max',
    1.0,
    'weight of the bound that is farther from weight 0',
    lower_bound=1e-6,
  )
  command.launch(main)
