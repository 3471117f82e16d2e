"""Table and figure of one run over its epochs."""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from matplotlib import figure
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
import numpy as np
import pandas as pd

from experiments.analysis import panels
from experiments.analysis import style
from experiments.config import serialization
import ssnn_jax
from ssnn_jax.runs import records

_LINES = ('-', '--')


class _Panel(NamedTuple):
  """A panel of the figure.

  Attributes:
    title: its title.
    label: label of the ordinate, with the unit.
    metrics: label of each metric, by its name; one line style each.
    scale: factor on the values.
    layers: names the layers of a metric by their number, if it has layers.
    is_log: whether the ordinate is logarithmic.
  """

  title: str
  label: str
  metrics: dict[str, str]
  scale: float = 1
  layers: Callable[[int], list[str]] | None = None
  is_log: bool = False


def _forward_layers(number):
  return ['inputs', *_hidden_layers(number - 1)]


def _hidden_layers(number):
  return [f'hidden layer {index}' for index in range(1, number + 1)]


def _error_layers(number):
  return [*_hidden_layers(number - 1), 'output']


_PANELS = (
  _Panel('loss', 'cross-entropy (nats)', {'loss': ''}, is_log=True),
  _Panel(
    'accuracy',
    'accuracy (%)',
    {'train_accuracy': 'during training', 'test_accuracy': 'evaluation'},
    100,
  ),
  _Panel(
    'firing',
    'spikes per neuron and tick',
    {'firing_rates': ''},
    layers=_forward_layers,
  ),
  _Panel(
    'silent or saturated neurons',
    'neurons (%)',
    {'silent_fractions': 'silent', 'saturated_fractions': 'saturated'},
    100,
    _forward_layers,
  ),
  _Panel(
    'errors',
    'error spikes\nper neuron and tick',
    {'error_rates': ''},
    layers=_error_layers,
    is_log=True,
  ),
  _Panel(
    'saturated errors',
    'reads of errors (%)',
    {'clipped_error_fractions': ''},
    100,
    _hidden_layers,
  ),
  _Panel(
    'coincidences',
    'per sample, at all\nweights of the layer',
    {'coincidences': ''},
    layers=_error_layers,
    is_log=True,
  ),
  _Panel(
    'update error',
    panels.ERROR_LABEL,
    {
      'update_error': 'spikes throughout',
      'quantisation_error': 'spikes in the update only',
    },
    is_log=True,
  ),
  _Panel(
    'bias and deviation of the update',
    'relative to the gradient',
    {'update_bias': 'bias', 'update_deviation': 'deviation'},
    layers=_error_layers,
    is_log=True,
  ),
  _Panel(
    'spike noise over minibatch noise',
    'ratio of squared errors',
    {'noise_ratio': ''},
    is_log=True,
  ),
)


def read_epochs(run: records.Run) -> pd.DataFrame:
  """Reads the metrics of a run, one row an epoch.

  Args:
    run: the run, finished or not.

  Returns:
    The metrics; evaluation metrics are None after other epochs.

  Raises:
    UserError: if no epoch is complete yet.
  """
  rows = {}
  for event in run.events:
    if event.get('event') in ('epoch', 'eval'):
      rows.setdefault(event['epoch'], {}).update(event)
  if not rows:
    raise ssnn_jax.UserError(
      f'{run.folder} has no complete epoch yet; wait for the first one.'
    )
  frame = pd.DataFrame(list(rows.values()), dtype=object)
  return frame.where(frame.notna(), None)


def table(epochs: pd.DataFrame) -> pd.DataFrame:
  """Makes the table of a run: cells of text, with one number per layer."""
  metrics = dict.fromkeys(name for panel in _PANELS for name in panel.metrics)
  cells = {'epoch': [str(epoch) for epoch in epochs['epoch']]}
  for name in metrics:
    if name in epochs:
      cells[name.replace('_', ' ')] = [_write(x) for x in epochs[name]]
  return pd.DataFrame(cells)


def _write(value: Any) -> str:
  values = [] if value is None else np.atleast_1d(np.array(value, float))
  return ' '.join(f'{number:.4g}' for number in values)


def draw(run: records.Run, epochs: pd.DataFrame) -> figure.Figure:
  """Draws the metrics of a run over its epochs, one panel per kind."""
  drawn = [panel for panel in _PANELS if {*panel.metrics} & {*epochs.columns}]
  height = min(2.5, 9.6 / -(-len(drawn) // 2))
  fig, grid = style.make(len(drawn), 2, height)
  for axes, panel in zip(grid, drawn):
    _draw_panel(axes, panel, epochs)
  _add_layer_legend(fig, grid)
  config = serialization.complete(run.config)
  steps = f', T = {config["num_steps"]}' if config['method'] != 'bp' else ''
  dataset = style.dataset_name(config['dataset'])
  style.set_title(
    fig, f'{dataset}, {config["method"]}{steps}, seed {config["seed"]}'
  )
  return fig


def _draw_panel(axes: Axes, panel: _Panel, epochs: pd.DataFrame) -> None:
  """Draws a panel with a colour for each layer and a line for each metric."""
  for index, (metric, label) in enumerate(panel.metrics.items()):
    if metric not in epochs:
      continue
    own = epochs[[value is not None for value in epochs[metric]]]
    if own.empty:
      continue
    values = [np.atleast_1d(np.array(x, float)) for x in own[metric]]
    values = panel.scale * np.array(values)
    number = values.shape[1]
    names = panel.layers(number) if panel.layers else [''] * number
    for name, column in zip(names, values.T):
      axes.plot(
        own['epoch'],
        column,
        linestyle=_LINES[index],
        label=', '.join(filter(None, (name, label))),
        **(_layer_look(name) if name else _look(index)),
      )
    if panel.is_log:
      style.set_log(axes.yaxis)
  if panel.title == 'saturated errors':
    axes.set_ylim(0, max(1, axes.get_ylim()[1]))  # often all are 0
  axes.set_title(panel.title, fontsize=style.TITLE)
  axes.set_xlabel('epoch')
  axes.set_ylabel(panel.label)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
  axes.grid(alpha=0.3)
  if len(panel.metrics) > 1:
    axes.legend(handles=_metric_handles(panel))


def _layer_look(name):
  """Returns colour and marker of a layer, the same in all panels."""
  if name == 'output':
    return {'color': style.BLACK, 'marker': '*', 'markersize': 5}
  return _look(0 if name == 'inputs' else int(name.split()[-1]))


def _look(index):
  return {
    'color': style.COLORS[index % len(style.COLORS)],
    'marker': style.MARKERS[index % len(style.MARKERS)],
    'markersize': 4,
  }


def _metric_handles(panel):
  """Makes the legend of a panel with several metrics."""
  return [
    Line2D(
      [],
      [],
      linestyle=_LINES[index],
      label=label,
      **({'color': '0.4'} if panel.layers else _look(index)),
    )
    for index, label in enumerate(panel.metrics.values())
  ]


def _add_layer_legend(fig, grid):
  """Adds a legend of the layers below the panels."""
  drawn = [line.get_label() for axes in grid for line in axes.lines]
  names = dict.fromkeys(label.split(', ')[0] for label in drawn)
  layers = [x for x in names if x.startswith(('inputs', 'hidden', 'output'))]
  layers.sort(key='output'.__eq__)
  handles = [Line2D([], [], label=name, **_layer_look(name)) for name in layers]
  fig.legend(handles=handles, loc='outside lower center', ncols=3)
