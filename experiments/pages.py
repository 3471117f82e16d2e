"""Writes the measured numbers of pages anew, from the committed records.

  python -m experiments.pages
  python -m experiments.pages --check

The second writes nothing and tells what differs. In a page,

  <!-- table: RECORD --> before a ```text block is the table of a record, or
      with RECORD by ENERGIES that of what its runs take;
  <!-- RECORD: ROW; COLUMN -->1.5<!-- --> is one of its cells, by the rules of
      `experiments.cells`; without RECORD: it is of the last table above;
  <!-- given: WHY -->300 ms<!-- --> is a number that no record has;
  <!-- claims --> and <!-- commands -->, each up to <!-- end -->, are tables of
      `experiments.claims` and `experiments.commands`.
"""

import itertools
import pathlib
import re
from typing import NamedTuple

from absl import flags

from experiments import cells
from experiments import claim_table
from experiments import commands
from experiments import tables
from experiments.config import command as cli
import ssnn_jax

_ROOT = pathlib.Path(__file__).parent.parent
PAGES = (
  _ROOT / 'README.md',
  _ROOT / 'experiments' / 'README.md',
  *sorted(_ROOT.glob('docs/*.md')),
)
_BLOCKS = {'claims': claim_table.table, 'commands': commands.table}
# The first that fits counts: marks inside code are none.
_PART = re.compile(
  r"""
  <!--\s+table:\s+(?P<record>[^<>]+?)\s+-->\n+```text\n(?P<table>(?:(?!```).)+?)\n```
  | <!--\s+(?P<name>\w+)\s+-->(?P<block>.*?)<!--\s+end\s+-->
  | <!--\s+(?P<reference>[^<>]+?[:;]\s[^<>]+?)\s+-->(?P<cell>(?:(?!<!--).)*?)
    <!--\s+-->
  | ^[ ]*```.*?^[ ]*```
  | (?P<ticks>`+)(?!`)(?:(?!\n\n).)+?(?<!`)(?P=ticks)(?!`)
  """,
  re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_UNITS = (
  *('points?', '%', r'per\s+cent', 'times', r'[x×](?!\s?\d)'),
  *(r'steps?\s+of\s+BP', r'standard\s+errors?', r'a\s+second'),
  *('ms', 's', 'seconds?', 'min', 'minutes?', 'hours?'),
  *('[kMG]i?B', '[pnµm]J', 'picojoules?'),
)
_NUMBER = r'(?<![\w.^-])[+-]?\d[\d,.]*'
_WORDS = 'two|three|four|five|six|seven|eight|nine|ten'
_MEASURED = re.compile(
  rf"""
  {_NUMBER}(?:\s(?:to|and|or)\s[\d,.]+)*\s?(?:{'|'.join(_UNITS)})(?!\w)
  | {_NUMBER}\s?±\s?\d
  | \b(?:{_WORDS})\s(?:points|per\s+cent)\b
  """,
  re.VERBOSE,
)
_ALLOWED = ('95 %',)  # the level of all intervals


class Problem(NamedTuple):
  """A place of a page that records do not bear out.

  Attributes:
    line: where it is, from 1.
    told: what is wrong there.
  """

  line: int
  told: str


def remake(text: str) -> tuple[str, list[Problem]]:
  """Writes the marked parts of a page anew.

  Args:
    text: the page.

  Returns:
    The page as the records have it, and where it was otherwise; a mark that
    names nothing is left as it is.
  """
  problems = []

  def replace(match):
    try:
      old, new = _renew(match, text)
    except ssnn_jax.UserError as error:
      old = new = ''
      problems.append(Problem(_line(text, match.start()), str(error)))
    if old == new:
      return match[0]
    problems.append(Problem(_line(text, match.start()), _differ(old, new)))
    start, end = (
      place - match.start() for place in match.span(match.lastgroup)
    )
    return match[0][:start] + new + match[0][end:]

  return _PART.sub(replace, text), problems


def _renew(match, text):
  """Tells what a marked part is, and what the records say."""
  if match['record']:
    return match['table'], tables.text(match['record'])
  if match['name']:
    if match['name'] not in _BLOCKS:
      raise ssnn_jax.UserError(
        f'<!-- {match["name"]} --> is no mark; write one of '
        f'{", ".join(_BLOCKS)}.'
      )
    return match['block'], f'\n\n{_BLOCKS[match["name"]]()}\n\n'
  reference = match['reference']
  if not reference or reference.startswith('given: '):
    return '', ''
  if ': ' not in reference:
    above = [part['record'] for part in _PART.finditer(text, 0, match.start())]
    above = [record for record in above if record]
    if not above:
      raise ssnn_jax.UserError(
        f'"{reference}" names no record, nor is one above.'
      )
    reference = f'{above[-1]}: {reference}'
  return match['cell'], cells.write(reference)


def _differ(old, new):
  """Tells the first line that is not what the records say."""
  pairs = itertools.zip_longest(old.splitlines(), new.splitlines())
  there, own = next(
    (pair for pair in pairs if pair[0] != pair[1]), ('other blank lines', '')
  )
  return f'has {there or "nothing"}, but the records {own or "nothing"}'


def lint(text: str) -> list[Problem]:
  """Finds numbers that nothing bears out, and marks that are none.

  Args:
    text: the page.

  Returns:
    Each number with a unit of measurement, in prose or a table of Markdown,
    that is in no mark and no code; each mark that is not closed; and each
    before which a line has nothing, which ends a paragraph of Markdown.
  """
  prose = _PART.sub(lambda match: re.sub(r'\S', ' ', match[0]), text)
  problems = [
    Problem(_line(text, match.start()), f'{match[0]!r} is in no mark')
    for match in _MEASURED.finditer(prose)
    if match[0] not in _ALLOWED
  ]
  problems += [
    Problem(_line(text, match.start()), f'{match[0]} is no mark, or not closed')
    for match in re.finditer('<!--.*', prose)
  ]
  problems += [
    Problem(
      _line(text, match.start()), 'begins with a mark, which is HTML then'
    )
    for match in _PART.finditer(text)
    if match['reference']
    and not text[: match.start()].rpartition('\n')[2].strip(' >*+-')
  ]
  return sorted(problems)


def _line(text, place):
  return text.count('\n', 0, place) + 1


def check(text: str) -> list[Problem]:
  """Finds all that is wrong with a page: what differs, and what is unmarked."""
  return sorted(remake(text)[1] + lint(text))


def write(path: pathlib.Path) -> bool:
  """Writes a page anew, and tells whether it was another before."""
  text = path.read_text()
  written = remake(text)[0]
  if written != text:
    path.write_text(written)
  return written != text


def main() -> None:
  """Writes the pages, or tells what is wrong with them."""
  told = []
  for path in PAGES:
    name = path.relative_to(_ROOT)
    if not flags.FLAGS.check and write(path):
      print(f'written: {name}')
    told += [f'{name}:{line}: {what}' for line, what in check(path.read_text())]
  if told:
    raise ssnn_jax.UserError('\n'.join(['these need a hand:', *told]))


if __name__ == '__main__':
  with cli.group('Records'):
    flags.DEFINE_boolean(
      'check', False, 'write nothing, and fail where a page differs.'
    )
  cli.launch(main)
