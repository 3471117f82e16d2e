"""Wrong flags and damaged files: one sentence, and no file changes."""

import contextlib
import pathlib
import shlex
import shutil
import tempfile

from absl.testing import parameterized
import numpy as np

from experiments.analysis import frames
from experiments.config import titles
from ssnn_jax.runs import records
from tests.testing import commands
from tests.testing import sweeps

PERFECT = dict.fromkeys(titles.READOUTS, 1.0)
PERFECT |= dict.fromkeys(frames.ERRORS, 0.0)
FINAL = 'finished/metrics.jsonl'
DEEP = '[' * 10_000 + ']' * 10_000
# Commands, and what their sentence names.
REFUSED = {
  # Numbers that would be cut to 32 bits, or never end.
  'run --num_steps=2147483648': '--num_steps is 2147483648',
  'run --num_steps=1000000000': '--num_steps is 1000000000.* 67108863',
  'run --layer_sizes=64,1000000,1000000,10': 'choose fewer neurons',
  'run --layers=conv2000000000k5,10': '--layers is .* at most 2147483647',
  'run --learning_rate=1e-60': '--learning_rate is 1e-60',
  'run --seed=1099511627776': '--seed is 1099511627776',
  'sweep --num_seeds=99999999999': '--num_seeds',
  'benchmark --batch_size=2000000000 --names=infer': 'memory; give smaller',
  # Fields without effect, or of something else.
  'run --num_step=3': "'num_step'. Did you mean: num_steps",
  'run num_steps=3': 'num_steps=3 is not a flag',
  'run --num_steps=': '--num_steps=: expected a whole number',
  'run --layer_sizes=784,10': '--layer_sizes=784,10 does not fit digits',
  'run --batch_size=100000': '--batch_size=100000 .* 1437 training samples',
  'run --test_dataset=own.npz': '--test_dataset=.*own.npz has 16 inputs',
  'run --dataset=mnist --data_dir=new': 'new/mnist/train-.*<data_dir>/mnist/',
  'sweep --num_steps=3': '--num_steps is varied by the sweep',
  'sweep --grid=num_steps=3 --method=ssnn': '--method is varied',
  'sweep --grid=num_steps=3 --study=datasets': '--grid and --study exclude',
  'sweep --grid=num_step=3': "--grid: field 'num_step'.*num_steps",
  'sweep --ray_address=localhost:1': '--ray_address requires --launcher=ray',
  'plot --workdir=swept --energies=nope.json': 'nope.json',
  'collect': '--workdir or --lines',
  'benchmark --names=learn,sleep': '--names=learn,sleep',
  'measurements.fidelity --samplers=sobols': '--samplers=sobols',
  'measurements.pixel_noise --datasets=': '--datasets=',
  'pages --chek': "'chek'",
  # Files that are no runs, or would be lost.
  'run --resume --workdir=finished --num_epochs=2': 'num_epochs is 1, not 2',
  'run --resume --workdir=others': 'others/config.json',
  'run --workdir=finished': 'finished already holds a finished run',
  'run --workdir=unfinished': 'unfinished already holds .*--resume',
  'run --workdir=others': 'others already holds files that are not a run',
  'run --workdir=a_file/x': 'a_file/x cannot be used .Not a directory',
  'sweep --workdir=swept --grid=num_steps=4 --num_epochs=3': 'is 20, not 3',
  'sweep --workdir=a_file': 'a_file cannot be used',
  'plot --workdir=others': '--workdir=others holds no finished run',
  'plot --workdir=blocked': 'blocked/run.png cannot be used',
  'collect --workdir=swept --output=a_file': 'a_file exists; give --overwrite',
  'collect --workdir=swept --output=a_file --add': 'a_file is not a record',
  'export --workdir=finished --file=a_file': 'a_file exists already',
  'export --workdir=finished --file=no/x.nir': 'no/x.nir cannot be written',
  'prepare --dataset=a_file': '--dataset=a_file',
}
READERS = (
  'run --resume --workdir=finished',
  'plot --workdir=finished',
  'export --workdir=finished --file=x.nir',
)
RESUME = ('run --resume --workdir=unfinished',)
EXPORT = ('export --workdir=unfinished --file=x.nir',)
SWEEPS = 'plot --workdir=swept', 'collect --workdir=swept --output=x.jsonl'
RECORDS = (
  'plot --record=record.jsonl',
  'collect --workdir=swept --add --output=record.jsonl',
)
# Commands, files, a text in them (empty for all of it), another text instead,
# and what the sentence names.
CONFIGS, RECORDED = 'finished/*.json*', 'unfinished/metrics.jsonl'
METRICS = 'unfinished/checkpoints/1/metrics/metrics'
PROGRESS = 'unfinished/checkpoints/1/progress/metadata'
DIGEST = '"params_sha256": "'
DAMAGED = (
  (READERS, CONFIGS, 'epochs": 1', 'epochs": 3.5', 'config.json: num_epochs'),
  (READERS[:1], CONFIGS, '"seed": 0', '"seed": 0, "sead": 1', 'field sead'),
  (READERS[:1], 'finished/config.json', '"seed": 0', '"seed": 1', 'differs'),
  (READERS, 'finished/config.json', '', DEEP, 'finished/config.json'),
  (READERS, FINAL, 'y_rate": 0.', 'y_rate": null, "x": 0.', 'accuracy_rate'),
  (READERS[1:2], FINAL, '"loss": ', '"loss": NaN, "x": ', 'line 2 .*loss'),
  (RESUME, RECORDED, 'ta_sha256": "', 'ta_sha256": "0', 'other samples'),
  (RESUME, METRICS, '', '{"accuracy": "high"}', 'accuracy is "high"'),
  (EXPORT, PROGRESS, DIGEST, f'{DIGEST}0', 'arrays have changed'),
  (SWEEPS, 'swept/sweep.json', '', DEEP, 'swept/sweep.json is damaged'),
  (SWEEPS, 'swept/sweep.json', '', '{"study": "nope"}', '--study=nope'),
  (RECORDS, 'record.jsonl', '', DEEP, 'record.jsonl is not a record'),
  (RECORDS, 'record.jsonl', 'epochs":20', 'epochs":3.5', 'num_epochs is 3.5'),
)


class WrongInputsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.folder = pathlib.Path(folder)
    cls.enterClassContext(contextlib.chdir(folder))
    cls.made = commands.run(
      'run',
      *'--workdir=finished --method=bp --num_epochs=1 --layer_sizes=64,4,10 '
      '--tau=8 --transfer_lines=2 --seed=1 --seed=0'.split(),
    )
    for name in ('unfinished', 'blocked'):
      shutil.copytree('finished', name)
    *lines, _ = pathlib.Path(FINAL).read_text().splitlines(keepends=True)
    pathlib.Path(RECORDED).write_text(''.join(lines))
    pathlib.Path('blocked/run.png').mkdir()
    pathlib.Path('others').mkdir()
    for name in ('others/notes.txt', 'a_file'):
      pathlib.Path(name).write_bytes(b'\xff')
    images, labels = np.zeros((9, 4, 4)), np.arange(9) % 3
    arrays = dict.fromkeys(('x_train', 'x_test'), images)
    np.savez('own.npz', **arrays, y_train=labels, y_test=labels)
    for name, final in (('swept', {}), ('perfect', PERFECT)):
      runs = sweeps.make_runs('num_steps=4,8', lambda _: final, workdir=name)  # noqa: B023
      sweeps.write_runs(runs)
    commands.run(*'collect --workdir=swept --output=record.jsonl'.split())
    pathlib.Path('swept/sweep.json').write_text('{}')

  def read_files(self):
    """Reads all files of the folder but locks."""
    return {
      path: path.read_bytes()
      for path in self.folder.rglob('*')
      if path.is_file() and path.name != '.lock'
    }

  def assert_refused(self, line, named):
    before = self.read_files()
    done = commands.run(*shlex.split(line))
    self.assertEqual(done.returncode, 1, done)
    self.assertRegex(done.stderr, r'\Aerror: [^\n]*\.\n\Z')
    self.assertRegex(done.stderr, named)
    self.assertEqual(self.read_files(), before)

  @parameterized.parameters(*REFUSED.items())
  def test_flags_are_refused(self, line, named):
    is_new = line.startswith('run') and '--workdir' not in line
    self.assert_refused(f'{line} --workdir=new' if is_new else line, named)

  @parameterized.parameters(*DAMAGED)
  def test_damaged_files_are_refused(self, lines, files, old, new, named):
    for path in self.folder.glob(files):
      text = path.read_text()
      self.addCleanup(path.write_text, text)
      path.write_text(text.replace(old, new) if old else new)
    self.assertIn(new, text.replace(old, new) if old else new)
    for line in lines:
      self.assert_refused(line, named)

  def test_reports_flags_without_effect_and_takes_the_last(self):
    self.assertEqual((self.made.returncode, self.made.stderr), (0, ''))
    unused = '--tau, --transfer_lines: not used with --method=bp\n'
    self.assertStartsWith(self.made.stdout, unused)
    self.assertEqual(records.read('finished').config['seed'], 0)

  @parameterized.parameters(
    ('plot --workdir=perfect', ' 100.00 ± 0.00 '),
    ('plot --workdir=perfect --study=benchmark', 'generic view, as the study'),
    ('run --workdir=finished --resume', 'this run is already finished.'),
  )
  def test_has_a_right_result(self, line, output):
    done = commands.run(*line.split())
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    self.assertIn(output, done.stdout)
