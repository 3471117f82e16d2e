"""Finished runs with made-up results, for tests of tables and figures."""

import dataclasses
import itertools
import pathlib

from experiments.analysis import frames
from experiments.config import experiment
from experiments.config import grids
from experiments.config import serialization
from experiments.config import titles
from ssnn_jax.runs import records
from tests.testing.experiments import FINAL

BASE = experiment.CONFIGS['digits']
# Test accuracies of the seeds of the ANN, and of spiking networks over T.
ACCURACIES = {
  'bp': [0.90, 0.92, 0.91],
  1: [0.70, 0.75, 0.71],
  64: [0.91, 0.92, 0.90],
}


def accuracies(*percent):
  """Returns the test accuracies of a final line, in order of `ACCURACIES`.

  Args:
    *percent: accuracies in percent; the last one is repeated as needed.
  """
  shares = [value / 100 for value in percent]
  missing = len(titles.READOUTS) - len(shares)
  return dict(zip(titles.READOUTS, shares + shares[-1:] * missing))


def make_runs(
  sweep, final, num_seeds=2, workdir='nowhere', base=BASE, epochs=None
):
  """Returns the finished runs of all settings of a sweep.

  Args:
    sweep: grids of the sweep, or one grid; each may be a text like `--grid`.
    final: function from a configuration to the fields of its final line.
    num_seeds: number of runs of each setting, with seeds from 0 on.
    workdir: folder of the sweep; nothing is written to it.
    base: configuration whose fields the sweep varies.
    epochs: function from a configuration to the lines of its epochs.
  """
  listed = [sweep] if isinstance(sweep, str) else sweep
  parsed = [grids.parse(x) if isinstance(x, str) else x for x in listed]
  settings = grids.settings(base, *parsed)
  runs = []
  for (name, config), seed in itertools.product(settings, range(num_seeds)):
    config = dataclasses.replace(config, seed=seed)
    last = {'event': 'final', 'method': config.method, 'seed': seed} | FINAL
    events = [*(epochs(config) if epochs else ()), last | final(config)]
    folder = pathlib.Path(workdir, name, f'seed={seed}')
    runs.append(records.Run(folder, serialization.as_record(config), events))
  return runs


def make_frame(sweep, final=lambda config: {}, num_seeds=1, **options):
  """Returns the frame of the finished runs of a sweep."""
  return frames.from_runs(make_runs(sweep, final, num_seeds, **options))


def make_comparison(sweep='num_steps=4,16;sampler=bernoulli,sobol', **changes):
  """Returns the frame of two seeds of a sweep over T and trains.

  Args:
    sweep: grids of the sweep, or one grid.
    **changes: fields of the configuration of all runs.
  """
  percents = {('bernoulli', 4): 80, ('bernoulli', 16): 89.9}
  percents |= {('sobol', 4): 84, ('sobol', 16): 90}

  def final(config):
    is_ann = config.method == 'bp'
    percent = 90 if is_ann else percents[config.sampler, config.num_steps]
    return accuracies(percent + config.seed)

  base = dataclasses.replace(BASE, **changes)
  return make_frame(sweep, final, num_seeds=2, base=base)


def write_runs(runs):
  """Writes runs to their folders."""
  for run in runs:
    records.create(run.folder, run.config)
    for event in run.events:
      records.append(run.folder, **event)


def make_length_sweep(accuracies_of=None, **changes):
  """Returns the runs of a sweep over T, the longest trains first.

  Args:
    accuracies_of: accuracies of the seeds, by T, and of the ANN by `bp`; the
      errors of the updates are the same numbers.
    **changes: fields of the configuration of all runs.
  """
  base = dataclasses.replace(BASE, num_steps=16, **changes)

  def runs_of(num_steps, values):
    grid = {'method': ('ssnn',), 'num_steps': (num_steps,)}
    names = (*titles.READOUTS, *frames.ERRORS)
    return make_runs(
      [{'method': ('bp',)} if num_steps == 'bp' else grid],
      lambda config: dict.fromkeys(names, values[config.seed]),
      num_seeds=len(values),
      base=base,
    )

  settings = reversed((accuracies_of or ACCURACIES).items())
  return [run for setting in settings for run in runs_of(*setting)]
