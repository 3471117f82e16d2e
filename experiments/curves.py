"""What one run tells over its epochs: a table, and a figure."""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from matplotlib import figure
from matplotlib import ticker
import numpy as np

from experiments import config_records
from experiments import figures
from experiments import summary
import ssnn_jax
from ssnn_jax import records

_COLORS = (figures.BLUE, figures.ORANGE, figures.GREEN, figures.BLACK)
_MARKERS = ('o', 's', '^', 'D')
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


def _weights(number):
  return [f'into {layer}' for layer in _erring(number)]


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
    'error spikes per neuron and tick',
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
    'coincidences per sample',
    ('coincidences',),
    1,
    _weights,
    True,
  ),
  _Panel(
    'distance of the update from the gradient',
    "RMS distance from BP's gradient, relative",
    ('update_error', 'quantisation_error'),
    1,
    None,
    True,
  ),
)
_NAMES = {
  'train_accuracy': 'training, while weights change',
  'test_accuracy': 'evaluation',
  'silent_fractions': 'silent',
  'saturated_fractions': 'always on',
  'update_error': 'spikes throughout',
  'quantisation_error': 'spikes in the update only',
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
  num_columns = -(-len(panels) // 2)
  sheet = figure.Figure(figsize=(4.2 * num_columns, 7.4), layout='constrained')
  grid = sheet.subplots(2, num_columns, squeeze=False).ravel()
  for axes, panel in zip(grid, panels):
    _draw(axes, panel, lines)
  for axes in grid[len(panels) :]:
    axes.set_axis_off()
  config = config_records.complete(run.config)
  of_spikes = f', T = {config["num_steps"]}' if config['method'] != 'bp' else ''
  sheet.suptitle(
    f'{config["dataset"]}, {config["method"]}{of_spikes}, seed '
    f'{config["seed"]}: one run over its epochs'
  )
  return sheet


def _draw(axes, panel, lines):
  """Draws a panel: a colour a layer, a line style a quantity."""
  for linestyle, name in zip(_LINES, panel.names):
    told = [line for line in lines if name in line]
    ticks = [line['epoch'] for line in told]
    values = panel.scale * np.array([np.atleast_1d(x[name]) for x in told])
    number = values.shape[1] if told else 0
    layers = panel.layers(number) if panel.layers else [''] * number
    for layer in range(number):
      index = layer if panel.layers else panel.names.index(name)
      axes.plot(
        ticks,
        values[:, layer],
        color=_COLORS[index % len(_COLORS)],
        linestyle=linestyle,
        marker=_MARKERS[index % len(_MARKERS)],
        markersize=4,
        label=', '.join(filter(None, (layers[layer], _NAMES.get(name)))),
      )
    if panel.is_log and np.any(values > 0):
      axes.set_yscale('log')
      axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
      axes.yaxis.set_major_formatter(ticker.FormatStrFormatter('%g'))
      axes.yaxis.set_minor_formatter(ticker.NullFormatter())
  if panel.title == 'clipped errors':
    axes.set_ylim(0, max(1, axes.get_ylim()[1]))  # often there are none
  axes.set_title(panel.title)
  axes.set_xlabel('epoch')
  axes.set_ylabel(panel.label)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
  axes.grid(alpha=0.3)
  if len(panel.names) > 1 or panel.layers:
    axes.legend(fontsize=8)
