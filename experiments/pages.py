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
from experiments.analysis import dataset_comparison
from experiments.analysis import grid_plot
from experiments.analysis import markdown
from experiments.analysis import record_section
from experiments.analysis import records
from experiments.analysis import statistics
from experiments.analysis import study as study_lib
from experiments.analysis import style
from experiments.config import command
from experiments.config import titles
from experiments.studies import datasets
import ssnn_jax
from ssnn_jax.datasets import catalog

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
    f'![{title}, {titles.title(record)}]({figure_path(name, record).name})'
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
  """Fills in the numbers of the text of a study, also of other studies."""

  def write(match):
    reference = match[1] if '.' in match[1] else f'{name}.{match[1]}'
    return write_number(f'{reference} {match[2] or ""}'.rstrip())

  return re.sub(r'\{([\w.]+)(?::([^}]+))?\}', write, read(name)[0].text).strip()


def _claim_table(judged):
  """Makes the table of claims with their verdicts."""
  rows = []
  for claim, verdict in judged:
    unit = f' ({claim.unit})' if claim.unit else ''
    rows.append((claim.statement, verdict.word, f'{verdict.reason}{unit}'))
  reason = 'deciding number and bound; p alone'
  return markdown.table(('claim', 'verdict after correction', reason), rows)


def index() -> str:
  """Makes the table of all studies."""
  rows = []
  for name in recorded():
    study, found = read(name)
    runs = [r.runs for r in found.values() if 'run_seconds' in r.runs]
    spent = f'{sum(map(records.minutes, runs)):.0f}' if runs else ''
    rows.append((f'[{name}]({name}.md)', study.question, spent))
  return markdown.table(('study', 'question', 'minutes'), rows)


def claim_summary() -> str:
  """Makes the table of all claims with their verdicts."""
  rows = [
    (claim.statement, verdict.word, f'[{name}]({name}.md)')
    for name, judged in verdicts().items()
    for claim, verdict in judged
  ]
  return markdown.table(('claim', 'verdict', 'study'), rows)


def _compared_datasets():
  """Returns the runs of each data set, in the order of their margins."""
  found = read('datasets')[1]
  return {name: found[name].runs for name in datasets.MARGINS}


def dataset_table() -> str:
  """Makes the table of accuracies on all data sets."""
  made = dataset_comparison.table(_compared_datasets(), datasets.MARGINS)
  return markdown.table(tuple(made), made.itertuples(index=False))


def summary_table() -> str:
  """Makes the table of accuracies with low-discrepancy trains."""
  run = _compared_datasets()['n_mnist'].iloc[0]
  number = run['num_train_samples'] + run['num_eval_samples']
  title, full = titles.title('n_mnist'), catalog.FULL_SIZES['n_mnist']
  events = f'{title}, {number:,} of {full:,} recordings'
  made = dataset_comparison.table(_compared_datasets(), datasets.MARGINS)
  made = made[made['trains'] == 'low-discrepancy']
  made = made.drop(columns=['trains', 'T = 256'])
  made['data set'] = made['data set'].replace(title, events)
  return markdown.table(tuple(made), made.itertuples(index=False))


BLOCKS = {
  'studies': index,
  'claims': claim_summary,
  'datasets': dataset_table,
  'summary': summary_table,
}


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
  """Draws accuracy against T for all data sets."""
  return dataset_comparison.draw(_compared_datasets(), datasets.MARGINS)


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
