"""Generates the pages of results, and fills in the numbers of other pages.

  python -m experiments.pages
  python -m experiments.pages --check

The second command writes nothing, and fails if a page differs from the records.
Figures are drawn for new studies, and for all studies with --figures.
"""

from collections.abc import Iterator
import functools
import pathlib
import re

from absl import flags
from matplotlib import figure

from experiments import studies
from experiments.analysis import claims
from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis import grid_plot
from experiments.analysis import markdown
from experiments.analysis import record_section
from experiments.analysis import records
from experiments.analysis import statistics
from experiments.analysis import study as study_lib
from experiments.analysis import style
from experiments.config import command
import ssnn_jax

_ROOT = pathlib.Path(__file__).parent.parent
RESULTS = _ROOT / 'experiments' / 'results'
# Hand-written pages, with marks for numbers.
PAGES = (
  _ROOT / 'README.md',
  RESULTS / 'README.md',
  *sorted(_ROOT.glob('docs/*.md')),
)


@functools.cache
def read(name: str) -> tuple[study_lib.Study, dict[str, records.Record]]:
  """Loads a study and its committed records."""
  return studies.load(name), records.read_study(name)


@functools.cache
def recorded() -> tuple[str, ...]:
  """Lists the studies that have a committed record."""
  return tuple(name for name in studies.NAMES if read(name)[1])


@functools.cache
def numbers(name: str) -> study_lib.Numbers:
  """Computes the numbers of a study from its committed records."""
  study, found = read(name)
  try:
    return study.numbers({key: record.runs for key, record in found.items()})
  except KeyError as error:
    raise ssnn_jax.UserError(
      f'the study {name} lacks {error} in its records; run the sweeps of the '
      'study, and collect them by experiments.collect.'
    ) from None


def write_number(reference: str) -> str:
  """Formats a number of a study.

  Args:
    reference: `STUDY.NUMBER`, and a format of `statistics.write` after a space.

  Returns:
    The text.

  Raises:
    UserError: if there is no such study or number.
  """
  place, _, form = reference.partition(' ')
  name, _, key = place.partition('.')
  known = numbers(name)
  if key not in known:
    raise ssnn_jax.UserError(
      f'the study {name} has no number {key}; it has {", ".join(known)}.'
    )
  return statistics.write(known[key], form)


@functools.cache
def verdicts() -> dict[str, list[tuple[claims.Claim, claims.Verdict]]]:
  """Tests the claims of all studies together; returns verdicts by study."""
  pairs = [
    (name, claim) for name in recorded() for claim in read(name)[0].claims
  ]
  judged = claims.judge(
    [claim for _, claim in pairs], [numbers(name) for name, _ in pairs]
  )
  found = {}
  for (name, claim), verdict in zip(pairs, judged, strict=True):
    found.setdefault(name, []).append((claim, verdict))
  return found


def figure_path(study: str, record: str) -> pathlib.Path:
  """Returns the file of the figure of a record."""
  return RESULTS / f'{study}-{record}.png'


def study_page(name: str) -> str:
  """Makes the page of a study, in Markdown."""
  study, found = read(name)
  title = name.replace('_', ' ').capitalize()
  figures = [
    f'![{title}, {record}]({figure_path(name, record).name})'
    for record in found
    if study.figure or study.sweeps
  ]
  parts = [f'# {title}', study.question, *figures, _fill_text(name)]
  judged = verdicts().get(name)
  if judged:
    parts += ['## Claims', _claim_table(judged)]
  for record in found:
    parts += record_section.make(study, record, found[record])
  return '\n\n'.join(filter(None, parts)) + '\n'


def _fill_text(name):
  """Fills in the numbers of the text of a study."""

  def write(match):
    return write_number(f'{name}.{match[1]} {match[2] or ""}'.rstrip())

  return re.sub(r'\{(\w+)(?::([^}]+))?\}', write, read(name)[0].text).strip()


