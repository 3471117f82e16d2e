"""What tests of experiments share: a small run, its data, and its lines."""

import dataclasses
import functools
import json
import pathlib
import re
from unittest import mock

from experiments import configs
from experiments import programs
from experiments import recorder
from ssnn_jax import datasets
from ssnn_jax.training import sharding
from tests.testing.networks import QUICKLY

CONFIG = configs.ExperimentConfig(
  layer_sizes=(64, 12, 10),
  num_steps=10,
  batch_size=24,
  num_epochs=3,
  probe_draws=2,
  dropout=0.1,
  weight_decay=1e-4,
)
# What differs between two runs of one configuration.
TIMES = {'train_seconds', 'wall_seconds', 'time', 'seeds_at_once'}
# What compiles the programs of a command quickly.
COMPILE_QUICKLY = {'JAX_DISABLE_MOST_OPTIMIZATIONS': '1'}


def share_programs(test_case):
  """Has each program of a class of tests made once, and compiled quickly.

  Programs are pure: a run that goes on finds nothing in them of its own.

  Args:
    test_case: the class, at its start.
  """
  quickly = functools.partial(sharding.run_on, compiler_options=QUICKLY)
  once = functools.cache(programs.make)
  for module, name, made in (
    (sharding, 'run_on', quickly),
    (programs, 'make', once),
  ):
    test_case.enterClassContext(mock.patch.object(module, name, made))


def small_digits():
  """Returns 100 digits to train on, which no batch divides, and 40 to test."""
  digits = datasets.load('digits')
  return digits._replace(
    train=datasets.Split(*(part[:100] for part in digits.train)),
    test=datasets.Split(*(part[:40] for part in digits.test)),
  )


def load_small(config):
  """Loads `small_digits` for any configuration."""
  del config
  return small_digits()


def make_runs(folder, *seeds, config=CONFIG, **changes):
  """Makes runs of a configuration, each in a folder of its own."""
  config = dataclasses.replace(config, **changes)
  return [
    recorder.Run(
      dataclasses.replace(config, seed=seed), pathlib.Path(folder, str(seed))
    )
    for seed in seeds
  ]


def lines(folder):
  """Reads the metrics of a run, line by line, without times."""
  text = pathlib.Path(folder, 'metrics.jsonl').read_text()
  assert text.endswith('\n'), text
  return [
    {k: v for k, v in json.loads(line).items() if k not in TIMES}
    for line in text.splitlines()
  ]


def rows(table):
  """Reads the cells of a table, by heading; some are empty."""
  heading, _, *told = table.partition('\n\n')[0].splitlines()
  starts = [m.start() for m in re.finditer(r'(?:^|(?<=  ))\S', heading)]
  ends = [*starts[1:], None]
  names = [heading[slice(*ends)].strip() for ends in zip(starts, ends)]
  return [
    dict(zip(names, (line[a:b].strip() for a, b in zip(starts, ends))))
    for line in told
  ]
