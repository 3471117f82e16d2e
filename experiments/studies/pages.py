"""Pages of studies: a table and a figure, from the CSV file alone."""

import dataclasses
import json
import pathlib
import re

import pandas as pd

from experiments.runs import records
from experiments.studies import comparisons
from experiments.studies import figures
from experiments.studies import frames
from experiments.studies import studies
from experiments.studies import tables
import ssnn_jax
from ssnn_jax.runs import files

EFFORTS = './README'  # the page of the folder of results
# Rows of the table of the README: of `unchanged`, by a field of the settings.
_MODELS = (
  ('fashion_mnist', 'one hidden layer', 'layers', studies.DENSE),
  ('emnist47', 'one hidden layer', 'layers', '256,47'),
  *(
    ('fashion_mnist', tables.WORDS[model], 'model', model)
    for model in ('lenet', 'residual', 'mixer', 'vit')
  ),
  ('cifar10', 'residual, 3 seeds', 'model', 'whitened'),
  ('fashion_mnist', 'GRU over rows', 'model_args', 'rows=True'),
  ('spoken_digits', 'GRU, local in time', 'model', 'gru'),
  ('shakespeare', 'GPT', 'model', 'gpt'),
)
MARKS = '<!-- table -->', '<!-- end -->'


def compare_page(name: str) -> tuple[studies.Study, pd.DataFrame]:
  """Returns a study and its comparisons."""
  study = studies.load(name)
  return study, comparisons.compare(frames.read_csv(name), study)


def readme_table() -> str:
  """Makes the table of the README: models as they are, in bold if within."""
  _, compared = compare_page('unchanged')
  compared, rows = compared.dropna(subset='baseline'), []
  for dataset, model, field, value in _MODELS:
    is_own = (compared['dataset'] == dataset) & (compared[field] == value)
    own = compared[is_own].set_index('num_steps')
    is_loss = own['metric'].iloc[0] == studies.LOSS
    base = f'{own["baseline"].iloc[0]:{".3f" if is_loss else ".1f"}}'
    row = {'data': tables.word('dataset', dataset).split(',')[0]}
    row |= {'model': model, 'itself': f'{base} {"nats" if is_loss else "%"}'}
    for num_steps, heading in (('0', 'digits alone'), ('8', 'N = 8')):
      text, verdict = own.loc[num_steps, ['text', 'verdict']]
      text = f'**{text}**' if verdict.startswith('within') else text
      row[heading] = text + ', outside' * verdict.startswith('not')
    rows.append(row)
  return tables.write_table(pd.DataFrame(rows))


def page_table(name: str) -> str:
  """Makes the table of a page from the CSV file of the study.

  Spaces within a number do not break, as columns of a page are narrow.
  """
  study, compared = compare_page(name)
  made = tables.table(compared, study)
  return re.sub(' ([±=]) ', '\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}', made)


def efforts_table() -> str:
  """Makes the table of what the runs of each study have taken."""
  rows = []
  for name in frames.list_recorded():
    runs = frames.read_csv(name)
    seconds = frames.run_seconds(runs)
    if seconds.count():
      hours = f'{seconds.sum() / 3600:.1f}'
      row = f'[{name}]({name}.md)', str(seconds.count()), hours
      peaks = runs.reindex(columns=['peak_mib']).dropna()['peak_mib']
      rows.append((*row, f'{peaks.max():.0f}' if len(peaks) else ''))
  headings = ['study', 'runs', 'hours', 'memory of a process, MiB']
  return tables.write_table(pd.DataFrame(rows, columns=headings))


def write_page(name: str) -> None:
  """Generates the table and the figure of a study, or that of a README."""
  page = frames.path(name, 'md')
  makers = {EFFORTS: efforts_table, frames.README: readme_table}
  made = makers[name]() if name in makers else page_table(name)
  begin, end = MARKS
  text = page.read_text() if page.exists() else ''
  above, _, rest = text.partition(begin)
  _, has_marks, below = rest.partition(end)
  if not has_marks:
    raise ssnn_jax.UserError(
      f'{page} lacks the marks {begin} and {end}; write them where its table '
      'belongs.'
    )
  files.write_atomically(page, f'{above}{begin}\n{made}\n{end}{below}')
  if name in studies.STUDIES:
    study, compared = compare_page(name)
    fig = figures.draw(compared, study)
    fig.savefig(frames.path(name, 'png'), dpi=120)


def export(name: str, workdir: pathlib.Path) -> None:
  """Exports runs to the CSV file of a study.

  Those of the folder of a sweep replace those of its data sets, and those of
  the file of a measurement those of the same settings.
  """
  study, runs = studies.load(name), frames.read(workdir)
  if frames.path(name).exists():
    known = frames.read_csv(name)
    names = ['dataset']  # a sweep has all settings, a file those of a command
    if workdir.is_file():
      names = frames.setting_fields(study)

    def key(frame):  # a run has a seed
      has_seed = frame.reindex(columns=['seed'])['seed'].notna()
      cells = frame.reindex(columns=names, fill_value='')
      return pd.MultiIndex.from_frame(cells.assign(has_seed=has_seed))

    is_new = key(known).isin(key(runs))
    runs = pd.concat([known[~is_new], runs], ignore_index=True)
  files.write_atomically(frames.path(name), frames.to_csv(runs, study))


def show(workdir: pathlib.Path) -> None:
  """Prints the table of a sweep, and writes results.csv and results.png.

  The sweep of a study has its table; of a grid, all varied fields are named.
  """
  runs, file = frames.read(workdir), workdir / records.SWEEP
  name = json.loads(file.read_text()).get('study') if file.exists() else None
  study = studies.load(name) if name else studies.Study()
  varied = tuple(frames.differing(runs, frames.setting_fields(study)))
  study = dataclasses.replace(study, columns=study.columns + varied)
  if not name and 'num_steps' not in varied:
    study = dataclasses.replace(study, across='metric')
  files.write_atomically(workdir / 'results.csv', frames.to_csv(runs, study))
  compared = comparisons.compare(frames.sort(runs, study), study)
  written = f'runs: {workdir / "results.csv"}'
  if len(compared):
    print(tables.table(compared, study))
    figures.draw(compared, study).savefig(workdir / 'results.png', dpi=120)
    written += f', figure: {workdir / "results.png"}'
  print(written)
