"""Wrong flags and damaged files: one sentence, and no file changes."""

import contextlib
import os
import pathlib
import shlex
import shutil
import tempfile

from absl.testing import parameterized
import numpy as np

from experiments import record
from tests.testing import commands
from tests.testing import sweeps

# Commands, and what their sentence names.
REFUSED = {
  # Numbers that would be cut to 32 bits, or never end.
  'run --num_steps=2147483648': '--num_steps is 2147483648',
  'run --num_steps=1000000000': '--num_steps is 1000000000.* 67108863',
  'run --layer_sizes=64,1000000,1000000,10': 'choose fewer neurons',
  'run --layers=conv2000000000k5,10': '--layers is .* at most 2147483647',
  'run --learning_rate=1e-60': '--learning_rate is 1e-60',
  'run --seed=1099511627776': '--seed is 1099511627776',
  'benchmark --batch_size=2000000000 --names=infer': 'memory; give smaller',
  # Fields without effect, or of something else.
  'run --num_step=3': '--num_step is not a flag .* did you mean --num_steps?',
  'run --lr=3': 'did you mean --learning_rate?',
  'run num_steps=3': 'num_steps=3 is not a flag',
  'run --num_steps=': '--num_steps=: ',
  'run --batch_size=100000': '--batch_size=100000 .* 1437 training samples',
  'run --test_dataset=own.npz': '--test_dataset=.*own.npz has 16 inputs',
  'run --dataset=mnist --data_dir=new': 'new/mnist/train-.*<data_dir>/mnist/',
  'run --num_devices=99': '--num_devices=99 is out of range',
  'run --resume': '--resume needs the folder',
  'run --process_id=0': '--process_id requires --multihost',
  'sweep --ray_address=localhost:1': '--ray_address is .*--launcher=ray',
  'plot --workdir=swept --energies=nope.json': 'nope.json',
  'run --init_from=finished': '--init_from: .* 64-4-10 neurons, not 64-256-10',
  'plot --workdir=finished --raster': 'holds a run of bp',
  'plot --workdir=nowhere': '--workdir=nowhere is not a folder',
  'pages --lines=a.jsonl': '--lines also needs --study',
  'pages --workdir=swept': 'has no study',
  'prepare --dataset=a_file': "no dataset named 'a_file'",
  # Files that are no runs, or would be lost.
  'run --resume --workdir=finished --num_epochs=2': 'num_epochs is 1, not 2',
  'run --workdir=finished': 'finished holds another run .*method is bp, not',
  'run --workdir=pipe': 'pipe holds no run .*config.json is not a regular file',
  'plot --record=pipe/config.json': 'config.json is not a regular file',
  'run --dataset=pipe/own.npz': 'own.npz is not a regular file',
  'run --workdir=dangling': 'dangling is a link to nowhere, which does not ex',
  'run --workdir=others': 'others holds no run that can be continued',
  'run --workdir=a_file/x': 'a_file/x cannot be used .Not a directory',
  'sweep --workdir=swept --grid=num_steps=4 --num_epochs=3': 'is 20, not 3',
  'sweep --workdir=a_file': 'a_file cannot be used',
  'plot --workdir=others': 'others holds no run',
  'plot --workdir=blocked': 'blocked/run.png cannot be used',
  'export --workdir=finished --file=a_file': 'a_file exists already',
  'export --workdir=finished --file=no/x.nir': 'no/x.nir cannot be written',
}
RESUME = 'run --resume --workdir=unfinished'
EXPORT = 'export --workdir=unfinished --file=x.nir'
SWEEPS = 'plot --workdir=swept', 'pages --workdir=swept'
CONFIG = 'unfinished/config.json'
METRICS = 'swept/bp/seed=0-1/metrics.jsonl'
PROGRESS = 'unfinished/checkpoints/1/progress/metadata'
# Commands, a file, a text in it (empty for all of it), another text instead,
# and what the sentence names.
DAMAGED = (
  ((RESUME, EXPORT), CONFIG, '"seed"', '"sead"', 'unknown field sead'),
  ((RESUME, EXPORT), CONFIG, 'epochs": 1', 'epochs": 3.5', 'num_epochs is 3.5'),
  ((RESUME, EXPORT), CONFIG, '', '[', 'holds no run that can be continued'),
  # A checkpoint of another configuration, of other samples, or of other bits.
  ((RESUME,), CONFIG, '"tau": 8.0', '"tau": 4.0', 'tau is 8.0, not 4.0'),
  ((RESUME,), PROGRESS, 'data_sha256": "', 'data_sha256": "0', 'other samples'),
  ((EXPORT,), PROGRESS, 'params_sha256": "', 'params_sha256": "0', 'changed'),
  ((RESUME,), PROGRESS, '"sha256": "', '"sha256": "0', 'arrays have changed'),
  (SWEEPS, METRICS, '', '{"event"', f'{METRICS} is not a record'),
  (SWEEPS, 'swept/sweep.json', '{}', '{"study": "x"}', '--study=x'),
  (
    ('plot --record=swept/record.jsonl',),
    'swept/record.jsonl',
    '',
    '[',
    'd.js',
  ),
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
    pathlib.Path('unfinished', record.METRICS).unlink()
    pathlib.Path('blocked/run.png').mkdir()
    pathlib.Path('others').mkdir()
    pathlib.Path('pipe').mkdir()
    for name in ('pipe/config.json', 'pipe/own.npz'):
      os.mkfifo(name)
    pathlib.Path('dangling').symlink_to('nowhere')
    for name in ('others/notes.txt', 'a_file'):
      pathlib.Path(name).write_bytes(b'\xff')
    images, labels = np.zeros((9, 4, 4)), np.arange(9) % 3
    arrays = dict.fromkeys(('x_train', 'x_test'), images)
    np.savez('own.npz', **arrays, y_train=labels, y_test=labels)
    sweeps.write_sweep(cls.folder / 'swept', 'num_steps=4,8', num_seeds=2)
    pathlib.Path('swept/sweep.json').write_text('{}')
    commands.run('pages', '--workdir=swept')  # writes swept/record.jsonl

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
    is_new = is_new and '--resume' not in line
    self.assert_refused(f'{line} --workdir=new' if is_new else line, named)

  @parameterized.parameters(*DAMAGED)
  def test_damaged_files_are_refused(self, lines, file, old, new, named):
    path = self.folder / file
    text = path.read_text()
    self.addCleanup(path.write_text, text)
    path.write_text(text.replace(old, new) if old else new)
    self.assertIn(new, path.read_text())
    self.assertNotEqual(path.read_text(), text)
    for line in lines:
      self.assert_refused(line, named)

  def test_reports_flags_without_effect_and_takes_the_last(self):
    self.assertEqual((self.made.returncode, self.made.stderr), (0, ''))
    unused = '--tau, --transfer_lines: not used with --method=bp\n'
    self.assertStartsWith(self.made.stdout, unused)
    (line,) = record.find(self.folder / 'finished')
    self.assertEqual(line['config']['seed'], 0)

  def test_finished_run_is_not_trained_again(self):
    before = self.read_files()
    done = commands.run('run', '--workdir=finished', '--resume')
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    self.assertStartsWith(done.stdout, 'this run is already finished.')
    self.assertEqual(self.read_files(), before)
