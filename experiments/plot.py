"""Tables and figures of runs, sweeps and records.

  python -m experiments.plot --workdir=runs/spike_train_length-digits
  python -m experiments.plot --workdir=runs/name --raster
  python -m experiments.plot --record=experiments/records/winners/digits.jsonl

--workdir is the folder of a sweep or run, finished or not. The sweep of a study
has the table and figure of the study; others have generic ones. --raster draws
all spikes of one sample, and the winners, of a run of the spiking network.
"""

from collections.abc import Mapping
import pathlib
from typing import Any
from typing import NamedTuple

from absl import flags
import jax
from matplotlib import figure
import numpy as np
import pandas as pd

from experiments import record
from experiments import studies
from experiments.analysis import energy
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis import lengths
from experiments.analysis import record_section
from experiments.analysis import records
from experiments.analysis import run_plot
from experiments.analysis import statistics
from experiments.analysis import study as study_lib
from experiments.config import command
from experiments.config import experiment
from experiments.config import field
from experiments.studies import tuning
from experiments.training import data
from experiments.training import trainer
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.runs import files

_CSV, _SECTION = 'summary.csv', 'section.md'


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


def view_run(line: Mapping[str, Any]) -> View:
  """Returns the view of one run over its epochs, finished or not."""
  epochs = run_plot.read_epochs(line)
  text = grid_table.lay_out(run_plot.table(epochs))
  return View(text, run_plot.draw(line, epochs), 'run')


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
  name = study_name.replace('/', '-')  # of a part of a study
  return View(_write(tables, runs, study.margin), drawn, name)


def _view_grid(runs):
  text = _write([grid_table.make(runs)], runs, study_lib.Study.margin)
  return View(text, figures.draw_grid(runs), 'grid')


def _write(tables, runs, margin):
  """Lays out tables, and explains those of a sweep in the lines below."""
  text, sentences = '\n\n'.join(map(grid_table.lay_out, tables)), []
  if 'curves' in runs:
    headings = {name for table in tables for name in table if any(table[name])}
    sentences = [record_section.describe_conditions(runs)]
    sentences += [
      f'{name}: {explanation}.'
      for name, explanation in grid_table.EXPLANATIONS.items()
      if name in headings
    ]
    compared = lengths.describe(runs, margin)
    if compared:
      compared.append('Within the margin: by two one-sided tests at 5 %.')
    sentences += ['', *compared, *_describe_best_rates(runs)]
    if min(map(len, frames.settings(runs))) < statistics.MIN_SEEDS:
      sentences.append(
        f'Fewer than {statistics.MIN_SEEDS} seeds: intervals are wide.'
      )
  return '\n'.join([text, '', *sentences]).rstrip()


def _describe_best_rates(runs):
  """Names the best learning rates of a sweep that tunes learning rates."""
  is_tuned = (
    len(set(runs['learning_rate'])) > 1 and (runs['hold_out'] > 0).all()
  )
  return [
    f'{method}: best on held-out samples with --learning_rate={rate:g}'
    for method, rate in (tuning.best_rates(runs) if is_tuned else {}).items()
  ]


def write_csv(runs: pd.DataFrame, folder: pathlib.Path) -> pathlib.Path:
  """Writes the runs of a sweep as CSV, unrounded, one row a run."""
  ordered = pd.concat(frames.settings(runs))
  constant = [name for name in frames.FIELDS if name not in frames.varied(runs)]
  text = ordered.drop(columns=[*constant, 'curves']).to_csv(index=False)
  files.write_atomically(folder / _CSV, text)
  return folder / _CSV


def view_folder(
  workdir: pathlib.Path, study: str | None = None, energies: str | None = None
) -> View:
  """Returns the view of a run or sweep; see `view_runs`.

  Raises:
    UserError: if it has neither a finished run nor an epoch of one seed.
  """
  lines = record.find(workdir)
  is_run = (workdir / record.CONFIG).exists() and not energies
  if is_run and lines and (len(lines) == 1 or record.unfinished(workdir)):
    return view_run(lines[0])
  study = study or record.read_sweep(workdir).get('study')
  view = view_runs(records.read_folder(workdir), study, energies)
  if is_run:  # of several seeds, whose curves are alike
    view = view._replace(figure=view_run(lines[0]).figure)
  return view


