"""Cuts of a data set that are the same everywhere."""

import numpy as np

from ssnn_jax.datasets import types


def hold_out(
  dataset: types.Dataset, fraction: float = 0.1, seed: int = 0
) -> types.Dataset:
  """Holds a validation split out of the training split.

  Whatever is tuned on it has not seen the test split.

  Args:
    dataset: the data set.
    fraction: the share of the training split to hold out, in (0, 1).
    seed: which items to hold out; each class gives its share.

  Returns:
    The data set, whose training and validation splits partition the training
    split of `dataset`.

  Raises:
    DatasetError: if the fraction leaves one of the two splits empty.

  Example:
    >>> digits = ssnn_jax.datasets.load('digits')
    >>> parts = ssnn_jax.datasets.hold_out(digits, fraction=0.25)
    >>> len(digits.train.labels), len(parts.train.labels)
    (1437, 1078)
    >>> len(parts.validation.labels), len(parts.test.labels)
    (359, 360)
  """
  num_items = len(dataset.train.labels)
  # Compared first: NaN cannot be rounded.
  num_held_out = round(fraction * num_items) if 0.0 < fraction < 1.0 else 0
  if not 0 < num_held_out < num_items:
    raise types.DatasetError(
      f'A fraction of {fraction} cannot be held out of {num_items} items; '
      'choose one between 0 and 1 that leaves an item on either side.'
    )
  train, validation = divide(dataset.train, num_held_out, seed)
  return dataset._replace(train=train, validation=validation)


def divide(
  split: types.Split, num_drawn: int, seed: int
) -> tuple[types.Split, types.Split]:
  """Draws items from a split, each class in proportion.

  Args:
    split: the split.
    num_drawn: how many items to draw.
    seed: which ones; a seed draws the same ones everywhere.

  Returns:
    What is left, and what was drawn, each in the order of the split.
  """
  # The stream of RandomState is frozen; that of NumPy's newer generators may
  # change with a release, and the splits with it.
  shuffled = np.random.RandomState(seed).permutation(len(split.labels))
  by_class = shuffled[np.argsort(split.labels[shuffled], kind='stable')]
  # Even steps through the sorted classes give each its share, within one item.
  steps = np.arange(num_drawn) * len(by_class) // num_drawn
  is_drawn = np.zeros(len(by_class), bool)
  is_drawn[by_class[steps]] = True
  left = types.Split(split.inputs[~is_drawn], split.labels[~is_drawn])
  return left, types.Split(split.inputs[is_drawn], split.labels[is_drawn])
