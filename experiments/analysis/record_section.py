"""Section of a record in the page of its study: table, command and cautions."""

from collections.abc import Iterator

from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis import lengths
from experiments.analysis import panels
from experiments.analysis import records
from experiments.analysis import statistics
from experiments.analysis import study as study_lib
from experiments.config import titles


def make(
  study: study_lib.Study, name: str, record: records.Record
) -> Iterator[str]:
  """Makes the paragraphs of the section of a record."""
  header, runs = record
  tables = grid_table.of_study(study, runs)
  text = '\n\n'.join(map(grid_table.lay_out, tables))
  commands = [header['command']] if 'command' in header else []
  commands = list(study.commands.get(name, commands))
  yield f'## {titles.title(name)}'
  yield f'```text\n{text}\n```'
  yield '```bash\n' + '\n'.join(commands) + '\n```'
  yield ' '.join(_provenance(header, runs))
  if 'curves' in runs:
    yield ' '.join(_cautions(runs))
    yield '\n'.join(f'- {line}' for line in lengths.describe(runs))


def _provenance(header, runs) -> Iterator[str]:
  """Describes the hardware and duration of a record."""
  yield f'[Record](../records/{header["study"]}/{header["record"]}.jsonl).'
  if 'curves' not in runs:
    return
  environment = header['shared']['environment']
  versions = environment.get('versions', {})
  yield (
    f'{len(runs)} runs, {panels.describe_seeds(runs)} of each setting, '
    f'{records.minutes(runs):.1f} minutes of training in total '
    f'({environment.get("device", "several devices")}'
    f'{", jax " + versions["jax"] if versions else ""}).'
  )


def _cautions(runs) -> Iterator[str]:
  """Warns of few seeds, and of a test set that is less certain than seeds."""
  if min(map(len, frames.settings(runs))) < statistics.MIN_SEEDS:
    yield f'**Fewer than {statistics.MIN_SEEDS} seeds: intervals are wide.**'
  ann, _ = frames.split_baseline(runs)
  if 'num_eval_samples' in runs and not ann.empty:
    first = frames.settings(ann)[0]
    accuracy = statistics.over_seeds(first, 'test_accuracy')
    size = int(frames.field(first, 'num_eval_samples'))
    error = statistics.test_set_error(accuracy.mean, size)
    if error > accuracy.deviation:
      yield (
        f'With {size:,} evaluation samples, the accuracy of the ANN has a '
        f'standard error of {100 * error:.2f} points, more than its standard '
        f'deviation over seeds ({100 * accuracy.deviation:.2f}); paired '
        'differences share the samples.'
      )
