"""What one run tells over its epochs: a table, and a figure."""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from matplotlib import figure
from matplotlib import ticker
from matplotlib.lines import Line2D
import numpy as np

from experiments import figures
from experiments import sheets
from experiments import summary
from experiments.config import serialization as config_records
import ssnn_jax
from ssnn_jax.runs import records

# Of inputs and hidden layers, in their order; the output is black.
_COLORS = (
  *(figures.BLUE, figures.ORANGE, figures.GREEN),
  *(figures.VERMILION, figures.PURPLE),
)
_MARKERS = ('o', 's', '^', 'D', 'v')
_LINES = ('-', '--')
# Of each column of the table: the name in a line of metrics, what is shown of
# each of its numbers, and how.
_COLUMNS = {
  'loss': ('loss', 1, '.4f'),
  'train accuracy': ('train_accuracy', 100, '.2f'),
  'test accuracy': ('test_accuracy', 100, '.2f'),
  'firing rates': ('firing_rates', 1, '.3f'),
  'silent': ('silent_fractions', 100, '.1f'),
  'saturated': ('saturated_fractions', 100, '.1f'),
  'error rates': ('error_rates', 1, '.4f'),
  'clipped': ('clipped_error_fractions', 100, '.1f'),
  'coincidences': ('coincidences', 1, '.0f'),
  'update error': ('update_error', 1, '.3f'),
  'quantisation error': ('quantisation_error', 1, '.3f'),
}


class _Panel(NamedTuple):
  title: str
  label: str  # of the ordinate, with its unit
  names: tuple[str, ...]  # in a line of metrics, one line style each
  scale: float
  layers: Callable[[int], list[str]] | None  # names of the first ones, if any
  is_log: bool = False


def _sending(number):
  """Names layers of neurons that send spikes forward."""
  return ['inputs', *(f'hidden layer {n}' for n in range(1, number))]


def _hidden(number):
  return [f'hidden layer {n}' for n in range(1, number + 1)]


def _erring(number):
  return [*_hidden(number - 1), 'output']


_PANELS = (
  _Panel('loss', 'cross-entropy (nats)', ('loss',), 1, None, True),
  _Panel(
    'accuracy', 'accuracy (%)', ('train_accuracy', 'test_accuracy'), 100, None
  ),
  _Panel(
    'firing', 'spikes per neuron and tick', ('firing_rates',), 1, _sending
  ),
  _Panel(
    'silent, or always on',
    'neurons (%)',
    ('silent_fractions', 'saturated_fractions'),
    100,
    _sending,
  ),
  _Panel(
    'errors',
    'error spikes\nper neuron and tick',
    ('error_rates',),
    1,
    _erring,
    True,
  ),
  _Panel(
    'clipped errors',
    'reads of errors (%)',
    ('clipped_error_fractions',),
    100,
    _hidden,
  ),
  _Panel(
    'coincidences',
    'per sample, at all\nweights into the layer',
    ('coincidences',),
    1,
    _erring,
    True,
  ),
  _Panel(
    'update error',
    figures.ERROR_LABEL,
    ('update_error', 'quantisation_error'),
    1,
    None,
    True,
  ),
)
_NAMES = {
  'train_accuracy': 'during training',
  'test_accuracy': 'evaluation',
  'silent_fractions': 'silent',
  'saturated_fractions': 'always on',
  'update_error': 'spikes throughout',
  'quantisation_error': 'in the update only',
}


def epochs(run: records.Run) -> list[dict[str, Any]]:
  """Collects what a run tells of each epoch, evaluations too.

  Args:
    run: the run, finished or not.

  Returns:
    A line an epoch.

  Raises:
    UserError: if no epoch is done yet.
  """
  lines = {}
  for event in run.events:
    if event.get('event') in ('epoch', 'eval'):
      lines.setdefault(event['epoch'], {}).update(event)
  if not lines:
    raise ssnn_jax.UserError(
      f'{run.folder} tells of no epoch yet; wait for the first one.'
    )
  return list(lines.values())


