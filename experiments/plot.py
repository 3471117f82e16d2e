"""Learning curves of a run, the table and figure of a sweep, or samples.

  python -m experiments.plot --workdir=runs/name
  python -m experiments.plot --workdir=runs/name --sample=wrong

--workdir is the folder of a run or of a sweep, finished or not. --sample draws
a page of one sample: the image, the activity of stochastic neurons, and the
classes with their probabilities; of a signal in time inputs and classes at each
moment. Of stochastic neurons, --raster draws all spikes of the sample.
"""

import math
import pathlib
import re
from typing import NamedTuple

from absl import flags
import jax
from matplotlib import figure
from matplotlib import ticker
import numpy as np
import pandas as pd

from experiments import command
from experiments.runs import config as config_lib
from experiments.runs import records
from experiments.runs import train
from experiments.studies import pages
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import figures
from ssnn_jax import training
from ssnn_jax.training import metrics

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
_AT_ONCE = 100  # samples
_MAX_CLASSES = 10  # that are printed
_WITHOUT_SPIKES = (
  '--workdir holds a network of {}, whose spikes are not drawn tick by tick; '
  'give a run of --neuron=stochastic without exact signals, or --sample alone.'
)


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
    axes = fig.add_subplot(num_lines, 2, place, title=title, xlabel='epoch')
    for name in names:
      by_epoch = epochs.dropna(subset=name).groupby('epoch')[name]
      axes.plot(by_epoch.mean(), marker='.', label=name.replace('_', ' '))
      low, high = by_epoch.min(), by_epoch.max()
      axes.fill_between(low.index, low, high, alpha=0.2)
    axes.grid(alpha=0.3)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    if 'loss' in names and epochs['loss'].max() > 0:
      axes.set_yscale('log')
    if len(names) > 1:
      axes.legend(fontsize=7)
  return fig


def show(workdir: pathlib.Path) -> None:
  """Prints the last epoch of each seed, and draws the curves of a run.

  A sweep has the table and the figure of `pages.show`.
  """
  if not (workdir / records.CONFIG).exists():
    pages.show(workdir)
    return
  lines = records.read_lines(workdir, 'epoch')
  if not lines:
    raise ssnn_jax.UserError(
      f'{workdir} holds no epoch of a run; wait for its first checkpoint.'
    )
  epochs = pd.DataFrame(lines).drop(columns='event')
  print(epochs.groupby('seed').last().T.to_string(float_format='{:.4g}'.format))
  _save(draw(epochs), workdir / 'curves.png')


class Trained(NamedTuple):
  """A trained network, and what to present to it."""

  network: ssnn_jax.Network
  params: ssnn_jax.Params
  key: jax.Array  #: of presentations
  dataset: datasets.Dataset
  split: str  #: name of the evaluation split


def read_trained(
  workdir: pathlib.Path, seed: int | None, data_dir: str | None = None
) -> Trained:
  """Reads the network of a run, by default of its first seed."""
  config = records.read_task(workdir).config
  dataset = train.load(config, data_dir)
  network = config_lib.network_config(config, dataset)
  _, params, _ = ssnn_jax.load(workdir, network, seed=seed)
  key = jax.random.key(config.seed if seed is None else seed)
  return Trained(
    config_lib.METHODS[config.method].make(network),
    params,
    jax.random.fold_in(key, training.Stream.OBSERVE),
    dataset,
    config_lib.split_name(config),
  )


def choose_sample(trained: Trained, text: str) -> int:
  """Returns the index of a sample of --sample, a number or 'wrong'."""
  network, params, key, *_ = trained
  inputs, labels = train.eval_split(trained.dataset)
  if text != 'wrong':
    if not text.isdecimal() or int(text) >= len(labels):
      raise ssnn_jax.UserError(
        f'--sample={text} is no sample; the {trained.split} split has '
        f'{len(labels):,}: give a number from 0 to {len(labels) - 1}, or wrong.'
      )
    return int(text)

  @jax.jit
  @jax.vmap  # each as if presented alone
  def score(sample, label):
    inference = network.infer(params, key, sample[None])
    args = label[None], training.loop.find_answers(network), network.readout
    return metrics.score(inference, *args)[1][0]

  for first in range(0, len(labels), _AT_ONCE):
    few = slice(first, first + _AT_ONCE)
    wrong = np.flatnonzero(score(inputs[few], labels[few]) < 0.5)
    if len(wrong):
      return first + int(wrong[0])
  raise ssnn_jax.UserError(
    f'no sample of the {trained.split} split is misclassified; give a number '
    f'from 0 to {len(labels) - 1} as --sample.'
  )


def show_sample(
  workdir: pathlib.Path, trained: Trained, text: str, is_raster: bool = False
) -> None:
  """Presents a sample; prints the answer, and draws a page, or all spikes."""
  network, params, key, dataset, split = trained
  index = choose_sample(trained, text)
  inputs, label = (own[index] for own in train.eval_split(dataset))
  args = network, params, key, inputs, label, dataset
  shape = training.prediction.check_inputs(network, params, inputs[None])
  if len(shape) == 2:
    if is_raster:
      raise ssnn_jax.UserError('--raster is of images and events, not signals.')
    presented = figures.signal.present(*args)
    print(f'sample {index} of the {split} split: {presented.title}')
    _save(figures.signal.draw(presented), workdir / f'signal-{index}.png')
    return
  presented = figures.sample.present(*args)
  recorded, title = presented.recorded, presented.title
  title = f'sample {index} of the {split} split: {title}'
  print(title)
  wins = None if recorded is None else recorded.winners.sum(axis=0)
  for number in presented.ranking[:_MAX_CLASSES]:
    line = f'{presented.probabilities[number]:.3f}'
    if wins is not None:
      line += f', {wins[number]} of {wins.sum()} winners'
    print(f'  {presented.class_names[number]}: {line}')
  if not is_raster:
    fig = figures.sample.draw(presented)
    fig.suptitle(title)
    _save(fig, workdir / f'sample-{index}.png')
    return
  if recorded is None:
    raise ssnn_jax.UserError(_WITHOUT_SPIKES.format(network.kind))
  for layer in (None, *range(1 + len(recorded.errors))):
    of_layer = '' if layer is None else f'-{layer}'
    fig = figures.raster.draw(recorded, layer)
    _save(fig, workdir / f'raster-{index}{of_layer}.png')


def _save(fig, file):
  fig.savefig(file, dpi=120)
  print(f'figure: {file}')


def main() -> None:
  """Draws what the flags describe."""
  workdir, sample = command.folder(FLAGS.workdir), FLAGS.sample
  if not (sample or FLAGS.raster):
    show(workdir)
    return
  trained = read_trained(workdir, FLAGS.seed, FLAGS.data_dir)
  show_sample(workdir, trained, sample or '0', FLAGS.raster)


if __name__ == '__main__':
  flags.DEFINE_string(
    'workdir', None, 'folder of a run or of a sweep.', required=True
  )
  flags.DEFINE_string(
    'sample',
    None,
    'draw a page of a sample of the evaluation split of a run: its index, or '
    'wrong, the first that is misclassified.',
  )
  flags.DEFINE_boolean(
    'raster', False, 'draw all spikes of each layer for a sample.'
  )
  flags.DEFINE_integer('seed', None, 'seed of the run; default: the first.', 0)
  config_lib.define_flags(['data_dir'])
  command.launch(main)
