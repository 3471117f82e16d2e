"""Generates the pages of results, and fills in the numbers of other pages.

  python -m experiments.pages
  python -m experiments.pages --check
  python -m experiments.pages --workdir=runs/noise-digits
  python -m experiments.pages --study=benchmark --record=cpu --lines=cpu.jsonl

The second command writes nothing, and fails if a page differs from the records.
The others first commit the record of a sweep, or of measurements, to
experiments/records. Figures are drawn for new records, and for all records with
--figures.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import functools
import itertools
import pathlib
from typing import Any

from absl import flags
from matplotlib import figure
import pandas as pd

from experiments import record as record_lib
from experiments import studies
from experiments.analysis import claims
from experiments.analysis import figures
from experiments.analysis import markdown
from experiments.analysis import record_section
from experiments.analysis import records
from experiments.analysis import statistics
from experiments.analysis import study as study_lib
from experiments.config import command
from experiments.config import titles
from experiments.studies import datasets
from experiments.studies import parity
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
  """Loads a study, or a part of a study, and its committed records."""
  return studies.load(name), records.read_study(name)


@functools.cache
def recorded() -> tuple[str, ...]:
  """Lists the studies that have a committed record."""
  return tuple(name for name in studies.NAMES if read(name)[1])


def sections(name: str) -> tuple[str, ...]:
  """Lists a study and its parts."""
  return (name, *(f'{name}/{part}' for part in studies.load(name).parts))


@functools.cache
def numbers(name: str) -> study_lib.Numbers:
  """Computes the numbers of a study and its parts from committed records."""
  computed = {}
  for section in sections(name):
    study, found = read(section)
    try:
      runs = {key: record.runs for key, record in found.items()}
      computed |= study.numbers(runs)
    except KeyError as error:
      raise ssnn_jax.UserError(
        f'the study {section} lacks {error} in its records; run the sweeps of '
        'the study, and commit them by --workdir.'
      ) from None
  return computed


def write_number(name: str, form: str = '') -> str:
  """Writes a number of a study, or a generated block.

  Args:
    name: `STUDY.NUMBER`, or the name of a block.
    form: a format of `statistics.write`.

  Returns:
    The text.

  Raises:
    UserError: if there is no such study, number or block.
  """
  study, dot, key = name.partition('.')
  if not dot:
    if name not in BLOCKS:
      raise ssnn_jax.UserError(
        f'{{{name}}} is not a block; name one of {", ".join(BLOCKS)}.'
      )
    return f'\n\n{BLOCKS[name]()}\n\n'
  known = numbers(study)
  if key not in known:
    raise ssnn_jax.UserError(
      f'the study {study} has no number {key}; it has {", ".join(known)}.'
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


def study_page(name: str) -> str:
  """Makes the page of a study, in Markdown: its text, claims and records."""

  def write(key, form):
    return write_number(key if '.' in key else f'{name}.{key}', form)

  paragraphs = []
  for section in sections(name):
    study, found = read(section)
    title = titles.of_study(section.rpartition('/')[2])
    heading = '#' if section == name else '##'
    paragraphs += [f'{heading} {title}', study.question]
    for record in found:
      path = figure_path(section, record)
      if path:
        paragraphs.append(f'![{title}, {titles.title(record)}]({path.name})')
    paragraphs.append(markdown.render(study.text, write).strip())
    if section in verdicts():
      paragraphs += ['## Claims', _claim_table(verdicts()[section])]
    for record in found.items():
      paragraphs.append(record_section.make(study, *record, f'{heading}#'))
  return '\n\n'.join(filter(None, paragraphs)) + '\n'


def _claim_table(judged):
  """Makes the table of claims with their verdicts."""
  rows = []
  for claim, verdict in judged:
    unit = f' ({claim.unit})' if claim.unit else ''
    rows.append((claim.statement, verdict.word, f'{verdict.reason}{unit}'))
  reason = 'deciding number and bound; p alone'
  return markdown.table(('claim', 'verdict after correction', reason), rows)


def figure_path(section: str, record: str) -> pathlib.Path | None:
  """Returns the file of the figure of a record; None if it has no figure."""
  study = studies.load(section)
  if not (study.figure or study.sweeps):
    return None
  return RESULTS / f'{section.replace("/", "-")}-{record}.png'


def index() -> str:
  """Makes the table of all studies."""
  rows = []
  for name in recorded():
    found = [r for section in sections(name) for r in read(section)[1].values()]
    runs = [r.runs for r in found if 'run_seconds' in r.runs]
    spent = f'{sum(map(records.minutes, runs)):.0f}' if runs else ''
    rows.append((f'[{name}]({name}.md)', studies.load(name).question, spent))
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


def dataset_table(is_summary: bool = False) -> str:
  """Makes the table of accuracies on all data sets.

  Args:
    is_summary: whether the table has Sobol trains only.

  Returns:
    The table, in Markdown: real time, then the fast simulation.
  """
  simulated = {name: own.runs for name, own in read('events')[1].items()}
  fast = _compared_datasets() | simulated
  margins = datasets.MARGINS | dict.fromkeys(simulated, datasets.MARGIN)
  simulations = {'real time': parity.select_realtime(read('parity')[1])}
  rows = [
    {'simulation': simulation} | row
    for simulation, compared in (simulations | {'fast': fast}).items()
    for row in datasets.rows(compared, margins)
  ]
  made = pd.DataFrame(rows)
  if is_summary:
    run = fast['n_mnist'].iloc[0]
    number = run['num_train_samples'] + run['num_eval_samples']
    title, full = titles.title('n_mnist'), catalog.FULL_SIZES['n_mnist']
    events = f'{title}, {number:,} of {full:,} recordings'
    made = made[made['trains'] == 'Sobol'].replace(title, events)
    made = made.drop(columns=['trains', 'T = 1', 'T = 256'])
  made = made.loc[:, made.ne('').any()]
  return markdown.table(tuple(made), made.itertuples(index=False))


BLOCKS = {
  'studies': index,
  'claims': claim_summary,
  'datasets': dataset_table,
  'summary': functools.partial(dataset_table, is_summary=True),
}


def remake() -> Iterator[tuple[pathlib.Path, str, list[markdown.Problem]]]:
  """Makes all pages.

  Yields:
    The file of a page, its text, and problems to correct by hand.
  """
  for name in recorded():
    yield RESULTS / f'{name}.md', study_page(name), []
  for path in PAGES:
    text, problems = markdown.fill(path.read_text(), write_number)
    yield path, text, [*problems, *markdown.lint(text)]


def draw_answer() -> figure.Figure:
  """Draws accuracy against T for all data sets."""
  return datasets.draw(_compared_datasets(), datasets.MARGINS)


def draw(everything: bool) -> None:
  """Draws the figures of pages: missing ones, or all."""
  if everything or not (RESULTS / 'answer.png').exists():
    print(f'drawn: {figures.save(draw_answer(), RESULTS / "answer")}')
  for section in itertools.chain.from_iterable(map(sections, recorded())):
    study, found = read(section)
    for record, (_, runs) in found.items():
      path = figure_path(section, record)
      if path and (everything or not path.exists()):
        drawn = figures.of_study(study, runs)
        print(f'drawn: {figures.save(drawn, path.with_suffix(""))}')


def collect(values: Mapping[str, Any]) -> None:
  """Commits the record of a sweep, or of measurements, to its study."""
  if values['check']:
    raise ssnn_jax.UserError(
      '--check writes nothing; leave it out, or --workdir and --lines.'
    )
  if values['lines']:
    for name in ('study', 'record'):
      if not values[name]:
        raise ssnn_jax.UserError(f'--lines also needs --{name}; give it.')
    paths = map(command.folder, values['lines'])
    made = records.collect_lines(paths, values['study'], values['record'])
  else:
    file = records.collect(command.folder(values['workdir']))
    made = record_lib.read(file)
    if not made.header['study']:
      raise ssnn_jax.UserError(
        f'the sweep in {file.parent} has no study, and so no page; its record '
        f'is {file}.'
      )
    made.header['record'] = values['record'] or made.header['record']
  target = records.commit(
    made, overwrite=values['overwrite'], add=values['add']
  )
  print(f'record: {target}')
  drawn = figure_path(made.header['study'], target.stem)
  if drawn:  # the figure of the former record
    drawn.unlink(missing_ok=True)


def main() -> None:
  """Writes the pages, or reports how they differ from the records."""
  values = flags.FLAGS.flag_values_dict()
  if values['workdir'] or values['lines']:
    collect(values)
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
  elif not messages:
    print('all pages agree with the records')
  if messages:
    raise ssnn_jax.UserError('\n'.join(['pages need corrections:', *messages]))


if __name__ == '__main__':
  flags.DEFINE_boolean(
    'check', False, 'write nothing, and fail if a page is out of date.'
  )
  flags.DEFINE_boolean('figures', False, 'draw all figures again.')
  flags.DEFINE_string(
    'workdir', None, 'folder of a finished sweep, whose record is committed.'
  )
  flags.DEFINE_list(
    'lines', None, 'files that measurements have printed, which are committed.'
  )
  flags.DEFINE_string('study', None, 'name of the study of --lines.')
  flags.DEFINE_string(
    'record', None, 'name of the record; default: the data set of the sweep.'
  )
  flags.DEFINE_boolean('overwrite', False, 'replace an existing record.')
  flags.DEFINE_boolean(
    'add',
    False,
    'add runs to an existing record; those of equal configuration and seed are '
    'replaced.',
  )
  command.launch(main)