def table(lines: list[dict[str, Any]]) -> str:
  """Lays out epochs as text, a line each.

  Args:
    lines: those of `epochs`.

  Returns:
    The table; accuracies and fractions in percent, a number a layer.
  """
  columns = {
    heading: column
    for heading, column in _COLUMNS.items()
    if any(column[0] in line for line in lines)
  }
  rows = [('epoch', *columns)]
  for line in lines:
    cells = (_cell(line.get(name), *how) for name, *how in columns.values())
    rows.append((str(line['epoch']), *cells))
  return summary.layout(rows)


def _cell(value, scale, digits):
  if value is None:
    return ''
  return ' '.join(f'{scale * part:{digits}}' for part in np.atleast_1d(value))


def draw_curves(run: records.Run, lines: list[dict[str, Any]]) -> figure.Figure:
  """Draws what a run tells, over its epochs.

  Args:
    run: the run.
    lines: its epochs.

  Returns:
    The figure: a panel for each quantity that was recorded.
  """
  panels = [p for p in _PANELS if any(p.names[0] in line for line in lines)]
  height = min(2.5, 9.6 / -(-len(panels) // 2))
  sheet, grid = sheets.make(len(panels), 2, height)
  for axes, panel in zip(grid, panels):
    _draw(axes, panel, lines)
  _explain(sheet, grid)
  config = config_records.complete(run.config)
  of_spikes = f', T = {config["num_steps"]}' if config['method'] != 'bp' else ''
  sheets.set_title(
    sheet,
    f'{sheets.name(config["dataset"])}, {config["method"]}{of_spikes}, seed '
    f'{config["seed"]}: one run over its epochs',
  )
  return sheet


def _draw(axes, panel, lines):
  """Draws a panel: a colour a layer, a line style a quantity."""
  for index, name in enumerate(panel.names):
    told = [line for line in lines if name in line]
    ticks = [line['epoch'] for line in told]
    values = panel.scale * np.array([np.atleast_1d(x[name]) for x in told])
    number = values.shape[1] if told else 0
    layers = panel.layers(number) if panel.layers else [''] * number
    for layer, column in zip(layers, values.T):
      axes.plot(
        ticks,
        column,
        **(_look(layer) if layer else _look_at(index)),
        linestyle=_LINES[index],
        label=', '.join(filter(None, (layer, _NAMES.get(name)))),
      )
    if panel.is_log and np.any(values > 0):
      axes.set_yscale('log')
      sheets.set_log(axes.yaxis)
  if panel.title == 'clipped errors':
    axes.set_ylim(0, max(1, axes.get_ylim()[1]))  # often there are none
  axes.set_title(panel.title, fontsize=sheets.TITLE)
  axes.set_xlabel('epoch')
  axes.set_ylabel(panel.label)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
  axes.grid(alpha=0.3)
  if len(panel.names) > 1:
    axes.legend(handles=_styles(panel))


def _look(layer):
  """Tells a layer's colour and marker, which are the same in all panels."""
  if layer == 'output':
    return {'color': figures.BLACK, 'marker': '*', 'markersize': 5}
  return _look_at(0 if layer == 'inputs' else int(layer.split()[-1]))


def _look_at(index):
  color, marker = (of[index % len(of)] for of in (_COLORS, _MARKERS))
  return {'color': color, 'marker': marker, 'markersize': 4}


def _styles(panel):
  """Makes the legend of a panel that has several quantities."""
  return [
    Line2D(
      *([], []),
      **({'color': '0.4'} if panel.layers else _look_at(index)),
      linestyle=_LINES[index],
      label=_NAMES[name],
    )
    for index, name in enumerate(panel.names)
  ]


def _explain(sheet, grid):
  """Puts a legend of the layers below the panels."""
  drawn = [line.get_label() for axes in grid for line in axes.lines]
  named = dict.fromkeys(label.split(', ')[0] for label in drawn)
  layers = [x for x in named if x.startswith(('inputs', 'hidden', 'output'))]
  layers.sort(key='output'.__eq__)
  sheet.legend(
    handles=[Line2D([], [], **_look(x), label=x) for x in layers],
    loc='outside lower center',
    ncols=3,
  )
