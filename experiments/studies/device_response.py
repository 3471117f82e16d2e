"""Responses of resistive devices to pulses, compared with aihwkit."""

from collections.abc import Mapping
from typing import Any

from matplotlib import figure
from matplotlib.axes import Axes
import numpy as np
import pandas as pd

from experiments.analysis import style
from experiments.analysis.statistics import Number
from experiments.analysis.study import Study
import ssnn_jax

OURS, THEIRS = 'ssnn_jax', 'aihwkit'
Line = Mapping[str, Any]  # the measured response of one case
# Distances are in standard errors where these are known: where the standard
# deviation is known to a tenth, and is a thousandth of a step or more.
_MAX_RELATIVE_ERROR, _MIN_SD = 0.1, 1e-3
_MAX_MARKERS = 24
_TITLES = {
  'step_dtod': 'step, device to device',
  'linear_own_bounds': 'linear steps, own bounds',
  'soft_bounds_dtod': 'soft bounds, device to device',
  'gokmen_vlasov': 'preset gokmen_vlasov',
  'reram': 'preset reram',
  'ecram': 'preset ecram',
}


def _by_case(lines: pd.DataFrame, source: str) -> dict[str, Line]:
  own = lines[lines['source'] == source].to_dict('records')
  return {line['case']: line for line in own}


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes a table of the largest distances between responses, one row a case.

  Args:
    lines: lines of `experiments.measurements.device_response`, and of
      `experiments.measurements.aihwkit_response` if there are any.

  Returns:
    The largest distances over all pulses, in steps of `dw_min`, and in
    parentheses in standard errors.

  Raises:
    UserError: if a device got different pulses in aihwkit.
  """
  rows = []
  theirs = _by_case(lines, THEIRS)
  for name, ours in _by_case(lines, OURS).items():
    row = {'case': name, 'pulses': _describe(ours['pulses'])}
    row |= dict.fromkeys(('mean', 'sd', 'closed form of mean'), '')
    if name in theirs:
      _check_pulses(ours, theirs[name])
      for quantity in ('mean', 'sd'):
        row[quantity] = _write(ours, theirs[name], quantity)
    if ours['closed_form']:
      exact = {**ours, 'mean': ours['closed_form'], 'num_devices': np.inf}
      row['closed form of mean'] = _write(ours, exact, 'mean')
    rows.append(row)
  return [pd.DataFrame(rows)]


def _describe(pulses):
  num_up = sum(number for number in pulses if number > 0)
  if num_up:
    return f'{num_up} up, {num_up} down'
  return f'{len(pulses)} batches of decay'


def _check_pulses(ours, theirs):
  if ours['pulses'] != theirs['pulses']:
    raise ssnn_jax.UserError(
      f'the devices of {ours["case"]} got different pulses in aihwkit; measure '
      'both again with the same version.'
    )


def _distance(ours: Line, other: Line, quantity: str) -> float:
  """Returns the largest distance in steps."""
  distances = np.abs(np.subtract(ours[quantity], other[quantity]))
  return np.max(distances) / ours['parameters']['dw_min']


def _standard_errors(ours: Line, other: Line, quantity: str) -> float:
  """Returns the largest distance in standard errors; NaN if none is known."""
  distances = np.abs(np.subtract(ours[quantity], other[quantity]))
  sd, sd_error = (
    np.array([line[name] for line in (ours, other)])
    for name in ('sd', 'sd_error')
  )
  smallest = _MIN_SD * ours['parameters']['dw_min']
  is_known = (sd_error <= _MAX_RELATIVE_ERROR * sd) & (sd >= smallest)
  known = np.all(is_known, axis=0)
  if not np.any(known):
    return np.nan
  numbers_of_devices = np.array([[x['num_devices']] for x in (ours, other)])
  errors = sd_error if quantity == 'sd' else sd / np.sqrt(numbers_of_devices)
  return np.max(distances[known] / np.hypot(*errors[:, known]))


def _write(ours, other, quantity):
  text = f'{_distance(ours, other, quantity):.3f}'
  ratio = _standard_errors(ours, other, quantity)
  return text if np.isnan(ratio) else f'{text} ({ratio:.1f})'


def draw(lines: pd.DataFrame) -> figure.Figure:
  """Draws mean and standard deviation of weights over pulses."""
  ours, theirs = _by_case(lines, OURS), _by_case(lines, THEIRS)
  names = [name for name in _TITLES if name in ours]
  fig, grid = style.make(len(names), 2, 2.7, sharey=True)
  for axes, name in zip(grid, names):
    _draw_ours(axes, ours[name])
    if name in theirs:
      _draw_theirs(axes, theirs[name])
    axes.set_title(_TITLES[name], fontsize=style.TITLE)
    axes.set_xlabel('pulses, first up, then down')
    axes.grid(alpha=0.3)
  for axes in grid[::2]:
    axes.set_ylabel('weight')
  style.legend_below(fig, grid)
  counts = dict(zip(lines['source'], lines['num_devices']))
  numbers_ = ', '.join(
    f'{number:,} of {name}' for name, number in counts.items()
  )
  style.set_title(
    fig,
    'weights of resistive devices under pulses',
    f'mean and standard deviation (band, bars) over devices: {numbers_}',
  )
  return fig


def _draw_ours(axes: Axes, line: Line) -> None:
  places = np.cumsum(np.abs(line['pulses']))
  mean, sd = np.array(line['mean']), np.array(line['sd'])
  axes.plot(places, mean, color=style.BLUE, label=OURS)
  axes.fill_between(
    places, mean - sd, mean + sd, color=style.BLUE, alpha=0.2, linewidth=0
  )


def _draw_theirs(axes: Axes, line: Line) -> None:
  every = max(1, len(line['pulses']) // _MAX_MARKERS)
  shown = slice(every // 2, None, every)
  axes.errorbar(
    np.cumsum(np.abs(line['pulses']))[shown],
    line['mean'][shown],
    line['sd'][shown],
    color=style.ORANGE,
    linestyle='',
    marker='o',
    markersize=3,
    linewidth=1,
    label=THEIRS,
  )


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
  question='Do resistive devices respond to pulses as they do in aihwkit?',
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
{cases:.0f} kinds of devices start at weight 0 and get single pulses, first up,
then down. The table has the largest distances from
[aihwkit](https://github.com/IBM/aihwkit) 1.1.0 over all pulses, of mean and
standard deviation over devices, in steps `dw_min`, and in parentheses in
standard errors where these are known. 20,000 devices are simulated by
`ssnn_jax` and 2,000 by aihwkit, which is installed in an environment of its
own. The last column is the distance from the closed form of the mean.

Yes: without noise the responses are equal up to rounding to float32. With
noise, the largest distance is {largest_distance:.1f} standard errors, as
expected by chance for the maximum over hundreds of pulses and all cases. The
write noise of the ReRAM preset of aihwkit is set to 0, because the device of
`ssnn_jax` has none.
""",
)
