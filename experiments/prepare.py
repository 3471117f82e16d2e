"""Prepares a data set for experiments, and prints the time this takes.

  python -m experiments.prepare --dataset=emnist/balanced --download
  python -m experiments.prepare --dataset=synthetic_events/fashion_mnist

Original files are downloaded with --download, missing recordings of a synthetic
event camera are made, and the data set is read once, which fills the cache. A
machine without a network then only needs the folders of data and of the cache.
A file of own arrays is only checked.
"""

import pathlib
import resource
import sys
import time

from absl import flags

from experiments.config import command
from experiments.config import field
from experiments.training import data
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import event_camera
from ssnn_jax.datasets import folders
from ssnn_jax.datasets import image_files
from ssnn_jax.datasets import loading
from ssnn_jax.datasets import synthetic_events
from ssnn_jax.datasets import tfds_sets


def synthesize(
  name: str,
  data_dir: pathlib.Path,
  download: bool,
  size: int | None,
  seed: int | None,
) -> None:
  """Makes the recordings of a synthetic data set, unless they exist.

  Args:
    name: the set of recordings, `synthetic_events/<set of images>`.
    data_dir: the folder of data sets.
    download: whether the images may be downloaded.
    size: approximate number of recordings, of the first images of both splits;
      None records all images.
    seed: seed of the recordings; None is 0.

  Raises:
    UserError: if there are fewer images, if the recordings cannot be written,
      or if a size or seed is given for existing recordings.
  """
  folder = loading.recordings_folder(name, data_dir)
  if folders.list_names(folder):
    if size is not None or seed is not None:
      raise ssnn_jax.UserError(
        f'{folder} exists already, so --num_recordings and --seed have no '
        'effect; leave them out, or remove the folder.'
      )
    print(f'{folder} exists already', file=sys.stderr)
    return
  source = catalog.image_source(name)
  dataset = datasets.load(source, data_dir, download=download)
  parts = dataset.train, dataset.test
  total = sum(len(part.labels) for part in parts)
  size = total if size is None else size
  shares = [round(len(part.labels) * size / total) for part in parts]
  if size > total or min(shares) < 1:
    raise ssnn_jax.UserError(
      f'--num_recordings={size} is too few for a recording in either split, or '
      f'more than the {total} images of {source}; without the flag, all are '
      'recorded.'
    )
  parts = [
    datasets.Split(*(array[:share] for array in part))
    for part, share in zip(parts, shares)
  ]
  synthetic_events.write(
    folder, source, *parts, event_camera.Camera(), seed or 0
  )


def main() -> None:
  """Prepares the data set that the flags describe."""
  values = flags.FLAGS.flag_values_dict()
  name, download = values['dataset'], values['download']
  if name not in field.DATASETS:
    raise ssnn_jax.UserError(
      f'--dataset={name or ""} is not a data set; choose one of {field.SETS}.'
    )
  data_dir = loading.find_data_dir(values['data_dir'])
  if values['tfds'] and (name not in datasets.IMAGES or name == 'digits'):
    raise ssnn_jax.UserError(
      f'--tfds does not go with --dataset={name}; TFDS has images only, '
      'digits needs no file, and own arrays are read as they are.'
    )
  is_synthetic = name in datasets.RECORDINGS and name != 'n_mnist'
  for flag in ('num_recordings', 'seed'):
    if values[flag] is not None and not is_synthetic:
      raise ssnn_jax.UserError(
        f'--{flag} does not go with --dataset={name}; only recordings of '
        'synthetic_events are made.'
      )
  if is_synthetic:
    synthesize(
      *(name, data_dir, download),
      *(values['num_recordings'], values['seed']),
    )
  if values['tfds']:
    paths = image_files.find(name, data_dir, download)
    originals = image_files.read(name, paths)
    folder, seconds = _timed(tfds_sets.prepare, name, data_dir, **originals)
    print(f'TFDS set in {folder}, after {seconds:.1f} s')
  dataset, first = _timed(datasets.load, name, data_dir, download=download)
  print(data.describe(dataset), end='')
  size = len(dataset.train.labels) + len(dataset.test.labels)
  del dataset
  _, again = _timed(datasets.load, name, data_dir)
  # Of this process, without the workers that decode recordings.
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
  print(
    f'{name}: {size:,} samples ready in {first:.2f} s, read again in '
    f'{again:.2f} s, {peak:.0f} MiB resident at most'
  )


def _timed(function, *arguments, **options):
  """Returns what a function returns, and the seconds that it takes."""
  began = time.perf_counter()
  result = function(*arguments, **options)
  return result, time.perf_counter() - began


if __name__ == '__main__':
  with command.group('Data'):
    flags.DEFINE_string(
      'dataset', None, f'`name` of the data set: {field.SETS}; required.'
    )
  command.define_data_dir()
  with command.group('Data'):
    flags.DEFINE_boolean(
      'tfds', False, 'also prepare a TFDS data set from the original files.'
    )
  with command.group('Synthetic recordings'):
    flags.DEFINE_integer(
      'num_recordings',
      None,
      'number of synthetic recordings; default: one for each image.',
    )
    flags.DEFINE_integer(
      'seed', None, 'seed of synthetic recordings; default: 0.'
    )
  command.launch(main)
