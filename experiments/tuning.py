"""Which learning rate each method does best with on held-out samples.

The sweep `tune` trains the ANN, whose choice serves every method that estimates
its gradient, and the methods that do not, each with as many learning rates. It
never looks at the test split.
"""

from collections.abc import Sequence

from matplotlib import figure
from matplotlib import ticker

from experiments import figures
from experiments import grid_summary
from experiments import sheets
from experiments import summary

_QUANTITY = summary.ACCURACIES[0]
_LOOKS = (
  *((figures.BLACK, '*'), (figures.BLUE, 'o'), (figures.ORANGE, 's')),
  *((figures.GREEN, '^'), (figures.VERMILION, 'D'), (figures.PURPLE, 'v')),
)


def is_tuning(settings: Sequence[summary.Setting]) -> bool:
  """Tells whether learning rates alone vary, judged on held-out samples."""
  is_held_out = all(setting.config['hold_out'] > 0 for setting in settings)
  is_choice = all(len(part) > 1 for part in _by_method(settings).values())
  varied = set(grid_summary.varied(settings)) - {'method'}
  return is_held_out and is_choice and varied == {'learning_rate'}


def pick(settings: Sequence[summary.Setting]) -> dict[str, float]:
  """Picks the learning rate of each method.

  Args:
    settings: those of a sweep of which `is_tuning` holds.

  Returns:
    The learning rate of the highest mean accuracy over seeds; of several the
    lowest.
  """
  return {
    method: min(
      part, key=lambda s: (-s.mean(_QUANTITY), s.config['learning_rate'])
    ).config['learning_rate']
    for method, part in _by_method(settings).items()
  }


def table(settings: Sequence[summary.Setting]) -> str:
  """Lays out held-out accuracies, a line for each learning rate.

  Args:
    settings: those of a sweep of which `is_tuning` holds.

  Returns:
    The table, in percent.
  """
  picked = pick(settings)
  rows = [('method', 'learning rate', 'held-out accuracy', '', 'seeds')]
  for method, part in _by_method(settings).items():
    for setting in part:
      rate = setting.config['learning_rate']
      rows.append(
        (
          *(method, f'{rate:g}', summary.spread(setting, _QUANTITY, 100, 2)),
          'picked' if rate == picked[method] else '',
          str(len(setting.seeds)),
        )
      )
  return summary.layout(rows)


def draw(settings: Sequence[summary.Setting]) -> figure.Figure:
  """Draws held-out accuracies against learning rates.

  Args:
    settings: those of a sweep of which `is_tuning` holds.

  Returns:
    The figure: a curve for each method; what is picked is ringed.
  """
  picked = pick(settings)
  sheet, (axes,) = sheets.make(1, height=3.6)
  parts = _by_method(settings)
  for index, (method, part) in enumerate(parts.items()):
    look = _LOOKS[index % len(_LOOKS)]
    for what in _plot(axes, method, part, picked[method], look):
      sheets.move_beside(what, index, len(parts))
  axes.set_xscale('log')
  rates = sorted({setting.config['learning_rate'] for setting in settings})
  axes.set_xticks(rates, [f'{rate:g}' for rate in rates])
  axes.xaxis.set_minor_locator(ticker.NullLocator())
  axes.set_xlabel('learning rate, at first')
  axes.set_ylabel(figures.judged_on(settings))
  axes.grid(alpha=0.3)
  sheets.explain_below(sheet, [axes])
  config = settings[0].config
  sheets.set_title(
    sheet,
    f'{sheets.name(config["dataset"])}, {config["hold_out"]:.0%} of training '
    'held out; picked rates ringed',
    summary.describe_bars(settings),
  )
  return sheet


def _plot(axes, method, settings, rate, look):
  """Plots a method over its learning rates, and the ring of the picked one."""
  color, marker = look
  rates = [setting.config['learning_rate'] for setting in settings]
  means = [100 * setting.mean(_QUANTITY) for setting in settings]
  curve = axes.errorbar(
    rates,
    means,
    [100 * setting.deviation(_QUANTITY) for setting in settings],
    color=color,
    marker=marker,
    markersize=6,
    capsize=3,
    label=method,
  )
  (ring,) = axes.plot(
    *(rate, means[rates.index(rate)], 'o'),
    color=color,
    markersize=15,
    fillstyle='none',
  )
  return curve, ring


def _by_method(settings):
  """Parts settings by method, in order of their learning rate."""
  parts = {}
  for setting in sorted(settings, key=lambda s: s.config['learning_rate']):
    parts.setdefault(setting.config['method'], []).append(setting)
  return dict(sorted(parts.items()))
