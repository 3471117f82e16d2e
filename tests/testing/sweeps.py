"""Finished runs with made-up results, for tests of tables and figures."""

import dataclasses

from experiments import run
from experiments.analysis import frames
from experiments.config import experiment
from experiments.config import grids
from experiments.config import titles
from tests.testing import experiments

BASE = experiment.CONFIGS['digits']


def accuracies(*percent):
  """Returns the test accuracies of the line of a run, in order of readouts.

  Args:
    *percent: accuracies in percent; the last one is repeated as needed.
  """
  shares = [value / 100 for value in percent]
  missing = len(titles.READOUTS) - len(shares)
  return dict(zip(titles.READOUTS, shares + shares[-1:] * missing))


def _parse(sweep, num_seeds):
  """Parses one grid, or a list of grids, each of which may be a text."""
  listed = [sweep] if isinstance(sweep, str) else sweep
  parsed = [grids.parse(x) if isinstance(x, str) else x for x in listed]
  return [grids.Sweep(grid, num_seeds) for grid in parsed]


def make_lines(
  sweep, numbers=lambda config: {}, num_seeds=1, base=BASE, curves=None
):
  """Returns the lines of the finished runs of all settings of a sweep.

  Args:
    sweep: grids of the sweep, or one grid; each may be a text like `--grid`.
    numbers: function from the configuration of a run to its numbers.
    num_seeds: number of runs of each setting, with seeds from 0 on.
    base: configuration whose fields the sweep varies.
    curves: quantities of the epochs of each run.
  """
  return [
    experiments.make_line(config, curves=curves, **numbers(config))
    for setting in grids.merge(base, _parse(sweep, num_seeds))
    for config in (
      dataclasses.replace(setting.config, seed=seed)
      for seed in range(num_seeds)
    )
  ]


def make_frame(sweep, numbers=lambda config: {}, num_seeds=1, **options):
  """Returns the frame of the runs of `make_lines`."""
  return frames.from_lines(make_lines(sweep, numbers, num_seeds, **options))


def write_sweep(
  workdir, sweep, numbers=lambda config: {}, num_seeds=1, base=BASE
):
  """Writes the folder of a sweep of finished runs."""
  tasks = run.plan(base, _parse(sweep, num_seeds), workdir)
  for task in tasks.values():
    experiments.record_run(task, numbers=numbers)


def make_comparison(sweep='num_steps=4,16;sampler=bernoulli,sobol', **changes):
  """Returns the frame of two seeds of a sweep over T and trains.

  Args:
    sweep: grids of the sweep, or one grid.
    **changes: fields of the configuration of all runs.
  """
  percents = {('bernoulli', 4): 80, ('bernoulli', 16): 89.9}
  percents |= {('sobol', 4): 84, ('sobol', 16): 90}

  def numbers(config):
    is_ann = config.method == 'bp'
    percent = 90 if is_ann else percents[config.sampler, config.num_steps]
    return accuracies(percent + config.seed)

  base = dataclasses.replace(BASE, **changes)
  return make_frame(sweep, numbers, num_seeds=2, base=base)
