"""Draws figures of results, so that the colour-blind can read them too."""

from collections.abc import Sequence
import os
import pathlib

from matplotlib import figure
from matplotlib import ticker
from matplotlib.axes import Axes
import numpy as np

from experiments import orders
from experiments import summary
from experiments import synapses
from ssnn_jax import datasets

# Okabe and Ito's palette, which the colour-blind tell apart.
BLUE, ORANGE, GREEN, BLACK = '#0072B2', '#E69F00', '#009E73', '#000000'
ERROR_LABEL = "RMS distance from BP's gradient, relative"
_OTHERS = ('#D55E00', ORANGE, '#CC79A7', GREEN, '#56B4E9')
_CAUSES = {'chance': '--', 'kinks': ':'}  # of errors, by their orders in T
# Color, marker and its size; in a readout dense and packed are the same.
_REPRESENTATIONS = {
  'packed': (BLUE, 'o', 4),
  'dense': (GREEN, 's', 9),
  'naive': (ORANGE, '^', 6),
}
_READS = {
  'test_accuracy': ('winner counts', BLUE, 'o'),
  'test_accuracy_potential': ('final potential', ORANGE, 's'),
  'test_accuracy_rate': ('weights read as an ANN', GREEN, '^'),
}


def draw_spike_train_length(comparison: summary.Comparison) -> figure.Figure:
  """Draws accuracy and errors of spiking networks against T.

  Args:
    comparison: spiking networks over T, and their ANN.

  Returns:
    The figure; a notebook shows it.
  """
  sheet = figure.Figure(figsize=(14, 4.4), layout='constrained')
  left, middle, right = sheet.subplots(ncols=3)
  right.sharey(middle)  # before anything is drawn, so that both fit
  _plot_accuracy(left, comparison)
  # The events of a recording are what they are: more ticks add none.
  is_sampled = comparison.ann.config['dataset'] not in datasets.RECORDINGS
  _plot_error(
    middle,
    comparison.spiking,
    'update_error',
    'update error: spikes throughout',
    tuple(_CAUSES) if is_sampled else (),
  )
  _plot_error(
    right,
    comparison.spiking,
    'quantisation_error',
    'quantisation error: spikes in the update only',
    ('chance',) if is_sampled else (),
  )
  ticks = [setting.num_steps for setting in comparison.spiking]
  for axes in (left, middle, right):
    set_steps(axes, ticks)
  config = comparison.ann.config
  bars = summary.describe_bars((comparison.ann, *comparison.spiking))
  sheet.suptitle(
    f'{config["dataset"]}: learning by spikes (SSNN) against spike-train '
    'length, beside the ANN\n'
    f"{bars}; errors on a probe batch, at the ANN's weights after one epoch"
  )
  return sheet


def save(sheet: figure.Figure, stem: str | os.PathLike) -> list[pathlib.Path]:
  """Saves a figure as PNG and SVG.

  Args:
    sheet: the figure.
    stem: path of the files without suffix.

  Returns:
    The files written.
  """
  paths = [pathlib.Path(f'{stem}.{suffix}') for suffix in ('png', 'svg')]
  for path in paths:
    sheet.savefig(path, dpi=150)
  return paths


def _plot_accuracy(axes, comparison):
  ann = comparison.ann
  mean, deviation = (
    100 * read('test_accuracy') for read in (ann.mean, ann.deviation)
  )
  axes.axhspan(mean - deviation, mean + deviation, color=BLACK, alpha=0.15)
  axes.axhline(mean, color=BLACK, linewidth=1, label='ANN by backpropagation')
  for name, (label, color, marker) in _READS.items():
    axes.errorbar(
      [setting.num_steps for setting in comparison.spiking],
      [100 * setting.mean(name) for setting in comparison.spiking],
      [100 * setting.deviation(name) for setting in comparison.spiking],
      color=color,
      marker=marker,
      markersize=5,
      capsize=3,
      label=f'SSNN, {label}',
    )
  judged_on = 'held-out' if ann.config['hold_out'] > 0 else 'test'
  other = ann.config.get('test_dataset')
  where = f' on {other}' if other else ''
  axes.set_ylabel(f'{judged_on} accuracy{where} (%)')
  axes.set_title('accuracy')
  axes.legend(loc='lower right', fontsize=9)


