"""Trains and records one network.

  python -m experiments.run --dataset=digits --num_steps=64

The accuracy on the test split is printed at the end. `--method=bp` trains the
ANN, and other methods are baselines. An unfinished run is resumed, with the
same result as an uninterrupted run, by

  python -m experiments.run --resume --workdir=runs/name
"""

from collections.abc import Mapping
import pathlib
import time
from typing import Any

from absl import flags

from experiments.config import command
from experiments.config import experiment
from experiments.config import lines
from experiments.config import serialization
from experiments.config import titles
from experiments.config import unused
from experiments.training import data
from experiments.training import multihost
from experiments.training import recorder
from experiments.training import trainer
import ssnn_jax
from ssnn_jax.runs import files


def make_run(values: Mapping[str, Any]) -> recorder.Run:
  """Makes the run that the flags describe.

  With `--resume`, the record provides the flags that are not given.

  Raises:
    UserError: if a value is out of range, or the record is invalid.
  """
  if not values['workdir']:
    if values['resume']:
      raise ssnn_jax.UserError(
        '--resume needs the folder of a run; also give --workdir.'
      )
    config = command.config(values)
    stamp = time.strftime('%Y%m%d-%H%M%S')
    name = f'{experiment.slug(config.dataset)}-{config.method}-{stamp}'
    return recorder.Run(config, pathlib.Path('runs', name))
  folder = command.folder(values['workdir'])
  base = None
  if values['resume'] and files.is_nonempty(folder):
    recorded = lines.read(folder, strict=False).config
    base = serialization.from_record(recorded, folder)
  elif values['resume'] and multihost.is_primary():
    print(f'{folder} holds no run to resume; a new one is started.')
  return recorder.Run(command.config(values, base), folder)


def _describe(run):
  """Describes the result of a finished run."""
  config, recorded = run.config, lines.read(run.folder)
  final = recorded.final
  accuracies = [
    f'{final[name]:.2%} by {readout}'
    for name, readout in titles.READOUTS.items()
    if name in final
  ]
  diverged = pulses = ''
  if any(line.get('loss', 0) is None for line in recorded.events):
    diverged = 'the loss was not finite: try a smaller --learning_rate.\n'
  if 'max_pulses' in final:
    pulses = (
      f'\npulses per device: {final["mean_pulses"]:,.0f} on average, '
      f'{final["max_pulses"]:,} at most.'
    )
  return (
    f'{config.dataset}, {config.method}: {data.split_name(config)} accuracy '
    f'{", ".join(accuracies)}; '
    f'trained in {final["train_seconds"]:.3g} s (without compiling).{pulses}\n'
    f'{diverged}record: {run.folder}'
  )


def main() -> None:
  """Trains the run that the flags describe."""
  values = flags.FLAGS.flag_values_dict()
  multihost.join(command.make(multihost.Processes, values))
  run, resume = make_run(values), values['resume']
  is_finished = resume and recorder.status(run) is recorder.Status.FINISHED
  if not is_finished:
    dataset = data.load(run.config, values['data_dir'], values['download'])
    if multihost.is_primary():
      given = [name for name in experiment.FIELDS if values[name] is not None]
      for line in unused.describe(run.config, given):
        print(line)
      print(data.describe(dataset), end='', flush=True)
    options = command.make(trainer.Options, values)
    trainer.train([run], dataset, options, resume=resume)
  if multihost.is_primary():
    print('this run is already finished.\n' if is_finished else '', end='')
    print(_describe(run))


if __name__ == '__main__':
  command.define_config()
  command.define_data_dir()
  with command.group('Records'):
    flags.DEFINE_string(
      'workdir',
      None,
      'new `folder` for the record; default: a folder below runs/.',
    )
    flags.DEFINE_boolean(
      'resume',
      False,
      'resume the run in --workdir, whose record provides the flags that are '
      'not given; without a record, a new run is started.',
    )
  command.define_fields(trainer.Options)
  command.define_fields(multihost.Processes)
  command.launch(main)
