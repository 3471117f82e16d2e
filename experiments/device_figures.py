"""Sets the responses of devices beside aihwkit's, as a table and a figure."""

from typing import Any

from matplotlib import figure
import numpy as np

from experiments import figures
from experiments import sheets
from experiments import summary
import ssnn_jax

OURS, THEIRS = 'ssnn_jax', 'aihwkit'
# A deviation that a few devices make, or rounding, has no standard error to
# speak of: it must be known to a tenth, and be a thousandth of a step or more.
_MOST_ERROR, _LEAST_SD = 0.1, 1e-3
_MOST_DOTS = 24
_TITLES = {
  'step_dtod': 'constant steps that differ',
  'linear_own_bounds': 'linear steps, bounds that differ',
  'soft_bounds_dtod': 'soft bounds that differ',
  'gokmen_vlasov': 'preset gokmen_vlasov',
  'reram': 'preset reram',
  'ecram': 'preset ecram',
}


def table(lines: list[dict[str, Any]]) -> str:
  """Lays out how far responses are apart, a line a case.

  Args:
    lines: those of `experiments.measurements.device_response`, and of
      `experiments.measurements.aihwkit_response` if there are any.

  Returns:
    The table: the largest distance over all looks at the weights, of the means
    from aihwkit's, of the standard deviations from aihwkit's, and of the means
    from the closed form where there is one; in steps of `dw_min`, and in
    parentheses in standard errors of the distance, where it has any.

  Raises:
    UserError: if the two have given a device different pulses.
  """
  rows = [('case', 'pulses', 'mean', 'sd', 'closed form of mean')]
  theirs = _by_case(lines, THEIRS)
  for name, ours in _by_case(lines, OURS).items():
    cells = ['', '', '']
    if name in theirs:
      _check_pulses(ours, theirs[name])
      cells[0] = _distance(ours, theirs[name], 'mean')
      cells[1] = _distance(ours, theirs[name], 'sd')
    if ours['closed_form']:
      exact = dict(ours, mean=ours['closed_form'], num_devices=np.inf)
      cells[2] = _distance(ours, exact, 'mean')
    rows.append((name, _describe(ours['pulses']), *cells))
  return summary.layout(rows)


def draw(lines: list[dict[str, Any]]) -> figure.Figure:
  """Draws the response of some devices, beside aihwkit's where there is one.

  Args:
    lines: as for the table.

  Returns:
    The figure: mean and standard deviation of the weights over pulses.
  """
  ours, theirs = _by_case(lines, OURS), _by_case(lines, THEIRS)
  chosen = [name for name in _TITLES if name in ours]
  sheet, panels = sheets.make(len(chosen), 2, 2.7, sharey=True)
  for axes, name in zip(panels, chosen):
    _draw_ours(axes, ours[name])
    if name in theirs:
      _draw_theirs(axes, theirs[name])
    axes.set_title(_TITLES[name], fontsize=sheets.TITLE)
    axes.set_xlabel('pulses, first up, then down')
    axes.grid(alpha=0.3)
  for axes in panels[::2]:
    axes.set_ylabel('weight')
  sheets.explain_below(sheet, panels)
  counts = {line['source']: line['num_devices'] for line in lines}
  numbers = ', '.join(f'{number:,} of {of}' for of, number in counts.items())
  sheets.set_title(
    sheet,
    'weights of resistive devices, pulse by pulse',
    f'mean and standard deviation (band, bars) over devices: {numbers}',
  )
  return sheet


def _by_case(lines, source):
  return {line['case']: line for line in lines if line['source'] == source}


def _check_pulses(ours, other):
  if ours['pulses'] != other['pulses']:
    raise ssnn_jax.UserError(
      f'the devices of {ours["case"]} got other pulses in aihwkit than here; '
      'print both files anew.'
    )


def _describe(pulses):
  """Tells in words what devices get."""
  up = sum(number for number in pulses if number > 0)
  return f'{up} up, {up} down' if up else f'{len(pulses)} of decay'


def _distance(ours, other, quantity):
  """Writes the largest distance, in steps and in standard errors."""
  step = ours['parameters']['dw_min']
  distance = np.abs(np.subtract(ours[quantity], other[quantity]))
  text = f'{np.max(distance) / step:.3f}'
  both = ours, other
  sd, sd_error = (
    np.array([line[name] for line in both]) for name in ('sd', 'sd_error')
  )
  is_known = (sd_error <= _MOST_ERROR * sd) & (sd >= _LEAST_SD * step)
  known = np.all(is_known, axis=0)
  if np.any(known):
    numbers = np.array([[line['num_devices']] for line in both])
    errors = sd_error if quantity == 'sd' else sd / np.sqrt(numbers)
    ratios = distance[known] / np.hypot(*errors[:, known])
    text += f' ({np.max(ratios):.1f})'
  return text


def _draw_ours(axes, line):
  places = np.cumsum(np.abs(line['pulses']))
  mean, sd = np.array(line['mean']), np.array(line['sd'])
  axes.plot(places, mean, color=figures.BLUE, label=OURS)
  axes.fill_between(
    places, mean - sd, mean + sd, color=figures.BLUE, alpha=0.2, linewidth=0
  )


def _draw_theirs(axes, line):
  every = max(1, len(line['pulses']) // _MOST_DOTS)
  shown = slice(every // 2, None, every)
  axes.errorbar(
    np.cumsum(np.abs(line['pulses']))[shown],
    line['mean'][shown],
    line['sd'][shown],
    color=figures.ORANGE,
    linestyle='',
    marker='o',
    markersize=3,
    linewidth=1,
    label=THEIRS,
  )
