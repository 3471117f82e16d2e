"""Marks for measured numbers in pages of Markdown.

<!-- STUDY.NUMBER FORMAT -->1.5<!-- --> is a number of a study, in an optional
format of `statistics.write`;
<!-- given: WHY -->300 ms<!-- --> is a number without a record;
<!-- NAME -->...<!-- end --> is a generated block.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import re
from typing import NamedTuple

import ssnn_jax

# The first matching alternative wins: marks inside code are ignored.
_MARK = re.compile(
  r"""
  <!--\s+(?P<name>[a-z]+)\s+-->(?P<block>.*?)<!--\s+end\s+-->
  | <!--\s+(?P<reference>\w+(?:\.|:\s)[^<>]+?)\s+-->(?P<text>(?:(?!<!--).)*?)
    <!--\s+-->
  | ^[ ]*```.*?^[ ]*```
  | (?P<ticks>`+)(?!`)(?:(?!\n\n).)+?(?<!`)(?P=ticks)(?!`)
  """,
  re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_UNITS = (
  r'points?|%|per\s+cent|times|[x×](?!\s?\d)|steps?\s+of\s+BP|BP\s+steps?'
  r'|standard\s+errors?|a\s+second|ms|s|seconds?|min|minutes?|hours?'
  r'|[kMG]i?B|[pnµm]J|picojoules?'
)
_NUMBER = r'(?<![\w.^-])[+-]?\d[\d,.]*'
_MEASURED = re.compile(
  rf"""
  {_NUMBER}(?:\s(?:to|and|or)\s[\d,.]+)*\s?(?:{_UNITS})(?!\w)
  | {_NUMBER}\s?±\s?\d
  | \b(?:two|three|four|five|six|seven|eight|nine|ten)\s(?:points|per\s+cent)\b
  """,
  re.VERBOSE,
)
_ALLOWED = ('95 %',)  # the level of all intervals


class Problem(NamedTuple):
  """A place of a page that needs a correction.

  Attributes:
    line: its line, from 1 on.
    message: the problem.
  """

  line: int
  message: str


def fill(
  page: str,
  number: Callable[[str], str],
  blocks: Mapping[str, Callable[[], str]],
) -> tuple[str, list[Problem]]:
  """Fills in the marks of a page.

  Args:
    page: the page.
    number: writes the number of a reference.
    blocks: makes each generated block, by its name.

  Returns:
    The page with the numbers of the records, and the marks that were out of
    date or are invalid; invalid marks are left unchanged.
  """
  problems = []

  def replace(match):
    line = page.count('\n', 0, match.start()) + 1
    try:
      group, new = _contents(match, number, blocks)
    except ssnn_jax.UserError as error:
      problems.append(Problem(line, str(error)))
      return match[0]
    if group is None or match[group] == new:
      return match[0]
    problems.append(Problem(line, f'{_shorten(match[0])} is out of date'))
    start, end = (place - match.start() for place in match.span(group))
    return match[0][:start] + new + match[0][end:]

  return _MARK.sub(replace, page), problems


def _contents(match, number, blocks):
  """Returns the group of a mark that holds its text, and the current text."""
  if match['name']:
    if match['name'] not in blocks:
      raise ssnn_jax.UserError(
        f'<!-- {match["name"]} --> is not a block; name one of '
        f'{", ".join(blocks)}.'
      )
    return 'block', f'\n\n{blocks[match["name"]]()}\n\n'
  reference = match['reference']
  if not reference or reference.startswith('given: '):
    return None, ''
  return 'text', number(' '.join(reference.split()))


def _shorten(text):
  return ' '.join(text.split())[:60]


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """Makes a table of text."""
  lines = [f'| {" | ".join(cells)} |' for cells in (headings, *rows)]
  return '\n'.join([lines[0], '|' + len(headings) * '---|', *lines[1:]])


def lint(page: str) -> list[Problem]:
  """Finds measured numbers without a mark, and marks that are not closed.

  Args:
    page: the page.

  Returns:
    Numbers with a unit of measurement outside of marks and code, marks that
    are not closed, and marks at the start of a line, where Markdown reads them
    as HTML.
  """
  prose = _MARK.sub(lambda match: re.sub(r'\S', ' ', match[0]), page)
  found = [
    (match.start(), f'{match[0]!r} has no mark')
    for match in _MEASURED.finditer(prose)
    if match[0] not in _ALLOWED
  ]
  found += [
    (match.start(), f'{match[0]} is not a mark, or is not closed')
    for match in re.finditer('<!--.*', prose)
  ]
  found += [
    (match.start(), 'a mark at the start of a line is read as HTML')
    for match in _MARK.finditer(page)
    if match['reference']
    and not page[: match.start()].rpartition('\n')[2].strip(' >*+-')
  ]
  return [
    Problem(page.count('\n', 0, place) + 1, message)
    for place, message in sorted(found)
  ]
