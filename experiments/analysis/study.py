"""Study: one question, its sweeps, table, figure, numbers and claims."""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
from typing import Any

from matplotlib.figure import Figure
import pandas as pd

from experiments.analysis import claims as claims_lib
from experiments.analysis import statistics
from experiments.config import grids

Numbers = Mapping[str, statistics.Number]


@dataclasses.dataclass(frozen=True)
class Study:
  """A study, named after its module in `experiments.studies`.

  A record holds the runs of one data set, or the lines of one measurement. A
  part of a study has no question and no claims: those are the study's, whose
  numbers are all numbers of its parts.

  Attributes:
    question: the question of the study, in one sentence.
    sweeps: the sweeps of each record, by the name of its data set.
    base: values of fields that hold for all sweeps which do not set them.
    commands: for measurements, the commands that print the lines of each
      record, by its name.
    curves: quantities of each epoch that records keep in addition to loss and
      accuracy.
    table: `(runs of one record) -> tables`, of text, with their headings in
      `attrs['title']` if there are several; None for the generic table.
    figure: `(runs of one record) -> figure`; None for the generic one.
    numbers: `(runs of each record, by its name) -> numbers`, by names that
      claims and pages use.
    claims: statements that numbers decide.
    margin: equivalence margin, in points, of the sentences below tables.
    text: Markdown of the study's page, with references `{name}` to numbers,
      see `markdown.fill`.
    parts: further sweeps or measurements of the study, with their own tables
      and figures, by their names.
  """

  question: str = ''
  sweeps: Mapping[str, tuple[grids.Sweep, ...]] = dataclasses.field(
    default_factory=dict
  )
  base: Mapping[str, Any] = dataclasses.field(
    default_factory=lambda: {'sampler': 'bernoulli', 'max_window': 32}
  )
  commands: Mapping[str, tuple[str, ...]] = dataclasses.field(
    default_factory=dict
  )
  curves: tuple[str, ...] = ()
  table: Callable[[pd.DataFrame], list[pd.DataFrame]] | None = None
  figure: Callable[[pd.DataFrame], Figure] | None = None
  numbers: Callable[[Mapping[str, pd.DataFrame]], Numbers] = lambda runs: {}
  claims: tuple[claims_lib.Claim, ...] = ()
  margin: float = 1.0
  text: str = ''
  parts: Mapping[str, 'Study'] = dataclasses.field(default_factory=dict)
