"""Compares two samplers over spike-train length, from records alone.

Random trains (`bernoulli`) and low-discrepancy ones (`sobol`), beside the ANN
that shares all else with them.
"""

from collections.abc import Sequence
import math

from matplotlib import figure
import numpy as np

from experiments import figures
from experiments import grid_summary
from experiments import sheets
from experiments import summary

_READS = dict(
  zip(
    summary.ACCURACIES,
    ('winner counts', 'final potential', 'ANN of its weights'),
  )
)
_LOOKS = ((figures.BLUE, 'o'), (figures.ORANGE, 's'))
_NEAR = 0.3  # points from the ANN; a band to see sizes by
_APART = 2**0.06  # factor on T, so that no bar hides another


def is_comparison(settings: Sequence[summary.Setting]) -> bool:
  """Tells whether settings differ in T and one of two samplers, by an ANN."""
  anns, spiking = grid_summary.part(settings)
  is_comparable = len(anns) == 1 and None not in [
    grid_summary.baseline(setting, anns) for setting in spiking
  ]
  varied = set(grid_summary.varied(spiking))
  return (
    is_comparable
    and all(setting.config['method'] == 'ssnn' for setting in spiking)
    and 'sampler' in varied
    and varied <= {'num_steps', 'sampler'}
    and len(_samplers(spiking)) == 2
  )


def table(settings: Sequence[summary.Setting]) -> str:
  """Lays out what samplers are worth, a line for each T.

  Args:
    settings: those of a sweep of which `is_comparison` holds.

  Returns:
    A table of accuracies, in percent, with a block of lines for each way to
    read a network out, and one of errors of the update. Differences are in
    points, paired by seed, with their 95 % interval; else deviations are over
    seeds.
  """
  (ann,), spiking = grid_summary.part(settings)
  names, steps = _samplers(spiking), _steps(spiking)
  by_place = _by_place(spiking)
  lines = [[by_place.get((t, name)) for name in names] for t in steps]
  accuracy = summary.spread(ann, summary.ACCURACIES[0], 100, 2)
  return '\n\n'.join(
    (
      summary.layout(_accuracy_rows(names, steps, lines, ann)),
      summary.layout(_error_rows(names, steps, lines)),
      f'ANN (BP): {accuracy}',
    )
  )


def _accuracy_rows(names, steps, lines, ann):
  minus_ann = (f'{name} minus ANN (95 %)' for name in names)
  between = f'{names[1]} minus {names[0]} (95 %)'
  rows = [('read by', 'T', *names, *minus_ann, between, 'seeds')]
  for quantity, read in _READS.items():
    for t, pair in zip(steps, lines):
      rows.append(
        (
          *(read, str(t)),
          *(_spread(setting, quantity, 100, 2) for setting in pair),
          *(_points(setting, ann, quantity) for setting in pair),
          _points(*pair[::-1], quantity),
          summary.seeds(filter(None, pair)),
        )
      )
  return rows


def _error_rows(names, steps, lines):
  """Lays out errors; the ratio is of those of spikes throughout."""
  errors = [name.replace('_', ' ') for name in summary.ERRORS]
  update, quantisation = ([f'{e}, {name}' for name in names] for e in errors)
  ratio = f'{names[1]} / {names[0]}'
  rows = [('T', *update, ratio, *quantisation, 'seeds')]
  for t, pair in zip(steps, lines):
    update, quantisation = (
      [_spread(setting, name, 1, 3) for setting in pair]
      for name in summary.ERRORS
    )
    rows.append(
      (
        str(t),
        *update,
        _ratio(*pair[::-1]),
        *quantisation,
        summary.seeds(filter(None, pair)),
      )
    )
  return rows


def _spread(setting, *how):
  return summary.spread(setting, *how) if setting else ''


def _points(setting, baseline, quantity):
  if None in (setting, baseline):
    return ''
  return summary.points(*summary.paired_difference(setting, baseline, quantity))


def _ratio(setting, baseline):
  if None in (setting, baseline):
    return ''
  ours, theirs = (s.mean(summary.ERRORS[0]) for s in (setting, baseline))
  return f'{ours / theirs:.2f}'


