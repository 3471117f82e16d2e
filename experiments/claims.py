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
    'On Fashion-MNIST, with low-discrepancy trains, accuracy is within 0.3 '
    'points of the tuned ANN',
    'headline-fashion_mnist',
    over('winner counts @; sobol minus ANN', (16, 64)),
    'points',
    verdicts.within(0.3),
  ),
  Claim(
    'On Fashion-MNIST, with random trains and 64 ticks, it is within 0.3 '
    'points',
    'headline-fashion_mnist',
    over('winner counts @; bernoulli minus', [64]),
    'points',
    verdicts.within(0.3),
  ),
  Claim(
    'Read as an ANN, the weights that random trains of 64 ticks have taught '
    'are within 0.3 points',
    'headline-fashion_mnist',
    over('ANN of its weights @; bernoulli minus', [64]),
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
    'On a part of N-MNIST, with 64 ticks, accuracy is within two points of the '
    'ANN',
    'spike_train_length-n_mnist',
    over('SSNN, T = @; minus', [64]),
    'points',
    verdicts.within(2),
  ),
  Claim(
    'On synthetic events of digits, with 64 ticks, it is within a point',
    'spike_train_length-synthetic_events-digits',
    over('SSNN, T = @; minus', [64]),
    'points',
    verdicts.within(1),
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
_ARCHITECTURES = (
  Claim(
    'With a hidden layer of 800 and low-discrepancy trains of 64 ticks '
    'accuracy is within 0.3 points of the ANN',
    'wide-fashion_mnist',
    over('winner counts @; sobol minus ANN', [64]),
    'points',
    verdicts.within(0.3),
  ),
  Claim(
    'With two to four hidden layers, low-discrepancy trains and 64 ticks it is '
    'within half a point of the ANN of that depth',
    'depth-fashion_mnist',
    {
      sizes: f'ssnn {sizes} 64 sobol; minus'
      for sizes in (
        '784-204-204-10',
        '784-177-177-177-10',
        '784-159-159-159-159-10',
      )
    },
    'points',
    verdicts.within(0.5),
  ),
  Claim(
    'One sample at a time, with 64 ticks, digits are learned as well as in '
    'batches, within half a point',
    'online-digits',
    {
      '': 'batch_size=1, num_steps=64 less batch_size=32, num_steps=64; '
      'accuracy'
    },
    'points',
    verdicts.within(0.5),
  ),
  Claim(
    'One sample at a time, with 64 ticks, Fashion-MNIST is learned as well as '
    'in batches, within half a point',
    'online-fashion_mnist',
    {
      '': 'batch_size=1, num_steps=64 less batch_size=128, num_steps=64; '
      'accuracy'
    },
    'points',
    verdicts.within(0.5),
  ),
)
_NETWORKS = '784-256-10', '784-256-256-10'  # of fidelity


def _slope(sampler, judge, claim):
  """Judges the slope in T of an update error for given rates."""
  measured = {
    sizes: f'{sizes} {sampler}; its slope; first .3f' for sizes in _NETWORKS
  }
  return Claim(claim, 'fidelity-fashion_mnist', measured, '(slope)', judge)


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
    'Low-discrepancy trains make the update error smaller at every T',
    'energy-fashion_mnist',
    over('@; sobol / bernoulli', (4, 16, 64, 256)),
    'of that of random trains',
    verdicts.below(1),
  ),
  Claim(
    'They raise accuracy where random trains leave it below the ANN',
    'headline-fashion_mnist',
    over('winner counts @; sobol minus bernoulli', (4, 16, 64)),
    'points',
    verdicts.above(0),
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
CLAIMS = (*_ACCURACY, *_ARCHITECTURES, *_ERRORS, *_COSTS, *_WORDS)
