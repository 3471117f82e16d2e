"""Statistics over the seeds of recorded runs, and the table of them."""

from collections.abc import Iterable
import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.config import serialization as config_records
import ssnn_jax
from ssnn_jax.runs import records

ACCURACIES = ('test_accuracy', 'test_accuracy_potential', 'test_accuracy_rate')
ERRORS = ('update_error', 'quantisation_error')


class Setting(NamedTuple):
  """The finished runs of one configuration, over its seeds."""

  config: dict  # without the seed
  seeds: list[int]
  values: dict[str, np.ndarray]  # [S] of each quantity, seed by seed

  @property
  def num_steps(self) -> int:
    """T, ticks of a presentation."""
    return self.config['num_steps']

  def mean(self, name: str) -> float:
    """The mean of a quantity over the seeds."""
    return float(np.mean(self.values[name]))

  def deviation(self, name: str) -> float:
    """The standard deviation of a quantity over the seeds; 0 for one seed."""
    values = self.values[name]
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


class Comparison(NamedTuple):
  """Spiking networks over T, beside the ANN that shares all else with them."""

  ann: Setting
  spiking: list[Setting]  # in order of T


class Shuffled(NamedTuple):
  """Two settings that differ in the order of their recordings' ticks alone."""

  ordered: Setting
  shuffled: Setting


def group(runs: Iterable[records.Run]) -> list[Setting]:
  """Groups finished runs by configuration.

  Args:
    runs: recorded runs; those without a final line are left out.

  Returns:
    The settings, in order of their number of steps.
  """
  groups = {}
  for run in runs:
    if run.final is not None:
      config = config_records.complete(run.config)
      del config['seed']
      groups.setdefault(repr(config), (config, []))[1].append(run.final)
  settings = []
  for config, finals in groups.values():
    finals.sort(key=lambda final: final['seed'])
    values = {
      # Methods that estimate no gradient have no errors.
      name: np.array([final.get(name, np.nan) for final in finals], np.float64)
      for name in ACCURACIES + ERRORS
    }
    settings.append(
      Setting(config, [final['seed'] for final in finals], values)
    )
  return sorted(settings, key=lambda setting: setting.num_steps)


def compare(settings: list[Setting], where: str) -> Comparison:
  """Sets spiking networks that differ in T alone beside their ANN.

  Args:
    settings: the settings of a sweep over T.
    where: the folder they were found in, for the message.

  Returns:
    The comparison.

  Raises:
    UserError: if the ANN is missing, or settings differ in more than T.
  """
  varied = ('method', 'num_steps')
  shared = [
    {k: v for k, v in setting.config.items() if k not in varied}
    for setting in settings
  ]
  spiking = [s for s in settings if s.config['method'] == 'ssnn']
  anns = [s for s in settings if s.config['method'] == 'bp']
  if len(anns) != 1 or not spiking or any(s != shared[0] for s in shared):
    raise ssnn_jax.UserError(
      f'--workdir={where} holds no comparison: {len(anns)} finished ANN '
      f'settings and {len(spiking)} spiking ones, where one ANN and spiking '
      'networks that differ from it in T alone are needed; run '
      'experiments.sweep into a folder of its own.'
    )
  return Comparison(anns[0], spiking)


def pair_shuffled(settings: list[Setting]) -> list[Shuffled]:
  """Pairs settings whose ticks are shuffled with those whose ticks are not.

  Args:
    settings: the settings of a sweep; what has no partner is left out.

  Returns:
    The pairs, in order of their windows.
  """
  partners = {}
  for setting in settings:
    config = dict(setting.config)
    is_shuffled = config.pop('shuffle_ticks', False)
    partners.setdefault(repr(config), {})[is_shuffled] = setting
  pairs = [
    Shuffled(pair[False], pair[True])
    for pair in partners.values()
    if len(pair) == 2
  ]
  return sorted(pairs, key=lambda pair: pair.ordered.config['window'] or 0)


def event_time_table(pairs: list[Shuffled]) -> str:
  """Lays out what the order of ticks is worth, a line a window.

  Args:
    pairs: settings that differ in the order of ticks alone.

  Returns:
    The table: accuracies in percent; differences in points, paired by seed,
    with their 95 % interval.
  """
  rows = [
    ('window', 'read by', 'in order', 'shuffled', 'shuffled minus', 'seeds')
  ]
  for pair in pairs:
    for quantity, read in zip(ACCURACIES, ('winner counts', 'potential')):
      difference = paired_difference(pair.shuffled, pair.ordered, quantity)
      rows.append(
        (
          *(str(pair.ordered.config['window']), read),
          *(spread(setting, quantity, 100, 2) for setting in pair),
          points(*difference),
          str(len(pair.ordered.seeds)),
        )
      )
  return layout(rows)


