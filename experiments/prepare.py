"""Makes a data set ready for experiments, and tells how long that takes.

  python -m experiments.prepare --dataset=emnist/balanced --download
  python -m experiments.prepare --dataset=synthetic_events/fashion_mnist

Originals are downloaded if asked for, recordings of a synthetic event camera
made if they are missing, and all is read once, so that it lies in the cache. A
machine without a network then needs the folders of data and of the cache only.
A file of own arrays is checked: it needs no more.
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
  """Makes the recordings of a synthetic set, unless they are there.

  Args:
    name: the set of recordings, `synthetic_events/<set of images>`.
    data_dir: the folder of data sets.
    download: whether the images may be downloaded.
    size: about how many recordings to make, of the first images of either
      split; None makes all.
    seed: what they are drawn from; None is 0.

  Raises:
    UserError: if there are fewer images, if the recordings cannot be written,
      or if a size or seed is given for those that are there.
  """
  folder = loading.recordings_folder(name, data_dir)
  if folders.list_names(folder):
    if size is not None or seed is not None:
      raise ssnn_jax.UserError(
        f'{folder} is there already, so --num_recordings and --seed come too '
        'late; leave them out, or remove the folder.'
      )
    print(f'{folder} is there already', file=sys.stderr)
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
      f'more than the {total} images of {source}; left out, all are recorded.'
    )
  parts = [
    datasets.Split(*(array[:share] for array in part))
    for part, share in zip(parts, shares)
  ]
  synthetic_events.write(
    folder, source, *parts, event_camera.Camera(), seed or 0
  )


def main() -> None:
  """Prepares what the flags ask for."""
  values = flags.FLAGS.flag_values_dict()
  name, download = values['dataset'], values['download']
  if name not in field.DATASETS:
    raise ssnn_jax.UserError(
      f'--dataset={name or ""} is no data set; name what to prepare: '
      f'{field.SETS}.'
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
  # Of this process; the workers that decode recordings take some of their own.
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
      'dataset', None, f'`name` of what to prepare: {field.SETS}; required.'
    )
  command.define_data_dir()
  with command.group('Data'):
    flags.DEFINE_boolean(
      'tfds', False, 'also prepare a TFDS set from the original files.'
    )
  with command.group('Synthetic recordings'):
    flags.DEFINE_integer(
      'num_recordings', None, 'recordings to make; left out: one of each image.'
    )
    flags.DEFINE_integer(
      'seed', None, 'seed that they are drawn from; left out: 0.'
    )
  command.launch(main)
