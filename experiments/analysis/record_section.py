"""Section of a record in the page of its study: table, command and cautions."""

from collections.abc import Iterator

import pandas as pd

from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis import lengths
from experiments.analysis import records
from experiments.analysis import statistics
from experiments.analysis import study as study_lib
from experiments.config import methods
from experiments.config import titles
from ssnn_jax.datasets import catalog

_MODES = {'realtime': 'real time', 'buffered': 'fast simulation'}
_TRAINS = {'bernoulli': 'Bernoulli', 'sobol': 'Sobol'}


def make(
  study: study_lib.Study, name: str, record: records.Record, mark: str = '##'
) -> str:
  """Makes the section of a record, in Markdown.

  Args:
    study: the study, or the part of a study, that has the record.
    name: the name of the record.
    record: the record.
    mark: of the heading.
  """
  header, runs = record
  is_sweep = 'curves' in runs
  tables = grid_table.of_study(study, runs)
  text = '\n\n'.join(map(grid_table.lay_out, tables))
  commands = [header['command']] if 'command' in header else []
  commands = study.commands.get(name, commands)
  paragraphs = [
    f'{mark} {titles.title(name)}',
    describe_conditions(runs) if is_sweep else '',
    f'```text\n{text}\n```',
    '```bash\n' + '\n'.join(commands) + '\n```',
    ' '.join(_provenance(header, runs)),
  ]
  if is_sweep:
    paragraphs.append(' '.join(_cautions(runs)))
    sentences = lengths.describe(runs, study.margin)
    paragraphs.append('\n'.join(f'- {line}' for line in sentences))
  return '\n\n'.join(filter(None, paragraphs))


def describe_conditions(runs: pd.DataFrame) -> str:
  """Describes simulation, trains, T, evaluation and readout of a sweep."""
  anns, spiking = frames.split_baseline(runs)
  fields = ['method', 'timing', 'sampler', 'num_steps']
  kinds = spiking[fields].drop_duplicates().to_dict('records')

  def join(field, names, ending=''):
    """Names the values of a field in methods that the field affects."""
    known = {
      str(names.get(kind[field], kind[field]))
      for kind in kinds
      if methods.concerns(kind['method'], field)
    }
    return ' or '.join(sorted(known)) + ending if known else ''

  is_chip = any(kind['method'] == methods.CHIP for kind in kinds)
  steps = join('num_steps', {})
  conditions = [
    'integer arithmetic of the chip' if is_chip else join('timing', _MODES),
    join('sampler', _TRAINS, ' trains'),
    f'T = {steps}' if steps.isdigit() else '',
  ]
  text = ', '.join(filter(None, conditions)) or 'ANN'
  split = 'held-out' if any(runs['hold_out']) else 'test'
  has_spikes = not spiking['method'].isin(methods.ANNS).all()
  readout = 'by the spike-count readout unless named, ' if has_spikes else ''
  level = f'{100 * statistics.LEVEL:.0f} %'
  seeds = 'seeds' if runs['folds'].isna().all() else 'folds'
  rest = f'; differences are in points, ± {level} interval'
  rest = '' if spiking.empty else rest
  ticks = set(anns['num_steps'])
  is_shared = len(ticks) == 1 and not ticks.issuperset(spiking['num_steps'])
  if is_shared and catalog.is_recorded(frames.field(runs, 'dataset')):
    rest += f'. For every T the ANN has the rates of {ticks.pop()} ticks'
  return (
    f'{text[0].upper()}{text[1:]}. Accuracies are in % of {split} samples, '
    f'{readout}± standard deviation over {seeds}{rest}.'
  )


def _provenance(header, runs) -> Iterator[str]:
  """Describes the hardware and duration of a record."""
  if header['study']:
    yield f'[Record](../records/{header["study"]}/{header["record"]}.jsonl).'
  if 'curves' not in runs:
    return
  environment = header['shared']['environment']
  versions = environment.get('versions', {})
  yield (
    f'{len(runs)} runs, {figures.describe_seeds(runs)} of each setting, '
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
