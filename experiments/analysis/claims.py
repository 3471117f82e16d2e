"""Claims, and their verdicts from recorded numbers.

A claim states that all its numbers lie between bounds. A claim of no difference
has the bounds -m and m of an equivalence margin, and is tested by two one-sided
tests. The p-values of all claims are corrected for their number (Holm). This
bounds the errors of claims that were worded before their data, not of claims
that were worded after a look at them.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math
from typing import NamedTuple

from experiments.analysis import statistics

SUPPORTED, REFUTED = 'supported', 'not supported'
INCONCLUSIVE = 'inconclusive'


@dataclasses.dataclass(frozen=True)
class Claim:
  """A statement that is tested by numbers of a study.

  Attributes:
    statement: metric, comparison, threshold and T, in one sentence.
    numbers: names of numbers of the study; all must lie between the bounds.
    above: the lower bound.
    below: the upper bound.
    within: equivalence margin m of the bounds -m and m, instead of `above` and
      `below`.
    unit: of the numbers.
  """

  statement: str
  numbers: tuple[str, ...]
  above: float | None = None
  below: float | None = None
  within: float | None = None
  unit: str = 'points'

  def bounds(self) -> tuple[float, float]:
    """Returns the lower and the upper bound."""
    if self.within is not None:
      return -self.within, self.within
    low = -math.inf if self.above is None else self.above
    high = math.inf if self.below is None else self.below
    return low, high


class Verdict(NamedTuple):
  """The verdict on a claim.

  Attributes:
    word: supported, not supported or inconclusive, after the correction.
    reason: the number that decides, its bound and the p-value of this claim
      alone.
  """

  word: str
  reason: str


class _Evidence(NamedTuple):
  """p-values for and against a claim, and the deciding number."""

  support: float
  contrary: float
  number: statistics.Number


def judge(
  claims: Sequence[Claim], numbers: Sequence[Mapping[str, statistics.Number]]
) -> list[Verdict]:
  """Tests claims together.

  Args:
    claims: all claims of a page or project, which share the correction.
    numbers: for each claim, the numbers of its study.

  Returns:
    The verdicts, in order.
  """
  found = [
    _weigh(claim, [known[name] for name in claim.numbers])
    for claim, known in zip(claims, numbers, strict=True)
  ]
  tested = [own for own in found if own.number.num]  # others are exact
  support = iter(statistics.holm([own.support for own in tested]))
  contrary = iter(statistics.holm([own.contrary for own in tested]))
  return [
    _verdict(claim, own, next(support), next(contrary))
    if own.number.num
    else _verdict(claim, own, own.support, own.contrary)
    for claim, own in zip(claims, found)
  ]


def _weigh(claim, numbers):
  """Tests a claim; the number with the least support decides.

  A claim requires all numbers: its p-value is the largest one. A claim is
  refuted if any number is beyond a bound: the smallest p-value is corrected for
  the number of numbers.
  """
  low, high = claim.bounds()
  support = [statistics.p_between(number, low, high) for number in numbers]
  contrary = [
    min(statistics.p_below(number, low), statistics.p_above(number, high))
    for number in numbers
  ]

  def strength(index):
    number = numbers[index]
    distance = min(number.mean - low, high - number.mean)
    return -support[index], distance

  weakest = min(range(len(numbers)), key=strength)
  refuted = min(1.0, min(contrary) * len(numbers))
  return _Evidence(max(support), refuted, numbers[weakest])


def _verdict(claim, evidence, support, contrary):
  """Decides by corrected p-values; the reason has the p-value alone."""
  number, (low, high) = evidence.number, claim.bounds()
  is_exact = number.num == 0
  is_low = number.mean - low < high - number.mean
  bound, sign = (low, -1) if is_low else (high, 1)
  word, p_value = INCONCLUSIVE, evidence.support
  if support < statistics.ERROR_RATE:
    word = SUPPORTED
  elif is_exact or contrary < statistics.ERROR_RATE:
    word, p_value, sign = REFUTED, evidence.contrary, -sign
  # The end of the interval that decides on the near bound.
  end = number.mean + sign * statistics.half_width(number)
  sign = '>' if end > bound else '<' if end < bound else '='
  reason = f'{end:.3g} {sign} {bound:g}'
  if not is_exact:
    reason += f', p = {p_value:.2g}'
    if number.num < statistics.MIN_SEEDS:
      reason += f'; only {number.num} seeds'
  return Verdict(word, reason)
