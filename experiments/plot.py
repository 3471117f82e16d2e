"""Tables and figures of runs, sweeps and records.

  python -m experiments.plot --workdir=runs/spike_train_length-digits
  python -m experiments.plot --record=experiments/records/winners/digits.jsonl

--workdir is the folder of a sweep or run, finished or not. The sweep of a study
has the table and figure of the study; others have generic ones.
"""

from collections.abc import Mapping
import pathlib
from typing import Any
from typing import NamedTuple

from absl import flags
from matplotlib import figure
import pandas as pd

from experiments import studies
from experiments.analysis import energy
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis import lengths
from experiments.analysis import records as compact
from experiments.analysis import run_plot
from experiments.analysis import statistics
from experiments.config import command
from experiments.config import lines
import ssnn_jax
from ssnn_jax.runs import files
from ssnn_jax.runs import records

_CSV = 'summary.csv'


class View(NamedTuple):
  """Tables and figure of results.

  Attributes:
    text: tables and sentences.
    figure: the figure; None for a table of measurements without a figure.
    name: name of the file of the figure.
  """

  text: str
  figure: figure.Figure | None
  name: str


def view_run(folder: pathlib.Path) -> View:
  """Returns the view of one run over its epochs."""
  run = lines.read(folder)
  epochs = run_plot.read_epochs(run)
  text = grid_table.lay_out(run_plot.table(epochs))
  return View(text, run_plot.draw(run, epochs), 'run')


def view_runs(
  runs: pd.DataFrame, study_name: str | None, energies: str | None = None
) -> View:
  """Returns the view of a sweep, or of the lines of a measurement.

  Args:
    runs: the frame of the runs.
    study_name: the study whose table and figure are used; the view is generic
      if None, or if runs of the study are missing.
    energies: table of energies, to report energy instead of accuracy.

  Returns:
    The view.

  Raises:
    UserError: if the study does not exist, or the energies cannot be computed.
  """
  if energies is not None:
    name = f'energy-{pathlib.Path(energies).stem}'
    priced = energy.add_energies(runs, energies)
    text = grid_table.lay_out(energy.table(priced))
    return View(text, energy.draw(priced, energies), name)
  if study_name is None and 'curves' not in runs:
    raise ssnn_jax.UserError(
      '--study is missing: the lines of a measurement need the study that '
      'draws them.'
    )
  if study_name is None:
    return _view_grid(runs)
  study = studies.load(study_name)
  try:
    tables = grid_table.of_study(study, runs)
    drawn = figures.of_study(study, runs)
  except (ssnn_jax.UserError, KeyError, TypeError, ValueError) as error:
    if 'curves' not in runs:
      raise ssnn_jax.UserError(
        f'the lines do not fit the study {study_name} ({error!r}); give lines '
        'of its measurement, or another --study.'
      ) from None
    view = _view_grid(runs)
    note = f'generic view, as the study {study_name} lacks runs'
    if isinstance(error, ssnn_jax.UserError):
      note += f': {error}'
    return view._replace(text=f'{view.text}\n\n{note}')
  text = '\n\n'.join(map(grid_table.lay_out, tables))
  return View(_add_sentences(text, runs), drawn, study_name)


def _view_grid(runs):
  text = grid_table.lay_out(grid_table.make(runs))
  return View(_add_sentences(text, runs), figures.draw_grid(runs), 'grid')


def _add_sentences(text, runs):
  """Adds sentences on lengths and seeds below the tables of a sweep."""
  sentences = []
  if 'curves' in runs:
    sentences = lengths.describe(runs)
    if min(map(len, frames.settings(runs))) < statistics.MIN_SEEDS:
      sentences.append(
        f'Fewer than {statistics.MIN_SEEDS} seeds: intervals are wide.'
      )
  return '\n'.join([text, '', *sentences]).rstrip()


def write_csv(runs: pd.DataFrame, folder: pathlib.Path) -> pathlib.Path:
  """Writes the runs of a sweep as CSV, unrounded, one row a run."""
  ordered = pd.concat(frames.settings(runs))
  constant = [name for name in frames.FIELDS if name not in frames.varied(runs)]
  text = ordered.drop(columns=[*constant, 'curves']).to_csv(index=False)
  files.write_atomically(folder / _CSV, text)
  return folder / _CSV


def _read(values: Mapping[str, Any]) -> tuple[View, pathlib.Path, str]:
  """Returns the view of the flags, its folder, and a note on other files."""
  if values['record']:
    path = command.folder(values['record'])
    record = compact.read(path)
    name = values['study'] or record.header.get('study')
    view = view_runs(record.runs, name, values['energies'])
    return view._replace(name=path.stem), path.parent, ''
  workdir = command.folder(values['workdir'] or '')
  if not values['workdir'] or not workdir.is_dir():
    raise ssnn_jax.UserError(
      f'--workdir={values["workdir"] or ""} is not a folder; give the folder '
      'of experiments.sweep or experiments.run, or --record.'
    )
  if records.is_run(workdir) and not values['energies']:
    return view_run(workdir), workdir, ''
  runs = frames.from_runs(lines.find(workdir))
  if runs.empty:
    raise ssnn_jax.UserError(
      f'--workdir={workdir} holds no finished run; give the folder of a sweep '
      'with a finished run, or of one run.'
    )
  study = values['study'] or lines.read_sweep(workdir).get('study')
  view = view_runs(runs, study, values['energies'])
  return view, workdir, f', table: {write_csv(runs, workdir)}'


def main() -> None:
  """Prints tables and draws the figure."""
  view, folder, written = _read(flags.FLAGS.flag_values_dict())
  print(view.text)
  if view.figure is not None:
    written = (
      f'figure: {figures.save(view.figure, folder / view.name)}{written}'
    )
  print(written, end='\n' if written else '')


if __name__ == '__main__':
  with command.group('Records'):
    flags.DEFINE_string(
      'workdir', None, '`folder` of a sweep or run; the figure is saved there.'
    )
    flags.DEFINE_string(
      'record',
      None,
      '`file` of a compact record, or of lines that a measurement has printed; '
      'the figure is saved next to the file.',
    )
    flags.DEFINE_string(
      'study',
      None,
      '`name` of the study whose table and figure are used; default: the '
      'study of the sweep or record.',
    )
    flags.DEFINE_string(
      'energies',
      None,
      '`table` of energies: crossbar, loihi or a file; reports energy instead '
      'of accuracy.',
    )
  command.launch(main)
