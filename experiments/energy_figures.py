"""Draws what accuracy takes on a chip, in energy."""

from collections.abc import Sequence
import pathlib

from matplotlib import figure
from matplotlib import ticker

from experiments import figures
from experiments import grid_summary
from experiments import grids
from experiments import summary

_LOOKS = (
  (figures.BLUE, 'o'),
  (figures.ORANGE, 's'),
  (figures.GREEN, '^'),
)
_LINES = ('-', '--', ':', '-.')
_ANN_LOOK = {
  'color': figures.BLACK,
  'marker': '*',
  'markersize': 11,
  'linestyle': 'none',
  'label': 'ANN, digital BP',
}
_PANELS = {
  'inference': ('nj', 'bp_nj'),
  'learning': ('learning_nj', 'learning_bp_nj'),
}


def draw_energy(
  settings: Sequence[summary.Setting], table: str
) -> figure.Figure:
  """Draws accuracy against the energy of a presentation, over T.

  Args:
    settings: those of `energy.read`.
    table: the energies that were used, for the title.

  Returns:
    The figure: a curve for each sampler (and what else varies), points for T,
    and plain backpropagation where it is in the sweep.
  """
  sheet = figure.Figure(figsize=(10.5, 4.6), layout='constrained')
  left, right = sheet.subplots(ncols=2, sharey=True)
  for axes, (title, (name, bp_name)) in zip((left, right), _PANELS.items()):
    for index, (label, points) in enumerate(_curves(settings).items()):
      _plot(axes, points, name, label, index)
    anns = list(filter(grid_summary.is_ann, settings))
    if anns:
      _errorbar(axes, anns, bp_name, **_ANN_LOOK)
    _set_axis(axes, title)
  left.legend(fontsize=9)
  left.set_ylabel(summary.judged_on(settings))
  sheet.suptitle(
    f'{_names(settings)}: accuracy against energy, by the table '
    f'{pathlib.Path(table).stem}; numbers are T\n'
    f'{summary.describe_bars(settings)}'
  )
  return sheet


def _curves(settings):
  """Parts spiking networks by what varies beside T, in order of T."""
  spiking = [s for s in settings if not grid_summary.is_ann(s)]
  fields = [f for f in grid_summary.varied(spiking) if f != 'num_steps']
  curves = {}
  for setting in sorted(spiking, key=lambda setting: setting.num_steps):
    words = [
      grids.write(setting.config[field])
      if field == 'sampler'
      else f'{field} = {grids.write(setting.config[field])}'
      for field in fields
    ]
    curves.setdefault(', '.join(['SSNN', *words]), []).append(setting)
  return curves


def _plot(axes, points, name, label, index):
  color, marker = _LOOKS[index % len(_LOOKS)]
  linestyle = _LINES[index // len(_LOOKS) % len(_LINES)]
  _errorbar(
    axes,
    points,
    name,
    color=color,
    marker=marker,
    markersize=5,
    linestyle=linestyle,
    label=label,
  )
  for setting in points:
    axes.annotate(
      str(setting.num_steps),
      (setting.mean(name), 100 * setting.mean('test_accuracy')),
      xytext=(4, 6 if index % 2 else -10),
      textcoords='offset points',
      fontsize=8,
      color=color,
    )


def _errorbar(axes, points, name, **look):
  axes.errorbar(
    [setting.mean(name) for setting in points],
    [100 * setting.mean('test_accuracy') for setting in points],
    yerr=[100 * setting.deviation('test_accuracy') for setting in points],
    xerr=[setting.deviation(name) for setting in points],
    capsize=3,
    **look,
  )


def _set_axis(axes, title):
  axes.set_title(title)
  if axes.get_xlim()[1] > 0:
    axes.set_xscale('log')
  axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  axes.xaxis.set_major_formatter(ticker.FormatStrFormatter('%g'))
  axes.xaxis.set_minor_formatter(ticker.NullFormatter())
  axes.set_xlabel('energy of a presentation (nJ)')
  axes.grid(alpha=0.3)


def _names(settings):
  return ', '.join(sorted({s.config['dataset'] for s in settings}))
