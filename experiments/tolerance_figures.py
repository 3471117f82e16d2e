"""Draws accuracy against the flaws of devices, and what makes up for them."""

from collections.abc import Sequence

from matplotlib import figure
from matplotlib import ticker
import numpy as np

from experiments import figures
from experiments import grid_summary
from experiments import sheets
from experiments import summary
from experiments import tolerance

# A title, and what is along the axis.
_WORDS = {
  'dw_min': ('coarse steps', 'states (steps from bound to bound)'),
  'dw_min_dtod': (
    'steps that differ by device',
    'sd over devices (of the mean step)',
  ),
  'dw_min_std': (
    'steps that differ by pulse',
    'sd over pulses (of the mean step)',
  ),
  'up_down': (
    'larger steps up than down',
    'difference, up minus down (of a step)',
  ),
  'up_down_dtod': (
    'asymmetry that differs by device',
    'sd of half the difference (of a step)',
  ),
  'gamma_up': ('step up falls with weight', 'fall to the bound (of a step)'),
  'gamma_up_dtod': ('fall of step up differs', 'sd over devices (of a step)'),
  'gamma_down': (
    'step down falls with weight',
    'fall to the bound (of a step)',
  ),
  'gamma_down_dtod': (
    'fall of step down differs',
    'sd over devices (of a step)',
  ),
  'w_max_dtod': ('upper bounds that differ', 'sd over devices (of the bound)'),
  'w_min_dtod': ('lower bounds that differ', 'sd over devices (of the bound)'),
  'corrupt_devices_prob': ('stuck devices', 'share of devices'),
  'out_noise': ('noise of reads', 'sd in each tick (in weights)'),
}
_TICKS = (0, 20, 50, 60, 70, 75, 80, 84, 87, 90, 93, 95, 97, 98, 99, 100)
_SCALE = '; the scale of accuracies widens towards 100 %'
_MOST_COLUMNS = 2
_MOST_HEIGHT = 9.6  # inches, of all panels
_LOOKS = {
  ('sgd', False): (figures.BLUE, 'o', '-'),
  ('sgd', True): (figures.ORANGE, 's', '-'),
  ('tiki_taka', False): (figures.PURPLE, 'D', '--'),
  ('tiki_taka', True): (figures.GREEN, '^', '-'),
}


