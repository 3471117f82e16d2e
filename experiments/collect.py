"""Collects a sweep, or the lines of measurements, into a compact record.

  python -m experiments.collect --workdir=runs/winners-digits
  python -m experiments.collect --study=benchmark --record=cpu --lines=cpu.jsonl

The record of a study goes to experiments/records/<study>/<record>.jsonl, from
which `experiments.pages` generates the page of the study.
"""

from collections.abc import Mapping
import pathlib
import re
from typing import Any

from absl import flags

from experiments import studies
from experiments.analysis import records
from experiments.config import command
from experiments.config import experiment
from experiments.config import field
from experiments.config import lines as lines_lib
from experiments.config import titles
import ssnn_jax

# The path of an own file in a command; records keep its name.
_OWN_FILE = re.compile(r'(?<=[=,])[^=,]*?([^/=,]+\.(?:npz|json))')


def collect_sweep(
  workdir: pathlib.Path, study: str | None, record: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
  """Collects the runs of a sweep.

  Args:
    workdir: the folder of the sweep.
    study: the study; None for the recorded study of the sweep.
    record: name of the record; None for the name of the data set.

  Returns:
    The header of the record, and all its lines with the header.

  Raises:
    UserError: if the folder holds no sweep, or an unfinished run.
  """
  runs = list(lines_lib.find(workdir))
  unfinished = [run.folder for run in runs if run.final is None]
  if not runs or unfinished:
    what = f'{len(unfinished)} unfinished runs' if runs else 'no run'
    raise ssnn_jax.UserError(
      f'--workdir={workdir} holds {what}; repeat the command of the sweep '
      'to finish it.'
    )
  sweep = lines_lib.read_sweep(workdir)
  study = study or sweep.get('study')
  dataset = experiment.slug(runs[0].config['dataset'])
  header = {'study': study, 'record': record or dataset}
  header['title'] = titles.title(dataset)
  if 'command' in sweep:
    header['command'] = _OWN_FILE.sub(r'\1', sweep['command'])
  curves = studies.load(study).curves if study else ()
  return header, records.of_sweep(runs, header, curves)


def collect_lines(
  paths: list[pathlib.Path], study: str, record: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
  """Collects the lines that measurements have printed.

  Args:
    paths: files of JSON lines, or of CSV.
    study: the study.
    record: name of the record.

  Returns:
    The header of the record, and all its lines with the header.

  Raises:
    UserError: if a file is missing or damaged.
  """
  header, lines = {'study': study, 'record': record}, []
  for path in paths:
    is_table = path.suffix == '.csv'
    with field.named('lines'):
      read = records.read_csv if is_table else records.read_lines
      found = read(path)
    for line in found:
      if line.get('event') == 'header':
        if isinstance(line.get('command'), str):
          line['command'] = _OWN_FILE.sub(r'\1', line['command'])
        header.setdefault('environments', []).append(line)
      else:
        lines.append(line)
  return header, [header, *lines]


def _output(values: Mapping[str, Any], header: Mapping[str, Any]):
  """Chooses the file of the record."""
  if values['output']:
    return command.folder(values['output'])
  if not header['study']:
    raise ssnn_jax.UserError(
      '--output is missing, and required for a sweep without a study; '
      'give a file.'
    )
  name = header['record']
  if pathlib.Path(name).name != name:
    raise ssnn_jax.UserError(
      f'--record={name} is a path; give a name, or a file by --output.'
    )
  return records.path(header['study'], name)


def main() -> None:
  """Writes the record."""
  values = flags.FLAGS.flag_values_dict()
  study, record = values['study'], values['record']
  if bool(values['lines']) == bool(values['workdir']):
    raise ssnn_jax.UserError('give either --workdir or --lines.')
  if values['lines']:
    if not study or not record:
      raise ssnn_jax.UserError('--lines needs --study and --record as well.')
    studies.load(study)
    paths = [command.folder(path) for path in values['lines']]
    header, lines = collect_lines(paths, study, record)
  else:
    workdir = command.folder(values['workdir'])
    header, lines = collect_sweep(workdir, study, record)
  path = _output(values, header)
  if values['add']:
    if values['lines'] or values['overwrite']:
      raise ssnn_jax.UserError(
        '--add is for the runs of a sweep, and excludes --lines and '
        '--overwrite; leave them out.'
      )
    lines = records.add(path, lines)
  elif path.exists() and not values['overwrite']:
    raise ssnn_jax.UserError(
      f'{path} exists; give --overwrite to replace the record, --add to add '
      'runs to it, or --output.'
    )
  with field.named('output'):
    records.write(path, lines)
  print(f'record: {path}, {len(lines) - 1} lines')


if __name__ == '__main__':
  with command.group('Records'):
    flags.DEFINE_string('workdir', None, '`folder` of a finished sweep.')
    flags.DEFINE_list('lines', None, '`files` that measurements have printed.')
    flags.DEFINE_string(
      'study', None, '`name` of the study; default: the study of the sweep.'
    )
    flags.DEFINE_string(
      'record', None, '`name` of the record; default: the data set.'
    )
    flags.DEFINE_string(
      'output',
      None,
      '`file` of the record; default: below experiments/records.',
    )
    flags.DEFINE_boolean('overwrite', False, 'replace an existing record.')
    flags.DEFINE_boolean(
      'add',
      False,
      'add runs to an existing record; equal configurations are replaced.',
    )
  command.launch(main)
