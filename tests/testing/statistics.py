"""What tests of random numbers share."""

import jax
import numpy as np

# A correct program exceeds 5 standard errors once in 1.7 million comparisons.
NUM_SIGMAS = 5


def assert_mean_within(samples, expected):
  """Asserts that the mean of `[n, ...]` independent samples is as expected.

  With n in the thousands their own standard deviation is known well enough. It
  sees a bias of NUM_SIGMAS sd / sqrt(n).
  """
  samples = np.asarray(samples, np.float64)
  error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
  distance = np.abs(samples.mean(axis=0) - expected)
  # What never varies must be exact, up to the rounding of rates to 2**-16.
  bound = NUM_SIGMAS * error + 2.0**-17
  assert np.all(distance <= bound), f'off by {distance}, of at most {bound}'


def flat(tree):
  """Concatenates the leaves of a tree to one vector of doubles."""
  return np.concatenate(
    [np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(tree)]
  )


def assert_uniform(values, high):
  """Asserts that independent values are uniform from 0 to `high`."""
  counts = np.histogram(values, bins=256, range=(0, high))[0]
  expected = np.size(values) / 256
  chi_square = np.sum((counts - expected) ** 2) / expected
  # 255 degrees of freedom: mean 255, variance 510.
  assert abs(chi_square - 255) < NUM_SIGMAS * np.sqrt(510), chi_square


def assert_fair(bits, lags=(1,)):
  """Asserts that bits are fair, and uncorrelated along each of their axes."""
  for axis, size in enumerate(bits.shape):
    others = tuple(a for a in range(bits.ndim) if a != axis)
    # Means and correlations are those of signs in {-1, 1}.
    means = 2 * np.mean(bits, axis=others) - 1
    bound = NUM_SIGMAS / np.sqrt(bits.size // size)
    assert np.abs(means).max() < bound, f'means along axis {axis}'
    for lag in lags:
      if lag < size:
        first = np.take(bits, range(size - lag), axis)
        second = np.take(bits, range(lag, size), axis)
        correlation = 1 - 2 * np.count_nonzero(first != second) / first.size
        bound = NUM_SIGMAS / np.sqrt(first.size)
        assert abs(correlation) < bound, f'axis {axis}, lag {lag}'
