"""Sentences on the spike-train length that reaches the accuracy of the ANN."""

from collections.abc import Mapping

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
  _, spiking = frames.split_baseline(runs)
  if spiking.empty or len(set(spiking['num_steps'])) < 2:
    return []
  curves = {}
  for setting in frames.settings(spiking):
    ann = frames.find_baseline(setting, runs)
    if ann is not None:
      number = statistics.paired_difference(setting, ann)
      curves.setdefault(_label(setting, spiking), {})[
        frames.field(setting, 'num_steps')
      ] = number
  return [
    f'{label}: {compare(numbers, margin)}.'
    for label, numbers in curves.items()
    if len(numbers) > 1
  ]


def _label(setting, spiking):
  """Writes the varied fields of a setting other than T."""
  words = [
    f'{name}={value}'
    for name in frames.varied(spiking)
    if name not in ('method', 'num_steps')
    and (value := frames.describe_value(setting, name))
  ]
  return ', '.join([frames.field(setting, 'method'), *words])


def compare(differences: Mapping[int, statistics.Number], margin: float) -> str:
  """Describes from which T on accuracy is within a margin of the ANN.

  Args:
    differences: accuracy minus that of the ANN in points, by T.
    margin: the equivalence margin in points.

  Returns:
    A clause such as 'within 1 point of the ANN from T = 16 on'.
  """
  unit = 'point' if margin == 1 else 'points'
  near = f'within {margin:g} {unit} of the ANN'
  inside = {
    steps: statistics.p_between(number, -margin, margin) < statistics.ERROR_RATE
    for steps, number in differences.items()
  }
  outside = {
    steps: statistics.p_above(number, margin) < statistics.ERROR_RATE
    or statistics.p_below(number, -margin) < statistics.ERROR_RATE
    for steps, number in differences.items()
  }
  first = None
  for steps in sorted(differences, reverse=True):
    if not inside[steps]:
      break
    first = steps
  if first is not None:
    longest = max(differences)
    end = f'at T = {first}' if first == longest else f'from T = {first} on'
    undecided = [t for t in differences if not inside[t] and not outside[t]]
    if undecided:
      listed = ', '.join(map(str, sorted(undecided)))
      end += f' (inconclusive at T = {listed})'
    return f'{near} {end}'
  if all(outside.values()):
    return f'not {near} up to T = {max(differences)}'
  return f'inconclusive whether {near}'
