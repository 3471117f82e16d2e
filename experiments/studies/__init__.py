"""Studies: a question, the sweeps that answer it, and its table and figure.

`experiments/results/<study>.csv` has a row for each run of a study.
"""

from collections.abc import Mapping
import dataclasses
import importlib
from typing import Any

import ssnn_jax

NAMES = (
  'parity',
  'datasets',
  'depth',
  'convolution',
  'events',
  'spike_train_length',
  'fidelity',
  'settling',
  'spikes',
  'attribution',
  'baselines',
  'ann',
  'online',
  'device_tolerance',
  'chip',
  'benchmark',
)
ANY = '*'  # sweeps of all other data sets
ANN = {'method': 'bp'}


@dataclasses.dataclass(frozen=True)
class Sweep:
  """A grid of settings, with a number of seeds.

  The same seeds of the ANN are trained as well, unless the grid has methods.

  Attributes:
    grid: the values of each varied field of the configuration.
    num_seeds: number of seeds of each setting.
    base: values of other fields instead of the defaults of the data set.
  """

  grid: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
  num_seeds: int = 5
  base: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Study:
  """A study, with the defaults of a run where it sets no other values.

  Attributes:
    question: the question, in one sentence.
    sweeps: the sweeps, by the name of the data set; those of `ANY` are for all
      others.
    base: values of fields in all sweeps that do not set them.
    commands: of a measurement instead of sweeps, the commands that print its
      lines.
    columns: the fields in which settings differ.
    rows: those of `columns`, or `method`, that a row of the table names.
    across: the field whose values are columns of the table, or 'metric'.
    metrics: what is shown: accuracies minus the baseline, or plain numbers.
    baseline: values of fields of the runs that accuracies are compared with,
      paired by data set, seed and all other columns that the baseline has; None
      stands for any value. None compares with nothing.
    margin: equivalence margin in percentage points, chosen before the runs; 1
      point for digits in all studies, whose 360 test samples decide no less.
    shown: values of columns to which the table and the figure are restricted.
    drawn: values of columns to which the figure is restricted further.
    figure: 'lines' over `across`, 'points', one for each row, or a metric over
      which the first one is drawn; with a panel for each data set, or of one
      data set for each value of the first of three `rows` or more.
  """

  question: str = ''
  sweeps: Mapping[str, tuple[Sweep, ...]] = dataclasses.field(
    default_factory=dict
  )
  base: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  commands: tuple[str, ...] = ()
  columns: tuple[str, ...] = ()
  rows: tuple[str, ...] = ()
  across: str = 'num_steps'
  metrics: tuple[str, ...] = ('test_accuracy',)
  baseline: Mapping[str, Any] | None = dataclasses.field(
    default_factory=lambda: ANN
  )
  margin: float = 1.0
  shown: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  drawn: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  figure: str = 'lines'

  def find_margin(self, dataset: str) -> float:
    """Returns the margin for a data set."""
    return 1.0 if dataset == 'digits' else self.margin

  def find_sweeps(self, dataset: str) -> tuple[Sweep, ...]:
    """Returns the sweeps for a data set, by its name or that of its file.

    Raises:
      UserError: if the study is a measurement, or does not support the set.
    """
    if not self.sweeps:
      raise ssnn_jax.UserError(
        f'this study is a measurement; run {"; ".join(self.commands)}.'
      )
    if dataset not in self.sweeps and ANY not in self.sweeps:
      raise ssnn_jax.UserError(
        f'--dataset={dataset} has no sweeps in this study; choose one of '
        f'{", ".join(self.sweeps)}.'
      )
    return self.sweeps.get(dataset) or self.sweeps[ANY]


def load(name: str) -> Study:
  """Loads a study by the name of its module.

  Raises:
    UserError: if there is no such study.
  """
  if name not in NAMES:
    raise ssnn_jax.UserError(
      f'--study={name} does not exist; choose one of {", ".join(NAMES)}.'
    )
  return importlib.import_module(f'experiments.studies.{name}').STUDY
