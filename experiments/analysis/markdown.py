"""Measured numbers in pages of Markdown, filled in from records.

`{STUDY.NUMBER}`, or `{STUDY.NUMBER:FORMAT}` in a format of `statistics.write`,
refers to a number of a study. Texts of studies are templates that have
references where the numbers are to stand. Hand-written pages are read as they
are, and are filled in place: a mark is a reference in a comment, followed by
its text and an empty comment, as in

  It costs <!-- {noise.loss:.1f} -->1.5<!-- --> points.

`<!-- {NAME} -->` refers to a generated block; `<!-- given: WHY -->` marks a
number without a record.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import re
from typing import NamedTuple

import ssnn_jax

_REFERENCE = re.compile(r'\{(?P<name>[\w.]+)(?::(?P<form>[^{}<>]+))?\}')
# The first matching alternative wins: marks inside code are ignored.
_MARK = re.compile(
  r"""
  (?P<start><!--\s+(?:given:\s[^<>]+?|(?P<template>\{[\w.]+(?::[^{}<>]+)?\}))\s+-->)
    (?P<text>(?:(?!<!--).)*?)(?P<end><!--\s+-->)
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

Write = Callable[[str, str], str]


class Problem(NamedTuple):
  """A place of a page that needs a correction.

  Attributes:
    line: its line, from 1 on.
    message: the problem.
  """

  line: int
  message: str


def render(template: str, write: Write) -> str:
  """Replaces the references of a template by `write(name, format)`."""
  return _REFERENCE.sub(
    lambda match: write(match['name'], match['form'] or ''), template
  )


def fill(page: str, write: Write) -> tuple[str, list[Problem]]:
  """Fills in the marks of a page.

  Args:
    page: the page.
    write: `(name, format) -> text` of a reference.

  Returns:
    The page with the texts of all references, and its invalid marks, which are
    left unchanged.
  """
  problems = []

  def replace(match):
    if not match['template']:
      return match[0]
    try:
      text = render(' '.join(match['template'].split()), write)
    except ssnn_jax.UserError as error:
      problems.append(_problem(page, match, str(error)))
      return match[0]
    return match['start'] + text + match['end']

  return _MARK.sub(replace, page), problems


def lint(page: str) -> list[Problem]:
  """Finds measured numbers without a mark, and marks that are not closed.

  Args:
    page: the page.

  Returns:
    Numbers with a unit of measurement outside of marks and code, marks that
    are not closed, and marks of numbers at the start of a line, where Markdown
    reads them as HTML.
  """
  prose = _MARK.sub(lambda match: re.sub(r'\S', ' ', match[0]), page)
  found = [
    (match, f'{match[0]!r} has no mark')
    for match in _MEASURED.finditer(prose)
    if match[0] not in _ALLOWED
  ]
  found += [
    (match, f'{match[0]} is not a mark, or is not closed')
    for match in re.finditer('<!--.*', prose)
  ]
  found += [
    (match, 'a mark at the start of a line is read as HTML')
    for match in _MARK.finditer(page)
    if match['start'] and '\n\n' not in match['text']  # no block
    if not page[: match.start()].rpartition('\n')[2].strip(' >*+-')
  ]
  found.sort(key=lambda pair: pair[0].start())
  return [_problem(page, *pair) for pair in found]


def _problem(page, match, message):
  return Problem(page.count('\n', 0, match.start()) + 1, message)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """Makes a table in Markdown."""
  lines = [f'| {" | ".join(cells)} |' for cells in (headings, *rows)]
  return '\n'.join([lines[0], '|' + len(headings) * '---|', *lines[1:]])