def draw(settings: Sequence[summary.Setting]) -> figure.Figure:
  """Draws accuracy, its difference to the ANN, and errors against T.

  Args:
    settings: those of a sweep of which `is_comparison` holds.

  Returns:
    The figure.
  """
  (ann,), spiking = grid_summary.part(settings)
  sheet, panels = sheets.make(3, height=3.2)
  accuracies, differences, errors = panels
  _shade_ann(accuracies, differences, ann)
  shift = 1 / math.sqrt(_APART)
  for name, (color, marker) in zip(_samplers(spiking), _LOOKS):
    own = [s for s in spiking if s.config['sampler'] == name]
    own.sort(key=lambda setting: setting.num_steps)
    look = {'color': color, 'marker': marker, 'markersize': 4.5, 'capsize': 3}
    places = [shift * setting.num_steps for setting in own]
    _plot(accuracies, places, own, 'test_accuracy', 100, label=name, **look)
    _plot_differences(differences, places, own, ann, label=name, **look)
    _plot_errors(errors, places, own, name, look)
    shift *= _APART
  errors.set_yscale('log')
  low, high = errors.get_ylim()
  errors.set_ylim(low / math.sqrt(high / low), high)  # room for the legend
  figures.set_errors(errors)
  seeds = summary.count_seeds(settings)
  _tell(*panels, settings, seeds)
  for axes in panels:
    figures.set_steps(axes, _steps(spiking))
    axes.minorticks_off()
  sheets.set_title(
    sheet,
    f'{sheets.name(ann.config["dataset"])}: random against '
    'low-discrepancy trains',
    seeds,
  )
  return sheet


def _shade_ann(accuracies, differences, ann):
  figures.plot_across(accuracies, ann, 'ANN (BP)')
  differences.axhline(0, color=figures.BLACK, linewidth=1, label='ANN (BP)')
  differences.axhspan(
    *(-_NEAR, _NEAR),
    color=figures.BLACK,
    alpha=0.1,
    linewidth=0,
    label=f'within {_NEAR} points of it',
  )


def _tell(accuracies, differences, errors, settings, seeds):
  """Tells what panels, bars and bands are."""
  is_single = seeds == 'one seed'
  deviations = '' if is_single else '\nbars, band: standard deviation'
  title = f'accuracy, by winner counts{deviations}'
  accuracies.set_title(title, fontsize=sheets.TITLE)
  accuracies.set_ylabel(figures.judged_on(settings))
  intervals = '' if is_single else '\nbars: 95 % interval, paired by seed'
  title = f'accuracy, minus that of the ANN{intervals}'
  differences.set_title(title, fontsize=sheets.TITLE)
  differences.set_ylabel('difference to\nthe ANN (points)')
  deviations = '' if is_single else '\nbars: standard deviation'
  title = f'error of the update{deviations}'
  errors.set_title(title, fontsize=sheets.TITLE)
  for axes in (accuracies, differences, errors):
    axes.legend(fontsize=sheets.SMALL)


def _plot(axes, places, settings, quantity, scale, **look):
  axes.errorbar(
    places,
    [scale * setting.mean(quantity) for setting in settings],
    [scale * setting.deviation(quantity) for setting in settings],
    **look,
  )


def _plot_errors(axes, places, settings, name, look):
  """Plots errors of spikes throughout, and dashed of the update's alone."""
  dashed = {'linestyle': '--', 'fillstyle': 'none', 'linewidth': 1}
  for quantity, where, style in (
    ('update_error', 'spikes throughout', {}),
    ('quantisation_error', 'in the update only', dashed),
  ):
    label = f'{name}, {where}'
    _plot(axes, places, settings, quantity, 1, label=label, **look, **style)


def _plot_differences(axes, places, settings, ann, **look):
  """Plots differences to the ANN; of one seed there is no interval."""
  points = [summary.difference(s, ann, 'test_accuracy') for s in settings]
  means, half_widths = 100 * np.transpose(points)
  axes.errorbar(places, means, half_widths, **look)


def _samplers(settings):
  return sorted({setting.config['sampler'] for setting in settings})


def _steps(settings):
  return sorted({setting.num_steps for setting in settings})


def _by_place(settings):
  return {(s.num_steps, s.config['sampler']): s for s in settings}
