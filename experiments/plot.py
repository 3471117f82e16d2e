"""Draws figures and prints the results table, from records alone.

python -m experiments.plot --workdir=runs/spike_train_length-digits
"""

import os
import pathlib

from absl import flags
from matplotlib import figure
from matplotlib import ticker
import numpy as np

from experiments import cli
from experiments import summary
import ssnn_jax
from ssnn_jax import records

# Okabe and Ito's palette, which the colour-blind tell apart.
_BLUE, _ORANGE, _GREEN, _BLACK = '#0072B2', '#E69F00', '#009E73', '#000000'
# Orders of the error in T: (slope, line, cause).
_NOISE = (-0.5, '--', 'chance')
_KINKS = (-0.25, ':', 'kinks')
_READS = {
  'test_accuracy': ('winner counts', _BLUE, 'o'),
  'test_accuracy_potential': ('final potential', _ORANGE, 's'),
  'test_accuracy_rate': ('weights read as an ANN', _GREEN, '^'),
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
  _plot_error(
    middle,
    comparison.spiking,
    'update_error',
    'update error: spikes throughout',
    (_NOISE, _KINKS),
  )
  _plot_error(
    right,
    comparison.spiking,
    'quantisation_error',
    'quantisation error: spikes in the update only',
    (_NOISE,),
  )
  ticks = [setting.num_steps for setting in comparison.spiking]
  for axes in (left, middle, right):
    axes.set_xscale('log', base=2)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel('spike-train length T (ticks)')
    axes.grid(alpha=0.3)
  config, num_seeds = comparison.ann.config, summary.count_seeds(comparison)
  sheet.suptitle(
    f'{config["dataset"]}: learning by spikes (SSNN) against spike-train '
    'length, beside the ANN\n'
    f'mean and standard deviation over {num_seeds} seeds; errors on a probe '
    "batch, at the ANN's weights after one epoch"
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
  axes.axhspan(mean - deviation, mean + deviation, color=_BLACK, alpha=0.15)
  axes.axhline(mean, color=_BLACK, linewidth=1, label='ANN by backpropagation')
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
  is_held_out = ann.config['hold_out'] > 0
  judged_on = 'held-out' if is_held_out else 'test'
  axes.set_ylabel(f'{judged_on} accuracy (%)')
  axes.set_title('accuracy')
  axes.legend(loc='lower right', fontsize=9)


def _plot_error(axes, settings, name, title, guides):
  steps = np.array([setting.num_steps for setting in settings])
  means = np.array([setting.mean(name) for setting in settings])
  deviations = [setting.deviation(name) for setting in settings]
  label = 'SSNN'
  if len(steps) > 1:
    slope = np.polyfit(np.log(steps), np.log(means), 1)[0]
    label = f'SSNN, fitted slope {slope:.2f}'
  axes.errorbar(
    steps, means, deviations, color=_BLUE, marker='o', capsize=3, label=label
  )
  # Anchored at the longest train, where the leading orders hold best.
  for slope, linestyle, cause in guides:
    axes.plot(
      steps,
      means[-1] * (steps / steps[-1]) ** slope,
      color=_BLACK,
      linestyle=linestyle,
      linewidth=1,
      label=f'theory ({cause}): slope {slope:g}',
    )
  axes.set_yscale('log')
  axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  axes.yaxis.set_major_formatter(ticker.FormatStrFormatter('%g'))
  axes.yaxis.set_minor_formatter(ticker.NullFormatter())
  axes.set_ylabel("RMS distance from BP's gradient, relative")
  axes.set_title(title)
  axes.legend(loc='upper right', fontsize=9)


def main() -> None:
  """Prints the table of a sweep over T and draws its figure."""
  values = flags.FLAGS.flag_values_dict()
  workdir = cli.folder(values['workdir'] or '')
  if not values['workdir'] or not workdir.is_dir():
    raise ssnn_jax.UserError(
      f'--workdir={values["workdir"] or ""} is not a folder; give the one that '
      'experiments.sweep wrote to.'
    )
  settings = summary.group(records.find(workdir))
  comparison = summary.compare(settings, str(workdir))
  print(summary.table(comparison))
  sheet = draw_spike_train_length(comparison)
  paths = save(sheet, workdir / 'spike_train_length')
  print('figure: ' + ', '.join(map(str, paths)))


if __name__ == '__main__':
  flags.DEFINE_string('workdir', None, 'folder of a sweep; figures go there.')
  cli.launch(main)
