"""Learning curves of a run, the table and figure of a sweep, or a raster.

  python -m experiments.plot --workdir=runs/name
  python -m experiments.plot --workdir=runs/name --raster

--workdir is the folder of a run or of a sweep, finished or not. --raster draws
all spikes of one sample, tick by tick, in a run of the spiking network.
"""

import math
import pathlib
import re

from absl import flags
import jax
from matplotlib import figure
from matplotlib import ticker
import numpy as np
import pandas as pd

from experiments import command
from experiments import config as config_lib
from experiments import results
from experiments import train
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.training import raster_plot

FLAGS = flags.FLAGS
# Panels of quantities that are drawn together; all others have their own.
_PANELS = {
  'train_accuracy': 'accuracy',
  'test_accuracy': 'accuracy',
  'silent_fractions': 'silent and saturated neurons (fraction)',
  'saturated_fractions': 'silent and saturated neurons (fraction)',
  'error_rates': 'error spikes of a neuron and tick',
  'firing_rates': 'spikes of a neuron and tick',
  'coincidences': 'coincidences of a sample',
  'loss': 'cross-entropy (nats)',
}
_LOG = [_PANELS[name] for name in ('loss', 'coincidences', 'error_rates')]


def read_epochs(folder: pathlib.Path) -> pd.DataFrame:
  """Reads the epochs of all seeds of a run, finished or not, one a row."""
  epochs = train.read_lines(folder, 'epoch')
  if not epochs:
    raise ssnn_jax.UserError(
      f'{folder} holds no epoch of a run; wait for its first checkpoint.'
    )
  return pd.DataFrame(epochs).drop(columns='event')


def draw(epochs: pd.DataFrame) -> figure.Figure:
  """Draws learning curves: means over the seeds of a run, with their range.

  A quantity of each layer, whose name ends with its number, has a curve for
  each layer.
  """
  panels = {}
  for name in epochs.columns.difference(['seed', 'epoch'], sort=False):
    quantity = re.sub(r'_\d+$', '', name)
    title = _PANELS.get(quantity, quantity.replace('_', ' '))
    panels.setdefault(title, []).append(name)
  num_lines = math.ceil(len(panels) / 2)
  size = (7.6, 0.3 + 2.1 * num_lines)
  fig = figure.Figure(figsize=size, layout='constrained')
  for place, (title, names) in enumerate(panels.items(), 1):
    axes = fig.add_subplot(num_lines, 2, place)
    for number, name in enumerate(names):
      by_epoch = epochs.dropna(subset=name).groupby('epoch')[name]
      label, look = name.replace('_', ' '), {'color': f'C{number % 10}'}
      axes.plot(by_epoch.mean(), marker='.', label=label, **look)
      low, high = by_epoch.min(), by_epoch.max()
      axes.fill_between(low.index, low, high, alpha=0.2, **look)
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.set_xlabel('epoch')
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    if title in _LOG and epochs[names].max(axis=None) > 0:
      axes.set_yscale('log')
    if len(names) > 1:
      axes.legend(fontsize=7)
  return fig


def show(workdir: pathlib.Path) -> None:
  """Prints the last epoch of each seed, and draws the curves of a run.

  A sweep has the table and the figure of `results.show`.
  """
  if not (workdir / train.CONFIG).exists():
    results.show(workdir)
    return
  epochs = read_epochs(workdir)
  print(epochs.groupby('seed').last().T.to_string(float_format='{:.4g}'.format))
  draw(epochs).savefig(workdir / 'curves.png', dpi=120)
  print(f'figure: {workdir / "curves.png"}')


def show_raster(workdir: pathlib.Path, sample: int, seed: int | None) -> None:
  """Draws the spikes of each layer while a run is presented a sample.

  The sample is of the evaluation split; the seed None is the first of the run.
  """
  config = train.read_task(workdir).config
  if config.method != 'ssnn':
    raise ssnn_jax.UserError(
      f'{workdir} holds a run of {config.method}; give a run of the spiking '
      'network, --method=ssnn.'
    )
  network_config, params = ssnn_jax.load(workdir, seed=seed)
  dataset = train.load(config, FLAGS.data_dir)
  inputs, labels = train.eval_split(dataset)
  key = jax.random.key(config.seed if seed is None else seed)
  key = jax.random.fold_in(key, training.Stream.OBSERVE)
  batch = params, key, inputs[sample], labels[sample]
  recorded = ssnn_jax.observe.record(network_config, *batch)
  votes, names = recorded.winners.sum(axis=0), dataset.class_names
  print(
    f'sample {sample} of the {config_lib.split_name(config)} split, class '
    f'{names[labels[sample]]}: class {names[np.argmax(votes)]} won '
    f'{votes.max()} of {votes.sum()} ticks'
  )
  for layer in range(len(network_config.layer_sizes)):
    file = workdir / f'raster-{layer}.png'
    raster_plot.draw(recorded, layer).savefig(file, dpi=120)
    print(f'figure: {file}')


def main() -> None:
  """Draws what the flags describe."""
  workdir = command.folder(FLAGS.workdir)
  if FLAGS.raster:
    show_raster(workdir, FLAGS.sample, FLAGS.seed)
  else:
    show(workdir)


if __name__ == '__main__':
  flags.DEFINE_string(
    'workdir', None, 'folder of a run or of a sweep.', required=True
  )
  flags.DEFINE_boolean(
    'raster',
    False,
    'draw all spikes of each layer of a run while a sample is presented; '
    'spikes of the output layer are winners.',
  )
  flags.DEFINE_integer(
    'sample', 0, 'index of the sample of --raster in the evaluation split.', 0
  )
  flags.DEFINE_integer('seed', None, 'seed of --raster; default: the first.', 0)
  config_lib.define_flags(['data_dir'])
  command.launch(main)
