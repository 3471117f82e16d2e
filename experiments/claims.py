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


_ACCURACY = (
  Claim(
    'On digits accuracy is within a point of the ANN from 64 ticks on',
    'spike_train_length-digits',
    over('SSNN, T = @; minus', (64, 256)),
    'points',
    verdicts.within(1),
  ),
  Claim(
    'On digits accuracy is within a point of the ANN with 16 ticks',
    'spike_train_length-digits',
    over('SSNN, T = @; minus', [16]),
    'points',
    verdicts.within(1),
  ),
  Claim(
    'On Fashion-MNIST, with random trains and 64 ticks, accuracy is within 0.3 '
    'points of the ANN',
    'spike_train_length-fashion_mnist',
    over('SSNN, T = @; minus', [64]),
    'points',
    verdicts.within(0.3),
  ),
  Claim(
    'On Fashion-MNIST, with random trains and 256 ticks, it is within 0.3 '
    'points',
    'spike_train_length-fashion_mnist',
    over('SSNN, T = @; minus', [256]),
    'points',
    verdicts.within(0.3),
  ),
  Claim(
    'On Fashion-MNIST, with low-discrepancy trains and 64 ticks, it is '
    'within 0.3 points',
    'variants-fashion_mnist',
    over('ssnn @ sobol; minus', [64]),
    'points',
    verdicts.within(0.3),
  ),
  Claim(
    'On Fashion-MNIST, with low-discrepancy trains and 16 ticks, it is '
    'within 0.3 points',
    'variants-fashion_mnist',
    over('ssnn @ sobol; minus', [16]),
    'points',
    verdicts.within(0.3),
  ),
  Claim(
    'On a part of N-MNIST, with 64 ticks, accuracy is within two points of the '
    'ANN',
    'spike_train_length-n_mnist',
    over('SSNN, T = @; minus', [64]),
    'points',
    verdicts.within(2),
  ),
  Claim(
    'On a part of N-MNIST, with 256 ticks and windows of 32, it is below '
    'the ANN',
    'spike_train_length-n_mnist',
    over('SSNN, T = @; minus', [256]),
    'points',
    verdicts.below(0),
  ),
)
_ERRORS = (
  Claim(
    'From 64 to 256 ticks the quantisation error halves',
    'spike_train_length-fashion_mnist',
    {'': 'SSNN, T = 256 over SSNN, T = 64; quantisation error; .2f'},
    'of it',
    verdicts.between(0.48, 0.52),
  ),
  Claim(
    'The update error, which has a part from noisy potentials, halves too',
    'spike_train_length-fashion_mnist',
    {'': 'SSNN, T = 256 over SSNN, T = 64; update error; .2f'},
    'of it',
    verdicts.between(0.48, 0.52),
  ),
  Claim(
    'Low-discrepancy trains raise accuracy',
    'variants-fashion_mnist',
    over(
      'num_steps=@, sampler=sobol less num_steps=@, sampler=bernoulli, '
      'window=none, gain=1.0; accuracy',
      (4, 16, 64),
    ),
    'points',
    verdicts.above(0),
  ),
  Claim(
    'Low-discrepancy trains make an update error of 0.25 at least four '
    'times cheaper',
    'fidelity-fashion_mnist',
    {
      sizes: f'{sizes} 32 bernoulli over {sizes} 32 sobol; BP steps for it; .1f'
      for sizes in ('784-256-10', '784-256-256-10')
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
CLAIMS = (*_ACCURACY, *_ERRORS, *_COSTS, *_WORDS)
