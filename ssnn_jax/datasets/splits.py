"""Reproducible stratified splits."""

import numpy as np

from ssnn_jax.datasets import files
from ssnn_jax.datasets import types


def hold_out(
  dataset: types.Dataset, fraction: float = 0.1, seed: int = 0
) -> types.Dataset:
  """Holds a validation split out of the training split.

  Args:
    dataset: dataset to split; its test split is unchanged.
    fraction: fraction of the training split to hold out, in (0, 1).
    seed: seed of the stratified random selection.

  Returns:
    The dataset, with a smaller training split and a validation split.

  Raises:
    DatasetError: if either of the two splits would be empty.

  Example:
    >>> digits = ssnn_jax.datasets.load('digits')
    >>> tuning = ssnn_jax.datasets.hold_out(digits, fraction=0.25)
    >>> len(digits.train.labels), len(tuning.train.labels)
    (1437, 1078)
    >>> len(tuning.validation.labels), len(tuning.test.labels)
    (359, 360)
  """
  num_items = len(dataset.train.labels)
  if not 0.5 <= fraction * num_items < num_items - 0.5:
    raise files.DatasetError(
      f'A fraction of {fraction} cannot be held out of {num_items} items; '
      'choose a fraction between 0 and 1 for which neither split is empty.'
    )
  num_held_out = round(fraction * num_items)
  train, validation = split_stratified(dataset.train, num_held_out, seed)
  return dataset._replace(train=train, validation=validation)


def fold(
  dataset: types.Dataset, num_folds: int, index: int, seed: int = 0
) -> types.Dataset:
  """Makes a fold of all samples the test split, for cross-validation.

  Args:
    dataset: dataset whose training and test splits are joined.
    num_folds: number of folds; each sample is in one of them.
    index: the fold that is the test split, from 0 to `num_folds - 1`.
    seed: seed of the stratified random folds.

  Returns:
    The dataset, with all other folds as its training split.

  Raises:
    DatasetError: if a fold would be empty, or there is no fold `index`.

  Example:
    >>> digits = ssnn_jax.datasets.load('digits')
    >>> first = ssnn_jax.datasets.fold(digits, num_folds=10, index=0)
    >>> len(first.train.labels), len(first.test.labels)
    (1617, 180)
  """
  joined = types.Split(*map(np.concatenate, zip(dataset.train, dataset.test)))
  num_items = len(joined.labels)
  if not (2 <= num_folds <= num_items and 0 <= index < num_folds):
    raise files.DatasetError(
      f'There is no fold {index} of {num_folds} folds of {num_items} items; '
      'choose 2 folds or more, and an index from 0.'
    )
  drawn = _shuffle_by_class(joined.labels, seed)[index::num_folds]
  train, test = _split(joined, drawn)
  return dataset._replace(train=train, test=test)


def split_stratified(
  split: types.Split, num_drawn: int, seed: int
) -> tuple[types.Split, types.Split]:
  """Draws some of the items of a split, stratified by class; as `_split`."""
  by_class = _shuffle_by_class(split.labels, seed)
  # Equal steps through the items sorted by class give every class its share of
  # the drawn items, within one item.
  steps = np.arange(num_drawn) * len(by_class) // num_drawn
  return _split(split, by_class[steps])


def _shuffle_by_class(labels, seed):
  """Returns the indices of all items, sorted by class, shuffled within it."""
  # The stream of RandomState is frozen; the streams of NumPy's newer
  # generators may change between releases, and so would the splits.
  shuffled = np.random.RandomState(seed).permutation(len(labels))
  return shuffled[np.argsort(labels[shuffled], kind='stable')]


def _split(split, drawn):
  """Returns the remaining and the drawn items, both in their original order."""
  is_drawn = np.zeros(len(split.labels), bool)
  is_drawn[drawn] = True
  return tuple(
    types.Split(split.inputs[mask], split.labels[mask])
    for mask in (~is_drawn, is_drawn)
  )