def count_seeds(settings: Iterable[Setting]) -> str:
  """Tells over how many seeds settings were run: 'one seed', '3 to 5 seeds'."""
  told = seeds(settings)
  return 'one seed' if told == '1' else f'{told} seeds'


def seeds(settings: Iterable[Setting]) -> str:
  """Writes over how many seeds settings were run: '5', '3 to 5'."""
  sizes = {len(setting.seeds) for setting in settings}
  return ' to '.join(map(str, sorted({min(sizes), max(sizes)})))


def describe_bars(settings: Iterable[Setting]) -> str:
  """Tells what points and bars of a figure are, and over how many seeds."""
  seeds = count_seeds(settings)
  if seeds == 'one seed':
    return seeds
  return f'mean and standard deviation (bars, bands) over {seeds}'


def paired_difference(
  setting: Setting, baseline: Setting, name: str
) -> tuple[float, float]:
  """Compares a quantity with a baseline's, seed by seed.

  Args:
    setting: the runs that are compared.
    baseline: the runs that they are compared with.
    name: the quantity.

  Returns:
    The mean difference over common seeds, and the half-width of its two-sided
    95 % interval (Student's t); NaN where there are fewer than two.
  """
  common = sorted(set(setting.seeds) & set(baseline.seeds))
  ours, theirs = (
    runs.values[name][[runs.seeds.index(seed) for seed in common]]
    for runs in (setting, baseline)
  )
  difference, size = ours - theirs, len(common)
  if size < 2:
    return math.nan, math.nan
  quantile = stats.t.ppf(0.975, size - 1)
  half_width = quantile * np.std(difference, ddof=1) / math.sqrt(size)
  return float(np.mean(difference)), float(half_width)


def difference(
  setting: Setting, baseline: Setting, name: str
) -> tuple[float, float]:
  """Compares as `paired_difference` does, also one seed, without interval."""
  mean, half_width = paired_difference(setting, baseline, name)
  if math.isnan(half_width):
    return setting.mean(name) - baseline.mean(name), 0.0
  return mean, half_width


def table(comparison: Comparison) -> str:
  """Lays out a comparison as text, a line a setting.

  Args:
    comparison: what is told.

  Returns:
    The table: means and standard deviations over seeds; accuracies in percent,
    differences in points.
  """
  ann, settings = comparison.ann, comparison.spiking
  rows = [
    (
      *(
        'network',
        'accuracy',
        'by potential',
        'read as ANN',
        'minus ANN (95 %)',
      ),
      *('update error', 'quantisation error', 'seeds'),
    ),
    _row('ANN (BP)', ann, None),
    *(_row(f'SSNN, T = {s.num_steps}', s, ann) for s in settings),
  ]
  return layout(rows)


def layout(rows: list[tuple[str, ...]]) -> str:
  """Lays out rows of text in columns, the first row as a heading."""
  widths = [max(map(len, column)) for column in zip(*rows)]
  lines = [
    '  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
    for row in rows
  ]
  return '\n'.join([lines[0], '-' * len(lines[0]), *lines[1:]])


def spread(setting: Setting, quantity: str, scale: float, digits: int) -> str:
  """Writes mean and deviation of a quantity; one seed has no deviation.

  Args:
    setting: the runs.
    quantity: what is told; nothing where the runs lack it.
    scale: factor on it.
    digits: behind the point.

  Returns:
    The text.
  """
  if math.isnan(setting.mean(quantity)):
    return ''
  text = f'{scale * setting.mean(quantity):.{digits}f}'
  if len(setting.seeds) > 1:
    text += f' ± {scale * setting.deviation(quantity):.{digits}f}'
  return text


def _row(name, setting, baseline):
  percent = [spread(setting, quantity, 100, 2) for quantity in ACCURACIES]
  if baseline is None:
    return name, percent[0], '', '', '', '', '', str(len(setting.seeds))
  mean, half_width = paired_difference(setting, baseline, ACCURACIES[0])
  errors = [spread(setting, quantity, 1, 3) for quantity in ERRORS]
  difference = points(mean, half_width)
  return name, *percent, difference, *errors, str(len(setting.seeds))


def points(mean: float, half_width: float) -> str:
  """Writes a paired difference; one seed has none."""
  if math.isnan(half_width):
    return 'one seed only'
  return f'{100 * mean:+.2f} ± {100 * half_width:.2f}'
