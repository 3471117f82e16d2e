"""Methods side by side, from records alone: accuracy, time, spikes and memory.

The sweep `methods` trains every method with equal layers, data order, schedule
and regularisation.
"""

from collections.abc import Sequence
import os

from matplotlib import figure
import numpy as np

from experiments import figures
from experiments import grid_summary
from experiments import sheets
from experiments import summary
from experiments.config import methods
from experiments.config import serialization as config_records
from ssnn_jax.baselines import bp_stdp
from ssnn_jax.hardware import cost
from ssnn_jax.runs import records

_QUANTITY = summary.ACCURACIES[0]
_TAKEN = 'epoch_seconds', 'stored_bits'  # that is drawn
_WORD = 32  # bits of a number that is no spike
_COLORS = (figures.BLUE, figures.ORANGE, figures.GREEN, figures.VERMILION)
_MARKERS = ('o', 's', '^', 'D')


def is_comparison(settings: Sequence[summary.Setting]) -> bool:
  """Tells whether methods, other ones than ours too, and T alone vary."""
  others = _names(settings) - {'ssnn'}
  varied = set(grid_summary.varied(settings))
  return others > {methods.ANN} and varied <= {'method', 'num_steps'}


def stored_bits(
  method: str, layer_sizes: Sequence[int], num_steps: int, window: int
) -> int:
  """Counts what is kept of a sample from the forward phase to its update.

  A spike is a bit and any other number 32 of them. Weights, and membranes that
  the next tick overwrites, are not counted.

    bp, rpu: what enters each layer of weights, as numbers; gates follow.
    surrogate_gradient: at every tick what enters each layer, as spikes, and the
      potential of each hidden neuron.
    bp_stdp: the spikes of a sub-interval.
    ssnn, feedback_alignment: spikes that wait for the errors of their window,
      and gates (`cost.count_delay_bits`).

  Args:
    method: the method.
    layer_sizes: neurons of each layer.
    num_steps: T.
    window: n, ticks between reads of a membrane.

  Returns:
    The number of bits.
  """
  sending, hidden = sum(layer_sizes[:-1]), sum(layer_sizes[1:-1])
  if method in (methods.ANN, 'rpu'):
    return _WORD * sending
  if method == 'surrogate_gradient':
    return num_steps * (sending + _WORD * hidden)
  if method == 'bp_stdp':
    return min(num_steps, bp_stdp.SUB_INTERVAL) * sending
  return cost.count_delay_bits(layer_sizes, window)


def read(workdir: str | os.PathLike) -> list[summary.Setting]:
  """Reads the runs of a sweep, with what they took.

  Args:
    workdir: the folder of a sweep.

  Returns:
    The settings, the ANN's first; their `values` also hold, seed by seed,
    `epoch_seconds`, the share of a run in an epoch of the program that trains
    all seeds; `forward_spikes` and `error_spikes` of a sample, after the last
    epoch; and `stored_bits`. What a method has none of is NaN.

  Raises:
    UserError: if a record is damaged.
  """
  runs = [run for run in records.find(workdir) if run.final is not None]
  settings = grid_summary.group(runs)
  grid_summary.add_values(settings, runs, _take)
  for setting in settings:
    seconds = setting.values['train_seconds']
    setting.values['epoch_seconds'] = seconds / setting.config['num_epochs']
  return settings


def _take(run):
  """Tells what a run took."""
  config = config_records.complete(run.config)
  told, sizes = run.final, run.final['layer_sizes']
  last = [event for event in run.events if event.get('event') == 'epoch'][-1]
  method, num_steps = config['method'], config['num_steps']

  def spikes(name, sizes):
    if method == methods.ANN or name not in last:
      return np.nan
    return num_steps * float(np.dot(last[name], sizes))

  return {
    'forward_spikes': spikes('firing_rates', sizes[:-1]),
    'error_spikes': spikes('error_rates', sizes[1:]),
    'stored_bits': stored_bits(method, sizes, num_steps, told['window']),
  }


