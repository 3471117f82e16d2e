"""What records show of accuracy, errors and costs, claim by claim.

Those that do not hold are told too. Differences are in points and paired by
seed; single numbers are judged as they are.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import NamedTuple

from experiments import verdicts


class Claim(NamedTuple):
  """A claim that a record decides.

  Attributes:
    statement: the claim.
    record: its name; `NAME by ENERGIES` for the table of what its runs take.
    measured: references of `cells`, but for the record, each with a label; all
      of them have to be as claimed.
    unit: of what was measured.
    holds: judges the interval of one of them.
  """

  statement: str
  record: str
  measured: Mapping[str, str]
  unit: str
  holds: verdicts.Judge


def over(reference: str, steps: Iterable[int]) -> dict[str, str]:
  """Labels references for several T.

  Args:
    reference: one that has an @ in the place of T.
    steps: the T.

  Returns:
    The references.
  """
  return {f'T = {num}': reference.replace('@', str(num)) for num in steps}


_NETWORKS = '784-256-10', '784-256-256-10'  # of fidelity


def _slope(sampler, judge, claim):
  """Judges the slope in T of an update error for given rates."""
  measured = {
    sizes: f'{sizes} {sampler}; its slope; first .3f' for sizes in _NETWORKS
  }
  return Claim(claim, 'fidelity-fashion_mnist', measured, '(slope)', judge)


_ERRORS = (
  Claim(
    'Low-discrepancy trains make the update error smaller at every T',
    'energy-fashion_mnist',
    over('@; sobol / bernoulli', (4, 16, 64, 256)),
    'of that of random trains',
    verdicts.below(1),
  ),
  _slope(
    'bernoulli',
    verdicts.between(-0.52, -0.48),
    'For given rates the update error of random trains falls as T^-1/2',
  ),
  _slope(
    'sobol',
    verdicts.between(-1.1, -0.9),
    'That of low-discrepancy trains falls as 1 / T, within a tenth of that '
    'power',
  ),
  Claim(
    'Low-discrepancy trains make an update error of 0.25 at least four '
    'times cheaper',
    'fidelity-fashion_mnist',
    {
      sizes: f'{sizes} 32 bernoulli over {sizes} 32 sobol; BP steps for it; .1f'
      for sizes in _NETWORKS
    },
    'times fewer steps of BP',
    verdicts.above(4),
  ),
  Claim(
    'With a quarter of the ticks low-discrepancy trains are as accurate as '
    'random ones, within half a point',
    'energy-fashion_mnist',
    {
      f'T = {few} and {4 * few}': f'num_steps={few}, sampler=sobol less '
      f'num_steps={4 * few}, sampler=bernoulli; accuracy'
      for few in (4, 16, 64)
    },
    'points',
    verdicts.within(0.5),
  ),
)
_COSTS = (
  Claim(
    'A step of learning with 64 ticks takes less than four of BP',
    'benchmark-cpu',
    over('learn 784-256-10 128 packed; T = @', [64]),
    'of BP',
    verdicts.below(4),
  ),
  Claim(
    'A step of learning with 256 ticks takes less than four of BP',
    'benchmark-cpu',
    over('learn 784-256-10 128 packed; T = @', [256]),
    'of BP',
    verdicts.below(4),
  ),
  Claim(
    'The obvious simulation takes at least ten times as long',
    'benchmark-cpu',
    over(
      'learn 784-256-10 128 naive over learn 784-256-10 128 packed; T = @; .0f',
      (64, 256),
    ),
    'times',
    verdicts.above(10),
  ),
)
_WORDS = (
  Claim(
    'The words behind random trains fail none of the tests of dieharder',
    'random_words',
    {f'seed {seed}': f'{seed}; failed' for seed in (0, 1)},
    'failed',
    verdicts.within(0),
  ),
)
CLAIMS = (*_ERRORS, *_COSTS, *_WORDS)
