"""Responses of resistive devices to pulses, compared with aihwkit."""

from collections.abc import Mapping
from typing import Any

from matplotlib import figure
import numpy as np
import pandas as pd

from experiments.analysis import figures
from experiments.analysis.statistics import Number
from experiments.analysis.study import Study
import ssnn_jax

OURS, THEIRS = 'ssnn_jax', 'aihwkit'
Line = Mapping[str, Any]  # the measured response of one case
# Distances are in standard errors where the standard deviation is known to a
# tenth, and is a thousandth of a step or more.
_MAX_RELATIVE_ERROR, _MIN_SD = 0.1, 1e-3
_DRAWN = (
  'step_dtod',
  'linear_own_bounds',
  'soft_bounds_dtod',
  'gokmen_vlasov',
  'reram',
  'ecram',
)


def _by_case(lines: pd.DataFrame, source: str) -> dict[str, Line]:
  own = lines[lines['source'] == source].to_dict('records')
  return {line['case']: line for line in own}


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Lists the largest distances, in `dw_min` and in standard errors."""
  rows = []
  theirs = _by_case(lines, THEIRS)
  for name, ours in _by_case(lines, OURS).items():
    row = {'case': name, 'pulses': str(np.abs(ours['pulses']).sum())}
    row |= dict.fromkeys(('mean', 'sd', 'closed form of mean'), '')
    if name in theirs:
      if ours['pulses'] != theirs[name]['pulses']:
        raise ssnn_jax.UserError(
          f'the devices of {name} received other pulses in aihwkit; measure '
          'both again with the same version.'
        )
      for quantity in ('mean', 'sd'):
        row[quantity] = _write(ours, theirs[name], quantity)
    if ours['closed_form']:
      exact = {**ours, 'mean': ours['closed_form'], 'num_devices': np.inf}
      row['closed form of mean'] = _write(ours, exact, 'mean')
    rows.append(row)
  return [pd.DataFrame(rows)]


def _standard_errors(ours: Line, other: Line, quantity: str) -> float:
  """Returns the largest distance in standard errors; NaN if none is known."""
  distances = np.abs(np.subtract(ours[quantity], other[quantity]))
  sd = np.array([ours['sd'], other['sd']])
  sd_error = np.array([ours['sd_error'], other['sd_error']])
  smallest = _MIN_SD * ours['parameters']['dw_min']
  is_known = (sd_error <= _MAX_RELATIVE_ERROR * sd) & (sd >= smallest)
  known = np.all(is_known, axis=0)
  if not np.any(known):
    return np.nan
  numbers_of_devices = np.array([[x['num_devices']] for x in (ours, other)])
  errors = sd_error if quantity == 'sd' else sd / np.sqrt(numbers_of_devices)
  return np.max(distances[known] / np.hypot(*errors[:, known]))


def _write(ours, other, quantity):
  distances = np.abs(np.subtract(ours[quantity], other[quantity]))
  text = f'{np.max(distances) / ours["parameters"]["dw_min"]:.3f}'
  ratio = _standard_errors(ours, other, quantity)
  return text if np.isnan(ratio) else f'{text} ({ratio:.1f})'


def draw(lines: pd.DataFrame) -> figure.Figure:
  """Draws mean and standard deviation of weights over pulses."""
  drawn = lines[lines['case'].isin(_DRAWN)]
  cases = drawn.groupby('case', sort=False)
  fig, grid = figures.make(cases.ngroups, 2, 2.7, sharey=True)
  looks = {
    OURS: {'color': figures.BLUE, 'errorevery': 20},
    THEIRS: {
      'color': figures.ORANGE,
      'errorevery': (10, 20),
      'linestyle': '--',
    },
  }
  for axes, (name, own) in zip(grid, cases):
    for line in own.to_dict('records'):
      axes.errorbar(
        np.cumsum(np.abs(line['pulses'])),
        line['mean'],
        line['sd'],
        label=line['source'],
        **looks[line['source']],
      )
    figures.set_panel_title(axes, name)
    axes.set_xlabel('pulses, first up, then down')
    axes.set_ylabel('weight')
  figures.finish(
    fig,
    grid,
    'weights of simulated devices under pulses: mean ± standard deviation '
    'over devices',
  )
  return fig


def numbers(records: Mapping[str, pd.DataFrame]) -> dict[str, Number]:
  """Returns the number of cases and their largest distance from aihwkit."""
  lines = records['devices']
  ours, theirs = _by_case(lines, OURS), _by_case(lines, THEIRS)
  ratios = [
    _standard_errors(ours[name], other, quantity)
    for name, other in theirs.items()
    for quantity in ('mean', 'sd')
  ]
  return {
    'cases': Number(len(theirs)),
    'largest_distance': Number(float(np.nanmax(ratios))),
  }


STUDY = Study(
  question='Do resistive devices respond to pulses as in aihwkit?',
  commands={
    'devices': (
      'python -m experiments.measurements.device_response',
      'python -m experiments.measurements.aihwkit_response',
    )
  },
  table=table,
  figure=draw,
  numbers=numbers,
  text="""
{cases:.0f} kinds of devices receive single pulses, first up, then down, or
decay. The table has the largest distances from
[aihwkit](https://github.com/IBM/aihwkit) 1.1.0 over all pulses, of mean and
standard deviation over devices, in steps `dw_min`, and in parentheses in
standard errors where these are known. 20,000 devices are simulated by
`ssnn_jax` and 2,000 by aihwkit, in a separate environment. The last column is
the distance from the closed form of the mean.

Yes: without noise the responses are equal up to rounding to float32. With
noise, the largest distance is {largest_distance:.1f} standard errors, as
expected by chance for the maximum over hundreds of pulses and all cases. The
write noise of the ReRAM preset of aihwkit is set to 0, because the device of
`ssnn_jax` has none.
""",
)
