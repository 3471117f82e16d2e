"""The table of claims, with what records have measured and say of them."""

from experiments import cells
from experiments import claims
from experiments import commands
from experiments import hardware_claims
from experiments import rival_claims
from experiments import tables
from experiments import verdicts

_HEADINGS = (
  *('claim', 'measured', 'seeds', 'record', 'command'),
  *('minutes of training (not compiling), device', 'verdict'),
)
CLAIMS: tuple[claims.Claim, ...] = (
  *(*claims.CLAIMS, *rival_claims.CLAIMS, *hardware_claims.CLAIMS),
)


def judge(claim: claims.Claim) -> verdicts.Verdict:
  """Judges a claim by its record.

  Args:
    claim: the claim.

  Returns:
    The verdict on all that was measured.

  Raises:
    UserError: if the record has nothing, or no number, at a reference.
  """
  return verdicts.worst(
    claim.holds(verdicts.interval(cells.numbers(f'{claim.record}: {place}')))
    for place in claim.measured.values()
  )


def table() -> str:
  """Lays out all claims for a page, a line each."""
  lines = [_line(_HEADINGS), _line(['---'] * len(_HEADINGS))]
  return '\n'.join([*lines, *map(_row, CLAIMS)])


def _row(claim):
  record = claim.record.partition(' by ')[0]
  told = tables.facts(claim.record)
  took = [told[name] for name in ('minutes', 'device') if name in told]
  verdict = judge(claim)
  return _line(
    (
      *(claim.statement, measured(claim), told.get('seeds', '')),
      *(_links(record), _command(record), ', '.join(took)),
      f'{verdict.word}: {verdict.reason}',
    )
  )


def measured(claim: claims.Claim) -> str:
  """Writes what was measured for a claim, each with its label."""
  parts = [
    (f'{label}: ' if label else '') + cells.write(f'{claim.record}: {place}')
    for label, place in claim.measured.items()
  ]
  return f'{"; ".join(parts)} {claim.unit}'


def _links(record):
  """Links a record, and the figure in it, if there is one."""
  links = f'[{record}](records/{record})'
  figures = sorted(tables.folder(record).glob('*.png'))
  if figures:
    links += f', [figure](records/{record}/{figures[0].name})'
  return links


def _command(record):
  first, *others = commands.COMMANDS[record]
  return '[several](#records-and-commands)' if others else f'`{first}`'


def _line(texts):
  return '| ' + ' | '.join(text.replace('|', r'\|') for text in texts) + ' |'
