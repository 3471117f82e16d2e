"""Draws figures and prints the results table, from records alone.

  python -m experiments.plot --workdir=runs/spike_train_length-digits

The folder is that of a sweep, of one run, finished or not, or a record.
"""

from collections.abc import Callable
import os
from typing import Any
from typing import NamedTuple

from absl import flags
from matplotlib import figure

from experiments import attribution
from experiments import costs
from experiments import curves
from experiments import device_figures
from experiments import event_figures
from experiments import fidelity_figures
from experiments import figures
from experiments import grid_figures
from experiments import grid_summary
from experiments import rivals
from experiments import samplers
from experiments import summary
from experiments import tolerance
from experiments import tolerance_figures
from experiments import tuning
from experiments.config import command as cli
from experiments.measurements import aihwkit_response
from experiments.measurements import device_response
from experiments.measurements import event_statistics
import ssnn_jax
from ssnn_jax.runs import records


def read_record(
  folder: str | os.PathLike,
) -> tuple[str, figure.Figure, str]:
  """Makes the table and the figure of a record, whatever it is of.

  Args:
    folder: the record of a sweep, a run, a benchmark, a measurement of
      fidelity, the statistics of recordings, or the response of devices.

  Returns:
    The table, the figure and the name of the figure's files.

  Raises:
    UserError: if the folder holds no such record, or a damaged one.
  """
  fidelity = costs.load(folder, costs.FIDELITY)
  benchmark = costs.load(folder, costs.BENCHMARK)
  if fidelity:
    table = costs.fidelity_table(fidelity, benchmark)
    return table, fidelity_figures.draw(fidelity, benchmark), 'fidelity'
  if benchmark:
    table = costs.benchmark_table(benchmark)
    return table, figures.draw_cost(_comparable(benchmark)), 'benchmark'
  events = costs.load(folder, event_statistics.FILE)
  if events:
    sheet = event_figures.draw_event_statistics(events)
    return event_statistics.table(events), sheet, 'event_statistics'
  responses = [
    line
    for name in (device_response.FILE, aihwkit_response.FILE)
    for line in costs.load(folder, name)
  ]
  if responses:
    table = device_figures.table(responses)
    return table, device_figures.draw(responses), 'response'
  if records.is_run(folder):
    run = records.read(folder)
    lines = curves.epochs(run)
    return curves.table(lines), curves.draw_curves(run, lines), 'run'
  return _read_sweep(folder)


def main() -> None:
  """Prints the table of a record and draws its figure."""
  values = flags.FLAGS.flag_values_dict()
  workdir = cli.folder(values['workdir'] or '')
  if not values['workdir'] or not workdir.is_dir():
    raise ssnn_jax.UserError(
      f'--workdir={values["workdir"] or ""} is not a folder; give one that '
      'experiments.sweep or experiments.run wrote to, or a record.'
    )
  table, sheet, name = read_record(workdir)
  print(table)
  paths = figures.save(sheet, workdir / name)
  written = 'figure: ' + ', '.join(map(str, paths))
  runs = [run for run in records.find(workdir) if run.final is not None]
  if runs and not records.is_run(workdir):
    written += f', table: {grid_summary.write_csv(runs, workdir)}'
  print(written)


def _read_sweep(folder):
  """Makes the table and the figure of runs, by what varies among them."""
  settings = grid_summary.group(records.find(folder))
  if not settings:
    raise ssnn_jax.UserError(
      f'--workdir={folder} holds no finished run; give a folder that '
      'experiments.sweep wrote to, or a record.'
    )
  kind = next(kind for kind in _KINDS if kind.fits(settings))
  told = kind.prepare(settings, folder)
  return kind.table(told), kind.draw(told), kind.name


def _is_over_num_steps(settings):
  """Tells whether spiking networks differ in T alone, and there is one ANN."""
  methods = [setting.config['method'] for setting in settings]
  varied = set(grid_summary.varied(settings))
  is_comparison = set(methods) == {'bp', 'ssnn'} and methods.count('bp') == 1
  return is_comparison and varied <= {'method', 'num_steps'}


def _is_over_order_of_ticks(settings):
  """Tells whether leaky networks differ in window and order of ticks alone."""
  _, spiking = grid_summary.part(settings)
  is_leaky = all(s.config['integration'] == 'leaky' for s in spiking)
  is_paired = bool(summary.pair_shuffled(spiking))
  varied = set(grid_summary.varied(spiking))
  return is_leaky and is_paired and varied <= {'window', 'shuffle_ticks'}


def _as_they_are(settings, folder):
  del folder
  return settings


class _Kind(NamedTuple):
  """A kind of sweep, whose results are told in a way of their own."""

  name: str  # of the figure's files
  fits: Callable[..., bool]  # (settings): whether they are of this kind
  table: Callable[..., str]  # (prepared)
  draw: Callable[..., figure.Figure]  # (prepared)
  # (settings, folder) -> what table and figure are made of
  prepare: Callable[..., Any] = _as_they_are


# The first kind that fits counts; the last one fits any sweep.
_KINDS = (
  _Kind('tuning', tuning.is_tuning, tuning.table, tuning.draw),
  _Kind(
    'spike_train_length',
    _is_over_num_steps,
    summary.table,
    figures.draw_spike_train_length,
    lambda settings, folder: summary.compare(settings, str(folder)),
  ),
  _Kind(
    'event_time',
    _is_over_order_of_ticks,
    summary.event_time_table,
    event_figures.draw_event_time,
    lambda settings, folder: summary.pair_shuffled(settings),
  ),
  _Kind(
    'tolerance',
    tolerance.is_tolerance,
    tolerance.table,
    tolerance_figures.draw,
  ),
  _Kind(
    'remedy',
    tolerance.is_remedy,
    tolerance.remedy_table,
    tolerance_figures.draw_remedy,
  ),
  _Kind(
    'attribution',
    attribution.is_attribution,
    attribution.table,
    attribution.draw,
  ),
  _Kind('samplers', samplers.is_comparison, samplers.table, samplers.draw),
  _Kind(
    'methods',
    rivals.is_comparison,
    rivals.table,
    rivals.draw,
    lambda settings, folder: rivals.read(folder),
  ),
  _Kind(
    'grid', lambda settings: True, grid_summary.table, grid_figures.draw_grid
  ),
)


def _comparable(lines):
  """Chooses the lines of the network and batch size that have most."""

  def key(line):
    return tuple(line['layer_sizes']), line['batch_size']

  keys = [key(line) for line in lines]
  most = max(keys, key=keys.count)
  return [line for line in lines if key(line) == most]


if __name__ == '__main__':
  with cli.group('Records'):
    flags.DEFINE_string(
      'workdir', None, '`folder` of a record; figures go there; required.'
    )
  cli.launch(main)