def _claim_table(judged):
  """Makes the table of claims with their verdicts."""
  lines = [
    '| claim | verdict after correction | deciding number and bound; p alone |',
    '|---|---|---|',
  ]
  for claim, verdict in judged:
    unit = f' ({claim.unit})' if claim.unit else ''
    lines.append(
      f'| {claim.statement} | {verdict.word} | {verdict.reason}{unit} |'
    )
  return '\n'.join(lines)


def index() -> str:
  """Makes the table of all studies."""
  lines = ['| study | question | minutes |', '|---|---|---|']
  for name in recorded():
    study, found = read(name)
    runs = [r.runs for r in found.values() if 'run_seconds' in r.runs]
    spent = f'{sum(map(records.minutes, runs)):.0f}' if runs else ''
    lines.append(f'| [{name}]({name}.md) | {study.question} | {spent} |')
  return '\n'.join(lines)


def claim_summary() -> str:
  """Makes the table of all claims with their verdicts."""
  lines = ['| claim | verdict | study |', '|---|---|---|']
  for name, judged in verdicts().items():
    for claim, verdict in judged:
      lines.append(
        f'| {claim.statement} | {verdict.word} | [{name}]({name}.md) |'
      )
  return '\n'.join(lines)


BLOCKS = {'studies': index, 'claims': claim_summary}


def remake() -> Iterator[tuple[pathlib.Path, str, list[markdown.Problem]]]:
  """Makes all pages.

  Yields:
    The file of a page, its text, and problems to correct by hand.
  """
  for name in recorded():
    yield RESULTS / f'{name}.md', study_page(name), []
  for path in PAGES:
    text = path.read_text()
    filled, _ = markdown.fill(text, write_number, BLOCKS)
    problems = markdown.fill(filled, write_number, BLOCKS)[1]
    yield path, filled, [*problems, *markdown.lint(filled)]


def draw_answer() -> figure.Figure:
  """Draws accuracy and time of learning against T, from two studies."""
  runs = read('headline')[1]['fashion_mnist'].runs
  prices = numbers('fidelity')

  def price(setting, ann):
    del ann
    sampler, t = (frames.field(setting, x) for x in ('sampler', 'num_steps'))
    name = 'random' if sampler == 'bernoulli' else sampler
    return prices[f'{name}_bp_steps_t{t}']

  metrics = {
    'accuracy minus\nANN (points)': comparisons.minus(),
    'time of a learning\nstep (BP steps)': price,
  }
  narrow = frames.select(runs, layer_sizes=None)
  return comparisons.draw(narrow, 'num_steps', 'sampler', metrics, margin=0.3)


def draw(everything: bool) -> None:
  """Draws the figures of pages: missing ones, or all."""
  if everything or not (RESULTS / 'answer.png').exists():
    print(f'drawn: {style.save(draw_answer(), RESULTS / "answer")}')
  for name in recorded():
    study, found = read(name)
    for record, (_, runs) in found.items():
      path = figure_path(name, record)
      if path.exists() and not everything:
        continue
      drawn = grid_plot.of_study(study, runs)
      if drawn is not None:
        print(f'drawn: {style.save(drawn, path.with_suffix(""))}')


def main() -> None:
  """Writes the pages, or reports how they differ from the records."""
  values = flags.FLAGS.flag_values_dict()
  messages = []
  RESULTS.mkdir(exist_ok=True)
  for path, text, problems in remake():
    name = path.relative_to(_ROOT)
    messages += [f'{name}:{line}: {message}' for line, message in problems]
    if path.exists() and path.read_text() == text:
      continue
    if values['check']:
      messages.append(f'{name} differs from the records')
    else:
      path.write_text(text)
      print(f'written: {name}')
  if not values['check']:
    draw(values['figures'])
  if messages:
    raise ssnn_jax.UserError('\n'.join(['pages need corrections:', *messages]))


if __name__ == '__main__':
  with command.group('Records'):
    flags.DEFINE_boolean(
      'check', False, 'write nothing, and fail if a page is out of date.'
    )
    flags.DEFINE_boolean('figures', False, 'draw all figures again.')
  command.launch(main)
