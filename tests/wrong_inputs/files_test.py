"""Damaged files of runs and sweeps: one sentence, and no file changes."""

import pathlib
import shutil

from absl.testing import parameterized

from tests.testing import commands
from tests.testing import sweeps
from tests.testing.wrong_inputs import WrongInputsTestCase

DEEP = '[' * 10_000 + ']' * 10_000
READERS = (
  'run --resume --workdir=finished',
  'plot --workdir=finished',
  'export --workdir=finished --file=x.nir',
)
RESUME = ('run --resume --workdir=unfinished',)
EXPORT = ('export --workdir=unfinished --file=x.nir',)
BEST = ('export --workdir=unfinished --file=x.nir --best',)
SWEEPS = 'plot --workdir=swept', 'collect --workdir=swept --output=x.jsonl'
RECORDS = (
  'plot --record=record.jsonl',
  'collect --workdir=swept --add --output=record.jsonl',
)
LINES = 'finished/metrics.jsonl'
IN_CONFIG = 'finished is damaged, in config.json: '
IN_LINE = 'finished is damaged, in line {} of metrics.jsonl: '
JSON_ERROR = 'finished/{} does not hold valid JSON objects; restore ...'
CHECKPOINT = '{{}}/unfinished/checkpoints{} is damaged ({}); remove this ...'
SWEEP, RECORD = 'swept/sweep.json', 'record.jsonl'
METRICS = 'unfinished/checkpoints/1/metrics/metrics'
PROGRESS = 'unfinished/checkpoints/1/progress/metadata'
SWEEP_ERROR = 'swept/sweep.json is damaged ({}); repeat the command of the ...'
RECORD_ERROR = 'record.jsonl is not a record ({}); give a file of ...'
# Commands, files, a text in them (empty for all of it), another text in its
# place, and the sentence.
TABLE = (
  (
    *(READERS, 'finished/*.json*', '"num_epochs": 1', '"num_epochs": 3.5'),
    f'{IN_CONFIG}num_epochs is 3.5; expected a 32-bit whole number; ...',
  ),
  (
    *(READERS[:1], 'finished/*.json*', '"gain": [', '"gain": 1.0, "x": ['),
    f'{IN_CONFIG}gain is 1.0; expected a list, each item a 32-bit number; ...',
  ),
  (
    *(READERS[1:2], 'finished/*.json*', '"dataset": "digits"', '"dataset": 1'),
    f'{IN_CONFIG}dataset is 1; expected text; restore ...',
  ),
  (
    *(READERS[2:], 'finished/*.json*', '"method": "bp"', '"method": "magic"'),
    f'{IN_CONFIG}method is magic; expected one of ssnn, bp, ...',
  ),
  (
    *(READERS[:1], 'finished/*.json*', '"seed": 0', '"seed": -5'),
    'finished holds a run with an invalid value (--seed is -5; expected ...); '
    'restore its config.json.',
  ),
  (
    *(READERS[:1], 'finished/*.json*', '"seed": 0', '"seed": 0, "sead": 1'),
    'finished holds a run with the unknown field sead; resume the run with ...',
  ),
  (
    *(READERS[:1], 'finished/config.json', '"seed": 0', '"seed": 1'),
    'finished/config.json differs from the configuration in the header of '
    'finished/metrics.jsonl; restore config.json.',
  ),
  (READERS, 'finished/config.json', '', DEEP, JSON_ERROR.format('config.json')),
  (
    *(READERS[:1], LINES, '', f'{DEEP}\n'),
    JSON_ERROR.format('metrics.jsonl'),
  ),
  (
    *(READERS[1:2], LINES, '"epoch": 1,', '"epoch": "1",'),
    IN_LINE.format(2) + 'epoch is "1"; expected a 32-bit whole number; ...',
  ),
  (
    *(READERS, LINES, 'y_rate": 0.', 'y_rate": null, "x": 0.'),
    IN_LINE.format(4) + 'test_accuracy_rate is null; expected a 32-bit number; '
    '...',
  ),
  (
    *(READERS[1:2], LINES, '"loss": ', '"loss": NaN, "x": '),
    IN_LINE.format(2) + 'loss is NaN; expected a 32-bit number or null; ...',
  ),
  (
    *(
      RESUME,
      'unfinished/metrics.jsonl',
      '"data_sha256": "',
      '"data_sha256": "0',
    ),
    '--dataset=digits holds other samples than those on which the run in '
    'unfinished was trained; restore the data, or start a new run in ...',
  ),
  (
    *(RESUME, METRICS, '', '{"accuracy": "high"}'),
    CHECKPOINT.format('', 'accuracy is "high"'),
  ),
  (
    *(BEST, METRICS, '', '{"accuracy": null}'),
    CHECKPOINT.format('', 'accuracy is null'),
  ),
  (RESUME, METRICS, '', DEEP, CHECKPOINT.format('', 'maximum recursion ...')),
  (
    *(RESUME, PROGRESS, '', '{"seconds": 1}'),
    CHECKPOINT.format('/1', 'params_sha256 is missing'),
  ),
  (EXPORT, PROGRESS, '', '[]', CHECKPOINT.format('/1', '[] is not an object')),
  (
    *(EXPORT, PROGRESS, '"params_sha256": "', '"params_sha256": "0'),
    CHECKPOINT.format('/1', 'its arrays have changed since they were written'),
  ),
  (SWEEPS, SWEEP, '', DEEP, SWEEP_ERROR.format('it is nested too deep')),
  (SWEEPS, SWEEP, '', '[]', SWEEP_ERROR.format('[] is not an object')),
  (
    *(SWEEPS, SWEEP, '', '{"study": 5}'),
    SWEEP_ERROR.format('study is 5; expected text or null'),
  ),
  (
    *(SWEEPS, SWEEP, '', '{"study": "nope"}'),
    '--study=nope does not exist; choose one of ...',
  ),
  (RECORDS, RECORD, '', DEEP, RECORD_ERROR.format('it is nested too deep')),
  (RECORDS, RECORD, '', '5', RECORD_ERROR.format('5 is not an object')),
  (
    *(RECORDS, RECORD, '"num_epochs":20', '"num_epochs":3.5'),
    RECORD_ERROR.format('num_epochs is 3.5; expected a 32-bit whole number'),
  ),
  (
    *(RECORDS, RECORD, '"test_accuracy":0.5', '"test_accuracy":null'),
    RECORD_ERROR.format('test_accuracy is null; expected a 32-bit number'),
  ),
  (
    *(RECORDS, RECORD, '"curves":{}', '"curves":{"loss":["a"]}'),
    RECORD_ERROR.format('curve loss is not a list of a 32-bit number or null'),
  ),
)


