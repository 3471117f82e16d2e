"""Cells of the tables of records, by reference.

A reference is `RECORD: ROW; COLUMN` or `RECORD: ROW; COLUMN; FORMAT`:

- RECORD is a folder of `experiments/records`, or `RECORD by ENERGIES`, the
  table of what its runs take by a table of energies.
- ROW has labels of a row, whole cells left of the column: the first one, and as
  many further ones, from left to right, as tell it from all others: `ssnn 64
  sobol`. Or it has fields of a setting: `num_steps=64, sampler=sobol`.
- COLUMN is the name of a column, or its beginning.
- FORMAT has `first` or `second`, for one of the numbers of the cell (of a mean
  ± sd the sd is the second); `abs`, without sign; and a format of Python's,
  `.1f`, which is of the first number unless `second` or `both` is there.

`A less B` and `A over B` in the place of ROW, of COLUMN or of both are
difference and ratio of a number in two cells, and need a format of Python's.
The difference of two settings by their fields is paired by seed and has its
95 % interval.

`RECORD: NAME` is what a record tells as a whole: see `tables.facts`.
"""

from collections.abc import Sequence
import re
from typing import NamedTuple

from experiments import grid_summary
from experiments import summary
from experiments import tables
import ssnn_jax

_NUMBER = re.compile(r'[+-]?\d[\d,]*(?:\.\d+)?')
_FIELDS = re.compile(r'\w+=[^\s,]+(, \w+=[^\s,]+)*')
_OPERATOR = re.compile(' (less|over) ')
_WORDS = ('first', 'second', 'both', 'abs')
_QUANTITIES = {
  'accuracy': summary.ACCURACIES[0],
  'by potential': summary.ACCURACIES[1],
  'read as ANN': summary.ACCURACIES[2],
  'update error': summary.ERRORS[0],
  'quantisation error': summary.ERRORS[1],
}


class _WrongError(Exception):
  """What is wrong with a reference, as the end of a sentence."""


class _Reference(NamedTuple):
  record: str
  places: Sequence[tuple[str, str]]  # row and column of each cell
  operator: str
  words: Sequence[str]  # of the format
  spec: str  # Python's, of a number


def write(reference: str) -> str:
  """Writes what a reference stands for.

  Args:
    reference: as the module tells.

  Returns:
    The text of the cell, or of what was made of it.

  Raises:
    UserError: if the reference names nothing, or more than one thing.
  """
  try:
    record, _, rest = ' '.join(reference.split()).partition(': ')
    if rest and ';' not in rest:
      return _fact(record, rest)
    found = _parse(record, rest)
    if found.operator == 'less' and _FIELDS.fullmatch(found.places[0][0]):
      return _format(_paired(found), found)
    if found.operator:
      left, right = (float(_pick(text, found)) for text in _texts(found))
      value = left - right if found.operator == 'less' else left / right
      return format(abs(value) if 'abs' in found.words else value, found.spec)
    (text,) = _texts(found)
    return _format(text, found)
  except _WrongError as error:
    raise ssnn_jax.UserError(
      f'"{reference}" {error}; see experiments/cells.py.'
    ) from None


def numbers(reference: str) -> list[float]:
  """Reads the numbers in what `write` writes; see there."""
  return [
    float(number.replace(',', ''))
    for number in _NUMBER.findall(write(reference))
  ]


def _fact(record, name):
  facts = tables.facts(record)
  if name not in facts:
    raise _WrongError(f'is none of what it tells: {", ".join(facts)}')
  return facts[name]


