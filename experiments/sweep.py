"""Runs a named grid of settings, each with several paired seeds.

  python -m experiments.sweep --sweep=spike_train_length --dataset=digits

The seeds of a setting are trained in one program. What is recorded is skipped,
so that a sweep that was interrupted goes on with the runs that are missing.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import dataclasses
import fcntl
import functools
import itertools
import pathlib
from typing import Any

from absl import flags

from experiments import cli
from experiments import configs
from experiments import data
from experiments import run
import ssnn_jax
from ssnn_jax import records

# A grid is the values of each varied field, all combinations of them. The ANN,
# which its settings share, is always run beside them.
SWEEPS = {
  'spike_train_length': {'num_steps': (1, 4, 16, 64, 256)},
  'event_time': {
    'integration': ('leaky',),
    'window': (1, 8, 64),
    'shuffle_ticks': (False, True),
  },
}


def settings(
  base: configs.ExperimentConfig, grid: dict[str, tuple[Any, ...]]
) -> Iterator[tuple[str, configs.ExperimentConfig]]:
  """Lists the settings of a grid by name, the ANN first.

  Args:
    base: the configuration that the grid varies.
    grid: the values of each varied field.

  Yields:
    The name of each setting's folder, and its configuration.
  """
  yield 'bp', dataclasses.replace(base, method='bp')
  for values in itertools.product(*grid.values()):
    varied = dict(zip(grid, values))
    name = ','.join(f'{field}={value}' for field, value in varied.items())
    yield name, dataclasses.replace(base, method='ssnn', **varied)


def pending(
  config: configs.ExperimentConfig, folders: dict[int, pathlib.Path]
) -> dict[int, pathlib.Path]:
  """Chooses the seeds whose run is not recorded, and makes way for them.

  Args:
    config: the configuration of the runs.
    folders: the folder of each seed's run.

  Returns:
    The folders of the runs that are still to be made.

  Raises:
    UserError: if a folder holds a run of another configuration.
  """
  missing = {}
  for seed, folder in folders.items():
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if is_empty or not folder.exists():
      missing[seed] = folder
      continue
    recorded = records.read(folder)
    wanted = configs.as_record(dataclasses.replace(config, seed=seed))
    there = configs.complete(recorded.config)
    differing = [
      f'{name} is {there[name]} there and {value} here'
      for name, value in wanted.items()
      if there[name] != value
    ]
    if differing:
      raise ssnn_jax.UserError(
        f'{folder} holds another run ({"; ".join(differing)}); choose another '
        '--workdir.'
      )
    if recorded.final is None:
      records.restart(folder)
      missing[seed] = folder
  return missing


@contextlib.contextmanager
def alone_in(workdir: pathlib.Path) -> Iterator[None]:
  """Keeps other sweeps out of a folder; what is unfinished there is ours.

  Args:
    workdir: the folder; made if it is not there.

  Yields:
    Nothing; the folder is free again at the end, however that comes.

  Raises:
    UserError: if another sweep is at work there, or it cannot be written.
  """
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    lock = open(workdir / '.lock', 'w')
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    raise ssnn_jax.UserError(
      f'--workdir={workdir}: another sweep is at work there; wait for it, or '
      'choose another folder.'
    ) from None
  except OSError as error:
    raise ssnn_jax.UserError(
      f'--workdir={workdir} cannot be used ({error.strerror}); choose another '
      'folder.'
    ) from None
  with lock:
    yield


def run_grid(
  base: configs.ExperimentConfig,
  grid: dict[str, tuple[Any, ...]],
  workdir: pathlib.Path,
  seeds: Iterable[int],
  load: Callable[[configs.ExperimentConfig], ssnn_jax.datasets.Dataset],
) -> None:
  """Runs what is not yet recorded of a grid, and tells how far it is.

  Args:
    base: the configuration that the grid varies.
    grid: the values of each varied field.
    workdir: where each run has its folder.
    seeds: the seeds of each setting.
    load: loads what a configuration is trained on.

  Raises:
    UserError: if a setting is not possible, or a folder holds a run of another
      configuration.
  """
  listed, plan, dataset = list(settings(base, grid)), [], load(base)
  for _, config in listed:
    configs.network_config(config, dataset)  # refused before any has run
  for name, config in listed:
    folders = {seed: workdir / name / f'seed={seed}' for seed in seeds}
    plan.append((name, config, pending(config, folders)))
  for number, (name, config, missing) in enumerate(plan, 1):
    todo = f'seeds {", ".join(map(str, missing))}' if missing else 'recorded'
    print(f'[{number}/{len(plan)}] {name}: {todo}', flush=True)
    if missing:
      run.train(config, load(config), missing)


def main() -> None:
  """Runs the sweep that the flags ask for."""
  values = flags.FLAGS.flag_values_dict()
  base, name = cli.config(values), values['sweep']
  for field in ('method', *SWEEPS[name]):
    if values[field] is not None:
      raise ssnn_jax.UserError(
        f'--{field} is what --sweep={name} varies; leave it out.'
      )
  workdir = cli.folder(values['workdir'] or f'runs/{name}-{configs.slug(base)}')
  seeds = range(base.seed, base.seed + values['num_seeds'])
  load = functools.partial(
    data.load,
    data_dir=values['data_dir'],
    download=values['download'],
  )
  print(data.describe(load(base)), end='', flush=True)
  with alone_in(workdir):
    run_grid(base, SWEEPS[name], workdir, seeds, load)
  print(f'records: {workdir}')


if __name__ == '__main__':
  cli.define_config()
  cli.define_folders('folder of the records; by default one below runs/.')
  flags.DEFINE_enum(
    'sweep', 'spike_train_length', list(SWEEPS), 'the grid to run.'
  )
  flags.DEFINE_integer(
    'num_seeds', 5, 'seeds of each setting, from --seed up.', lower_bound=1
  )
  flags.adopt_module_key_flags(cli)  # so that --help lists them
  cli.launch(main)
