"""Reproducible stratified splits."""

import numpy as np

from ssnn_jax.datasets import errors
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
  # The range is checked first, because NaN cannot be rounded.
  num_held_out = round(fraction * num_items) if 0.0 < fraction < 1.0 else 0
  if not 0 < num_held_out < num_items:
    raise errors.DatasetError(
      f'A fraction of {fraction} cannot be held out of {num_items} items; '
      'choose a fraction between 0 and 1 for which neither split is empty.'
    )
  train, validation = split_stratified(dataset.train, num_held_out, seed)
  return dataset._replace(train=train, validation=validation)


def split_stratified(
  split: types.Split, num_drawn: int, seed: int
) -> tuple[types.Split, types.Split]:
  """Draws a random subset of a split, stratified by class.

  Returns the remaining and the drawn items, both in their original order.
  """
  # The stream of RandomState is frozen; the streams of NumPy's newer
  # generators may change between releases, and so would the splits.
  shuffled = np.random.RandomState(seed).permutation(len(split.labels))
  by_class = shuffled[np.argsort(split.labels[shuffled], kind='stable')]
  # Equal steps through the items sorted by class give every class its share of
  # the drawn items, within one item.
  steps = np.arange(num_drawn) * len(by_class) // num_drawn
  is_drawn = np.zeros(len(by_class), bool)
  is_drawn[by_class[steps]] = True
  remaining = types.Split(split.inputs[~is_drawn], split.labels[~is_drawn])
  return remaining, types.Split(split.inputs[is_drawn], split.labels[is_drawn])