def _parse(record, rest):
  """Parses what follows the name of the record."""
  parts = [part.strip() for part in rest.split(';')]
  if len(parts) not in (2, 3):
    raise _WrongError('is not RECORD: ROW; COLUMN; FORMAT')
  rows, columns = (_OPERATOR.split(part) for part in parts[:2])
  operators = {*rows[1::2], *columns[1::2]}
  pairs = max(len(rows), len(columns)) // 2 + 1
  if len(operators) > 1 or pairs > 2:
    raise _WrongError('has more than one operation')
  words = parts[2].split() if parts[2:] else []
  specs = [word for word in words if word not in _WORDS]
  is_paired = operators == {'less'} and _FIELDS.fullmatch(rows[0])
  if len(specs) > 1 or (operators and not specs and not is_paired):
    raise _WrongError('needs one format such as .1f')
  try:
    format(0.0, ''.join(specs))
  except ValueError:
    raise _WrongError(f'has no format of numbers: {specs[0]}') from None
  places = list(zip((rows[0], rows[-1]), (columns[0], columns[-1])))[:pairs]
  return _Reference(record, places, ''.join(operators), words, ''.join(specs))


def _texts(reference):
  return [_cell(reference.record, *place) for place in reference.places]


def _cell(record, row, column):
  """Finds the one cell that is meant, in all tables of a record."""
  if _FIELDS.fullmatch(row):
    quantity = _quantity(column)
    is_error = quantity in summary.ERRORS
    setting = _setting(record, row)
    return summary.spread(
      setting, quantity, *((1, 3) if is_error else (100, 2))
    )
  found = [
    cells[place]
    for table in tables.tables(record)
    for place in _places(table.header, column)
    for cells in table.rows
    if _is_labelled(row, cells[:place])
  ]
  if len(found) != 1:
    raise _WrongError(f'fits {len(found)} cells')
  if not found[0]:
    raise _WrongError('is an empty cell')
  return found[0]


def _places(header, column):
  """Finds a column by its name or beginning; none where it is not there."""
  named = [place for place, name in enumerate(header) if name == column]
  if named:
    return named
  begun = [n for n, name in enumerate(header) if name.startswith(column)]
  if len(begun) > 1:
    raise _WrongError(f'fits {len(begun)} columns')
  return begun


def _is_labelled(row, cells):
  """Tells whether a row's name is its first label and others, in order."""
  labels = [cell for cell in cells if cell]
  if not labels or not f'{row} '.startswith(f'{labels[0]} '):
    return False
  return _has(row[len(labels[0]) + 1 :], labels[1:])


def _has(words, cells):
  """Tells whether words are cells, in their order, of which some may lack."""
  return not words or any(
    _has(words[len(cell) :].lstrip(), cells[place + 1 :])
    for place, cell in enumerate(cells)
    if f'{words} '.startswith(f'{cell} ')
  )


def _setting(record, row):
  """Finds the one setting that has fields of these values."""
  wanted = [field.split('=', 1) for field in row.split(', ')]
  found = [
    setting
    for setting in tables.settings(record)
    if all(
      name in setting.config
      and grid_summary.value(setting.config, name) == value
      for name, value in wanted
    )
  ]
  if len(found) != 1:
    raise _WrongError(f'fits {len(found)} settings with {row}')
  return found[0]


def _quantity(column):
  if column not in _QUANTITIES:
    raise _WrongError(f'is of settings, which have {", ".join(_QUANTITIES)}')
  return _QUANTITIES[column]


def _paired(reference):
  """Compares two settings seed by seed."""
  ours, theirs = (
    _setting(reference.record, row) for row, _ in reference.places
  )
  quantity = _quantity(reference.places[0][1])
  mean, half_width = summary.paired_difference(ours, theirs, quantity)
  if quantity in summary.ERRORS:
    return f'{mean:+.3f} ± {half_width:.3f}'
  return summary.points(mean, half_width)


def _pick(text, reference):
  """Takes one number of a cell, as it is written."""
  found = _NUMBER.findall(text)
  place = 1 if 'second' in reference.words else 0
  if len(found) <= place:
    raise _WrongError(f'has no such number in {text!r}')
  return found[place].replace(',', '') if reference.operator else found[place]


def _format(text, reference):
  """Writes a cell as the reference asks for."""
  words, spec = reference.words, reference.spec
  if 'both' not in words and (spec or {'first', 'second'}.intersection(words)):
    text = _pick(text, reference)

  def rewrite(match):
    number = match[0].lstrip('+-') if 'abs' in words else match[0]
    return format(float(number.replace(',', '')), spec) if spec else number

  return _NUMBER.sub(rewrite, text)