def draw(settings: Sequence[summary.Setting]) -> figure.Figure:
  """Draws accuracy against each flaw, and that of presets.

  Args:
    settings: those of a sweep of which `tolerance.is_tolerance` holds.

  Returns:
    The figure, a panel for each flaw and one for presets. Accuracies are at
    distances in the logarithm of what is missing, so that a point near the top
    can be told.
  """
  found = tolerance.sort_out(settings)
  whole = [*found.flawless, *found.presets]
  num_panels = len(found.flaws) + bool(whole)
  num_columns = min(num_panels, _MOST_COLUMNS)
  num_rows = -(-num_panels // num_columns)
  height = min(2.6, _MOST_HEIGHT / num_rows)
  sheet, panels = sheets.make(num_panels, num_columns, height, sharey=True)
  for axes, (flaw, flawed) in zip(panels, found.flaws.items()):
    _plot_ideal(axes, found.ideal)
    _plot_flaw(axes, flaw, flawed)
  if whole:
    _plot_ideal(panels[-1], found.ideal)
    _plot_whole(panels[-1], whole)
  _set_accuracies(panels[::num_columns], settings)
  sheets.explain_below(sheet, panels)
  sheets.set_title(
    sheet,
    f'{_describe(settings)}: what flaws of devices cost, one at a time',
    _bars(settings),
  )
  return sheet


def draw_remedy(settings: Sequence[summary.Setting]) -> figure.Figure:
  """Draws accuracy against the asymmetry of steps, with its remedies.

  Args:
    settings: those of a sweep of which `tolerance.is_remedy` holds.

  Returns:
    The figure: a curve for each way to change weights, the ANN in black.
  """
  sheet, (axes,) = sheets.make(1, height=4)
  for setting in filter(grid_summary.is_ann, settings):
    figures.plot_across(axes, setting, 'ANN by backpropagation')
  spiking = [s for s in settings if not grid_summary.is_ann(s)]
  spiking.sort(key=tolerance.asymmetry)
  for index, (rule, label) in enumerate(tolerance.RULES.items()):
    part = [s for s in spiking if tolerance.rule(s) == rule]
    color, marker, line = _LOOKS[rule]
    if part:
      places = [tolerance.asymmetry(setting) for setting in part]
      drawn = _plot(axes, places, part, color, marker, line, label)
      sheets.move_beside(drawn, index, len(tolerance.RULES))
  values = sorted({tolerance.asymmetry(setting) for setting in spiking})
  axes.set_xticks(values, [f'{value:g}' for value in values])
  axes.set_xlabel(_WORDS['up_down'][1])
  axes.grid(alpha=0.3)
  axes.legend(fontsize=sheets.SMALL)
  _set_accuracies([axes], settings)
  sheets.set_title(
    sheet,
    f'{_describe(settings)}: asymmetric steps, and remedies',
    _bars(settings),
  )
  return sheet


def _plot(axes, places, settings, color, marker, linestyle, label):
  """Plots means and standard deviations of accuracies, in percent."""
  return axes.errorbar(
    places,
    [100 * setting.mean(tolerance.QUANTITY) for setting in settings],
    [100 * setting.deviation(tolerance.QUANTITY) for setting in settings],
    color=color,
    marker=marker,
    markersize=5,
    linestyle=linestyle,
    capsize=3,
    label=label,
  )


def _plot_ideal(axes, ideal):
  mean = figures.plot_across(axes, ideal, 'ideal device')
  axes.axhline(
    mean - 1,
    color=figures.BLACK,
    linewidth=1,
    linestyle=':',
    label='1 point below it',
  )


def _plot_flaw(axes, flaw, flawed):
  """Plots accuracy against a flaw, from weak to strong."""
  places = [tolerance.strength(setting, flaw) for setting in flawed]
  labels = [f'{place:g}' for place in places]
  title, label = _WORDS[flaw]
  states = [tolerance.num_states(setting) for setting in flawed]
  axes.set_xscale('log')
  if flaw == 'dw_min' and np.all(np.isfinite(states)):
    places, labels = states, [f'{number:.4g}' for number in states]
    axes.invert_xaxis()
  elif flaw == 'dw_min':
    label = 'step (in weights)'
  _plot(axes, places, flawed, figures.BLUE, 'o', '-', 'device with the flaw')
  axes.set_xticks(places, labels)
  axes.xaxis.set_minor_locator(ticker.NullLocator())
  axes.margins(x=0.1)
  axes.set_title(title, fontsize=sheets.LETTERS)
  axes.set_xlabel(label)
  axes.grid(alpha=0.3)


def _plot_whole(axes, settings):
  """Plots presets, and custom devices without a flaw, as categories."""
  names = [
    setting.config['device'].replace('custom', 'no flaw').replace('_', '\n')
    for setting in settings
  ]
  places = range(len(names))
  _plot(axes, places, settings, figures.ORANGE, 's', 'none', 'published device')
  axes.set_xticks(places, names)
  axes.set_xlim(-0.5, len(names) - 0.5)
  axes.set_xlabel('device')
  axes.set_title('published, with all their flaws', fontsize=sheets.LETTERS)
  axes.grid(alpha=0.3)


def _set_accuracies(panels, settings):
  """Spreads accuracies by the logarithm of what is missing, and names them."""
  ends = [
    100 * (s.mean(tolerance.QUANTITY) + sign * s.deviation(tolerance.QUANTITY))
    for s in settings
    for sign in (-1, 1)
  ]
  low, high = (_spread_out(end) for end in (min(ends), max(ends)))
  for axes in panels:
    axes.set_yscale('function', functions=(_spread_out, _percent))
    axes.set_yticks(_TICKS, [str(percent) for percent in _TICKS])
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.set_ylim(_percent(low - 0.1), min(_percent(high + 0.1), 100))
    axes.set_ylabel(figures.judged_on(settings))


def _spread_out(percent):
  # A point more than what is missing has a logarithm at 100 % too.
  return -np.log(np.maximum(101 - np.asarray(percent, float), 0.1))


def _percent(place):
  return 101 - np.exp(-np.asarray(place, float))


def _describe(settings):
  config = settings[-1].config
  return f'{sheets.name(config["dataset"])}, T = {config["num_steps"]}'


def _bars(settings):
  return f'{summary.describe_bars(settings)}{_SCALE}'