def table(settings: Sequence[summary.Setting]) -> str:
  """Lays out methods, a line for each and T.

  Args:
    settings: those of `read`.

  Returns:
    The table: accuracies in percent, differences in points, paired by seed.
  """
  rows = [
    (
      *('method', 'T', 'accuracy', 'minus ANN (95 %)', 'read as ANN'),
      *('seconds an epoch', 'of BP', 'spikes forward', 'back'),
      *('bits stored', 'seeds'),
    )
  ]
  rows.extend(_row(setting, settings) for setting in settings)
  return summary.layout(rows)


def _row(setting, settings):
  ann = grid_summary.baseline(setting, settings)
  is_ann = grid_summary.is_ann(setting)
  compared, as_ann = ('', ''), ''
  if not is_ann:
    as_ann = summary.spread(setting, summary.ACCURACIES[2], 100, 2)
    if ann is not None:
      difference = summary.paired_difference(setting, ann, _QUANTITY)
      ratio = setting.mean('epoch_seconds') / ann.mean('epoch_seconds')
      compared = summary.points(*difference), f'{ratio:.1f}'
  whole = ('forward_spikes', 'error_spikes', 'stored_bits')
  return (
    *(setting.config['method'], '' if is_ann else str(setting.num_steps)),
    summary.spread(setting, _QUANTITY, 100, 2),
    *(compared[0], as_ann),
    *(f'{setting.mean("epoch_seconds"):.3g}', compared[1]),
    *(_whole(setting.mean(name)) for name in whole),
    str(len(setting.seeds)),
  )


def _whole(number):
  return '' if np.isnan(number) else f'{number:,.0f}'


def draw(settings: Sequence[summary.Setting]) -> figure.Figure:
  """Draws methods side by side: accuracy, time and memory.

  Args:
    settings: those of `read`.

  Returns:
    The figure: a place for each method, a colour for each T.
  """
  anns, others = grid_summary.part(settings)
  names = [name for name in methods.METHODS if name in _names(others)]
  sheet, panels = sheets.make(3, height=2.9, sharex=True)
  steps = sorted({setting.num_steps for setting in others})
  for index, number in enumerate(steps):
    # Apart, so that none hides another.
    shift = 0.2 * (index - (len(steps) - 1) / 2) / len(steps)
    part = [s for s in others if s.num_steps == number]
    places = [names.index(s.config['method']) + shift for s in part]
    _plot(panels, places, part, index)
  for ann in anns:
    _plot_across(panels, ann)
  accuracy, seconds, bits = panels
  accuracy.set_ylabel(figures.judged_on(settings))
  _set_log(seconds, 'training time\nof an epoch (s)')
  _set_log(bits, 'stored for a sample\nuntil its update (bits)')
  bits.set_xlabel('method')
  sheets.explain_below(sheet, [accuracy])
  for axes in panels:
    axes.set_xticks(range(len(names)), names, rotation=30, ha='right')
    axes.grid(alpha=0.3)
  sheets.set_title(
    sheet,
    f'{sheets.name(others[0].config["dataset"])}: methods, all else equal',
    summary.describe_bars(settings),
  )
  return sheet


def _plot(panels, places, settings, index):
  """Plots methods that have the same T."""
  look = {
    'color': _COLORS[index % len(_COLORS)],
    'marker': _MARKERS[index % len(_MARKERS)],
    'linestyle': 'none',
  }
  panels[0].errorbar(
    places,
    [100 * setting.mean(_QUANTITY) for setting in settings],
    [100 * setting.deviation(_QUANTITY) for setting in settings],
    capsize=3,
    label=f'T = {settings[0].num_steps}',
    **look,
  )
  for axes, quantity in zip(panels[1:], _TAKEN):
    axes.plot(places, [s.mean(quantity) for s in settings], **look)


def _plot_across(panels, ann):
  """Plots the ANN, which has no T."""
  figures.plot_across(panels[0], ann, 'ANN (BP)')
  for axes, quantity in zip(panels[1:], _TAKEN):
    axes.axhline(ann.mean(quantity), color=figures.BLACK, linewidth=1)


def _names(settings):
  return {setting.config['method'] for setting in settings}


def _set_log(axes, label):
  axes.set_yscale('log')
  sheets.set_log(axes.yaxis)
  axes.set_ylabel(label)
