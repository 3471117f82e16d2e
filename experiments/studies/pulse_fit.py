"""Fits of devices to simulated pulse responses."""

from collections.abc import Mapping

import pandas as pd

from experiments.analysis import grid_table
from experiments.analysis import statistics
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study

_MARGIN = 1.0  # points


def _split(lines):
  """Splits lines into those of intervals and of networks."""
  is_coverage = lines['kind'] == 'coverage'
  return lines[is_coverage], lines[~is_coverage]


def _write_cell(cell):
  """Writes how many intervals contain the parameter, of how many."""
  if not len(cell) or not cell['num_intervals'].sum():
    return ''
  covered, intervals = cell[['num_covered', 'num_intervals']].sum().astype(int)
  return f'{covered} of {intervals}'


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes a table of intervals, a row a parameter, and one of networks."""
  intervals, networks = _split(lines)
  cases = dict.fromkeys(intervals['case'])
  rows = [
    {'parameter': name}
    | {case: _write_cell(own[own['case'] == case]) for case in cases}
    for name, own in intervals.groupby('parameter', sort=False)
  ]
  accuracies = [
    {'devices': case, 'accuracy, %': statistics.write(statistics.percent(own))}
    for case, own in networks.groupby('case', sort=False)
  ]
  return grid_table.set_titles(
    {
      'Intervals that contain the parameter': pd.DataFrame(rows),
      'Networks trained on the devices': pd.DataFrame(accuracies),
    }
  )


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Computes shares of intervals, and the difference of paired networks."""
  (lines,) = records.values()
  intervals, networks = _split(lines)
  found = {}
  for case, own in [('all', intervals), *intervals.groupby('case')]:
    counts = own[['num_covered', 'num_intervals']].sum()
    share = counts['num_covered'] / counts['num_intervals']
    found[f'{case}_covered'] = statistics.Number(float(share))
  by_case = dict(iter(networks.groupby('case')))
  difference = statistics.paired_difference(
    by_case['fitted'], by_case['simulated']
  )
  return found | {'fitted_minus_simulated': difference}


STUDY = Study(
  question='Does a fit to pulse responses recover the parameters of devices?',
  commands={'devices': ('python -m experiments.measurements.pulse_fit',)},
  table=table,
  numbers=numbers,
  claims=(
    Claim(
      'Digits networks of 16 ticks with devices of parameters that were fitted '
      'to ten simulated devices are within 1 point of the accuracy of networks '
      'with the simulated devices.',
      ('fitted_minus_simulated',),
      within=_MARGIN,
    ),
  ),
  text="""
Devices of known parameters are measured in simulation: two cycles of an up and
a down curve, about `50` readings each, with a read noise of `2 %` of a unit
weight. `coarse` has 16 states, and steps that decrease towards the bounds; the
others are the presets. Each device is fitted alone
([measured devices](../../docs/hardware.md#measured-devices)). The first table
counts the `95 %` intervals that contain the parameter of the device, out of
those that are reported: bounds without an interval are not reached, and write
noise without one is hidden by the read noise. Of all intervals
{all_covered:.0%} contain the parameter, of `reram`, whose write noise is
several times its step, {reram_covered:.0%}: intervals are approximate.

The second table has the accuracy of networks, 64-256-10 on digits with 16
ticks, with simulated devices of the steps of `coarse` but `200` states, and
with devices of the parameters that were fitted to ten of them, with their
variability. They differ by
{fitted_minus_simulated} points.
""",
)