class FilesTest(WrongInputsTestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    commands.run(
      *'run --workdir=finished --method=bp --num_epochs=1'.split(),
      '--layer_sizes=64,4,10',
    )
    shutil.copytree('finished', 'unfinished')
    metrics = pathlib.Path('unfinished/metrics.jsonl')
    *lines, _ = metrics.read_text().splitlines(keepends=True)
    metrics.write_text(''.join(lines))
    runs = sweeps.make_runs('num_steps=4,8', lambda _: {}, workdir='swept')
    sweeps.write_runs(runs)
    commands.run(*'collect --workdir=swept --output=record.jsonl'.split())
    pathlib.Path(SWEEP).write_text('{}')

  def edit(self, files, old, new):
    """Edits the files until the test ends."""
    for path in self.folder.glob(files):
      text = path.read_text()
      self.addCleanup(path.write_text, text)
      path.write_text(text.replace(old, new) if old else new)
    self.assertIn(new, text.replace(old, new) if old else new)

  @parameterized.parameters(*TABLE)
  def test_are_refused(self, lines, files, old, new, sentence):
    self.edit(files, old, new)
    for line in lines:
      self.assert_command_refused(line, sentence)

  def test_a_run_that_diverged_is_plotted(self):
    self.edit('unfinished/metrics.jsonl', '"loss": ', '"loss": null, "x": ')
    done = commands.run('plot', '--workdir=unfinished')
    self.assertEqual((done.returncode, done.stderr), (0, ''))

  def test_a_header_of_a_measurement_keeps_a_strange_command(self):
    pathlib.Path('lines.jsonl').write_text('{"event": "header", "command": 5}')
    flags = '--lines=lines.jsonl --study=benchmark --record=x --output=y.jsonl'
    done = commands.run('collect', *flags.split())
    self.assertEqual((done.returncode, done.stderr), (0, ''))
