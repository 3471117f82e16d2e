"""Data of a run: the training split and the evaluation split."""

import dataclasses
import functools

import numpy as np

from experiments.config import experiment
from experiments.config import field
import ssnn_jax
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import catalog

_FULL_RANGE = 0.0, 1.0  # of pixels
_FEW = 0.1  # fraction of events after the window that is not worth a line
_BINNING_FIELDS = dataclasses.fields(ssnn_jax.datasets.Binning)
# Classes of files that may lack their names, by the names of the files.
_CLASS_NAMES = {'emnist47': catalog.CLASS_NAMES['emnist/balanced']}


def load(
  config: experiment.ExperimentConfig,
  data_dir: str | None,
  download: bool = False,
) -> ssnn_jax.datasets.Dataset:
  """Loads the data set of a run, with its own fold and validation split.

  Args:
    config: the configuration of the run.
    data_dir: the folder of data sets, or None for the default.
    download: whether missing original files are downloaded.

  Raises:
    UserError: if the data is missing, damaged or too small for the run.
  """
  _check_flags(config)
  dataset = _load(config, config.dataset, data_dir, download)
  if config.test_dataset:
    other = _load(config, config.test_dataset, data_dir, download)
    dataset = _test_on(dataset, other)
  if config.folds is not None:
    with field.named('folds'):
      dataset = ssnn_jax.datasets.fold(
        dataset, config.folds, experiment.fold(config)
      )
  if config.hold_out:
    with field.named('hold_out'):
      dataset = ssnn_jax.datasets.hold_out(dataset, config.hold_out)
  size = len(dataset.train.labels)
  if config.batch_size > size:
    raise ssnn_jax.UserError(
      f'--batch_size={config.batch_size} is more than the {size} training '
      f'samples of {dataset.name}; give a smaller number.'
    )
  return dataset


def _check_flags(config):
  """Rejects flags that have no effect."""
  other = config.test_dataset
  for name in ('hold_out', 'folds'):
    if other and getattr(config, name):
      raise ssnn_jax.UserError(
        f'--{name} and --test_dataset exclude each other, since both choose '
        'the evaluation split; leave one of them out.'
      )
  is_recorded = catalog.is_recorded(config.dataset)
  if is_recorded and config.pixel_range != _FULL_RANGE:
    raise ssnn_jax.UserError(
      f'--pixel_range is for images, and {config.dataset} holds recordings; '
      'leave it out.'
    )
  if other == config.dataset:
    raise ssnn_jax.UserError(
      f'--test_dataset={other} is also the training data; leave it out to '
      'evaluate on the test split.'
    )
  if is_recorded:
    return
  for own in _BINNING_FIELDS:
    # Spike trains of images have T ticks, too.
    is_given = getattr(config, own.name) != own.default
    if is_given and own.name != 'num_steps':
      raise ssnn_jax.UserError(
        f'--{own.name} is for recordings of events, and {config.dataset} '
        'holds images; leave it out.'
      )


def _load(config, name, data_dir, download):
  """Loads a data set, with recordings binned into ticks."""
  binning = None
  if catalog.is_recorded(name):
    values = {f.name: getattr(config, f.name) for f in _BINNING_FIELDS}
    binning = field.call(ssnn_jax.datasets.Binning, **values)
  pixel_range = _FULL_RANGE if binning else config.pixel_range
  return _load_once(name, data_dir, download, binning, pixel_range)


@functools.lru_cache(maxsize=2)  # shared by settings of a sweep
def _load_once(name, data_dir, download, binning, pixel_range):
  dataset = ssnn_jax.datasets.load(
    name, data_dir, download=download, binning=binning
  )
  if arrays.is_npz_path(name):
    dataset = _name_classes(dataset)
  low, high = pixel_range  # of black and white

  def compress(split):
    # In NumPy, so that the bits do not depend on the accelerator.
    unit = np.float32(1 / 255 if split.inputs.dtype == np.uint8 else 1)
    rates = split.inputs * unit
    return split._replace(inputs=low + np.float32(high - low) * rates)

  if pixel_range == _FULL_RANGE:
    return dataset
  return dataset._replace(
    train=compress(dataset.train), test=compress(dataset.test)
  )


def _name_classes(dataset):
  """Names the classes of a file that studies use, if the file does not."""
  numbers = tuple(map(str, range(dataset.num_classes)))
  names = _CLASS_NAMES.get(experiment.slug(dataset.name), ())
  is_missing = dataset.class_names == numbers and len(names) == len(numbers)
  return dataset._replace(class_names=names) if is_missing else dataset


def _test_on(dataset, other):
  """Replaces the test split by all samples of another data set."""
  ends = [(d.num_inputs, d.num_classes) for d in (dataset, other)]
  if ends[0] != ends[1]:
    raise ssnn_jax.UserError(
      f'--test_dataset={other.name} has {ends[1][0]} inputs and {ends[1][1]} '
      f'classes, but {dataset.name} has {ends[0][0]} and {ends[0][1]}; choose '
      'a data set with equal numbers.'
    )
  arrays_of_splits = zip(other.train, other.test)
  test = ssnn_jax.datasets.Split(*map(np.concatenate, arrays_of_splits))
  return dataset._replace(test=test, full_size=None)


def load_images(
  name: str, options: experiment.DataOptions
) -> ssnn_jax.datasets.Dataset:
  """Loads a set of images, unchanged.

  Raises:
    UserError: if the data set has no images, or is missing or damaged.
  """
  if catalog.is_recorded(name):
    raise ssnn_jax.UserError(
      f'--dataset={name} is not a set of images; choose one of '
      f'{", ".join(ssnn_jax.datasets.IMAGES)}, or {field.OWN_FILE}.'
    )
  return ssnn_jax.datasets.load(
    name, options.data_dir, download=options.download
  )


def eval_split(
  dataset: ssnn_jax.datasets.Dataset,
) -> ssnn_jax.datasets.Split:
  """Returns the validation split if there is one, otherwise the test split."""
  return dataset.test if dataset.validation is None else dataset.validation


def split_name(config: experiment.ExperimentConfig) -> str:
  """Returns the name of the evaluation split of a run."""
  return 'validation' if config.hold_out else 'test'


def describe(dataset: ssnn_jax.datasets.Dataset) -> str:
  """Describes what a data set lacks; empty if it is complete."""
  text = ''
  if dataset.late_fraction > _FEW:
    text = (
      f'{dataset.name}: {dataset.late_fraction:.0%} of the events come after '
      '--event_window, and are dropped.\n'
    )
  splits = dataset.train, dataset.validation, dataset.test
  sizes = [len(split.labels) for split in splits if split is not None]
  if dataset.full_size in (None, sum(sizes)):
    return text
  return text + (
    f'{dataset.name}: {sum(sizes):,} of {dataset.full_size:,} samples found, '
    f'{sizes[0]:,} for training.\n'
  )