def _plot_error(axes, settings, name, title, causes):
  steps = np.array([setting.num_steps for setting in settings])
  means = np.array([setting.mean(name) for setting in settings])
  deviations = [setting.deviation(name) for setting in settings]
  label = 'SSNN'
  if len(steps) > 1:
    slope = np.polyfit(np.log(steps), np.log(means), 1)[0]
    label = f'SSNN, fitted slope {slope:.2f}'
  axes.errorbar(
    steps, means, deviations, color=BLUE, marker='o', capsize=3, label=label
  )
  # Anchored at the longest train, where the leading orders hold best.
  predicted = orders.ORDERS[settings[0].config['sampler']]
  for cause in causes:
    slope = getattr(predicted, cause)
    axes.plot(
      steps,
      means[-1] * (steps / steps[-1]) ** slope,
      color=BLACK,
      linestyle=_CAUSES[cause],
      linewidth=1,
      label=f'theory ({cause}): slope {slope:g}',
    )
  set_errors(axes)
  axes.set_title(title)
  axes.legend(loc='upper right', fontsize=9)


def draw_cost(lines: list[dict]) -> figure.Figure:
  """Draws the time of a step against T, in steps of backpropagation.

  Args:
    lines: those of a benchmark, of one network and batch size.

  Returns:
    The figure; a notebook shows it.
  """
  all_spiking = [line for line in lines if line['method'] == 'ssnn']
  rivals = [line for line in lines if line['method'] not in ('ssnn', 'bp')]
  told = {line['name'] for line in all_spiking}
  names = [name for name in ('learn', 'infer') if name in told] or ['epoch']
  sheet = figure.Figure(figsize=(9.5, 4.4), layout='constrained')
  panels = sheet.subplots(ncols=len(names), squeeze=False)[0]
  for axes, name in zip(panels, names):
    spiking = [line for line in all_spiking if line['name'] == name]
    for kind, (color, marker, size) in _REPRESENTATIONS.items():
      of_kind = [x for x in spiking if x['representation'] == kind]
      label = f'ssnn, {kind}' if rivals else kind
      for kept in dict.fromkeys(
        x.get('synapses', synapses.IDEAL) for x in of_kind
      ):
        own = [x for x in of_kind if x.get('synapses', synapses.IDEAL) == kept]
        own.sort(key=lambda line: line['num_steps'])
        is_ideal = kept == synapses.IDEAL
        axes.plot(
          [line['num_steps'] for line in own],
          [line['ratio_to_bp'] for line in own],
          color=color if is_ideal else None,
          marker=marker,
          markersize=size,
          fillstyle='none',
          label=label if is_ideal else f'{label}, {kept}',
        )
    _plot_rivals(axes, [line for line in rivals if line['name'] == name])
    axes.axhline(1, color=BLACK, linewidth=1, label='backpropagation')
    set_steps(axes, sorted({line['num_steps'] for line in spiking}))
    axes.set_yscale('log')
    axes.yaxis.set_major_formatter(ticker.FormatStrFormatter('%g'))
    axes.set_ylabel('time, in that of backpropagation')
    axes.set_title(name)
    axes.legend(fontsize=9)
  first = all_spiking[0]
  sheet.suptitle(
    f'{"-".join(map(str, first["layer_sizes"]))}, batch {first["batch_size"]}, '
    f'{first["sampler"]} trains: what a step costs against spike-train length'
  )
  return sheet


def _plot_rivals(axes, lines):
  """Plots what steps of other methods than ours cost."""
  for method, color in zip(dict.fromkeys(x['method'] for x in lines), _OTHERS):
    own = [line for line in lines if line['method'] == method]
    own.sort(key=lambda line: line['num_steps'])
    axes.plot(
      [line['num_steps'] for line in own],
      [line['ratio_to_bp'] for line in own],
      color=color,
      marker='x',
      label=method,
    )


def set_steps(axes: Axes, steps: Sequence[int]) -> None:
  """Makes T the abscissa.

  Args:
    axes: the panel.
    steps: the values of T, each of which gets a tick.
  """
  axes.set_xscale('log', base=2)
  axes.set_xticks(steps, [str(step) for step in steps])
  axes.set_xlabel('spike-train length T (ticks)')
  axes.grid(alpha=0.3)


def set_errors(axes: Axes) -> None:
  """Makes errors of an update the ordinate, on a logarithmic scale."""
  axes.set_yscale('log')
  axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  axes.yaxis.set_major_formatter(ticker.FormatStrFormatter('%g'))
  axes.yaxis.set_minor_formatter(ticker.NullFormatter())
  axes.set_ylabel(ERROR_LABEL)
