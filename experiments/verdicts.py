"""What intervals say of a claim: it holds, it does not, or nobody can tell."""

from collections.abc import Callable
from collections.abc import Iterable
from typing import NamedTuple


class Interval(NamedTuple):
  """Where a quantity lies; a single number is all of its interval."""

  low: float
  high: float


class Verdict(NamedTuple):
  """A verdict, and the number that decides it.

  Attributes:
    word: the verdict.
    margin: from the bound to what decides, on the side where the claim holds;
      negative on the other.
    reason: the number, and the bound.
  """

  word: str
  margin: float
  reason: str


Judge = Callable[[Interval], Verdict]
HOLDS, UNTOLD, FAILS = 'holds', 'not told apart', 'does not hold'
_ORDER = (FAILS, UNTOLD, HOLDS)


def interval(numbers: list[float]) -> Interval:
  """Makes an interval of a mean and its half-width, or of one number.

  Args:
    numbers: those of a cell.

  Returns:
    The interval. Its ends have the digits that sums of decimals have, so that
    what meets a bound is not beyond it.

  Raises:
    ValueError: if there are none, or more than two.
  """
  mean, half_width = numbers if len(numbers) > 1 else (*numbers, 0.0)
  return Interval(round(mean - half_width, 9), round(mean + half_width, 9))


def above(bound: float) -> Judge:
  """Claims that a quantity is above a bound."""

  def judge(place):
    if place.low > bound:
      return Verdict(HOLDS, place.low - bound, f'{place.low:.3g} > {bound:g}')
    if place.high <= bound:
      return Verdict(FAILS, place.high - bound, f'{place.high:.3g} ≤ {bound:g}')
    return _untold(bound, place)

  return judge


def below(bound: float) -> Judge:
  """Claims that a quantity is below a bound."""

  def judge(place):
    if place.high < bound:
      return Verdict(HOLDS, bound - place.high, f'{place.high:.3g} < {bound:g}')
    if place.low >= bound:
      return Verdict(FAILS, bound - place.low, f'{place.low:.3g} ≥ {bound:g}')
    return _untold(bound, place)

  return judge


def within(bound: float) -> Judge:
  """Claims that a quantity is no farther from zero than a bound."""

  def judge(place):
    ends = sorted(map(abs, place))
    nearest = 0.0 if place.low <= 0 <= place.high else ends[0]
    if ends[1] <= bound:
      return Verdict(HOLDS, bound - ends[1], f'{ends[1]:.3g} ≤ {bound:g}')
    if nearest > bound:
      return Verdict(FAILS, bound - nearest, f'{nearest:.3g} > {bound:g}')
    return _untold(bound, Interval(nearest, ends[1]))

  return judge


def between(low: float, high: float) -> Judge:
  """Claims that a quantity is between two bounds."""

  def judge(place):
    return worst([above(low)(place), below(high)(place)])

  return judge


def unseen(place: Interval) -> Verdict:
  """Claims that the seeds show no difference: its interval holds zero."""
  nearest = min(map(abs, place))
  if place.low <= 0 <= place.high:
    return Verdict(HOLDS, nearest, f'{place.low:.3g} ≤ 0 ≤ {place.high:.3g}')
  sign = '>' if place.low > 0 else '<'
  return Verdict(FAILS, -nearest, f'{min(place, key=abs):.3g} {sign} 0')


def worst(verdicts: Iterable[Verdict]) -> Verdict:
  """Picks the worst of several verdicts, by the least margin where some tie."""
  return min(
    verdicts, key=lambda verdict: (_ORDER.index(verdict.word), verdict.margin)
  )


def _untold(bound, place):
  margin = min(bound - place.low, place.high - bound)
  told = f'{place.low:.3g} ≤ {bound:g} ≤ {place.high:.3g}'
  return Verdict(UNTOLD, margin, told)
