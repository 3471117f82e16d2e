"""Draws what accuracy takes on a chip, in energy."""

from collections.abc import Sequence
import pathlib

from matplotlib import figure

from experiments import figures
from experiments import grid_summary
from experiments import sheets
from experiments import summary
from experiments.config import grids

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
  sheet, panels = sheets.make(len(_PANELS), height=3.2, sharey=True)
  for axes, (title, (name, bp_name)) in zip(panels, _PANELS.items()):
    for index, (label, points) in enumerate(_curves(settings).items()):
      _plot(axes, points, name, label, index)
    anns = list(filter(grid_summary.is_ann, settings))
    if anns:
      _errorbar(axes, anns, bp_name, **_ANN_LOOK)
    _set_axis(axes, title)
    axes.margins(0.08, 0.15)  # for the numbers
    axes.set_ylabel(figures.judged_on(settings))
  sheets.explain_below(sheet, panels)
  energies = sheets.as_it_is(pathlib.Path(table).stem)
  sheets.set_title(
    sheet,
    f'{_names(settings)}: accuracy against energy; numbers are T',
    f'energies: table {energies}',
    summary.describe_bars(settings),
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
    label = sheets.as_it_is(', '.join(['SSNN', *words]))
    curves.setdefault(label, []).append(setting)
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
      fontsize=sheets.SMALL,
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
  axes.set_title(title, fontsize=sheets.TITLE)
  if axes.get_xlim()[1] > 0:
    axes.set_xscale('log')
  sheets.set_log(axes.xaxis)
  axes.set_xlabel('energy of a presentation (nJ)')
  axes.grid(alpha=0.3)


def _names(settings):
  return ', '.join(sorted({sheets.name(s.config['dataset']) for s in settings}))
