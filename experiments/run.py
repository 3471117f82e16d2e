"""Trains and records one setting, a grid of settings, or a study.

  python -m experiments.run --dataset=digits --num_steps=64
  python -m experiments.run --grid='num_steps=16,64;sampler=bernoulli,sobol'
  python -m experiments.run --study=datasets --dataset=fashion_mnist

A repeated command skips finished runs and continues the others, from their
last checkpoints, with the results of uninterrupted runs. With --resume the
folder of a run provides the flags that are not given:

  python -m experiments.run --resume --workdir=runs/name
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import difflib
import functools
import itertools
import json
import math
import pathlib
import re
import shlex
import sys
import time
from typing import Any

from absl import flags
import numpy as np

from experiments import command
from experiments import config as config_lib
from experiments import launch
from experiments import studies
from experiments import train
from experiments.config import ANN
from experiments.config import CHOICES
from experiments.config import ExperimentConfig
import ssnn_jax
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import loading
from ssnn_jax.runs import files

FLAGS = flags.FLAGS
_MOST_RUNS = 100_000
_PRINT_EVERY = 30.0  # seconds between lines of progress of a setting of a sweep
_FORM = "--grid='num_steps=16,64;learning_rate=0.1,0.3'"
_METHODS = '; '.join(method.help for method in config_lib.METHODS.values())
_HEADINGS = {
  'dataset': 'Most used:',
  'layers': 'Network:',
  'gain': 'Spikes:',
  'weight_bits': 'Chip and devices:',
  'batch_size': 'Training:',
  'event_window': 'Data and evaluation:',
  'resume': 'Records:',
  'launcher': 'Machine:',
}

# Each field of a configuration has a flag of its name and default; None stands
# for what depends on the data set. Most used:
flags.DEFINE_string(
  'dataset',
  'digits',
  'digits, mnist, fashion_mnist, emnist/<split>, n_mnist, '
  'synthetic_events/<set of images>, tonic:<event set>, any set of images that '
  'TFDS has prepared, or path/to/own.npz',
)
flags.DEFINE_enum('method', 'ssnn', CHOICES['method'], _METHODS)
flags.DEFINE_string(
  'layer_sizes',
  None,
  'neurons of each layer, as 784,256,10; default: inputs, '
  f'{config_lib.NUM_HIDDEN}, classes',
)
flags.DEFINE_integer(
  'num_steps', 64, 'T, ticks of a presentation: the network sees one sample'
)
flags.DEFINE_enum(
  'neuron',
  'bipolar',
  CHOICES['neuron'],
  'hidden neurons: of spikes that can be taken back, which settle; or of drawn '
  'spikes',
)
flags.DEFINE_enum(
  'sampler',
  None,
  CHOICES['sampler'],
  'spike trains: evenly spaced without random numbers (default of bipolar '
  'neurons, for inputs), of Sobol thresholds (default of stochastic neurons), '
  'or of independent ones',
)
flags.DEFINE_string(
  'study', None, 'study whose sweeps are run; see --list_studies'
)
flags.DEFINE_multi_string(
  'grid',
  None,
  "fields and their values, as 'num_steps=16,64;layer_sizes=64-32-10,64-9-10'; "
  'the ANN is also trained unless it lists methods',
)
flags.DEFINE_integer(
  'num_seeds',
  None,
  'seeds of each setting, counted from --seed; default: 1, the number of the '
  'study, or 5 for --grid',
  lower_bound=1,
)
flags.DEFINE_string(
  'workdir', None, 'folder of the records; default: one below runs/'
)

# Network.
flags.DEFINE_string(
  'layers',
  None,
  'layers of weights instead of --layer_sizes, as conv16k5s2,conv32k5s2,10: '
  'convolutions of 16 and 32 features, kernel 5, stride 2 (p1: padding of 1), '
  'and 10 neurons',
)
flags.DEFINE_integer(
  'window',
  None,
  'n, ticks between two reads of a potential of stochastic neurons; default: T',
)
flags.DEFINE_float(
  'input_gain',
  None,
  'factor on the inputs; default: 1, of recordings '
  f'T / {config_lib.EVENTS_AT_FULL_RATE}',
)
flags.DEFINE_float(
  'dropout', 0.0, 'probability that a hidden neuron is silent in a presentation'
)

# Spikes.
flags.DEFINE_string(
  'gain',
  None,
  'error spikes per tick for one unit of error; one number, or one for each '
  'hidden layer; default: 4 for bipolar neurons, 1 for stochastic ones',
)
flags.DEFINE_float(
  'ceiling', 1.0, 'largest rate of bipolar neurons, in spikes per tick'
)
flags.DEFINE_enum(
  'winner',
  'softmax',
  CHOICES['winner'],
  'winner of a tick: drawn from the softmax, by a race with lateral '
  'inhibition, or for errors the exact softmax',
)
flags.DEFINE_string(
  'rates',
  '',
  'exact values instead of spikes in some of inputs,forward,backward of '
  'bipolar neurons, or forward,backward,update of stochastic ones',
)

# Chip and devices.
flags.DEFINE_integer(
  'weight_bits',
  None,
  'bits of a weight, with its sign; default: 12 on the chip, otherwise floats',
)
flags.DEFINE_string(
  'fraction_bits',
  '10',
  'bits after the binary point of such weights; one number, or one for each '
  'layer',
)
flags.DEFINE_string(
  'device',
  config_lib.IDEAL,
  f'device of a synapse: {", ".join(config_lib.DEVICES)}, or path/to/own.json '
  'of experiments.fit_device',
)
flags.DEFINE_string(
  'device_params',
  '',
  'parameters that differ from those of --device, as dw_min=0.01,up_down=0.1',
)
flags.DEFINE_float(
  'read_noise', 0.0, 'standard deviation of the current of a tick in a crossbar'
)

# Training.
flags.DEFINE_integer(
  'batch_size',
  None,
  'samples of a batch; default: 32 on digits and own files, 128 on other '
  'images, 16 on recordings. The chip learns from one sample after another, '
  'with 1 / batch_size of the rate',
)
flags.DEFINE_integer(
  'num_epochs',
  None,
  'training epochs; default: 20 on digits and own files, 10 on other images, '
  '40 on recordings',
)
flags.DEFINE_float(
  'learning_rate',
  None,
  'initial learning rate; default: 1 on digits, 0.5 on other images and own '
  'files, 0.1 on recordings',
)
flags.DEFINE_enum(
  'optimizer',
  'sgd',
  CHOICES['optimizer'],
  'optimizer of weights that are floats',
)
flags.DEFINE_enum(
  'schedule', 'linear', CHOICES['schedule'], 'learning rate over time, to 0'
)
flags.DEFINE_float(
  'weight_decay', 0.0, 'weight decay of a step, times the learning rate'
)
flags.DEFINE_integer('seed', 0, 'seed of weights, data order and spikes')
flags.DEFINE_string(
  'init_from',
  None,
  'folder of a run, or of ssnn_jax.save, whose parameters are trained further',
)

# Data and evaluation.
flags.DEFINE_float(
  'event_window', 300.0, 'milliseconds of a recording that the ticks cover'
)
flags.DEFINE_float(
  'hold_out',
  0.0,
  'fraction of the training split that replaces the test split, for tuning',
)
flags.DEFINE_integer(
  'folds',
  None,
  'folds of all samples; a run is tested on fold seed modulo folds',
)
flags.DEFINE_integer(
  'eval_every', 0, 'epochs between evaluations; 0 evaluates only at the end'
)
flags.DEFINE_boolean(
  'diagnostics',
  False,
  'also measure rates of spikes and errors after each epoch and, at the end, '
  'the update error and quantization error; a study always does',
)
flags.DEFINE_string(
  'data_dir',
  None,
  'folder of data sets; default: $TFDS_DATA_DIR, or ~/tensorflow_datasets',
)
flags.DEFINE_boolean(
  'download', False, 'download missing original files of the data set'
)

# Records.
flags.DEFINE_boolean(
  'resume', False, 'continue the run in --workdir, which has all other flags'
)
flags.DEFINE_float(
  'checkpoint_every',
  30.0,
  'least seconds between checkpoints; each evaluation also writes one',
  lower_bound=0,
)
flags.DEFINE_boolean(
  'list_studies', False, 'list the studies with data and questions, and end'
)

# Machine.
flags.DEFINE_enum(
  'launcher',
  'local',
  ('local', 'ray'),
  'where settings are trained: this machine, or the Ray cluster of '
  '$RAY_ADDRESS or of this machine, whose nodes share --workdir and --data_dir',
)
flags.DEFINE_integer(
  'num_workers',
  1,
  'settings trained at a time on this machine, each in a process with its own '
  'GPU, of which there must be as many, or its share of the cores; 1 is this '
  'process, on all devices',
  lower_bound=1,
)
flags.DEFINE_integer(
  'seeds_at_once',
  None,
  'seeds of a setting trained in one program; default: all',
  lower_bound=1,
)
flags.DEFINE_integer(
  'num_devices', None, 'devices that share each batch; default: all'
)
flags.DEFINE_integer(
  'cpus_per_task', 1, 'CPU cores of a setting on Ray', lower_bound=1
)
flags.DEFINE_float(
  'gpus_per_task', 0.0, 'GPUs of a setting on Ray', lower_bound=0
)


# Grids and sweeps.


def parse_grid(text: str) -> dict[str, tuple[Any, ...]]:
  """Parses a grid, as in `num_steps=16,64;layer_sizes=64-128-10,64-256-10`.

  Raises:
    UserError: if a field does not exist or is repeated, or a value has the
      wrong type.
  """
  grid = {}
  for part in text.split(';'):
    name, is_assigned, listed = map(str.strip, part.partition('='))
    if not is_assigned:
      raise _grid_error(f"'{name}' has no '='")
    if name in grid:
      raise _grid_error(f'{name} is repeated')
    _check_field(name)
    values = [_parse_value(name, value.strip()) for value in listed.split(',')]
    grid[name] = tuple(dict.fromkeys(values))
  return grid


def _check_field(name):
  if name == 'seed':
    raise _grid_error('seed is set by --seed and --num_seeds')
  if name not in config_lib.FIELDS:
    near = difflib.get_close_matches(name, config_lib.FIELDS, n=1)
    hint = f'; the closest field is {near[0]}' if near else ''
    raise _grid_error(f"field '{name}' does not exist{hint}")


def _parse_value(name, text):
  """Parses a value with the parser of the flag of its field."""
  if text == 'none':
    return None
  if name in ('layer_sizes', 'layers', 'gain', 'rates', 'fraction_bits') or (
    name == 'device_params'
  ):
    # The minus of a number, as in 1e-3 or =-1, does not separate.
    text = re.sub('(?<![eE=])-', ',', text)
  try:
    return FLAGS[name].parser.parse(text)
  except ValueError as error:
    reason = ' '.join(str(error).split())
    raise _grid_error(f"{name} is '{text}' ({reason})") from None


def _grid_error(problem):
  return ssnn_jax.UserError(f'--grid: {problem}; use the form {_FORM}.')


def list_settings(
  base: ExperimentConfig, sweeps: Sequence[Any]
) -> dict[str, Any]:
  """Lists the settings of sweeps, the ANN first.

  A grid without methods has both the ANN and the spiking network. Fields that
  do not affect a method keep their base values in its settings, without
  duplicates. Names of settings contain the values of `Sweep.base` unless all
  sweeps share them. The number of seeds of a setting is the largest of its
  sweeps.

  Args:
    base: the configuration with the fields that no sweep sets.
    sweeps: the sweeps, each an `experiments.studies.Sweep`.

  Returns:
    The configuration and number of seeds of each setting, by its name.

  Raises:
    UserError: if a value is out of range.
  """
  num_runs = sum(
    sweep.num_seeds * math.prod(map(len, sweep.grid.values()))
    for sweep in sweeps
  )
  if num_runs > _MOST_RUNS:
    raise ssnn_jax.UserError(
      f'the sweep has {num_runs:,} runs, more than {_MOST_RUNS:,}; give fewer '
      'values in --grid, or a smaller --num_seeds.'
    )
  shared = {
    name: value
    for name, value in sweeps[0].base.items()
    if all(name in s.base and s.base[name] == value for s in sweeps)
  }
  base = dataclasses.replace(base, **shared)
  names, found = {}, {}
  for sweep in sweeps:
    own = {k: (v,) for k, v in sweep.base.items() if k not in shared}
    # The rates of a recording, and so its ANN, depend on the T of a sweep.
    is_recorded = catalog.is_recorded(base.dataset)
    kept = {'num_steps'} & own.keys() if is_recorded else set()
    grid = {'method': (ANN, 'ssnn'), **own, **sweep.grid}
    is_named = set(grid['method']) - {ANN} != {'ssnn'}
    for values in itertools.product(*grid.values()):
      name, config = _make_setting(
        base, dict(zip(grid, values)), is_named, kept
      )
      name = names.setdefault(config, name)
      _, num_seeds = found.get(name, (config, 0))
      found[name] = config, max(num_seeds, sweep.num_seeds)
  return dict(sorted(found.items(), key=lambda item: item[1][0].method != ANN))


def _make_setting(base, values, is_named, kept):
  """Returns the name and the configuration of a setting of a grid."""
  for name in values:
    _check_field(name)
  method = values.pop('method')
  values = {
    name: config_lib.absolute(name, value)
    for name, value in values.items()
    if name in kept or config_lib.concerns(method, name)
  }
  ideal = {}
  if not config_lib.METHODS[method].has_pulses:
    ideal = {'device': config_lib.IDEAL, 'device_params': '', 'read_noise': 0.0}
  try:
    config = dataclasses.replace(base, method=method, **values | ideal)
  except ssnn_jax.UserError as error:
    raise ssnn_jax.UserError(f'--grid: {error}') from None
  parts = [ANN] if method == ANN else [f'method={method}'] * is_named
  for name in values:
    value = config_lib.short_name(name, getattr(config, name))
    value = config_lib.slug(value) if name == 'dataset' else value
    parts.append(f'{name}={config_lib.write(value)}')
  return ','.join(parts).replace('/', '-') or method, config


def plan(
  base: ExperimentConfig,
  sweeps: Sequence[Any],
  workdir: pathlib.Path,
  seeds_at_once: int | None = None,
) -> dict[str, train.Task]:
  """Plans the tasks of sweeps that share a folder.

  Seeds that a folder already holds keep their tasks, so that more seeds are
  further tasks.

  Args:
    base: the configuration with the fields that no sweep sets.
    sweeps: the sweeps, each an `experiments.studies.Sweep`.
    workdir: the folder of the sweeps.
    seeds_at_once: largest number of seeds of a new task; None is all. With
      folds it is 1, as the seeds have different data.

  Returns:
    The tasks by their names.
  """
  tasks = {}
  for name, (config, num_seeds) in list_settings(base, sweeps).items():
    most = 1 if config.folds else seeds_at_once or num_seeds
    known, ranges = _known_seeds(workdir / name), []
    for seed in range(base.seed, base.seed + num_seeds):
      of_seed = next((seeds for seeds in known if seed in seeds), None)
      last = ranges[-1] if ranges else range(-1)
      if of_seed:
        if of_seed != last:
          ranges.append(of_seed)
      elif last.stop == seed and last not in known and len(last) < most:
        ranges[-1] = range(last.start, seed + 1)
      else:
        ranges.append(range(seed, seed + 1))
    for seeds in ranges:
      end = f'-{seeds[-1]}' if len(seeds) > 1 else ''
      folder = workdir / name / f'seed={seeds[0]}{end}'
      first = dataclasses.replace(config, seed=seeds[0])
      task = train.Task(first, len(seeds), folder)
      tasks[f'{name}, {folder.name}'] = task
  return tasks


def _known_seeds(folder):
  """Lists the ranges of seeds that a folder holds."""
  names = [path.parent.name for path in folder.glob(f'seed=*/{train.CONFIG}')]
  found = [re.fullmatch(r'seed=(\d+)(?:-(\d+))?', name) for name in names]
  return [range(int(x[1]), int(x[2] or x[1]) + 1) for x in found if x]


# The command.


def given_fields() -> dict[str, Any]:
  """Returns the fields of a configuration whose flags are given."""
  return {
    name: config_lib.absolute(name, FLAGS[name].value)
    for name in config_lib.FIELDS
    if FLAGS[name].present
  }


def _options(print_every=0.0) -> train.Options:
  # Workers may have another current folder and environment.
  return train.Options(
    str(loading.find_data_dir(FLAGS.data_dir)),
    FLAGS.download,
    FLAGS.checkpoint_every,
    FLAGS.num_devices,
    print_every,
  )


def _interrupted(workdir):
  """Returns an interrupt that names the command which continues this one."""
  words = sys.argv[1:]
  if not FLAGS.workdir:
    words = [*words, f'--workdir={workdir}']
  line = f'{command.line("run")} {shlex.join(words)}'
  return KeyboardInterrupt(f'continue by: {line}')


def _find_sweeps(given: Mapping[str, Any]) -> list[Any]:
  """Returns the sweeps of --study or --grid, overridden by given flags."""
  if FLAGS.study and FLAGS.grid:
    raise ssnn_jax.UserError(
      '--grid and --study exclude each other, since both choose the varied '
      'fields; leave one of them out.'
    )
  if FLAGS.study:
    name = given.get('dataset', 'digits')
    name = config_lib.slug(name) if arrays.is_npz_path(name) else name
    sweeps = studies.load(FLAGS.study).find_sweeps(name)
  else:
    sweeps = [studies.Sweep(parse_grid(text)) for text in FLAGS.grid]
  for name in ('method', *(name for sweep in sweeps for name in sweep.grid)):
    if name in given:
      remedy = 'leave it out'
      if FLAGS.grid and name == 'method':
        remedy = f"write --grid='method={given[name]};...' instead"
      raise ssnn_jax.UserError(f'--{name} is varied by the sweep; {remedy}.')
  return [
    dataclasses.replace(
      sweep,
      base={k: v for k, v in sweep.base.items() if k not in given},
      num_seeds=FLAGS.num_seeds or sweep.num_seeds,
    )
    for sweep in sweeps
  ]


def _run_sweep(given):
  """Trains all settings of --study or --grid, and shows their results."""
  if FLAGS.resume:
    raise ssnn_jax.UserError(
      '--resume is for one setting; leave it out, as a repeated sweep '
      'continues where it stopped.'
    )
  if FLAGS.launcher == 'ray' and FLAGS.num_workers > 1:
    raise ssnn_jax.UserError(
      '--num_workers has no effect with --launcher=ray; leave it out.'
    )
  sweeps = _find_sweeps(given)
  values = dict(given)
  if FLAGS.study:
    study = studies.load(FLAGS.study)
    values = {'diagnostics': True, **study.base, **given}
  dataset = values.get('dataset', 'digits')
  base = dataclasses.replace(config_lib.default(dataset), **values)
  name = f'{FLAGS.study or "grid"}-{config_lib.slug(dataset)}'
  workdir = command.folder(FLAGS.workdir or f'runs/{name}').absolute()
  if (workdir / train.CONFIG).exists():
    raise ssnn_jax.UserError(
      f'{workdir} is the folder of a run; choose another --workdir for a sweep.'
    )
  tasks = plan(base, sweeps, workdir, FLAGS.seeds_at_once)
  options, pending = _options(_PRINT_EVERY), []
  load = lambda config: train.load(config, options.data_dir, options.download)
  print(train.describe_missing(load(base)), end='', flush=True)
  for name, task in tasks.items():
    # Invalid settings are refused before any run starts.
    network = config_lib.network_config(task.config, load(task.config))
    train.read_initial(task, network)
    if train.is_finished(task):
      print(f'{name}: recorded', flush=True)
      continue
    run = functools.partial(train.run_task, task, options, workdir)
    pending.append(launch.Task(name, run))
  with files.convert_os_errors(workdir):
    workdir.mkdir(parents=True, exist_ok=True)
  line = shlex.join(['python', '-m', 'experiments.run', *sys.argv[1:]])
  described = {'study': FLAGS.study, 'dataset': dataset, 'command': line}
  text = json.dumps(described, indent=2) + '\n'
  files.write_atomically(workdir / train.SWEEP, text)
  if pending:
    print(f'settings to train: {len(pending)}', flush=True)
  began = time.monotonic()

  def report(name, end, number):
    if end == 'done':
      end = _describe_accuracy(tasks[name])
      num_left = len(pending) - number
      minutes = (time.monotonic() - began) / number * num_left / 60
      end += f', {minutes:.1f} min left' if num_left else ''
    print(f'[{number}/{len(pending)}] {name}: {end}', flush=True)

  machine = launch.Options(
    *(FLAGS[name].value for name in launch.Options._fields)
  )
  try:
    launch.launch(pending, workdir, report, machine)
  except KeyboardInterrupt:
    raise _interrupted(workdir) from None
  from experiments import results  # matplotlib and pandas

  results.show(workdir)


def _finals(task):
  lines = train.read_lines(task.folder)
  return [line for line in lines if line['event'] == 'final']


def _describe_accuracy(task):
  """Describes the accuracy of a finished task of a sweep."""
  values = [100 * line['test_accuracy'] for line in _finals(task)]
  split = config_lib.split_name(task.config)
  seeds = 'seed' if len(values) == 1 else 'seeds'
  mean = f'{np.mean(values):.1f} %'
  return f'{split} accuracy {mean} ({len(values)} {seeds})'


def make_task(given: Mapping[str, Any]) -> train.Task:
  """Makes the task of one setting.

  Raises:
    UserError: if a value is out of range, or --resume has no record.
  """
  base = config_lib.default(given.get('dataset', 'digits'))
  num_seeds = FLAGS.num_seeds or 1
  if FLAGS.resume:
    if not FLAGS.workdir:
      raise ssnn_jax.UserError(
        '--resume needs the folder of a run; also give --workdir.'
      )
    folder = command.folder(FLAGS.workdir)
    if files.is_nonempty(folder):
      found = train.read_task(folder)
      base, num_seeds = found.config, FLAGS.num_seeds or found.num_seeds
    elif given:
      print(f'{folder} holds no run to resume; a new one is started.')
    else:
      raise ssnn_jax.UserError(
        f'{folder} holds no run to resume; give the --workdir of a run, or the '
        'flags of a new one.'
      )
  config = dataclasses.replace(base, **given)
  stamp = time.strftime('%Y%m%d-%H%M%S')
  name = f'{config_lib.slug(config.dataset)}-{config.method}-{stamp}'
  folder = command.folder(FLAGS.workdir or f'runs/{name}')
  return train.Task(config, num_seeds, folder)


def _describe(task):
  """Describes the result of a finished task."""
  lines, config = _finals(task), task.config
  accuracies = []
  for name, readout in train.READOUTS.items():
    if name in lines[0]:
      mean = np.mean([line[name] for line in lines])
      accuracies.append(f'{mean:.2%} by {readout}')
  if config.method in config_lib.ANNS:  # whose readouts are one
    accuracies = [accuracies[0].partition(' ')[0]]
  diverged = ''
  if any(line.get('loss', 0) is None for line in train.read_lines(task.folder)):
    diverged = 'the loss was not finite: try a smaller --learning_rate.\n'
  seeds = f' (mean of {len(lines)} seeds)' if len(lines) > 1 else ''
  return (
    f'{config.dataset}, {config.method}: {config_lib.split_name(config)} '
    f'accuracy {", ".join(accuracies)}{seeds}; trained in '
    f'{lines[0]["train_seconds"]:.3g} s (without compiling).\n'
    f'{diverged}record: {task.folder}'
  )


def _run_one(given):
  """Trains one setting, and describes its result."""
  for name in ('launcher', 'num_workers'):
    if FLAGS[name].value != FLAGS[name].default:
      raise ssnn_jax.UserError(
        f'--{name} has no effect without --grid or --study; leave it out.'
      )
  task, options = make_task(given), _options()
  if train.is_finished(task):
    print('this run is already finished.')
  else:
    dataset = train.load(task.config, options.data_dir, options.download)
    print(train.describe_missing(dataset), end='', flush=True)
    try:
      train.train(task, dataset, options)
    except KeyboardInterrupt:
      raise _interrupted(task.folder) from None
  print(_describe(task))


def main() -> None:
  """Trains what the flags describe."""
  if FLAGS.list_studies:
    for name in studies.NAMES:
      study = studies.load(name)
      data = ', '.join(study.sweeps).replace(studies.ANY, 'all others')
      print(f'{name} ({data or "measurement"}): {study.question}')
  elif FLAGS.study or FLAGS.grid:
    _run_sweep(given_fields())
  else:
    _run_one(given_fields())


if __name__ == '__main__':
  command.launch(main, _HEADINGS)