def show(
  workdir: pathlib.Path, study: str | None = None, energies: str | None = None
) -> None:
  """Prints the view of a run or sweep, and saves its figure and tables.

  A finished sweep also has its record, and the section that its study would
  have in the pages of results.
  """
  view = view_folder(workdir, study, energies)
  print(view.text)
  written = [f'records: {workdir}']
  if (workdir / record.SWEEP).exists() and not record.unfinished(workdir):
    file = records.collect(workdir)
    found = records.read(file)
    name = study or found.header['study']
    own = studies.load(name) if name else study_lib.Study()
    section = record_section.make(own, found.header['record'], found)
    section += f'\n\n![figure]({view.name}.png)\n' if view.figure else '\n'
    files.write_atomically(workdir / _SECTION, section)
    written = [f'record: {file}', f'section of a page: {workdir / _SECTION}']
  if view.figure is not None:
    written.append(f'figure: {figures.save(view.figure, workdir / view.name)}')
  if view.name != 'run':
    file = write_csv(records.read_folder(workdir), workdir)
    written.append(f'table: {file}')
  print(', '.join(written))


def show_raster(
  workdir: pathlib.Path,
  sample: int,
  seed: int | None,
  options: experiment.DataOptions,
) -> None:
  """Draws the spikes of each layer while a run is presented a sample.

  Args:
    workdir: the folder of the run, in which the figures are saved.
    sample: index of the sample in the evaluation split.
    seed: seed of the run; None is the first.
    options: options of loading data.

  Raises:
    UserError: if there is no run of the spiking network, or no such sample.
  """
  config = trainer.read_task(workdir).config
  if config.method != 'ssnn':
    raise ssnn_jax.UserError(
      f'{workdir} holds a run of {config.method}; give a run of the spiking '
      'network, --method=ssnn.'
    )
  network_config, params = ssnn_jax.load(workdir, seed=seed)
  dataset = data.load(config, options.data_dir, options.download)
  split, name = data.eval_split(dataset), data.split_name(config)
  size = len(split.labels)
  field.check('sample', sample, sample < size, f'0 to {size - 1}')
  label = split.labels[sample]
  key = jax.random.key(config.seed if seed is None else seed)
  recorded = training.raster.record(
    network_config,
    params,
    training.stream_key(key, training.Stream.OBSERVE),
    split.inputs[sample],
    label,
  )
  votes = recorded.winners[network_config.settle_ticks :].sum(axis=0)
  winner = dataset.class_names[np.argmax(votes)]
  print(
    f'sample {sample} of the {name} split, class {dataset.class_names[label]}: '
    f'class {winner} won {votes.max()} of {votes.sum()} ticks'
  )
  written = []
  for layer in range(len(network_config.layer_sizes)):
    drawn = training.raster_plot.draw(recorded, layer)
    written.append(figures.save(drawn, workdir / f'raster-{layer}'))
  print(f'figures: {", ".join(map(str, written))}')


def main() -> None:
  """Prints tables and draws the figure."""
  values = flags.FLAGS.flag_values_dict()
  if not values['record']:
    workdir = command.folder(values['workdir'] or '')
    if not values['workdir'] or not workdir.is_dir():
      raise ssnn_jax.UserError(
        f'--workdir={values["workdir"] or ""} is not a folder; give the folder '
        'of a run or sweep, or --record.'
      )
    if values['raster']:
      options = command.make(experiment.DataOptions)
      show_raster(workdir, values['sample'], values['seed'], options)
    else:
      show(workdir, values['study'], values['energies'])
    return
  path = command.folder(values['record'])
  found = records.read(path)
  name = values['study'] or found.header.get('study')
  view = view_runs(found.runs, name, values['energies'])
  print(view.text)
  if view.figure is not None:
    print(f'figure: {figures.save(view.figure, path.with_suffix(""))}')


if __name__ == '__main__':
  flags.DEFINE_string(
    'workdir', None, 'folder of a sweep or run; the figure is saved there.'
  )
  flags.DEFINE_string(
    'record',
    None,
    'file of a record, or of lines that a measurement has printed; '
    'the figure is saved next to the file.',
  )
  flags.DEFINE_string(
    'study',
    None,
    'name of the study whose table and figure are used; default: the '
    'study of the sweep or record.',
  )
  flags.DEFINE_string(
    'energies',
    None,
    'table of energies: crossbar, loihi or a file; reports energy instead '
    'of accuracy.',
  )
  flags.DEFINE_boolean(
    'raster',
    False,
    'draw the spikes of each layer of the run in --workdir, tick by tick, '
    'during the presentation of a sample; spikes of the output layer are '
    'winners.',
  )
  flags.DEFINE_integer(
    'sample',
    0,
    'index of the sample of --raster in the evaluation split.',
    lower_bound=0,
  )
  command.define_seed(None, 'seed of the run of --raster; default: the first.')
  command.define_data_dir()
  command.launch(main)
