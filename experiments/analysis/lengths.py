"""Sentences on the spike-train length that reaches the accuracy of the ANN."""

from collections.abc import Mapping
import itertools

import pandas as pd

from experiments.analysis import frames
from experiments.analysis import statistics


def describe(runs: pd.DataFrame, margin: float = 1.0) -> list[str]:
  """Describes from which T on networks reach the accuracy of the ANN.

  Args:
    runs: the runs of a sweep over T with its ANN.
    margin: equivalence margin in points.

  Returns:
    A sentence for each combination of the other varied fields that has more
    than one T; none if the sweep does not vary T or has no ANN.
  """
  anns, spiking = frames.split_baseline(runs)
  if spiking.empty or len(set(spiking['num_steps'])) < 2:
    return []
  fields = [
    x for x in frames.varied(spiking) if x not in ('method', 'num_steps')
  ]
  curves = {}
  settings = frames.settings(spiking)
  for setting, ann in zip(settings, frames.find_baselines(settings, anns)):
    values = {name: frames.describe_value(setting, name) for name in fields}
    words = [f'{name}={value}' for name, value in values.items() if value]
    label = ', '.join([frames.field(setting, 'method'), *words])
    if ann is not None:
      number = statistics.paired_difference(setting, ann)
      num_steps = frames.field(setting, 'num_steps')
      curves.setdefault(label, {})[num_steps] = number
  return [
    f'{label}: {compare(numbers, margin)}.'
    for label, numbers in curves.items()
    if len(numbers) > 1
  ]


def compare(differences: Mapping[int, statistics.Number], margin: float) -> str:
  """Describes for which T accuracy is within a margin of the ANN.

  Args:
    differences: accuracy minus that of the ANN in points, by T.
    margin: the equivalence margin in points.

  Returns:
    A clause such as 'within 1 point of the ANN for T >= 16'.
  """
  steps = sorted(differences)
  verdicts = {t: statistics.is_within(differences[t], margin) for t in steps}
  inside = {t for t, verdict in verdicts.items() if verdict}
  outside = {t for t, verdict in verdicts.items() if verdict is False}
  enough = list(itertools.takewhile(inside.__contains__, reversed(steps)))
  if enough:
    sign = '=' if len(enough) == 1 else '>='
    open_ = ', '.join(str(t) for t in steps if t not in inside | outside)
    ending = f' (inconclusive at T = {open_})' if open_ else ''
    near = statistics.write_verdict(True, margin)
    return f'{near} for T {sign} {enough[-1]}{ending}'
  if outside.issuperset(steps):
    far = statistics.write_verdict(False, margin)
    return f'{far} up to T = {steps[-1]}'
  return statistics.write_verdict(None, margin)
