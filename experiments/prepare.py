"""Prepares a data set for experiments, and prints the duration.

  python -m experiments.prepare --dataset=emnist/balanced --download
  python -m experiments.prepare --dataset=synthetic_events/fashion_mnist

Downloads original files with --download, generates missing recordings of the
synthetic event camera, and reads the data set once to fill the cache, so that a
machine without a network needs only the folders of data and cache. A file of
own arrays is only checked.
"""

import pathlib
import sys
import time

from absl import flags

from experiments.config import command
from experiments.config import experiment
from experiments.training import data
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import event_camera
from ssnn_jax.datasets import files
from ssnn_jax.datasets import images
from ssnn_jax.datasets import loading
from ssnn_jax.datasets import tfds_sets


def synthesize(
  name: str,
  data_dir: pathlib.Path,
  download: bool,
  size: int | None,
  seed: int | None,
) -> None:
  """Generates the recordings of a synthetic data set, unless they exist.

  About `size` images are recorded, the first images of both splits; None
  records all images.

  Raises:
    UserError: if `size` is out of range, or no recordings can be written.
  """
  folder = loading.recordings_folder(name, data_dir)
  if files.list_names(folder):
    if size is not None or seed is not None:
      raise ssnn_jax.UserError(
        f'{folder} exists already, so --num_recordings and --seed have no '
        'effect; leave them out, or remove the folder.'
      )
    print(f'{folder} exists already', file=sys.stderr)
    return
  source = catalog.image_source(name)
  dataset = datasets.load(source, data_dir, download=download)
  splits = dataset.train, dataset.test
  total = sum(len(split.labels) for split in splits)
  size = total if size is None else size
  shares = [round(len(split.labels) * size / total) for split in splits]
  if size > total or min(shares) < 1:
    raise ssnn_jax.UserError(
      f'--num_recordings={size} is too small for a recording in each split, or '
      f'exceeds the {total} images of {source}; leave out the flag to record '
      'all images.'
    )
  first = [
    datasets.Split(*(array[:share] for array in split))
    for split, share in zip(splits, shares)
  ]
  camera = event_camera.Camera()
  event_camera.write(folder, source, *first, camera, seed or 0)


def main() -> None:
  """Prepares the data set that the flags describe."""
  values, began = flags.FLAGS.flag_values_dict(), time.perf_counter()
  name, download = values['dataset'], values['download']
  data_dir = loading.find_data_dir(values['data_dir'])
  if values['tfds'] and (name not in datasets.IMAGES or name == 'digits'):
    raise ssnn_jax.UserError(
      f'--tfds does not apply to --dataset={name}; choose a set of images '
      'with original files.'
    )
  is_synthetic = name in datasets.RECORDINGS and name != 'n_mnist'
  for flag in ('num_recordings', 'seed'):
    if values[flag] is not None and not is_synthetic:
      raise ssnn_jax.UserError(
        f'--{flag} does not apply to --dataset={name}; only recordings of '
        'synthetic_events are generated.'
      )
  if is_synthetic:
    size, seed = values['num_recordings'], values['seed']
    synthesize(name, data_dir, download, size, seed)
  if values['tfds']:
    paths = images.find_originals(name, data_dir, download)
    originals = images.read_originals(name, paths)
    print(f'TFDS set: {tfds_sets.prepare(name, data_dir, **originals)}')
  dataset = datasets.load(name, data_dir, download=download)
  seconds = time.perf_counter() - began
  size = len(dataset.train.labels) + len(dataset.test.labels)
  print(data.describe(dataset), end='')
  print(f'{name}: {size:,} samples, prepared in {seconds:.2f} s')


if __name__ == '__main__':
  command.define_fields(experiment.ExperimentConfig, names=('dataset',))
  flags.DEFINE_boolean(
    'tfds', False, 'also prepare a TFDS data set from the original files.'
  )
  command.define_data_dir()
  flags.DEFINE_integer(
    'num_recordings',
    None,
    'number of synthetic recordings; default: one for each image.',
  )
  command.define_seed(None, 'seed of synthetic recordings; default: 0.')
  command.launch(main)
