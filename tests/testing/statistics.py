"""What tests of random numbers share."""

import jax
import numpy as np

# A correct program exceeds 5 standard errors once in 1.7 million comparisons.
NUM_SIGMAS = 5


def assert_mean_within(samples, expected, num_sigmas=NUM_SIGMAS):
  """Asserts that the mean over axis 0 is that of a distribution.

  Args:
    samples: `[n, ...]` independent samples; with n in the thousands their own
      standard deviation is known well enough.
    expected: `[...]` the mean.
    num_sigmas: standard errors allowed; sees a bias of num_sigmas sd / sqrt(n).
  """
  samples = np.asarray(samples, np.float64)
  error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
  distance = np.abs(samples.mean(axis=0) - expected)
  # What never varies must be exact, up to the rounding of rates to 2**-16.
  bound = num_sigmas * error + 2.0**-17
  assert np.all(distance <= bound), (
    f'mean {samples.mean(axis=0)} is not {expected}: off by '
    f'{np.max(distance / bound) * num_sigmas:.1f} standard errors'
  )


def flat(tree):
  """Concatenates the leaves of a tree to one vector of doubles."""
  return np.concatenate(
    [np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(tree)]
  )
