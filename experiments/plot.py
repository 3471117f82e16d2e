"""Learning curves of a run, the table and figure of a sweep, or samples.

  python -m experiments.plot --workdir=runs/name
  python -m experiments.plot --workdir=runs/name --sample=wrong
  python -m experiments.plot --workdir=runs/name --image=photo.png

--workdir is the folder of a run or of a sweep, finished or not. --sample draws
a page of one sample: the image, the activity of stochastic neurons, and the
classes with their probabilities; of a signal in time inputs and classes at each
moment, which --play animates. --image classifies an image file. Of stochastic
neurons, --raster draws all spikes of the sample, --play animates them, and
--ticks draws the accuracy after each tick.
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
from PIL import Image
from PIL import ImageOps

from experiments import command
from experiments.runs import config as config_lib
from experiments.runs import records
from experiments.runs import train
from experiments.studies import pages
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax import datasets
from ssnn_jax import figures
from ssnn_jax import training
from ssnn_jax.datasets import images
from ssnn_jax.stochastic import neuron as stochastic
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
_AT_ONCE, _NUM_PLAYED = 100, 500  # samples
_MAX_CLASSES = 10  # that are printed
_WITHOUT_SPIKES = (
  '--workdir holds a network of {}, whose spikes are not drawn tick by tick; '
  'give a run of --neuron=stochastic without --exact, or --sample or --image '
  'alone.'
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
  dataset: datasets.Dataset | None  #: None of a network without a run
  split: str  #: name of the evaluation split


def read_trained(
  workdir: pathlib.Path, seed: int | None, data_dir: str | None = None
) -> Trained:
  """Reads the network of a run, or of `ssnn_jax.save`; None: the first seed."""
  make, dataset, split = config_lib.METHODS['ssnn'].make, None, ''
  model, number = None, seed or 0
  if (workdir / records.CONFIG).exists():
    config = records.read_task(workdir).config
    make = config_lib.METHODS[config.method].make
    number = config.seed if seed is None else seed
    dataset = train.load(config, data_dir)
    split = config_lib.split_name(config)
    model = config_lib.network_config(config, dataset)
  config, params, _ = ssnn_jax.load(workdir, model, seed=seed)
  key = jax.random.key(number)
  network = make(config, key)
  key = jax.random.fold_in(key, training.Stream.OBSERVE)
  return Trained(network, params, key, dataset, split)


def _eval_split(trained):
  if trained.dataset is None:
    raise ssnn_jax.UserError(
      '--workdir holds a network without its data set; give --image=FILE, or '
      'the folder of a run.'
    )
  return train.eval_split(trained.dataset)


def choose_sample(trained: Trained, text: str) -> int:
  """Returns the index of a sample of --sample, a number or 'wrong'."""
  network, params, key, *_ = trained
  inputs, labels = _eval_split(trained)
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


def read_image(path: str, trained: Trained, invert: bool = False) -> np.ndarray:
  """Reads an image file in the shape of the images of a network.

  Colors become greys for a network of grey images. A resized image keeps its
  aspect, with borders in the color of its first pixel.
  """
  dataset, config = trained.dataset, trained.network.config
  shape = getattr(config, 'input_shape', None)
  shape = dataset.input_shape if dataset else shape
  num_inputs = math.prod(shape or config.layer_sizes[:1])
  shape = shape or (math.isqrt(num_inputs),) * 2  # of dense layers
  height, width, depth = (*shape, 1, 1)[:3]
  is_image = dataset is None or not dataset.is_recorded
  is_image &= math.prod(shape) == num_inputs
  if not is_image or 1 in (height, width) or depth not in images.MODES:
    raise ssnn_jax.UserError(
      f'--image={path}: the inputs of the network are no image; give --sample.'
    )
  remedy = 'give an image file with 8 bits a color, as .png or .jpg'
  with (
    checks.explain(f'--image={path}', remedy),
    Image.open(pathlib.Path(path).expanduser(), formats=images.FORMATS) as file,
  ):
    if file.mode[0] in 'IF':  # which Pillow would clip
      raise ValueError(f'mode {file.mode}')
    image = ImageOps.exif_transpose(file).convert('RGBA')
  paper = Image.new('RGBA', image.size, 'white')
  image = Image.alpha_composite(paper, image).convert('RGB')
  if invert:
    image = ImageOps.invert(image)
  image = ImageOps.pad(image, (width, height), color=image.getpixel((0, 0)))
  return np.asarray(image.convert(images.MODES[depth])).reshape(shape)


def show_sample(
  workdir: pathlib.Path,
  trained: Trained,
  sample: str | None = None,
  image: str | None = None,
  *,
  invert: bool = False,
  raster: bool = False,
  play: bool = False,
) -> None:
  """Presents a sample or an image file; prints and draws the answer.

  Draws a page, or with `raster` and `play` all spikes.
  """
  network, params, key, dataset, split = trained
  if image is None:
    index = choose_sample(trained, sample or '0')
    inputs, label = (own[index] for own in _eval_split(trained))
    name, words = str(index), f'sample {index} of the {split} split'
  else:
    inputs, label = read_image(image, trained, invert), None
    name, words = pathlib.Path(image).stem, pathlib.Path(image).name
  args = network, params, key, inputs, label, dataset
  shape = training.prediction.check_inputs(network, params, inputs[None])
  if len(shape) == 2:
    if raster:
      raise ssnn_jax.UserError(
        '--raster is of images and events; give --sample or --play of a signal.'
      )
    presented = figures.signal.present(*args)
    print(f'{words}: {presented.title}')
    if play:
      _save(figures.signal.animate(presented), workdir / f'signal-{name}.gif')
    else:
      _save(figures.signal.draw(presented), workdir / f'signal-{name}.png')
    return
  presented = figures.sample.present(*args)
  recorded = presented.recorded
  if recorded is None and (raster or play):
    raise ssnn_jax.UserError(_WITHOUT_SPIKES.format(network.kind))
  print(f'{words}: {presented.title}')
  wins = None if recorded is None else recorded.winners.sum(axis=0)
  for number in presented.ranking[:_MAX_CLASSES]:
    line = f'{presented.probabilities[number]:.3f}'
    if wins is not None:
      line += f', {wins[number]} of {wins.sum()} winners'
    print(f'  {presented.class_names[number]}: {line}')
  if raster:
    for layer in (None, *range(1 + len(recorded.errors))):
      fig = figures.raster.draw(recorded, layer)
      of_layer = '' if layer is None else f'-{layer}'
      _save(fig, workdir / f'raster-{name}{of_layer}.png')
  if play:
    _save(figures.sample.animate(presented), workdir / f'play-{name}.gif')
  if not raster and not play:
    fig = figures.sample.draw(presented)
    fig.suptitle(f'{words}: {presented.title}')
    _save(fig, workdir / f'sample-{name}.png')


def show_ticks(workdir: pathlib.Path, trained: Trained) -> None:
  """Plays samples of a run, and draws the accuracy by ticks."""
  network, params, key, *_ = trained
  if not network.has_spikes:
    raise ssnn_jax.UserError(_WITHOUT_SPIKES.format(network.kind))
  inputs, labels = (own[:_NUM_PLAYED] for own in _eval_split(trained))
  plays = [
    stochastic.play(
      network.config, params, key, inputs[first:][:_AT_ONCE],
      labels[first:][:_AT_ONCE],
    )
    for first in range(0, len(labels), _AT_ONCE)
  ]  # fmt: skip
  winners = np.concatenate([own.winners for own in plays], axis=1)
  wins, ticks = np.cumsum(winners, axis=0), np.arange(1, 1 + len(winners))
  # Wins of the last ticks count: of leaky neurons a share of the ticks so far,
  # of a window a cycle.
  first = np.maximum(ticks - network.config.num_steps, 0)
  if network.config.timing == 'leaky':
    skipped = np.round((1 - network.config.counted) * ticks)
    first = np.minimum(skipped, ticks - 1).astype(int)
  before = np.pad(wins, ((1, 0), (0, 0), (0, 0)))[first]
  answers = np.argmax(wins - before, axis=2)
  accuracies = np.mean(answers == np.asarray(labels), axis=1)
  print(
    f'{len(labels)} samples of the {trained.split} split: accuracy '
    f'{accuracies[len(accuracies) // 2 - 1]:.1%} after half of the ticks, '
    f'{accuracies[-1]:.1%} after all {len(accuracies)}'
  )
  fig = figure.Figure(figsize=(6, 3.4), layout='constrained')
  axes = fig.subplots()
  axes.plot(ticks, accuracies, '.-', color=figures.raster.SPIKE)
  axes.yaxis.set_major_formatter(ticker.PercentFormatter(1))
  axes.set(xlabel='tick', ylabel='correct answers', ylim=(-0.02, 1.02))
  axes.grid(alpha=0.3)
  _save(fig, workdir / 'ticks.png')


def _save(fig, file):
  """Saves a figure, or a film as .gif."""
  if file.suffix == '.gif':
    fig.save(file, 'pillow', dpi=80)
  else:
    fig.savefig(file, dpi=120)
  print(f'figure: {file}')


def main() -> None:
  """Draws what the flags describe."""
  workdir = command.folder(FLAGS.workdir)
  if FLAGS.invert and not FLAGS.image:
    raise ssnn_jax.UserError('--invert is of an --image; give one.')
  is_sample = FLAGS.raster or FLAGS.play or FLAGS.sample or FLAGS.image
  if not is_sample and not FLAGS.ticks:
    show(workdir)
    return
  trained = read_trained(workdir, FLAGS.seed, FLAGS.data_dir)
  if FLAGS.ticks:
    show_ticks(workdir, trained)
  if is_sample:
    names = 'sample', 'image', 'invert', 'raster', 'play'
    show_sample(workdir, trained, **{name: FLAGS[name].value for name in names})


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
  flags.DEFINE_string(
    'image', None, 'classify an image file, also by ssnn_jax.save networks.'
  )
  flags.DEFINE_boolean('invert', False, 'classify the negative of --image.')
  flags.DEFINE_boolean(
    'raster', False, 'draw all spikes of each layer for --sample or --image.'
  )
  flags.DEFINE_boolean(
    'play', False, 'animate the spikes for --sample or --image, as a GIF.'
  )
  flags.DEFINE_boolean(
    'ticks',
    False,
    f'draw the accuracy after each tick, of up to {_NUM_PLAYED} samples.',
  )
  flags.DEFINE_integer('seed', None, 'seed of the run; default: the first.', 0)
  flags.mark_flags_as_mutual_exclusive(['sample', 'image'])
  config_lib.define_flags(['data_dir'])
  command.launch(main)
