"""What each use of spikes costs in accuracy, from records alone.

The sweep `attribution` has spikes, or exact rates in their place, forward,
backward and in the update, in all combinations.
"""

from collections.abc import Sequence
import itertools

from matplotlib import figure
import numpy as np

from experiments import figures
from experiments import grid_summary
from experiments import sheets
from experiments import summary

USES = ('forward', 'backward', 'update')
_READS = dict(
  zip(
    summary.ACCURACIES,
    ('winner counts', 'final potential', 'ANN of its weights'),
  )
)
_LOOKS = ((figures.BLUE, 'o'), (figures.ORANGE, 's'), (figures.GREEN, '^'))
_LINE = 'spikes in'


def is_attribution(settings: Sequence[summary.Setting]) -> bool:
  """Tells whether settings differ in T and uses of spikes alone, by an ANN."""
  anns, spiking = grid_summary.part(settings)
  varied = set(grid_summary.varied(spiking))
  is_comparable = len(anns) == 1 and None not in [
    grid_summary.baseline(setting, anns) for setting in spiking
  ]
  return (
    is_comparable
    and len(varied.intersection(USES)) > 1
    and varied <= {'num_steps', *USES}
  )


def table(settings: Sequence[summary.Setting]) -> str:
  """Lays out how far networks are from the ANN, a line for each use of spikes.

  Args:
    settings: those of a sweep of which `is_attribution` holds.

  Returns:
    The table: accuracies in points from the ANN's, with the 95 % interval of
    the differences, which are paired by seed; a block of lines for each way to
    read a network out.
  """
  (ann,), spiking = grid_summary.part(settings)
  steps, by_place = _steps(spiking), _by_place(spiking)
  rows = [('read by', _LINE, *(f'T = {number}' for number in steps), 'seeds')]
  for quantity, read in _READS.items():
    for uses in _combinations(spiking):
      told = [by_place.get((uses, number)) for number in steps]
      rows.append(
        (
          *(read, _name(uses)),
          *(_points(setting, ann, quantity) for setting in told),
          summary.seeds(filter(None, told)),
        )
      )
  accuracy = summary.spread(ann, summary.ACCURACIES[0], 100, 2)
  return f'{summary.layout(rows)}\n\nANN (BP): {accuracy}'


def _points(setting, ann, quantity):
  if setting is None:
    return ''
  mean, half_width = summary.difference(setting, ann, quantity)
  if not half_width:
    return f'{100 * mean:+.2f}'
  return summary.points(mean, half_width)


def draw(settings: Sequence[summary.Setting]) -> figure.Figure:
  """Draws how far networks are from the ANN, a panel for each T.

  Args:
    settings: those of a sweep of which `is_attribution` holds.

  Returns:
    The figure.
  """
  (ann,), spiking = grid_summary.part(settings)
  steps, combinations = _steps(spiking), _combinations(spiking)
  height = min(2.9, 8.7 / len(steps))
  sheet, panels = sheets.make(len(steps), height=height, sharex=True)
  for axes, number in zip(panels, steps):
    part = {_uses(s): s for s in spiking if s.num_steps == number}
    for index, quantity in enumerate(_READS):
      _plot(axes, part, combinations, ann, index, quantity)
    axes.axhline(0, color=figures.BLACK, linewidth=1, label='ANN (BP)')
    axes.set_xticks(
      range(len(combinations)),
      list(map(_name, combinations)),
      rotation=40,
      ha='right',
    )
    axes.set_title(f'T = {number}', fontsize=sheets.TITLE)
    axes.set_ylabel("accuracy minus\nthe ANN's (points)")
    axes.grid(alpha=0.3)
  panels[-1].set_xlabel(_LINE)
  sheets.explain_below(sheet, panels[-1:])
  seeds = summary.count_seeds(settings)
  bars = f'mean over {seeds} and 95 % interval, paired'
  sheets.set_title(
    sheet,
    f'{sheets.name(ann.config["dataset"])}: what each use of spikes costs',
    seeds if seeds == 'one seed' else bars,
  )
  return sheet


def _plot(axes, part, combinations, ann, index, quantity):
  """Plots networks of one T, by their uses of spikes, read in one way."""
  color, marker = _LOOKS[index]
  there = [uses for uses in combinations if uses in part]
  points = [summary.difference(part[uses], ann, quantity) for uses in there]
  means, half_widths = 100 * np.transpose(points)
  axes.errorbar(
    # Apart, so that none hides another.
    [combinations.index(uses) + 0.2 * (index - 1) for uses in there],
    means,
    half_widths,
    color=color,
    marker=marker,
    markersize=5,
    linestyle='none',
    capsize=2,
    label=f'read by {_READS[quantity]}',
  )


def _steps(settings):
  return sorted({setting.num_steps for setting in settings})


def _uses(setting):
  """Lists the uses of spikes of a network."""
  return tuple(use for use in USES if setting.config[use] == 'spikes')


def _by_place(settings):
  return {(_uses(setting), setting.num_steps): setting for setting in settings}


def _combinations(settings):
  """Lists the uses of spikes that there are, fewest first."""
  there = set(map(_uses, settings))
  sizes = range(len(USES) + 1)
  combinations = (itertools.combinations(USES, size) for size in sizes)
  return [uses for uses in itertools.chain(*combinations) if uses in there]


def _name(uses):
  if len(uses) == len(USES):
    return 'all three'
  return ', '.join(uses) or 'none'
