"""Table and figure of one run over its epochs."""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from matplotlib import figure
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
import numpy as np
import pandas as pd

from experiments.analysis import figures
from experiments.config import experiment
from experiments.config import titles

_LINES = ('-', '--')


class _Panel(NamedTuple):
  """A panel of the figure: its labels, and labels of metrics by their names.

  `layers` says which layers a metric has a number of: all that spike forward,
  the hidden ones, or all that send errors; a metric of the network has none.
  """

  title: str
  label: str
  metrics: dict[str, str]
  layers: str = ''
  is_log: bool = False
  scale: float = 1


_FORWARD, _HIDDEN, _ERRORS = 'forward', 'hidden', 'errors'
_TRAINING = {'train_accuracy': 'during training', 'test_accuracy': 'evaluation'}
_SILENT = {'silent_fractions': 'silent', 'saturated_fractions': 'saturated'}
_ERROR = {'update_error': 'all passes', 'quantisation_error': 'update only'}
_UPDATE = {'update_bias': 'bias', 'update_deviation': 'deviation'}
_PER_TICK = 'per neuron and tick'
_PANELS = (
  _Panel('loss', 'cross-entropy (nats)', {'loss': ''}, is_log=True),
  _Panel('accuracy', 'accuracy (%)', _TRAINING, scale=100),
  _Panel('spikes', f'spikes\n{_PER_TICK}', {'firing_rates': ''}, _FORWARD),
  _Panel(
    'silent or saturated neurons', 'neurons (%)', _SILENT, _FORWARD, scale=100
  ),
  _Panel(
    'errors', f'error spikes\n{_PER_TICK}', {'error_rates': ''}, _ERRORS, True
  ),
  _Panel(
    'saturated errors',
    'errors (%)',
    {'clipped_error_fractions': ''},
    _HIDDEN,
    scale=100,
  ),
  _Panel(
    'coincidences',
    'per sample, at all\nweights of the layer',
    {'coincidences': ''},
    _ERRORS,
    True,
  ),
  _Panel('update error', figures.ERROR_LABEL, _ERROR, is_log=True),
  _Panel('update', 'relative to the gradient', _UPDATE, _ERRORS, True),
  _Panel(
    'spike noise over minibatch noise',
    'ratio of squared errors',
    {'noise_ratio': ''},
    is_log=True,
  ),
)


def _name_layers(kind, number):
  """Names the layers of a metric by their number."""
  hidden = [f'hidden layer {index}' for index in range(1, number + 1)]
  names = {_FORWARD: ['inputs', *hidden[:-1]], _HIDDEN: hidden}
  return (names | {_ERRORS: [*hidden[:-1], 'output']}).get(kind, [''])


def read_epochs(line: Mapping[str, Any]) -> pd.DataFrame:
  """Reads the curves of a run, one row an epoch.

  Args:
    line: the line of the run in its record, finished or not.

  Returns:
    The metrics; those of evaluations and probes are None after other epochs.
  """
  curves = dict(line['curves'])
  evaluated = curves.pop('eval_epochs', [])
  epochs = range(1, len(curves['loss']) + 1)
  frame = pd.DataFrame({'epoch': epochs}, dtype=object)
  every = experiment.complete(line['config'])['probe_every'] or 1
  for name, values in curves.items():
    places = epochs
    if name == 'test_accuracy':
      places = evaluated
    elif len(values) < len(epochs):
      places = epochs[every - 1 :: every]
    by_epoch = dict(zip(places, values))
    frame[name] = pd.Series([by_epoch.get(x) for x in epochs], dtype=object)
  return frame


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


def draw(line: Mapping[str, Any], epochs: pd.DataFrame) -> figure.Figure:
  """Draws the metrics of a run over its epochs, one panel per kind."""
  drawn = [panel for panel in _PANELS if {*panel.metrics} & {*epochs.columns}]
  height = min(2.5, 9.4 / -(-len(drawn) // 2))
  fig, grid = figures.make(len(drawn), 2, height)
  layers = {}
  for axes, panel in zip(grid, drawn):
    layers |= _draw_panel(axes, panel, epochs)
  handles = [Line2D([], [], label=x, **look) for x, look in layers.items()]
  handles.sort(key=lambda handle: handle.get_label() == 'output')
  fig.legend(handles=handles, loc='outside lower center', ncols=3)
  config = experiment.complete(line['config'])
  steps = f', T = {config["num_steps"]}' if config['method'] != 'bp' else ''
  figures.set_title(
    fig,
    f'{titles.title(config["dataset"])}, {config["method"]}{steps}, '
    f'seed {config["seed"]}',
  )
  return fig


def _draw_panel(axes: Axes, panel: _Panel, epochs: pd.DataFrame):
  """Draws a panel, a colour for each layer; returns the looks of layers."""
  layers, metrics = {}, []
  for index, (metric, label) in enumerate(panel.metrics.items()):
    if metric not in epochs or epochs[metric].isna().all():
      continue
    own = epochs[epochs[metric].notna()]
    values = [np.atleast_1d(np.array(x, float)) for x in own[metric]]
    values = panel.scale * np.array(values).T
    names = _name_layers(panel.layers, len(values))
    looks = [_look(name, index) for name in names]
    layers |= dict(zip(names, looks)) if panel.layers else {}
    for name, look, column in zip(names, looks, values):
      words = ', '.join(filter(None, (name, label)))
      look = look | {'linestyle': _LINES[index], 'label': words}
      axes.plot(own['epoch'], column, **look)
    look = {'color': '0.4'} if panel.layers else looks[0]
    look = look | {'linestyle': _LINES[index], 'label': label}
    metrics.append(Line2D([], [], **look))
  if panel.is_log:
    figures.set_log(axes.yaxis)
  if panel.title == 'saturated errors':
    axes.set_ylim(0, max(1, axes.get_ylim()[1]))  # often all are 0
  axes.set_title(panel.title, fontsize=figures.TITLE)
  axes.set_xlabel('epoch')
  axes.set_ylabel(panel.label)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
  if len(panel.metrics) > 1:
    axes.legend(handles=metrics)
  return layers


def _look(layer, metric):
  """Returns colour and marker of a layer, the same in all panels."""
  if layer == 'output':
    return {'color': figures.BLACK, 'marker': '*', 'markersize': 5}
  numbers = [int(x) for x in layer.split() if x.isdigit()]
  index = sum(numbers) if layer else metric
  return {
    'color': figures.COLORS[index % len(figures.COLORS)],
    'marker': figures.MARKERS[index % len(figures.MARKERS)],
    'markersize': 4,
  }
